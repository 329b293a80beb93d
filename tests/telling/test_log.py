"""The log: one line for each change, whatever is in a name and however long it lasts; it stops no work."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from outhaul.config.telling import LogSettings
from outhaul.frontends.cli.monitors import PlainMonitor
from outhaul.frontends.telling.log import DEBUG, ERROR, INFO, WARNING, Log
from outhaul.frontends.telling.log_monitor import LogMonitor
from outhaul.model.errors import ConfigurationError
from outhaul.model.events import Tally
from outhaul.model.job import Destination, Job
from outhaul.model.lifecycle import Standing
from telling.place import Place

NAME = 'new\nline\x1b[31m\u202e\udcff"'
JOB = Job(name="a", source="/data", destination=Destination("s3://b", "s3", "b", ""), quiet_ns=0)


def written(path: Path, settings: LogSettings, *, quiet: bool = False, verbose: bool = False) -> list[str]:
    """The lines of a file, with one of each level."""
    log = Log(quiet=quiet, verbose=verbose)
    log.configure(settings._replace(file=str(path)))
    for level in (DEBUG, INFO, WARNING, ERROR):
        log.say(level, f"held {NAME}", job="a", event="held", path=NAME, reason="conflict")
    return path.read_text().splitlines()


def test_text(tmp_path: Path) -> None:
    """A time with its offset, the level, the job and the text on one line, and nothing that a terminal would obey."""
    line = written(tmp_path / "log", LogSettings(form="text"))[0]
    at, level, rest = line.split(" ", 2)
    assert ("T" in at, at[-6] in "+-", "info") == (True, True, level)
    assert rest == 'a: held new\\x0aline\\x1b[31m\\u202e\\xff"'


def test_json(tmp_path: Path) -> None:
    """One object a line; a path that is no text is there losslessly."""
    lines = [json.loads(line) for line in written(tmp_path / "log", LogSettings(form="json"))]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    first = lines[0]
    assert {key: first[key] for key in ("job", "event", "reason")} == {
        "job": "a",
        "event": "held",
        "reason": "conflict",
    }
    assert ("bmV3CmxpbmUbWzMxbeKArv8i", "\x1b" in first["text"]) == (first["path_base64"], False)


def test_levels(tmp_path: Path) -> None:
    """What the command line says goes before the configuration."""
    settings = LogSettings(form="text", level="error")
    assert [
        len(written(tmp_path / str(number), settings, quiet=number == 2, verbose=number == 1)) for number in range(3)
    ] == [1, 4, 2]


def test_the_journal_gets_priorities_and_no_time(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where standard error leads there: sd-daemon(3)."""
    found = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    log = Log()
    log.say(ERROR, "bad\n<0>", job="a")
    log.configure(LogSettings(form="text"))
    log.say(INFO, "well", job="a")
    log.configure(LogSettings(form="json"))
    log.say(WARNING, "so so")
    lines = capfd.readouterr().err.splitlines()
    assert lines[:2] == ["<3>a: bad\\x0a<0>", "<6>a: well"]
    assert (lines[2][:3], json.loads(lines[2][3:])["text"]) == ("<4>", "so so")
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + 1}")
    Log().say(INFO, "elsewhere")
    assert capfd.readouterr().err == "outhaul: elsewhere\n"


def test_an_account_of_a_run_has_priorities_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held is an error for the journal."""
    found = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    monitor, tally = PlainMonitor(quiet=True), Tally()
    monitor.started(JOB)
    tally.seen = 1
    tally.put("conflict")
    monitor.standing(JOB, Standing("x", "conflict"))
    monitor.finished(JOB, tally)
    assert [line[:3] for line in capfd.readouterr().err.splitlines()] == ["<6>", "<6>", "<3>"]


def test_a_file_turns_over(tmp_path: Path) -> None:
    """At its size, and so many stay."""
    log = Log()
    log.configure(LogSettings(file=str(tmp_path / "log"), form="text", max_bytes=1000, keep=2))
    for _ in range(100):
        log.say(INFO, "x" * 100)
    assert sorted(os.listdir(tmp_path)) == ["log", "log.1", "log.2"]
    assert max((tmp_path / name).stat().st_size for name in os.listdir(tmp_path)) <= 1000


def test_a_full_disk_stops_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """One line on standard error; and when there is room again, it is written."""
    log = Log()
    log.configure(LogSettings(file="/dev/full", form="text"))
    for _ in range(1000):
        log.say(INFO, "x" * 100)
    assert capfd.readouterr().err == "outhaul: the log /dev/full cannot be written: No space left on device\n"
    handler = logging.getLogger("outhaul").handlers[0]
    assert isinstance(handler, logging.FileHandler)
    assert handler.stream is None


def test_a_log_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    """And the one before goes on."""
    log = Log()
    log.configure(LogSettings(file=str(tmp_path / "log"), form="text"))
    with pytest.raises(ConfigurationError, match=r"log\.file: /no/such/log cannot be written"):
        log.configure(LogSettings(file="/no/such/log", form="text"))
    log.say(INFO, "still")
    assert "still" in (tmp_path / "log").read_text()


def test_a_file_that_was_renamed_is_begun_anew(tmp_path: Path) -> None:
    """When the configuration is read again: logrotate does so."""
    log, settings = Log(), LogSettings(file=str(tmp_path / "log"), form="text")
    log.configure(settings)
    (tmp_path / "log").rename(tmp_path / "old")
    log.configure(settings)
    log.say(INFO, "new")
    assert ((tmp_path / "old").read_text(), "new" in (tmp_path / "log").read_text()) == ("", True)


def test_a_configuration_of_logging(tmp_path: Path) -> None:
    """The standard form; records have their fields, and nothing has switched us off."""
    handler = {"class": "logging.FileHandler", "filename": str(tmp_path / "log"), "formatter": "f"}
    path = tmp_path / "logging.json"
    logging.getLogger("outhaul")
    path.write_text(
        json.dumps(
            {
                "version": 1,
                "formatters": {"f": {"format": "%(levelname)s|%(job)s|%(event)s|%(message)s"}},
                "handlers": {"h": handler},
                "loggers": {"outhaul": {"handlers": ["h"], "level": "INFO", "propagate": False}},
            }
        )
    )
    log = Log()
    for _ in range(2):
        log.configure(LogSettings(config=str(path)))
    log.say(ERROR, "bad", job="a", event="failure")
    assert (tmp_path / "log").read_text() == "ERROR|a|failure|a: bad\n"
    path.write_text('{"version": 1, "handlers": {"a": {"class": "no.such"}}}')
    with pytest.raises(ConfigurationError, match="is no configuration of logging: Unable to configure handler 'a'"):
        log.configure(LogSettings(config=str(path)))
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        log.configure(LogSettings(config=str(tmp_path / "no")))


def test_weeks_offline_are_a_few_lines(tmp_path: Path) -> None:
    """The fault once, each notice once, each held file once; and its end."""
    log = Log()
    log.configure(LogSettings(file=str(tmp_path / "log"), form="text"))
    monitor = LogMonitor(log)
    for number in range(4000):
        monitor.started(JOB)
        monitor.standing(JOB, Standing("x", "conflict"))
        why = ("no route", "no such host", "timed out")[number % 3]
        monitor.notice(JOB, f"s3://b cannot be used: {why}")
        monitor.passed(JOB, Tally(), why, whole=True)
    assert len((tmp_path / "log").read_text().splitlines()) == 3
    monitor.passed(JOB, Tally(), "", whole=True)
    assert (tmp_path / "log").read_text().endswith(" info a: it goes on\n")


def test_a_run_logs_its_account(place: Place) -> None:
    """What was carried, what is held, and the fault that ended it."""
    place.write("one")
    place.write("two", taken=True)
    place.run(place.configured('log = { file = "log", format = "json" }'))
    lines = [json.loads(line) for line in (place.home / "log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["held", "summary", "summary"]
    assert lines[1]["text"].startswith("2 files seen, 1 carried")
