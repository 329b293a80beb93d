"""Where a store replaces what it should create, each key is looked at first: nothing is replaced, and memory is bounded."""

from __future__ import annotations

import pytest

from outhaul.model.errors import AlreadyThere
from outhaul.model.job import Connection, Destination
from outhaul.ports import Abilities
from outhaul.stores import s3
from outhaul.stores.s3 import S3Store
from servers.server import Server


@pytest.fixture
def store(moto_server: Server, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A store that is taken for one that does not obey `If-None-Match`; it remembers ten keys, of three folders."""
    for name, value in moto_server.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3, "_KEPT_KEYS_MAX", 10)
    monkeypatch.setattr(s3, "_KEPT_FOLDERS_MAX", 3)
    bucket = moto_server.make_bucket()
    opened = S3Store(Destination(f"s3://{bucket}", "s3", bucket, ""), Connection(moto_server.endpoint_url))
    opened.adopt(Abilities(create_only=False, readable=True))
    return opened


def remembered(store: S3Store) -> tuple[int, int]:
    """How many folders and keys."""
    return len(store._present), sum(len(keys) for keys in store._present.values() if keys)


@pytest.mark.parametrize(("folders", "each"), [(9, 1), (6, 4), (1, 25)])
def test_it_remembers_no_more_than_it_may(store: S3Store, folders: int, each: int) -> None:
    """However many there are, in however many folders; and what is there is never replaced."""
    keys = [f"{folder}/{number}" for folder in range(folders) for number in range(each)]
    most = (0, 0)
    for key in keys:
        store.put(key, b"first")
        most = max(most[0], remembered(store)[0]), max(most[1], remembered(store)[1])
    assert (most[0] <= 3, most[1] <= 10 + each) == (True, True), most
    for key in keys:
        with pytest.raises(AlreadyThere):
            store.put(key, b"second")
    assert all(b"".join(store.read(key)) == b"first" for key in keys)


def test_a_pass_begins_without_what_it_remembers(store: S3Store) -> None:
    """Others have written meanwhile."""
    store.put("a/1", b"")
    store.adopt(Abilities(create_only=False, readable=True))
    assert remembered(store) == (0, 0)
