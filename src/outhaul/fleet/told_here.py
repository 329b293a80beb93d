"""What this machine does by order of its fleet, in words: for the log, for `status` and for `check`.

`status` knows no configuration, so it reads what the last `run` or `watch` has written down of it; that decides nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from outhaul.fleet.memory import HOLDS
from outhaul.ledgers.small_tables import forget, read
from outhaul.model.fleet import SECOND_NS
from outhaul.model.keys import printable


def words(number: int, expires_ns: int, paused: bool, rate: int, sets: Sequence[str]) -> str:
    """Which order holds, how long, and what it changes; one line."""
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires_ns // SECOND_NS))
    said = ["nothing is carried"] if paused else []
    said += [f"no more than {rate:,} bytes a second are sent"] if rate else []
    said += sets
    return printable(f"order {number} of the fleet, until {until}: {'; '.join(said) or 'as configured'}")


def nobody_orders(state: str) -> None:
    """No order holds here, because nobody may give one: nothing is to be told of one."""
    forget(os.path.join(state, HOLDS))


def held_here(state: str) -> dict[str, Any] | None:
    """What was written down of the order that holds, or of one that is refused; None where nobody orders anything.

    Its fields are those of `control` in a status object (docs/format.md).
    """
    found = read(os.path.join(state, HOLDS))
    kinds = {"sequence": int, "paused": bool, "rate": int, "expires_ns": int, "refused": str, "set": list}
    if found is None or any(not isinstance(found.get(key), kind) for key, kind in kinds.items()):
        return None
    holds = found["expires_ns"] > time.time_ns()
    return found if holds else {**found, "paused": False, "rate": 0, "expires_ns": 0, "set": []}


def lines(state: str) -> list[str]:
    """What `status` says of it; [] where there is nothing to say."""
    found = held_here(state)
    return lines_of(found) if found else []


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """A line for the order that holds, and one for one that is refused."""
    sets = [str(one) for one in found["set"]]
    said = [words(found["sequence"], found["expires_ns"], found["paused"], found["rate"], sets)]
    refused = [printable(f"refused: {found['refused']}")] if found["refused"] else []
    return (said if found["expires_ns"] else []) + refused
