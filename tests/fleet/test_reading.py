"""`outhaul fleet`: who is late or in trouble stands first, and nothing that a device wrote harms the others."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from cli.program import Program
from fleet.devices import HOUR_NS, SECOND_NS, body, status
from outhaul.fleet.reading import Reader
from outhaul.fleet.status import Found, read_status
from outhaul.model.errors import Refused
from outhaul.model.fleet import Malformed, segment_key, status_key
from outhaul.model.job import Connection, Destination
from outhaul.model.lifecycle import REASONS
from outhaul.wiring import open_meeting
from servers.server import Server

MEANINGS = {name: reason.meaning for name, reason in REASONS.items()}


def at(outhaul: Program, name: str, content: bytes, age_seconds: float = 0) -> Path:
    """A status object, written so long ago."""
    path = outhaul.home / "meet/.outhaul/fleet/status" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - age_seconds,) * 2)
    return path


def test_those_in_trouble_stand_first(outhaul: Program) -> None:
    """Who is late before the others, and who is late for longer before those; the rest by name."""
    at(outhaul, "b-well", body("b-well"))
    at(outhaul, "a-well", body("a-well"))
    held = {"files": 2, "bytes": 5, "held": {"unreadable": 2}, "oldest": None}
    at(outhaul, "held", body("held", waiting=held))
    then = time.time_ns() - 9 * HOUR_NS
    for name, hours in (("late", 9), ("later", 30)):
        at(outhaul, name, body(name, told_ns=then, next_by_ns=then + HOUR_NS), hours * 3600)
    ran = outhaul("fleet", "meet")
    assert (
        ran.code, [line.split()[0] for line in ran.out.splitlines()[1:6]],
    ) == (1, ["later", "late", "held", "a-well", "b-well"])  # fmt: skip
    assert "5 devices: 2 late, 1 in trouble, 2 well; 14 files waiting" in ran.out
    assert max(map(len, ran.out.splitlines()[:6])) <= 80, ran.out


def test_a_fleet_that_is_well(outhaul: Program) -> None:
    """Exit code 0, and nothing where nothing is to be said; with --metrics they are written."""
    at(outhaul, "a", body("a"))
    ran = outhaul("fleet", "meet", "-q", "--metrics", "fleet.prom")
    assert ran == (0, "", "")
    text = (outhaul.home / "fleet.prom").read_text()
    assert 'outhaul_fleet_device_late_seconds{device="a"} 0\n' in text
    assert "outhaul_fleet_devices 1\n" in text


@pytest.mark.parametrize("place", ["meet", "meet/.outhaul/fleet", "nowhere"])
@pytest.mark.parametrize("option", ["--quiet", "--json", "--verbose"])
def test_no_fleet(outhaul: Program, place: str, option: str) -> None:
    """Nobody has told anything there, which may be the wrong address: that is one line, and an alarm."""
    (outhaul.home / "meet").mkdir()
    ran = outhaul("fleet", place, option)
    there = f"file://{outhaul.home}/{place}"
    said = f"no device has told anything beneath {there}/.outhaul/fleet/: is {there} what they have as `to` in [fleet]?"
    assert (ran.code, ran.out, ran.err) == (1, "", f"outhaul: {said}\n")


def test_what_others_wrote_is_data(outhaul: Program) -> None:
    """What is none, or too large, or has characters for terminals, is one line of its own, and the rest is read."""
    at(outhaul, "good", body("good", fault="\x1b[31mred\u202e"))
    at(outhaul, "large", body("large") + b" " * (1 << 20))
    at(outhaul, "none", b"[" * 100_000)
    at(outhaul, "odd\x1b]0;x\x07", body("good"))
    ran = outhaul("fleet", "meet")
    assert (ran.code, ran.err) == (1, "")
    assert [letter for letter in ran.out if letter != "\n" and (not letter.isprintable() or letter == "\u202e")] == []
    listed = outhaul("fleet", "meet", "--json")
    assert {event["device"]: "unreadable" in event for event in listed.events} == {
        "good": False,
        "large": True,
        "none": True,
        "odd\\x1b]0;x\\x07": True,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2}, {"device": "other"}, {"told_ns": -1}, {"told_ns": 1.5}, {"told_ns": True}, {"sequence": 1 << 70},
        {"next_by_ns": 0}, {"next_by_ns": 1 << 62}, {"version": "x" * 1000}, {"waiting": []}, {"carried": {}},
        {"waiting": {"files": 1, "bytes": 1, "held": {"\n": 1}}}, {"waiting": {"files": 1, "bytes": 1, "held": {"x": "y"}}},
        {"disk": {"full_in_seconds": "soon"}}, {"fault": None}, {"control": {"paused": 1}},
        *({"control": {"paused": False, "refused": "", "sequence": 7, "expires_ns": 1, **wrong}} for wrong in (
            {"set": "x"}, {"set": [1]}, {"set": ["x"] * 101}, {"set": ["x" * 401]}, {"expires_ns": -1}, {"sequence": "7"},
        )),
    ],
)  # fmt: skip
def test_what_is_not_of_its_form_is_refused(changes: dict[str, Any]) -> None:
    """In words of ours."""
    with pytest.raises(Malformed):
        read_status(body("a", **changes), "a")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", '"\\ud800"'])
def test_numbers_that_are_none(text: str) -> None:
    """JSON has no such; and half a character is no text."""
    whole = json.dumps({**status("a"), "fault": "", "sequence": 0}).replace('"sequence": 0', f'"sequence": {text}')
    with pytest.raises(Malformed):
        read_status(whole.encode(), "a")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"fault": "x"}, ["failing: x"]),
        ({"given_up": {"files": 2, "bytes": 1, "last_ns": time.time_ns()}}, ["2 given up, never carried"]),
        ({"given_up": {"files": 2, "bytes": 1, "last_ns": 5}}, []),
        ({"disk": {"full_in_seconds": 7200}}, ["disk full in 2h"]),
        ({"disk": {"full_in_seconds": 0}}, ["the disk is full"]),
        ({"disk": {"full_in_seconds": 7 * 86400}}, []),
        ({"told_ns": 5 * SECOND_NS, "next_by_ns": 9 * SECOND_NS}, True),
    ],
)
def test_what_is_trouble(changes: dict[str, Any], expected: list[str] | bool) -> None:
    """Each kind; a clock that is far off is one, and makes nobody late."""
    now = time.time_ns()
    troubles = Found("a", now, read_status(body("a", **changes), "a"), "").troubles(now, MEANINGS)
    if expected is True:
        assert (len(troubles), troubles[0].split()[-1]) == (1, "behind")
    else:
        assert expected == troubles


@pytest.mark.slow
def test_a_listing_that_fails_is_no_empty_fleet(outhaul: Program) -> None:
    """It is an error (law L10)."""
    ran = outhaul(
        "fleet", "s3://a-bucket/x", "--endpoint-url", "http://127.0.0.1:1",
        AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b",
    )  # fmt: skip
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)


@pytest.mark.slow
def test_on_real_servers(s3_server: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is created, replaced, listed and read by each of them."""
    for name, value in s3_server.environ().items():
        monkeypatch.setenv(name, value)
    there = Destination(f"s3://{bucket}/a b", "s3", bucket, "a b")
    meeting = open_meeting(there, Connection(endpoint_url=s3_server.endpoint_url))
    for _ in range(2):
        meeting.create(segment_key("a b", "x", "1970/01", "f", 1, 2, "d"), b"segment")
    times = [meeting.replace(status_key("a b", name), body(name)) for name in ("x", "y", "x")]
    assert all(abs((found or 0) - time.time_ns()) < 60 * SECOND_NS for found in times)
    found = [seen.found for seen in Reader(meeting, "a b").devices()]
    assert [(one.device, one.unreadable) for one in found] == [("x", ""), ("y", "")]
    assert (
        meeting.read_one(segment_key("a b", "x", "1970/01", "f", 1, 2, "d"), 100), meeting.read_one("a b/none", 100),
    ) == (b"segment", None)  # fmt: skip
    with pytest.raises(Refused):
        meeting.read_one(status_key("a b", "x"), 5)
