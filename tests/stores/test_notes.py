"""What is noted beside an object, by each client that creates one, is what a real server tells of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from outhaul.model.job import Connection, Destination
from outhaul.model.notes import notes_of
from outhaul.model.object_settings import ObjectSettings
from outhaul.ports import NewObject
from outhaul.stores.s3 import S3Store
from outhaul.stores.s3_reading import S3Shelf
from servers.server import Server

BODY = b"as it is stored"
SHA256 = hashlib.sha256(BODY).digest()
NOTES = notes_of("zstd", bytes(32), 5, 10**18)


_SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("ministack", "rclone")]


def _many(store: S3Store, key: str) -> None:
    (answer,) = store.put_many([NewObject(key, BODY, SHA256, b"", NOTES)], 1)
    assert not isinstance(answer.outcome, Exception)


def _one(store: S3Store, key: str) -> None:
    store.put(key, BODY, notes=NOTES)


def _over(store: S3Store, key: str) -> None:
    store.put(key, b"other bytes")
    store.put(key, BODY, replace=True, notes=NOTES)


@pytest.mark.parametrize(
    "settings", [ObjectSettings(), ObjectSettings(metadata=(("site", "7"),))], ids=["plain", "metadata"]
)
@pytest.mark.parametrize("name", ["moto", *_SLOW])
@pytest.mark.parametrize("put", [_many, _one, _over])
def test_notes_come_back(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    put: Callable[[S3Store, str], None],
    settings: ObjectSettings,
) -> None:
    """By the fast lane, by obstore, and by botocore where the job has metadata of its own; both are there then."""
    server: Server = request.getfixturevalue(f"{name}_server")
    bucket = server.make_bucket()
    for variable, value in server.environ().items():
        monkeypatch.setenv(variable, value)
    destination = Destination(f"s3://{bucket}", "s3", bucket, "")
    connection = Connection(endpoint_url=server.endpoint_url)
    put(S3Store(destination, connection, settings), "d/file.zst")
    held, _, notes = S3Shelf(destination, connection).describe("d/file.zst", "")
    assert held.length == len(BODY)
    assert notes == dict(NOTES) | dict(settings.metadata)
