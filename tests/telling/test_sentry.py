"""Sentry hears of what nobody foresaw, and of no file."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from outhaul.config.telling import Telling
from outhaul.frontends.telling.everyone import Everyone
from outhaul.frontends.telling.log import Log
from outhaul.frontends.telling.sentry import SentryListener, sentry
from outhaul.model.errors import ConfigurationError, LedgerError
from outhaul.model.events import Tally
from outhaul.model.job import Destination, Job
from outhaul.testing.monitor import RecordingMonitor
from telling.place import Place
from telling.receiver import receiver

JOB = Job(name="a", source="/data/patients", destination=Destination("s3://b", "s3", "b", ""), quiet_ns=0)


@pytest.fixture
def silence() -> Iterator[None]:
    """Afterwards nobody is told any more."""
    yield
    import sentry_sdk

    sentry_sdk.init()


def heard(*, failures: bool, error: Exception | None = None, fault: str = "") -> list[bytes]:
    """What arrives there."""
    with receiver() as there:
        dsn = there.address.replace("//", "//key@") + "/1"
        (listener,) = sentry(Telling(sentry_dsn=dsn, sentry_failures=failures), lambda _text: None)
        assert isinstance(listener, SentryListener)
        if error:
            try:
                raise error
            except Exception as raised:
                listener.failed(raised)
        for _ in range(2):
            listener.passed(JOB, Tally(), fault, whole=True)
        listener.over(5)
        return [body for _, body in there.taken]


@pytest.mark.usefixtures("silence")
def test_what_nobody_foresaw() -> None:
    """Its kind and its place; the names in its text are left out."""
    (body,) = heard(failures=False, error=RuntimeError("cannot do /data/patients/smith.csv of 'jones' at b'\\xff'"))
    assert (b"RuntimeError" in body, b"cannot do ... of ... at ..." in body) == (True, True)
    assert [word for word in (b"smith", b"jones", b"patients", b"vars") if word in body] == []


@pytest.mark.usefixtures("silence")
def test_failures_where_they_are_asked_for() -> None:
    """Once while they last; what is foreseen is no error of the program."""
    ledger = LedgerError("the ledger cannot be read")
    assert heard(failures=False, error=ledger, fault="/data/patients: no such directory") == []
    bodies = heard(failures=True, error=ledger, fault="/data/patients: no such directory")
    assert [any(word in body for body in bodies) for word in (b"the ledger cannot", b"job a cannot go on")] == [
        True,
        True,
    ]
    assert (len(bodies), any(b"patients" in body for body in bodies)) == (2, False)


def test_a_library_that_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a configuration asks for it; where only the environment does, files go all the same."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(ConfigurationError, match=r"sentry-dsn: needs sentry-sdk: pip install 'outhaul\[sentry\]'"):
        sentry(Telling(sentry_dsn="https://key@127.0.0.1/1"), lambda _text: None)
    monkeypatch.setenv("SENTRY_DSN", "https://key@127.0.0.1/1")
    said: list[str] = []
    assert tuple(sentry(Telling(), said.append)) == ()
    assert said == ["SENTRY_DSN: needs sentry-sdk: pip install 'outhaul[sentry]', or take SENTRY_DSN out"]


def test_whoever_fails_is_told_no_more(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    """And the files go."""

    class Bad(SentryListener):
        def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
            raise ZeroDivisionError("no")

    log = Log()
    everyone = Everyone([RecordingMonitor()], log, place.state)
    everyone._listeners.append(Bad(failures=False))
    for _ in range(2):
        everyone.passed(JOB, Tally(), "", whole=True)
    assert capfd.readouterr().err == "outhaul: Bad is told no more: ZeroDivisionError: no\n"
