"""Where a store replaces what it should create, each key is looked at first: nothing is replaced, and memory is bounded."""

from __future__ import annotations

import hashlib

import pytest

from outhaul.model.errors import AlreadyThere, KeyBusy
from outhaul.model.job import Connection, Destination
from outhaul.ports import Abilities, NewObject, Stored
from outhaul.stores import s3_taken
from outhaul.stores.s3 import S3Store
from outhaul.testing.store import BytesOf
from servers.server import Server


@pytest.fixture
def store(moto_server: Server, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A store that is taken for one that does not obey `If-None-Match`; it remembers ten keys, of three folders."""
    for name, value in moto_server.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3_taken, "KEPT_KEYS_MAX", 10)
    monkeypatch.setattr(s3_taken, "KEPT_FOLDERS_MAX", 3)
    bucket = moto_server.make_bucket()
    opened = S3Store(Destination(f"s3://{bucket}", "s3", bucket, ""), Connection(moto_server.endpoint_url))
    opened.adopt(Abilities(create_only=False, readable=True))
    return opened


def remembered(store: S3Store) -> tuple[int, int]:
    """How many folders and keys."""
    return len(store._taken.folders), sum(len(keys) for keys in store._taken.folders.values() if keys)


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


def other(store: S3Store) -> S3Store:
    """That of another job of this process, for the same bucket, which has looked at it before."""
    second = S3Store(store._destination, store._connection)
    second.adopt(Abilities(create_only=False, readable=True))
    second.put("a/before", b"")
    return second


def test_another_job_is_not_overwritten(store: S3Store) -> None:
    """What the one has written since the other has looked is there for both."""
    second = other(store)
    store.put("a/1", b"first")
    new = NewObject("a/1", b"second", hashlib.sha256(b"second").digest())
    assert isinstance(second.put_many([new], 1)[0].outcome, AlreadyThere)
    assert b"".join(store.read("a/1")) == b"first"


def test_two_of_one_call_have_one_key(store: S3Store) -> None:
    """The first goes, and the second is told to come again; then it finds the first."""
    store._taken.folders["a"] = None  # Too many for a list: each key is asked for.
    new = [NewObject("a/1", body, hashlib.sha256(body).digest()) for body in (b"first", b"second")]
    first, second = (answer.outcome for answer in store.put_many(new, 8))
    assert (type(first), type(second)) == (Stored, KeyBusy)
    assert isinstance(store.put_many(new[1:], 8)[0].outcome, AlreadyThere)
    assert b"".join(store.read("a/1")) == b"first"


def test_a_large_one_keeps_its_key_while_it_is_sent(store: S3Store) -> None:
    """Nothing else is begun for that, or sent to it, be it of another job."""
    second, content = other(store), b"first" * 2_000_000
    begun = store.begin_large("a/1", len(content))
    assert begun is not None

    def seal() -> None:
        with pytest.raises(KeyBusy):
            second.begin_large("a/1", 20 << 20)
        with pytest.raises(KeyBusy):
            second.put("a/1", b"second")

    store.put_large("a/1", len(content), BytesOf(content), seal=seal, begun=begun)
    with pytest.raises(AlreadyThere):
        second.put("a/1", b"second")
