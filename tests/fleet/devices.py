"""Status objects as devices write them, made up."""

from __future__ import annotations

import json
import time
from typing import Any

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS


def status(device: str, /, **changes: Any) -> dict[str, Any]:
    """That of a device that is well, and was heard of just now."""
    now = time.time_ns()
    return {
        "format": 1, "device": device, "version": "0.1.0", "sequence": 7, "told_ns": now, "next_by_ns": now + 2 * HOUR_NS,
        "interval_seconds": 900, "clock_offset_seconds": 0, "ledger": "f899199c77b7", "receipts_told": 1200,
        "waiting": {
            "files": 3, "bytes": 3000, "held": {}, "oldest": {"path": "2026/11/a.csv", "since_ns": now - HOUR_NS},
        },
        "carried": {"files": 1200, "bytes": 1_200_000, "last_ns": now}, "given_up": {"files": 0, "bytes": 0, "last_ns": 0},
        "fault": "", "disk": {"free": 10**9, "size": 10**10, "full_in_seconds": None},
        "jobs": [
            {
                "job": f"job-{number}", "destination": "s3://bucket/site-7", "waiting": {"settling": 3}, "waiting_bytes": 3000,
                "receipts": 400, "last_run_ns": now, "last_carried_ns": now, "fault": "",
            }
            for number in range(3)
        ],
        "jobs_left_out": 0, "control": None, **changes,
    }  # fmt: skip


def body(device: str, /, **changes: Any) -> bytes:
    """The same, as it is stored."""
    return json.dumps(status(device, **changes), indent=1).encode()
