"""`outhaul fleet --hook`: somebody is told who is late or in trouble, when that changes, and with what a pipe holds."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.program import Program
from fleet.devices import HOUR_NS, body
from fleet.test_reading import at
from outhaul.config.telling import Hook
from outhaul.frontends.cli.fleet_alarm import Alarm
from outhaul.frontends.telling.delivery import Delivery

WRITES = "import os, sys; open(sys.argv[1], 'a').write(sys.stdin.read() + os.environ['OUTHAUL_LATE'] + '\\n')"


def late(outhaul: Program, name: str) -> None:
    """A device that has been silent for nine hours."""
    then = time.time_ns() - 9 * HOUR_NS
    at(outhaul, name, body(name, told_ns=then, next_by_ns=then + HOUR_NS), 9 * 3600)


def test_who_is_late_is_told(outhaul: Program) -> None:
    """A command has it by its standard input, as JSON, and the numbers in its environment."""
    late(outhaul, "a-b")
    at(outhaul, "well", body("well"))
    command = [sys.executable, "-c", WRITES, str(outhaul.home / "heard")]
    ran = outhaul("fleet", "meet", "-q", "--hook", shlex.join(command))
    assert (ran.code, ran.err) == (1, "")
    document, number = (outhaul.home / "heard").read_text().rpartition("}")[::2]
    told = json.loads(document + "}")
    assert (told["event"], told["devices"], told["late"], told["in_trouble"], number) == ("failure", 2, 1, 1, "1\n")
    assert [(one["device"], one["late"]) for one in told["named"]] == [("a-b", True)]
    assert told["named"][0]["troubles"] == ["late by 8h"]


def test_a_fleet_that_is_well_tells_nobody(outhaul: Program) -> None:
    """Not in a single look."""
    at(outhaul, "well", body("well"))
    ran = outhaul("fleet", "meet", "-q", "--hook", f"{sys.executable} -c {shlex.quote(WRITES)} heard")
    assert (ran.code, (outhaul.home / "heard").exists()) == (0, False)


@pytest.mark.parametrize("told", ["told", "http://example.org/x", "'unclosed"])
def test_a_hook_that_is_none(outhaul: Program, told: str) -> None:
    """Before anything is looked at."""
    ran = outhaul("fleet", "meet", "--hook", told)
    assert (ran.code, ran.err.startswith("outhaul: --hook: "), ran.err.count("\n")) == (2, True, 1)


def test_a_hook_that_fails_is_said(outhaul: Program) -> None:
    """The table is printed all the same."""
    late(outhaul, "a")
    ran = outhaul("fleet", "meet", "--hook", "/bin/false")
    assert (ran.code, "1 device: 1 late" in ran.out) == (1, True)
    assert ran.err == "outhaul: hook failure: /bin/false: exit code 1\n"


@pytest.fixture
def heard(tmp_path: Path) -> Callable[[], list[dict[str, object]]]:
    """What a hook has heard so far, once all is told."""
    path = tmp_path / "heard"
    return lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_it_is_told_when_it_changes(tmp_path: Path, heard: Callable[[], list[dict[str, object]]]) -> None:
    """Not with each look; and once when all are well again."""
    writes = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"
    hook = Hook((sys.executable, "-c", writes, str(tmp_path / "heard")))
    alarm = Alarm(hook, "s3://b", Delivery(lambda text: pytest.fail(text)))
    alarm.look([], {}, 2)
    for hours in (1, 2):
        alarm.look(["a"], {"a": [f"late by {hours}h"]}, 2)
    alarm.look(["a"], {"a": ["late by 3h"], "b": ["2 held"]}, 2)
    alarm.look(["a", "b"], {"a": ["late by 4h"], "b": ["late by 1h"]}, 2)
    for _ in range(2):
        alarm.look([], {}, 2)
    for devices in (0, 0, 2):
        alarm.look([], {}, devices)
    alarm.close()
    assert [(one["event"], one["late"], one["in_trouble"]) for one in heard()] == [
        ("failure", 1, 1), ("failure", 1, 2), ("failure", 2, 2), ("recovered", 0, 0), ("failure", 0, 0), ("recovered", 0, 0),
    ]  # fmt: skip
    assert heard()[4]["text"] == "no device has told anything there"


def test_ten_thousand_devices_fit_into_a_pipe(tmp_path: Path, heard: Callable[[], list[dict[str, object]]]) -> None:
    """Some are named, all are counted."""
    writes = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"
    hook = Hook((sys.executable, "-c", writes, str(tmp_path / "heard")))
    alarm = Alarm(hook, "s3://b", Delivery(lambda text: pytest.fail(text)))
    troubles = {f"device-{number:060}": ["failing: " + "\U0001f4e6" * 3000] * 8 for number in range(10_000)}
    alarm.look([], troubles, 20_000)
    alarm.close()
    (told,) = heard()
    assert (told["in_trouble"], len(json.dumps(told, ensure_ascii=False).encode()) < 60_000) == (10_000, True)
    named = told["named"]
    assert isinstance(named, list)
    assert len(named) == 40
