"""Ten thousand devices, from a real server: `./dev test tests/fleet/test_many.py` tells what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.devices import body
from servers.start import Unavailable, rclone

DEVICES = 10_000
_PROGRAM = """
import re, sys
from outhaul.frontends.cli.main import main
code = main(sys.argv[1:])
import os; print(sum(os.times()[:2]), file=sys.stderr)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
def test_ten_thousand_are_listed(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Each is told, in one piece."""
    folder = tmp_path / "data" / "bucket" / "site" / ".outhaul" / "fleet" / "status"
    folder.mkdir(parents=True)
    for number in range(DEVICES):
        (folder / f"logger-{number:05}.json").write_bytes(body(f"logger-{number:05}"))
    try:
        with rclone(tmp_path / "data") as server:
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM, "fleet", "s3://bucket/site", "--json"],
                capture_output=True, check=False, timeout=300,
                env={**server.environ(), "AWS_ENDPOINT_URL": server.endpoint_url, "HOME": os.fspath(tmp_path)},
            )  # fmt: skip
            took = time.monotonic() - began
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert (done.returncode, len({json.loads(line)["device"] for line in done.stdout.splitlines()})) == (0, DEVICES)
    cpu, memory = done.stderr.split()[-2:]
    figure = f"fleet: {DEVICES:,} devices in {took:.1f} s ({float(cpu):.1f} s of CPU), {int(memory) / 1000:.0f} MB"
    record_property("figure", figure)
