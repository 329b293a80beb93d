"""`outhaul pause` and `resume`: names, times, what is said, and a `watch` that goes on beside."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.program import Program
from cli.test_watch import Watching
from outhaul.frontends.cli.main import build_parser
from outhaul.frontends.cli.pausing import _moment, pause, resume
from outhaul.host import pauses
from outhaul.model.errors import ConfigurationError

JOBS = '[[job]]\nname = "one"\nsource = "source"\nto = "target"\nsettle = { quiet = "0" }\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a configuration, and a state."""
    (tmp_path / "source").mkdir()
    (tmp_path / "outhaul.toml").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(*arguments: str) -> int:
    """The command in this process."""
    options = build_parser().parse_args([*arguments, "--state", "state", "--config", "outhaul.toml"])
    return (pause if arguments[0] == "pause" else resume)(options)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("pause", "two"), "two: there is no such job; there is one"),
        (("pause", "--for", "0"), '--for: expected a duration such as "2h", not "0"'),
        (("pause", "--until", "6"), '--until: expected a time such as "06:00" or "2026-11-22T06:00", not "6"'),
        (("pause", "--until", "2020-01-01T00:00"), "--until: 2020-01-01T00:00 is over"),
        (("pause", "--why", "x" * 201), "--why: expected at most 200 characters, not 201"),
        (("resume", "two"), "two: there is no such job; there is one"),
    ],
)
def test_what_is_wrong_is_one_line(home: Path, arguments: tuple[str, ...], expected: str) -> None:
    """And nothing is paused."""
    with pytest.raises(ConfigurationError) as caught:
        called(*arguments)
    assert [expected] == list(caught.value.problems)
    assert pauses.read("state") == {}


def test_one_of_several_goes_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As long as not all are paused; one that is not paused is told."""
    (home / "outhaul.toml").write_text(JOBS + JOBS.replace('"one"', '"two"').replace('"source"', '"other"'))
    (home / "other").mkdir()
    called("pause", "one", "two", "--until", "06:00")
    called("resume", "one")
    assert list(pauses.read("state")) == ["two"]
    called("resume", "one")
    assert capsys.readouterr().out.splitlines()[1:] == ["one goes on", "one: not paused"]
    called("pause", "--for", "1h")
    with pytest.raises(ConfigurationError, match="all jobs are paused"):
        called("resume", "two")
    called("resume")
    assert pauses.read("state") == {}
    (home / "state" / pauses.FILE_NAME).write_text("garbage")
    called("pause")
    assert list(pauses.read("state")) == ["*"]


def test_a_time_of_the_day_is_the_next_that_comes() -> None:
    """Within a day."""
    now = time.time_ns()
    for text in ("00:00", "12:00", "23:59"):
        assert 0 < _moment(text, now) - now <= 25 * 3600 * 10**9


def test_run_and_status_tell_of_it(home: Path) -> None:
    """A run of a paused job says so, carries nothing, and that is no failure."""
    program = Program.__new__(Program)
    program.home, program.state = home, home / "state"
    import os

    program.environment = {**os.environ, "HOME": str(home)}
    (home / "source" / "file").write_bytes(b"content")
    program("pause", "one", "--state", "state", "--config", "outhaul.toml", "--why", "repairs")
    ran = program("run", "outhaul.toml", "--state", "state")
    assert (ran.code, "one: paused: until `outhaul resume`, by " in ran.err) == (0, True)
    assert "repairs; its files wait" in ran.err
    assert "\n  paused until `outhaul resume`" in program("status", "--state", "state").out
    assert program("status", "--state", "state", "--json").events[0]["paused"]["why"] == "repairs"
    program("resume", "--state", "state")
    assert program("run", "outhaul.toml", "--state", "state").code == 0
    assert (home / "target" / "file").read_bytes() == b"content"


@pytest.fixture
def watching(outhaul: Program) -> Iterator[Watching]:
    """A watch that runs."""
    watching = Watching(outhaul)
    yield watching
    watching.process.kill()
    watching.process.wait()


@pytest.mark.slow
def test_a_watch_hears_of_it(watching: Watching, outhaul: Program) -> None:
    """Nothing goes while it holds; what waited goes within a second or so of its end."""
    outhaul("pause", "--state", "state", "--for", "4s")
    time.sleep(0.6)
    outhaul.write("one")
    time.sleep(2)
    assert (outhaul.source / "one").exists()
    took = watching.until(lambda: (outhaul.target / "one").exists())
    assert took < 5
    assert "it goes on" in watching.said()
