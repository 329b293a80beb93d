"""A real ledger whose calls are numbered, so that a crash can come before or after each of them.

There is no imitation of a ledger: it would test the imitation. A process that ends is shown by closing the real one
without its last `settle`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from outhaul.ports import Ledger
from outhaul.testing.steps import Steps


def stepped(ledger: Ledger, steps: Steps) -> Ledger:
    """The same ledger, each call of it a step named 'ledger.' and its method."""
    return cast(Ledger, _Stepped(ledger, steps))


class _Stepped:
    def __init__(self, ledger: Ledger, steps: Steps) -> None:
        self._ledger = ledger
        self._steps = steps

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._ledger, name)

        def call(*arguments: Any, **named: Any) -> Any:
            with self._steps.step(f"ledger.{name}"):
                return method(*arguments, **named)

        return call
