"""`outhaul watch` as a service: it carries what settles, hears signals, and tells its manager how it is."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.program import Program
from outhaul import wiring
from outhaul.frontends.cli.main import build_parser
from outhaul.frontends.cli.monitors import PlainMonitor
from outhaul.frontends.cli.pinging import Heart
from outhaul.frontends.cli.watch import _JsonWatching, _Loading, _Watching
from outhaul.frontends.telling.everyone import Everyone
from outhaul.frontends.telling.log import Log
from outhaul.frontends.telling.publishing import Publishing
from outhaul.host.service_manager import ServiceManager
from outhaul.model.events import Tally
from outhaul.model.job import Destination, Job

CONFIG = """
[[job]]
name = "a"
source = "source"
to = "target"
settle = {{ quiet = "{quiet}" }}
"""


class Watching:
    """A watch that runs."""

    def __init__(self, outhaul: Program) -> None:
        self.home = outhaul
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listening.bind(str(outhaul.home / "notify"))
        self.listening.settimeout(10)
        self.log = (outhaul.home / "log").open("wb")
        self.configure()
        command = [sys.executable, "-m", "outhaul", "watch", "outhaul.toml", "--state", str(outhaul.state)]
        told = {"NOTIFY_SOCKET": str(outhaul.home / "notify"), "WATCHDOG_USEC": "2000000"}
        self.process = subprocess.Popen(command, cwd=outhaul.home, env=outhaul.environment | told, stderr=self.log)
        self.hear("READY=1")

    def configure(self, text: str = "", quiet: str = "500ms") -> None:
        """Write the configuration."""
        (self.home.home / "outhaul.toml").write_text(CONFIG.format(quiet=quiet) + text)

    def hear(self, what: str) -> None:
        """Wait until the manager has been told this."""
        while what not in self.listening.recv(4096).decode():
            pass

    def until(self, true: Callable[[], object], seconds: float = 10) -> float:
        """Wait for something; how long it took."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < seconds, self.said()
            time.sleep(0.02)
        return time.monotonic() - began

    def said(self) -> str:
        """Its log."""
        return (self.home.home / "log").read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(10)


@pytest.fixture
def watching(outhaul: Program) -> Iterator[Watching]:
    """A watch over the source."""
    made = Watching(outhaul)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait()
        made.log.close()
        made.listening.close()


def test_what_settles_is_carried_within_a_second(watching: Watching) -> None:
    """A file of the source, and one in a new directory; then a clean end, and nothing is under way."""
    there = watching.home.target
    watching.home.write("x")
    assert watching.until((there / "x").exists) < 1.5
    watching.home.write("new/y")
    assert watching.until((there / "new" / "y").exists) < 1.8
    watching.hear("WATCHDOG=1")
    assert (watching.end(), [path for path in watching.home.source.rglob("*") if path.is_file()]) == (0, [])
    watching.hear("STOPPING=1")
    assert "1 file carried" in watching.said()


def test_a_directory_that_takes_the_place_of_another_is_heard(watching: Watching) -> None:
    """Made again after it was removed, or renamed away; no look at everything is needed for it."""
    watching.configure('every = "1h"')
    watching.process.send_signal(signal.SIGHUP)
    watching.hear("RELOADING=1")
    watching.hear("READY=1")
    source, there = watching.home.source, watching.home.target
    (source / "d").mkdir()
    time.sleep(0.4)
    (source / "d").rmdir()
    (source / "d").mkdir()
    time.sleep(0.4)
    watching.home.write("d/one")
    assert watching.until((there / "d" / "one").exists) < 1.8
    (source / "d").rename(watching.home.home / "away")
    (source / "d").mkdir()
    time.sleep(0.4)
    watching.home.write("d/two")
    assert watching.until((there / "d" / "two").exists) < 1.8


def test_a_new_configuration_holds_when_it_is_right(watching: Watching) -> None:
    """One that is wrong is refused as a whole; the one before goes on."""
    watching.configure("bad")
    watching.process.send_signal(signal.SIGHUP)
    watching.until(lambda: "the one before still holds" in watching.said())
    assert "was read anew" not in watching.said()
    watching.home.write("x")
    watching.until((watching.home.target / "x").exists)
    watching.configure('exclude = ["*.no"]')
    watching.process.send_signal(signal.SIGHUP)
    watching.hear("RELOADING=1")
    watching.hear("READY=1")
    watching.home.write("y.no")
    watching.home.write("y")
    watching.until((watching.home.target / "y").exists)
    assert ((watching.home.source / "y.no").exists(), watching.end(signal.SIGINT)) == (True, 0)


@pytest.mark.slow
def test_when_it_looks_again_is_known(watching: Watching) -> None:
    """`why` and `status` tell of a file that waits, beside the watch; once all is carried there is nothing to tell."""
    outhaul, state = watching.home, str(watching.home.state)
    watching.configure(quiet="1h")
    watching.process.send_signal(signal.SIGHUP)
    watching.hear("READY=1")
    (outhaul.source / "one").write_text("1")
    said = "    the watch looks again in "
    watching.until(lambda: said in outhaul("why", str(outhaul.source / "one"), "--state", state).out)
    (line,) = outhaul("status", "--json", "--state", state).out.splitlines()[:1]
    assert str(json.loads(line)["next_look"]).startswith("20")
    watching.configure()
    watching.process.send_signal(signal.SIGHUP)
    watching.until(lambda: not (outhaul.source / "one").exists())
    watching.until(lambda: "the watch looks again" not in outhaul("status", "--state", state).out)
    assert watching.end() == 0


def test_a_second_one_does_not_start(watching: Watching) -> None:
    """The state is held all the time; asking it goes on beside."""
    state = str(watching.home.state)
    assert watching.home("watch", "outhaul.toml", "--state", state).code == 3
    assert watching.home("status", "--state", state).code == 0


@pytest.mark.slow
def test_what_is_held_is_said_once(watching: Watching) -> None:
    """However often it is looked at."""
    watching.home.target.mkdir(exist_ok=True)
    (watching.home.target / "x").write_bytes(b"other bytes")
    watching.configure('on-conflict = "hold"')
    watching.process.send_signal(signal.SIGHUP)
    watching.hear("RELOADING=1")
    watching.home.write("x")
    watching.until(lambda: "held" in watching.said())
    for number in range(3):
        watching.home.write(f"y{number}")
        watching.until((watching.home.target / f"y{number}").exists)
    assert watching.said().count(" x:") == 1
    watching.end()


@pytest.mark.slow
def test_what_is_held_is_one_event(outhaul: Program) -> None:
    """In JSON too, over several looks at everything."""
    outhaul.target.mkdir()
    (outhaul.target / "x").write_bytes(b"other bytes")
    outhaul.write("x")
    (outhaul.home / "outhaul.toml").write_text(CONFIG.format(quiet="0") + 'on-conflict = "hold"\nevery = "300ms"')
    command = [sys.executable, "-m", "outhaul", "watch", "--json", "outhaul.toml", "--state", str(outhaul.state)]
    process = subprocess.Popen(command, cwd=outhaul.home, env=outhaul.environment, stdout=subprocess.PIPE)
    time.sleep(2.5)
    process.send_signal(signal.SIGTERM)
    events = [json.loads(line) for line in process.communicate(timeout=10)[0].splitlines()]
    assert [event["reason"] for event in events if event["event"] == "held"] == ["conflict"]


def test_a_codec_that_is_not_installed_is_a_wrong_configuration(
    outhaul: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read anew, it is refused like any other; what held before goes on."""
    path = outhaul.home / "outhaul.toml"
    monkeypatch.chdir(outhaul.home)
    path.write_text(CONFIG.format(quiet="0"))
    options = build_parser().parse_args(["watch", str(path), "--state", str(outhaul.state)])
    log, state = Log(), str(outhaul.state)
    everyone = Everyone([PlainMonitor()], log, state)
    loading = _Loading(options, ServiceManager(), Heart(log.notice), everyone, Publishing(state, log.notice))
    before = loading.load()
    path.write_text(CONFIG.format(quiet="0") + 'compress = "lz4"')
    for module in ("lz4", "lz4.frame"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "outhaul.codecs.lz4", raising=False)
    wiring._compression.cache_clear()
    assert loading.load() == before
    assert "the new configuration is wrong; the one before still holds" in capsys.readouterr().err


def test_a_wrong_configuration_at_the_start(outhaul: Program) -> None:
    """It does not start."""
    Path(outhaul.home / "outhaul.toml").write_text("bad")
    assert outhaul("watch", "outhaul.toml", "--state", str(outhaul.state)).code == 2
    assert os.listdir(outhaul.source) == []


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_weeks_without_a_network_are_a_few_lines(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """However often it is tried, and whatever each try ends with; a pause meanwhile does not look like the end of it."""
    told = _Watching(Log(), ServiceManager()) if kind == "plain" else _JsonWatching(ServiceManager())
    job = Job("a", "/s", Destination("s3://b", "s3", "b", ""))
    for number in range(6000):
        told.started(job)
        told.notice(job, f"s3://b cannot be used: attempt {number}")
        told.passed(job, Tally(), f"attempt {number}", whole=True)
    paused = Tally()
    paused.put("paused")
    told.passed(job, paused, "", whole=True)
    told.notice(job, "s3://b cannot be used: once more")
    told.passed(job, Tally(), "once more", whole=True)
    told.passed(job, Tally(), "", whole=True)
    said = capsys.readouterr()
    assert len((said.out + said.err).splitlines()) <= 3
