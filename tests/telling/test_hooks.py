"""Hooks hear of what changes, once, and nothing that is a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from outhaul.config.telling import Hook, Telling
from outhaul.frontends.telling.delivery import Delivery, Word
from outhaul.frontends.telling.hooks import DOCUMENT_BYTES, HookListener
from outhaul.model.events import Tally
from outhaul.model.job import Destination, Job
from outhaul.model.lifecycle import Standing
from telling.place import Place

ALL = 'hooks = { success = ["./hook"], failure = ["./hook"], recovered = ["./hook"], held = ["./hook", "x"] }'
JOB = Job(name="a", source="/data", destination=Destination("s3://b", "s3", "b", ""), quiet_ns=0)


class Kept(Delivery):
    """Keeps what is to be told."""

    def __init__(self) -> None:
        super().__init__(lambda _text: None)
        self.words: list[Word] = []

    def tell(self, word: Word) -> None:
        """See `Delivery`."""
        self.words.append(word)

    @property
    def events(self) -> list[tuple[str, str]]:
        """Event and number of files."""
        return [(word.event, word.variables["OUTHAUL_FILES"]) for word in self.words]


def listener(state: Path, every: float = 60.0) -> tuple[HookListener, Kept]:
    """One that tells all events."""
    kept = Kept()
    telling = Telling(dict.fromkeys(("success", "failure", "recovered", "held"), Hook(url="https://x")))
    return HookListener(telling, str(state), lambda _text: None, every=every, delivery=kept), kept


def test_a_run_tells_what_was_carried_and_what_is_held(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in one document; a held file is not told again by the next run; credentials reach no command."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("OTHER_TOKEN", "canary")
    configured = place.configured(ALL)
    place.write("one")
    place.write("two \u00e9", taken=True)
    place.run(configured)
    assert place.events() == [("held", "a", 1), ("success", "a", 1)]
    held, success = place.told()
    assert (held["paths"][0]["path"], held["paths"][0]["reason"]) == ("two \u00e9", "conflict")
    assert (success["bytes"], success["held"], success["more"]) == (7, 1, 0)
    environment = Path(f"{place.hook}.environment").read_text()
    assert ("canary" in environment, "OUTHAUL_EVENT=success\n" in environment) == (False, True)
    place.run(configured)
    assert len(place.events()) == 2


def test_a_fault_is_told_once_and_its_end_too(place: Place) -> None:
    """Over several processes: state is kept."""
    configured = place.configured(ALL)
    place.write("one")
    (place.home / "target").rmdir()
    (place.home / "target").write_text("no directory")
    first = place.run(configured)
    place.run(configured)
    (place.home / "target").unlink()
    (place.home / "target").mkdir()
    place.run(configured)
    assert first.jobs[0].fault
    assert place.events() == [("failure", "a", 0), ("recovered", "a", 0), ("success", "a", 1)]


def test_a_job_has_hooks_of_its_own(place: Place) -> None:
    """Event by event in place of those of all."""
    top = 'hooks = { success = ["/no/such/hook"], held = ["./hook"] }'
    place.write("one")
    place.write("two", taken=True)
    place.run(place.configured(top, 'hooks = { success = ["./hook"] }'))
    assert place.events() == [("held", "a", 1), ("success", "a", 1)]


def test_a_hook_that_cannot_be_run_is_a_line(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    """Before it is needed, and when it is; the files go."""
    place.write("one")
    report = place.run(place.configured('hooks = { success = ["/no/such/hook"] }'))
    said = capfd.readouterr().err
    assert (report.exit_code, report.tally.by_reason["removed"]) == (0, 1)
    assert "hooks: /no/such/hook cannot be run" in said
    assert "hook success: /no/such/hook: No such file or directory" in said


def test_a_command_that_ends_by_a_fault_is_told(place: Place) -> None:
    """With the line that a person sees."""
    configured = place.configured(ALL)
    (place.home / "state").mkdir()
    (place.home / "state" / "ledger.sqlite").mkdir()
    with pytest.raises(Exception, match="ledger"):
        place.run(configured)
    assert place.events() == [("failure", "", 0)]
    assert "ledger.sqlite" in place.told()[0]["text"]


def test_what_happens_often_is_gathered(tmp_path: Path) -> None:
    """A hundred passes are one word at once, and one later with all the rest."""
    told, kept = listener(tmp_path)
    for number in range(100):
        told.started(JOB)
        told.held(JOB, Standing(f"f{number}", "conflict"))
        told._of(JOB).files += 1
        told.passed(JOB, Tally(), "", whole=False)
    assert kept.events[:2] == [("held", "1"), ("success", "1")]
    assert len(kept.words) == 2
    told.over(0)
    assert sum(int(files) for _, files in kept.events) == 200


def test_held_anew_is_told_anew(tmp_path: Path) -> None:
    """A file that was let go and is held again; but not one that was out of sight while the destination was away."""
    told, kept = listener(tmp_path, every=0.0)

    def look(*held: str, fault: str = "") -> None:
        told.started(JOB)
        for path in held:
            told.held(JOB, Standing(path, "conflict"))
        told.passed(JOB, Tally(), fault, whole=True)

    look("x")
    look(fault="no network")
    look("x")
    look()
    look("x", "y")
    assert kept.events == [("held", "1"), ("failure", "0"), ("recovered", "0"), ("held", "2")]


def test_a_document_is_less_than_a_pipe_holds(tmp_path: Path) -> None:
    """However long the names; what is not named is counted."""
    told, kept = listener(tmp_path)
    told.started(JOB)
    for number in range(900):
        told.held(JOB, Standing(f"{number}" + "\udcff" * 250, "refused", "why" * 500))
    told.passed(JOB, Tally(), "", whole=True)
    body = kept.words[0].body
    assert (len(body) <= DOCUMENT_BYTES + 100, b'"more": 8' in body, "900") == (True, True, kept.events[0][1])


def test_a_memory_that_is_damaged_is_none(tmp_path: Path) -> None:
    """Something is told twice; nothing else happens."""
    (tmp_path / "told.json").write_text('{"a": {"fault": 1, "held": 7}}')
    told, kept = listener(tmp_path)
    told.started(JOB)
    told.passed(JOB, Tally(), "away", whole=True)
    assert kept.events == [("failure", "0")]
