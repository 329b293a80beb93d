"""`restore` and objects in an archive class, as a process of its own, against a server that has such classes."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.test_restore import There
from servers.server import Server

pytestmark = pytest.mark.slow

SOON, LATER = 0.01, 3600.0
"""Seconds until an object goes on: from asked for to under way, and from there to ready."""


@pytest.fixture
def cold(moto_server: Server, tmp_path: Path) -> Iterator[There]:
    """A bucket with an archived file of each class and an ordinary one."""
    there = There(tmp_path, moto_server)
    for name in ("glacier", "deep", "warm"):
        there.write(f"{name}.csv", name.encode())
    assert there("move", str(there.source), there.address).code == 0
    with moto_server.client() as client:
        for name, kind in (("glacier", "GLACIER"), ("deep", "DEEP_ARCHIVE")):
            headers = {"x-amz-storage-class": kind}
            client.request("PUT", there.bucket, f"site/{name}.csv", body=name.encode(), headers=headers)
    _takes(moto_server, SOON)
    yield there
    _moto(moto_server, "unset-transition", None)


def _takes(server: Server, seconds: float) -> None:
    """From now on, an object goes on after so long."""
    _moto(server, "set-transition", {"progression": "time", "seconds": seconds})


def _moto(server: Server, what: str, transition: object) -> None:
    body = json.dumps({"model_name": "s3::keyrestore", "transition": transition}).encode()
    asked = urllib.request.Request(f"{server.endpoint_url}/moto-api/state-manager/{what}", data=body, method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked).close()


def test_asked_for_and_waited_for(cold: There) -> None:
    """Left alone where that is said; asked for, with the time that it takes; and brought back when it is ready."""
    options = ("restore", "**", "--to", str(cold.back))
    for more in (("--dry-run",), ("--no-thaw",)):
        ran = cold(*options, *more)
        assert "asked  " not in ran.err
    assert (ran.code, cold.there()) == (1, {"warm.csv": b"warm"})
    assert "archived     deep.csv" in ran.err
    ran = cold(*options, "--tier", "bulk")
    assert ran.code == 1
    assert "asked        glacier.csv (GLACIER, bulk: it takes 5 to 12 hours)\n" in ran.err
    assert "asked        deep.csv (DEEP_ARCHIVE, bulk: it takes up to 48 hours)\n" in ran.err
    with cold.server.client() as client:  # The server moves on when it is asked: now both are under way.
        assert all(client.head(cold.bucket, f"site/{name}.csv") for name in ("glacier", "deep"))
    _takes(cold.server, LATER)
    ran = cold(*options)
    assert ran.code == 1
    assert "under-way    deep.csv (DEEP_ARCHIVE)\n" in ran.err and "under-way    glacier.csv (GLACIER)\n" in ran.err
    threading.Timer(1, _takes, (cold.server, SOON)).start()
    ran = cold(*options, "--wait", "--look-every", "1s", "--json")
    assert (ran.code, ran.events[-1]["outcomes"]) == (0, {"restored": 2, "there": 1})
    assert cold.there() == {f"{name}.csv": name.encode() for name in ("glacier", "deep", "warm")}


def test_a_tier_that_a_class_has_not(cold: There) -> None:
    """Expedited is not for DEEP_ARCHIVE: told, and nothing is asked."""
    ran = cold("restore", "deep.csv", "--to", str(cold.back), "--tier", "expedited")
    assert ran.code == 1
    assert "archived     deep.csv (DEEP_ARCHIVE knows no tier expedited: --tier standard, or bulk)\n" in ran.err


def test_from_the_bucket_alone(cold: There) -> None:
    """Without a ledger as well."""
    ran = cold("restore", cold.address, "--to", str(cold.back), "--for-days", "1")
    assert (ran.code, cold.there()) == (1, {"warm.csv": b"warm"})
    assert "asked        glacier.csv (GLACIER, standard: it takes 3 to 5 hours)\n" in ran.err


def test_an_audit_asks_for_nothing(cold: There) -> None:
    """It costs money: an audit tells, and leaves it."""
    assert cold("audit", "--all", "--read-back").code == 1
    ran = cold("restore", "glacier.csv", "--to", str(cold.back))
    assert "asked        glacier.csv" in ran.err
