"""The page of a fleet: what devices tell is shown as data, those in trouble first; and nothing can be done there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.devices import HOUR_NS, body
from outhaul.fleet.reading import Reader
from outhaul.frontends.web import fleet as page
from outhaul.model.address import destination
from outhaul.model.fleet import status_key
from outhaul.model.job import Connection
from outhaul.wiring import open_meeting
from web.browsing import PHONE, Browsing
from web.serving import Serving


class Meeting:
    """A directory in which devices meet."""

    def __init__(self, home: Path) -> None:
        self.home = home
        there = destination(str(home), lambda path: path)
        self.reader = Reader(open_meeting(there, Connection()), there.prefix)

    def tell(self, device: str, content: bytes = b"", hours: int = 0) -> None:
        """A device tells of itself, so long ago."""
        path = self.home / status_key("", device)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content or body(device))
        if hours:
            os.utime(path, ns=(path.stat().st_mtime_ns - hours * HOUR_NS,) * 2)

    def serving(self) -> Serving:
        """The page of it."""
        return Serving("", devices=lambda: (seen.found for seen in self.reader.devices()))


@pytest.fixture
def meeting(tmp_path: Path) -> Meeting:
    """One is well, one late, one says what it likes."""
    made = Meeting(tmp_path)
    made.tell("well-1")
    made.tell("late-1", hours=30)
    made.tell("evil-1", body("evil-1", fault="<img src=x onerror=alert(1)>\u202e"))
    return made


def test_devices_in_trouble_come_first(meeting: Meeting) -> None:
    """The late one first; what one says is data; there is no page of this machine, and nothing acts."""
    with meeting.serving() as serving:
        assert "late-1" not in serving.ask().text
        serving.enter()
        text = serving.ask().text
        places = [text.index(f"<bdi>{name}</bdi>") for name in ("late-1", "evil-1", "well-1")]
        assert places == sorted(places)
        assert "2 of 3 devices" in text
        assert "&lt;img src=x onerror=alert(1)&gt;\\u202e" in text
        assert [serving.ask(path).code for path in ("/search?q=x", "/file/L3g")] == [404, 404]
        assert [serving.ask(path, "POST", {"form": serving.form()}).code for path in ("/retry", "/restore")] == [
            404,
            404,
        ]


@pytest.mark.slow
def test_in_a_browser(meeting: Meeting, browsing: Browsing, monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes by itself, on a phone, and breaks no rule of axe-core."""
    monkeypatch.setattr(page, "EVERY_SECONDS", 0.1)
    with meeting.serving() as serving:
        visitor = browsing.visit(serving, size=PHONE, scheme="dark")
        visitor.enter()
        visitor.page.get_by_text("2 of 3 devices").wait_for()
        meeting.tell("late-1")
        meeting.tell("evil-1")
        visitor.page.get_by_text("All 3 devices are well.").wait_for()
        assert (visitor.faults(), visitor.complaints, max(0, visitor.overflow())) == ([], [], 0)


@pytest.mark.slow
def test_the_command(meeting: Meeting) -> None:
    """It is told a place, and not a directory to restore to."""
    command = [sys.executable, "-m", "outhaul", "web", str(meeting.home), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert "/enter#" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    for words, said in (
        (["s3:nonsense"], "ADDRESS: "),
        (["s3://b/p", "--restore-to", "/x"], "--restore-to is for the page of one machine"),
    ):
        done = subprocess.run([*command[:4], *words], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2
        assert said in done.stderr
