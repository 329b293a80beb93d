"""What the page asks: the ledger, in bounded time; and a watch, through a file in the state directory."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from outhaul.frontends.web import plots
from outhaul.frontends.web.acting import RESTORES_MAX, Acting
from outhaul.frontends.web.names import PATH_MAX, link, linked
from outhaul.host.asked import ASKED_MAX, ASKED_NAME, AskedHints, ask, taken
from outhaul.ledgers import over_time
from outhaul.ledgers.looking import Looking
from outhaul.ledgers.over_time import STEP_NS, OverTime
from outhaul.model.errors import OuthaulError
from outhaul.model.job import Connection
from outhaul.model.lifecycle import State
from outhaul.ports.hints import Word
from telling.place import Place
from web.scenery import DAY, paint
from web.serving import Serving


class _Silent:
    def cover(self, job: int, source: str, directory: str) -> None: ...
    def wait(self, seconds: float) -> Word:
        return Word(set(), set(), False)

    def close(self) -> None: ...


def test_who_asks_is_heard_by_the_watch_of_that_source(tmp_path: Path) -> None:
    """Once, with every job of the source, and with a note that it was; what was asked before it began is looked at anyway."""
    state = str(tmp_path)
    ask(state, "/a", "early")
    hints = AskedHints(_Silent(), state)
    hints.cover(0, "/a", "")
    hints.cover(3, "/a", "x")
    hints.cover(1, "/b", "")
    assert set() == hints.wait(0).written
    first = ask(state, "/a", "x\udcff")
    assert taken(state)[0] < first.at_ns
    ask(state, "/c", "x")
    assert {(0, "x\udcff"), (3, "x\udcff")} == hints.wait(0).written
    assert taken(state)[0] > first.at_ns
    assert set() == hints.wait(0).written


@pytest.mark.slow
def test_who_asks_in_quiet_hours_is_told_when_it_is_tried(own: Place) -> None:
    """Nobody's word overrules them: the file stays, and the page says until when, and when the watch looks again."""
    now = time.time_ns() // 10**9
    hours = "-".join(time.strftime("%H:%M", time.gmtime(now + add)) for add in (-3600, 7200))
    own.configured(job=f'time-zone = "UTC"\nquiet-hours = "{hours}"\nevery = "30s"')
    own.write("waits.csv")
    page = link(f"{own.home}/source/waits.csv")
    command = [sys.executable, "-m", "outhaul", "watch", "outhaul.toml", "--state", own.state, "-q"]
    watching = subprocess.Popen(command, cwd=own.home)
    try:
        with Serving(own.state) as serving:
            serving.enter()

            def shows(*words: str) -> None:
                until = time.monotonic() + 30
                while not all(word in serving.ask(page).text for word in words):
                    assert time.monotonic() < until, serving.ask(page).text
                    time.sleep(0.2)

            shows("until", "The watch looks at this job again")
            serving.ask("/retry", "POST", {"form": serving.form(), "file": page[6:]})
            shows("A watch heard it", "Pauses, quiet hours", "The watch looks at this job again")
            assert (own.home / "source/waits.csv").exists()
            assert not list((own.home / "target").iterdir())
    finally:
        watching.terminate()
        watching.wait(timeout=30)


def test_what_a_fleet_has_ordered_is_shown(own: Place) -> None:
    """What is set and by which order, and what is refused, as data; one that has expired is not."""
    own.write("a.csv")
    own.run(own.configured())
    order = {
        "sequence": 7, "paused": False, "rate": 0, "expires_ns": time.time_ns() + DAY, "refused": "order 8: <b>",
        "set": ["a.every = \"10s\""],
    }  # fmt: skip
    for tree, expected in ((order, [True, True]), ({**order, "expires_ns": 5}, [False, True]), ({}, [False, False])):
        (Path(own.state) / "fleet-order.json").write_text(json.dumps(tree))
        with Serving(own.state) as serving:
            serving.enter()
            text = serving.ask().text
        assert ["a.every = &#34;10s&#34;" in text, "order 8: &lt;b&gt;" in text] == expected


def test_what_is_asked_stays_inside_and_is_bounded(tmp_path: Path) -> None:
    """A file that is not ours, or that leads out of a source, is passed over; only the latest are kept."""
    state = str(tmp_path)
    hints = AskedHints(_Silent(), state)
    hints.cover(0, "/a", "")
    later = time.time_ns() + DAY
    for rows in (
        [[later, "/a", "../b"]],
        [[later, "/a", "/etc"]],
        [["x", "/a", ""]],
        {"a": 1},
        [[later, "/a"]],
        "[",
        None,
    ):
        (tmp_path / ASKED_NAME).write_text(json.dumps(rows) if rows != "[" else "[")
        assert set() == hints.wait(0).written
    (tmp_path / ASKED_NAME).write_bytes(b"\xff")
    for number in range(ASKED_MAX + 5):
        ask(state, "/a", str(number))
    assert {str(number) for number in range(5, ASKED_MAX + 5)} == {directory for _, directory in hints.wait(0).written}
    with pytest.raises(OuthaulError, match="cannot be written"):
        ask(str(tmp_path / "none"), "/a", "")
    (tmp_path / "asked-taken.json").write_text("[1]")
    assert taken(state) == (0, 0)


def test_the_line_is_true(own: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file waited from its last change until its receipt; one that has none from when it was seen.

    Counted at once or as it grows, with a ledger that another has taken the place of, and with more receipts than are read.
    """
    own.write("one.csv")
    own.run(own.configured())
    database = sqlite3.connect(f"{own.state}/ledger.sqlite", isolation_level=None)
    now = time.time_ns() // STEP_NS * STEP_NS + STEP_NS // 2
    columns = (
        "directory, name, device, inode, size, mtime_ns, ctime_ns, birth_ns, sha256, key, version, etag, proof, sent"
    )
    insert = f"INSERT INTO receipt ({columns}, proved_ns, recorded_ns) VALUES (1,'x',1,1,10,0,?,0,x'','k','','','etag',1,0,?)"
    database.execute("DELETE FROM receipt")
    growing = OverTime()
    times = ((-2 * DAY, -DAY // 2), (-3 * STEP_NS, -STEP_NS), (-STEP_NS, -STEP_NS + 1), (0, 0))
    for changed, recorded in times:
        database.execute(insert, (now + changed, now + recorded))
        with Looking(own.state) as looking:
            growing.steps(looking, now)
    database.execute("INSERT INTO sighting VALUES (1,x'73',1,1,7,0,0,'b',0,?,'quiet','',0)", (now - 2 * STEP_NS,))
    with Looking(own.state) as looking:
        line = growing.steps(looking, now)
        assert OverTime().steps(looking, now) == line
    assert (288, now, 1, 7) == (len(line), line[-1].until_ns, line[-1].waiting, line[-1].waiting_bytes)
    assert [step.waiting for step in line[-5:]] == [0, 1, 2, 1, 1]
    assert (sum(step.carried for step in line), sum(step.carried_bytes for step in line)) == (4, 40)
    assert line[0].waiting == 1
    assert line[200].waiting == 0
    monkeypatch.setattr(over_time, "MOST", 2)
    with Looking(own.state) as looking:
        assert len(OverTime().steps(looking, now)) < 288
        later = growing.steps(looking, now + 2 * DAY)
    assert ({1}, 0) == ({step.waiting for step in later}, sum(step.carried for step in later))
    database.execute("DELETE FROM receipt")
    database.execute("DELETE FROM sighting")
    with Looking(own.state) as looking:
        assert {0} == {step.waiting for step in growing.steps(looking, now)}
    database.close()


def test_a_search_finds_and_ends(own: Place) -> None:
    """By a part of a path or key, a pattern, a digest, a job; what SQL has for a pattern is text; it ends in time."""
    paint(own)
    with Looking(own.state) as looking:

        def names(text: str, job: str = "", limit: int = 1000) -> list[str]:
            found = looking.search(text, job=job, limit=limit, seconds=10)
            return [row.path for row in found.receipts] + [one.path for _, _, one in found.waiting]

        month = time.strftime("%Y/%m")
        assert [f"{month}/reading-00001.csv"] == names("READING-00001")
        assert [f"{month}/calibration.csv"] == names("calib")
        assert [f"{month}/weir-00010.jpg"] == names("*/weir-00010.*")
        assert names("r%g") + names("reading_0") + names("weir", "powerhouse") == []
        assert len(names("0" * 8)) > 800
        whole = looking.search("weir", limit=2, seconds=10)
        assert (len(whole.receipts), len(whole.waiting), whole.whole) == (2, 2, False)
        assert whole.receipts[0].number > whole.receipts[1].number
        assert not looking.search("no such", limit=2, seconds=-1).whole
        assert [os.path.basename(one.path) for _, _, one in looking.standing(State.HELD, 9)] == [
            "calibration.csv",
            "weir-07290.jpg",
        ]
        assert len(looking.standing(State.WAITING, 9)) == 3
        assert [os.path.basename(one.path) for one in looking.under_way(9)] == ["weir-2214.mp4"]


def test_plots() -> None:
    """The highest reaches the top; what is not nothing is seen; nothing is no picture."""
    assert (plots.line([0, 1000, 1]).line, plots.line([0, 1000, 1]).most) == ("0.0,120.0 288.0,0.0 576.0,119.0", 1000)
    assert plots.line([3]).line == ""
    assert plots.bars([0, 5]).bars == [(288.0, 0.0, 288.0, 120.0)]
    assert plots.bars([]).bars == []


def test_any_path_has_an_address() -> None:
    """And nothing else does."""
    for path in ("/a", "/a\udcff\nb", "/ש/" + "x" * 4000):
        assert path == linked(link(path)[6:])
    assert [linked(text) for text in ("", "====", link("relative")[6:], "A" * (PATH_MAX + 1))] == [""] * 4


def test_restores_are_bounded(own: Place) -> None:
    """One at a time; so many wait; what is under way at the end has no name. Bytes that are there already stay."""
    for number in range(3):
        own.write(f"{number}.csv")
    own.run(own.configured())
    back = own.home / "back"
    back.mkdir()
    (back / "1.csv").write_text("mine")
    acting = Acting(own.state, str(back), Connection())
    with Looking(own.state) as looking:
        rows = list(looking.search("csv", limit=9, seconds=9).receipts)
    assert [acting.restore(row) for row in rows] == [True] * 3
    until = time.monotonic() + 10
    while not all(one.over for one in acting.restores()) and time.monotonic() < until:
        time.sleep(0.01)
    assert {one.path: one.well for one in acting.restores()} == {"0.csv": True, "1.csv": False, "2.csv": True}
    assert (back / "1.csv").read_text() == "mine"
    acting.close()
    acting._busy = True
    assert (
        [acting.restore(rows[0]) for _ in range(RESTORES_MAX)],
        acting.restore(rows[0]),
    ) == ([True] * RESTORES_MAX, False)
