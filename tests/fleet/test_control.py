"""Orders to devices: who gives one, to whom, and which is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.program import Program
from outhaul.fleet import signing
from outhaul.fleet.obeying import Obedience
from outhaul.frontends.cli.main import main
from outhaul.model.fleet import ALL, Fleet, Malformed, control_key
from outhaul.model.job import Connection, Destination
from outhaul.model.orders import Order, read_order, told
from outhaul.wiring import open_meeting

CONFIG = """
[fleet]
to = "meet"
device = "logger-17"
interval = "1s"
{key}
[[job]]
name = "a"
source = "source"
to = "target"
settle = {{ quiet = "0s" }}
"""
HOUR_NS = 3600 * 10**9


class Desk:
    """A fleet in a directory, and who gives orders there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.key = signing.load_key(self._made(home / "fleet.key"))
        self.there = Destination(f"file://{home}/meet", "file", "", "", f"{home}/meet")
        self.meeting = open_meeting(self.there, Connection())
        self.fleet = Fleet(self.there, Connection(), "logger-17", 1, HOUR_NS, signing.public_of(self.key))

    def _made(self, path: Path) -> str:
        signing.make_key(str(path))
        return str(path)

    def order(self, sequence: int, device: str = "logger-17", **changes: Any) -> Order:
        """One that holds for an hour, and pauses."""
        order = Order(self.there.address, device, sequence, time.time_ns() + HOUR_NS, True, 0)
        return order._replace(**changes)

    def give(self, order: Order, at: str = "", key: Any = None) -> bytes:
        """Put it where its device looks."""
        body = signing.signed(told(order), key or self.key)
        self.meeting.replace(control_key("", at or order.device), body)
        return body

    def device(self) -> Obedience:
        """The device, started anew."""
        return Obedience(self.fleet, str(self.home))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A fleet of its own."""
    return Desk(tmp_path)


def test_an_order_is_obeyed_over_restarts_until_it_expires(desk: Desk) -> None:
    """Nothing need be in the bucket for it any more."""
    assert desk.device().look(desk.meeting) is None
    order = desk.order(5, rate=1 << 20, expires_ns=time.time_ns() + 400_000_000)
    desk.give(order)
    assert order == desk.device().look(desk.meeting)
    shutil.rmtree(desk.home / "meet")
    device = desk.device()
    assert (order, order) == (device.holds(), device.look(desk.meeting))
    time.sleep(0.45)
    assert (device.holds(), device.look(desk.meeting), desk.device().holds()) == (None, None, None)


def test_an_older_order_is_refused(desk: Desk) -> None:
    """Also after a restart, and after the newer one has gone; the newer of the two for one device and for all holds."""
    old = desk.order(5)
    desk.give(old)
    desk.device().look(desk.meeting)
    new = desk.order(6, paused=False)
    desk.give(new)
    assert new == desk.device().look(desk.meeting)
    desk.give(old)
    device = desk.device()
    assert (new, True) == (device.look(desk.meeting), "5 is older than 6" in device.refused)
    for_all = desk.order(7, device=ALL)
    desk.give(for_all)
    assert for_all == desk.device().look(desk.meeting)
    desk.give(desk.order(8))
    assert (desk.device().look(desk.meeting) or for_all).sequence == 8


def test_one_that_was_seen_to_expire_is_not_obeyed_again(desk: Desk) -> None:
    """Though the clock is set back."""
    desk.give(desk.order(5))
    device = desk.device()
    device.look(desk.meeting)
    tree = json.loads((desk.home / "fleet-control.json").read_text())
    (desk.home / "fleet-control.json").write_text(
        json.dumps({**tree, "order": ""})
    )  # As it is left when it has expired.
    assert desk.device().look(desk.meeting) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"place": "s3://another/fleet"}, "for another fleet"),
        ({"device": "logger-18"}, "for another device"),
        ({"device": ALL}, "in the place of another"),
        ({"expires_ns": 5}, "has expired"),
        ({"expires_ns": (1 << 63) - 1}, "has expired"),
        ({"rate": 5}, "holds what no order does"),
        ({"rate": True}, "holds what no order does"),
        ({"sequence": -1}, "holds what no order does"),
        ({"paused": 1}, "holds what no order does"),
    ],
)
def test_what_is_signed_and_not_meant_is_refused(desk: Desk, changes: dict[str, Any], expected: str) -> None:
    """The signature is right, and it is none for this device, or none at all."""
    desk.give(desk.order(5)._replace(**changes), at="logger-17")
    device = desk.device()
    assert (device.look(desk.meeting), expected in device.refused) == (None, True)


def test_what_is_not_signed_is_refused(desk: Desk) -> None:
    """Every byte counts: none may be altered, left out or put in; nor does another key do, nor a signature of something else."""
    body = desk.give(desk.order(5))
    tree = json.loads(body)
    wrong = [
        body[:-1], b"", b"{}", b"[" * 4000, body + b" " * 5000, json.dumps({**tree, "more": 1}).encode(),
        json.dumps({**tree, "signature": ""}).encode(), json.dumps({**tree, "signature": 5}).encode(),
        json.dumps({**tree, "payload": tree["payload"][:-4]}).encode(),
        json.dumps({**tree, "payload": "!" + tree["payload"]}).encode(),
        signing.signed(told(desk.order(5)), _Bare(desk.key)),
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(Malformed):
            signing.verified(one, desk.fleet.control_key)
    signing.make_key(str(desk.home / "other.key"))
    desk.give(desk.order(5), key=signing.load_key(str(desk.home / "other.key")))
    device = desk.device()
    assert (device.look(desk.meeting), "not signed with the key" in device.refused) == (None, True)


class _Bare:
    """Signs without saying that it is for an order."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def sign(self, text: bytes) -> bytes:
        """Of what comes after the words in front."""
        signature: bytes = self._key.sign(text.partition(b"\n")[2])
        return signature


def test_who_pins_another_key_begins_anew(desk: Desk) -> None:
    """What the former key said holds no longer."""
    desk.give(desk.order(1 << 60))
    desk.device().look(desk.meeting)
    signing.make_key(str(desk.home / "other.key"))
    other = signing.load_key(str(desk.home / "other.key"))
    desk.fleet = desk.fleet._replace(control_key=signing.public_of(other))
    assert desk.device().holds() is None
    desk.give(desk.order(5), key=other)
    assert (desk.device().look(desk.meeting) or desk.order(0)).sequence == 5


def test_what_cannot_be_kept_is_not_obeyed(desk: Desk) -> None:
    """The disk is full, or worse: an order that would be forgotten could be followed by an older one."""
    device = desk.device()
    (desk.home / "fleet-control.json").mkdir()
    desk.give(desk.order(5))
    with pytest.raises(OSError, match="directory"):
        device.look(desk.meeting)
    assert device.holds() is None


def test_a_payload_is_its_order(desk: Desk) -> None:
    """What is told is read."""
    order = desk.order(5)
    assert order == read_order(told(order), desk.there.address, "logger-17")
    for wrong in (b"", b"[]", b"{}", told(order).replace(b'"format":1', b'"format":2')):
        with pytest.raises(Malformed):
            read_order(wrong, desk.there.address, "logger-17")


@pytest.mark.slow
def test_from_keygen_to_pause_and_back(outhaul: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way: a paused device carries nothing and says so; one that has pinned no key obeys nobody."""
    key = outhaul("fleet", "keygen", "fleet.key")
    assert (key.code, (outhaul.home / "fleet.key").stat().st_mode & 0o777) == (0, 0o600)
    config = outhaul.home / "outhaul.toml"
    config.write_text(CONFIG.format(key=key.out))
    run = ("run", "outhaul.toml", "--state", str(outhaul.state), "-q")
    control = ("fleet", "control", "meet", "--key", "fleet.key")
    assert outhaul(*control, "--all", "--pause").code == 0
    assert outhaul(*run).code == 0  # At its end it learns of it.
    outhaul.write("a.csv")
    paused = outhaul(*run)
    assert (paused.code, outhaul.stored(), "nothing is carried" in paused.err) == (0, {}, True)
    assert [event["paused"] for event in outhaul("fleet", "meet", "--json").events] == [True]
    config.write_text(CONFIG.format(key=""))
    assert (outhaul(*run).code, len(outhaul.stored())) == (0, 1)
    config.write_text(CONFIG.format(key=key.out))
    outhaul.write("b.csv")
    assert outhaul(*control, "--device", "logger-17", "--resume", "--bandwidth", "2MiB/s").code == 0
    time.sleep(1)
    outhaul(*run)
    resumed = outhaul(*run)
    assert (len(outhaul.stored()), "2,097,152 bytes a second" in resumed.err) == (2, True)


@pytest.mark.slow
def test_a_daemon_obeys_at_once(outhaul: Program) -> None:
    """It pauses, and goes on."""
    key = outhaul("fleet", "keygen", "fleet.key")
    (outhaul.home / "outhaul.toml").write_text(CONFIG.format(key=key.out))
    control = ("fleet", "control", "meet", "--key", "fleet.key", "--device", "logger-17")
    outhaul(*control, "--pause")
    log = outhaul.home / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "outhaul", "watch", "outhaul.toml", "--state", str(outhaul.state)],
            cwd=outhaul.home, env=outhaul.environment, stderr=file,
        )  # fmt: skip
    try:
        _until(lambda: "nothing is carried" in log.read_text())
        outhaul.write("a.csv")
        time.sleep(2)
        assert outhaul.stored() == {}
        outhaul(*control, "--resume")
        _until(lambda: bool(outhaul.stored()))
    finally:
        process.terminate()
        process.wait(timeout=30)


def _until(true: Any) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fleet", "control", "meet"], "--key is missing"),
        (["fleet", "control", "meet", "--key", "k", "--all"], "what? write --pause"),
        (["fleet", "control", "meet", "--key", "k", "--device", "../x", "--pause"], "no name of a device"),
        (["fleet", "control", "meet", "--key", "none", "--all", "--pause"], "cannot be read"),
        (["fleet", "control", "meet", "--key", "open.key", "--all", "--pause"], "others may read"),
        (["fleet", "control", "meet", "--key", "bad.key", "--all", "--pause"], "holds no key"),
        (["fleet", "control", "meet", "--key", "k", "--all", "--pause", "--expires", "2000d"], "366d"),
        (["fleet", "keygen"], "the private key goes there"),
        (["fleet", "keygen", "bad.key"], "no key is written over"),
        (["fleet", "one", "two"], "one address is enough"),
        (["fleet", "meet", "--watch", "0"], "no number of seconds"),
    ],
)
def test_wrong_words_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    """What to write instead, and never what is in a key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "open.key").write_text("secret")
    (tmp_path / "open.key").chmod(0o644)
    (tmp_path / "bad.key").write_text("secret")
    (tmp_path / "bad.key").chmod(0o600)
    try:
        code = main(words)
    except SystemExit as error:
        code = int(str(error.code))
    said = capsys.readouterr().err
    assert (code, expected in said, "secret" in said) == (2, True, False)
