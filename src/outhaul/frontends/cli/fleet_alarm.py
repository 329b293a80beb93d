"""`fleet --hook`: a command or an address that is told who is late or in trouble.

With `--watch` it is told when that changes, and once nobody is any more; otherwise each time that somebody is: what was told
before is remembered by nobody then.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from itertools import islice

from outhaul.config.paths import absolute_from
from outhaul.config.telling import Hook, hook
from outhaul.frontends.telling.delivery import Delivery, Word
from outhaul.model.errors import ConfigurationError
from outhaul.model.keys import printable

NAMED_MAX, _TROUBLES_MAX, _TEXT_MAX = 40, 3, 100
"""Devices that are named in one document, what is said of each, and how long that is: it has to fit into a pipe."""
_CLOSE_SECONDS = 35.0


def given_hook(text: str) -> Hook:
    """What an option says: an address, or a command line.

    Raises:
        ConfigurationError: it is neither.
    """
    try:
        return hook(text if "://" in text.partition(" ")[0] else shlex.split(text), absolute_from(os.getcwd()))
    except ValueError as error:
        raise ConfigurationError(f"--hook: {error}") from None


class Alarm:
    """Tells the hook."""

    def __init__(self, told: Hook, address: str, delivery: Delivery) -> None:
        self._hook, self._address, self._delivery = told, address, delivery
        self._last = frozenset[str](), frozenset[str](), True

    def look(self, late: Sequence[str], troubles: Mapping[str, Sequence[str]], devices: int) -> None:
        """What a look has shown.

        Args:
            late: Devices that should have been heard of since.
            troubles: Of each device that is late or in trouble, why, in words.
            devices: How many there are; that there is none is trouble.
        """
        now = frozenset(late), frozenset(troubles), devices > 0
        if now == self._last:
            return
        self._last = now
        event = "failure" if troubles or not devices else "recovered"
        text = f"{len(troubles):,} of {devices:,} devices late or in trouble" if troubles else "all devices are well"
        document = {
            "event": event, "fleet": self._address, "devices": devices, "late": len(late), "in_trouble": len(troubles),
            "text": text if devices else "no device has told anything there",
            "named": [
                {
                    "device": printable(device), "late": device in now[0],
                    "troubles": [printable(text)[:_TEXT_MAX] for text in texts[:_TROUBLES_MAX]],
                }
                for device, texts in islice(troubles.items(), NAMED_MAX)
            ],
        }  # fmt: skip
        variables = {"OUTHAUL_EVENT": event, "OUTHAUL_LATE": str(len(late)), "OUTHAUL_IN_TROUBLE": str(len(troubles))}
        self._delivery.tell(Word(self._hook, event, json.dumps(document, ensure_ascii=False).encode(), variables))

    def close(self) -> None:
        """Wait until it is told."""
        self._delivery.close(_CLOSE_SECONDS)
