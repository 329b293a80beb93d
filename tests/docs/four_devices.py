"""`python -m docs.four_devices DIRECTORY`: what the devices of docs/fleet.md have told, beneath the directory of a store.

A day without a word, and ten with a file that is held, are not waited for: their objects are written as those devices write them.
"""

import os
import sys
import time
from pathlib import Path

from fleet.devices import HOUR_NS, body
from outhaul.model.fleet import status_key

_MINUTE_NS, _DAY_NS = HOUR_NS // 60, 24 * HOUR_NS
_DEVICES: tuple[tuple[str, int, int, int, int, dict[str, int], int, int], ...] = (
    ("logger-03", 30 * HOUR_NS, 12, 3_100_000, 2 * _DAY_NS, {}, 21_040, 4_000_000_000),
    ("logger-11", 4 * _MINUTE_NS, 88, 20_000_000, 10 * _DAY_NS, {"unreadable": 2}, 9_080, 2_000_000_000),
    ("logger-17", 9 * _MINUTE_NS, 3, 3_000, HOUR_NS, {}, 12_000, 2_200_000_000),
    ("logger-21", 2 * _MINUTE_NS, 0, 0, 0, {}, 6_000, 1_000_000_000),
)
"""Name, when it was heard of; files and bytes that waited, the oldest for how long, what was held; files and bytes carried."""


def main(directory: Path) -> None:
    """Write them."""
    now = time.time_ns()
    for name, heard, files, size, oldest, held, carried, carried_bytes in _DEVICES:
        told = now - heard
        since = {"path": "2026/11/a.csv", "since_ns": told - oldest} if files else None
        content = body(
            name, told_ns=told, next_by_ns=told + 3 * HOUR_NS, jobs=[],
            waiting={"files": files, "bytes": size, "held": held, "oldest": since},
            carried={"files": carried, "bytes": carried_bytes, "last_ns": told},
        )  # fmt: skip
        path = directory / status_key("", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(told, told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
