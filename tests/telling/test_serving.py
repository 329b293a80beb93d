"""Metrics over HTTP: what Prometheus reads, for nobody else's name, and nobody can hold it up."""

from __future__ import annotations

import http.client
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from outhaul.config.telling import MetricsSettings
from outhaul.frontends.telling import serving
from outhaul.frontends.telling.publishing import Counted, Publishing
from outhaul.frontends.telling.serving import CONNECTIONS_MAX, Server
from outhaul.ledgers.counting import Counting
from outhaul.ledgers.queries import Reading
from outhaul.model.errors import LedgerError
from telling.place import Place


@pytest.fixture
def there(place: Place) -> Iterator[Server]:
    """One that listens, beside a ledger."""
    server = Server(MetricsSettings("127.0.0.1:0"), Counted(place.state))
    yield server
    server.close()


def ask(server: Server, path: str = "/metrics", method: str = "GET", host: str = "") -> tuple[int, str]:
    """Code and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_what_prometheus_reads(place: Place, there: Server) -> None:
    """Its own parser reads it; before there is a ledger that is said."""
    assert ask(there)[0] == 503
    place.write("one")
    place.write("two", taken=True)
    place.run(place.configured())
    code, text = ask(there)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    carried = families["outhaul_files_carried"]
    assert (code, carried.type, carried.samples[0].value) == (200, "counter", 1.0)
    assert {"conflict"} == {one.labels["reason"] for one in families["outhaul_files_waiting"].samples}
    assert families["outhaul_last_success_timestamp_seconds"].samples[0].value == 0
    assert ask(there, "/health") == (503, "a: 1 file held: outhaul status\n")
    assert (ask(there, "/")[0], ask(there, method="POST")[0], ask(there, method="HEAD")[0]) == (404, 405, 200)


def test_a_foreign_name_is_refused(there: Server) -> None:
    """A page in a browser could have led it here; an address is no name."""
    ours = ["localhost:9275", "127.0.0.1", "[::1]:1", "10.1.2.3:9275", socket.gethostname()]
    foreign = ["evil.example", "127.0.0.1.evil.example:9275", "localhost.evil.example", "[evil]"]
    assert [ask(there, "/nothing", host=host)[0] for host in ours] == [404] * len(ours)
    assert [ask(there, "/nothing", host=host)[0] for host in foreign] == [403] * len(foreign)


@pytest.mark.slow
def test_nobody_holds_it_up(there: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at once and no more; who sends no whole request is cut off."""
    monkeypatch.setattr(serving, "SECONDS", 0.3)
    slow = [socket.create_connection(("127.0.0.1", there.port)) for _ in range(CONNECTIONS_MAX)]
    for each in slow:
        each.sendall(b"GET /met")
    time.sleep(0.2)
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(there, "/nothing")
    time.sleep(1.0)
    assert ask(there, "/nothing")[0] == 404
    for each in slow:
        each.close()


def test_a_port_that_is_taken_is_a_notice(place: Place, there: Server) -> None:
    """The files go all the same."""
    said: list[str] = []
    with Publishing(place.state, said.append) as publishing:
        publishing.configure(MetricsSettings(f"127.0.0.1:{there.port}"))
    assert [f"metrics: 127.0.0.1:{there.port} cannot be listened on: Address already in use"] == said


@pytest.mark.slow
def test_a_file_is_written_and_written_again(place: Place) -> None:
    """And what stops that is said once."""
    said: list[str] = []
    place.write("one")
    place.run(place.configured())
    path = place.home / "x.prom"
    with Publishing(place.state, said.append) as publishing:
        publishing.configure(MetricsSettings(file=str(path), every_ns=10**7))
        deadline = time.monotonic() + 5
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        path.unlink()
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        publishing.configure(MetricsSettings(file="/no/such/x.prom", every_ns=10**7))
        time.sleep(0.1)
    assert said == ["metrics.file: /no/such/x.prom cannot be written: No such file or directory"]
    assert "outhaul_files_carried_total" in path.read_text()


def test_counts_are_those_of_status(place: Place) -> None:
    """Asked again, with more in it, and with another ledger in its place."""
    counting = Counting(place.state)
    with pytest.raises(LedgerError, match="there is no ledger"):
        counting.status()
    for name in ("one", "two"):
        place.write(name)
        place.run(place.configured())
        with Reading(place.state) as reading:
            assert reading.status() == counting.status()
    (Path(place.state) / "ledger.sqlite").unlink()
    place.write("three")
    place.run(place.configured())
    assert counting.status()[0].receipts == 1


def test_a_run_that_went_well_is_remembered(place: Place) -> None:
    """Until one does, it is 0; one with something held is none."""
    place.write("two", taken=True)
    place.run(place.configured())
    with Reading(place.state) as reading:
        assert reading.status()[0].last_well_ns == 0
    (place.home / "target" / "two").unlink()
    place.run(place.configured())
    with Reading(place.state) as reading:
        well = reading.status()[0]
    assert (True, well.last_run_ns) == (well.last_well_ns > 0, well.last_well_ns)


def test_asked_often_it_counts_seldom(place: Place) -> None:
    """The same counts are given again for a while."""
    place.write("one")
    place.run(place.configured())
    counted = Counted(place.state)
    first = counted()
    database = sqlite3.connect(f"{place.state}/ledger.sqlite")
    database.execute("DELETE FROM receipt")
    database.commit()
    assert first is counted()
