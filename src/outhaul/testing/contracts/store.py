"""What must hold of every `Store`, be it in the cloud, in a directory or in memory.

Not shown here: what happens when a network or a disk fails in the middle. That is the business of the servers' own
tests and of the simulation.
"""

from __future__ import annotations

import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from outhaul.model.errors import AlreadyThere, KeyBusy, NotThere, SourceChanged, StoreError, UploadGone
from outhaul.model.keys import escape
from outhaul.ports import NewObject, Store, Stored
from outhaul.testing.store import BytesOf

ODD_NAMES: tuple[bytes, ...] = (
    b"with space", b" leading space", b"trailing space ", b"two  spaces", b"per%cent", b"%41 is not A", b"%2F", b"100%",
    b"question?mark=1&b=2", b"hash#tag", b"plus+sign", b"semi;colon:comma,", b"at@dollar$equal=", b"tilde~star*bang!",
    b"brackets[0]{1}(2)<3>", b"back\\slash", b"pipe|caret^tick`", b"'single' \"double\"", b"amp&lt;&#65;", b"-leading-dash",
    b"--version", b"...", b"..a", b".hidden", b"a.", b"trailing.dot.", b"~", b"aux.con",
    "Zürich-nfc".encode(), b"Zu\xcc\x88rich-nfd", "東京/駅".encode(), "emoji-🦊".encode(), "rtl-\u202egnp.exe".encode(),
    "zero\u200bwidth".encode(), "line\u2028separator".encode(), "full／width％".encode(), "bom-\ufeff".encode(),
    b"new\nline", b"tab\there", b"escape\x1b[31m", b"bell\x07del\x7f", b"c1-\xc2\x85",
    b"invalid-\xff\xfe", b"latin-\xe9t\xe9", b"half-\xe6\x9d", b"surrogate-\xed\xb2\x80", b"Case", b"case", b"CASE",
    b"null", b"a/b/c/d/e/f/g/h", b"a/with space/%/#/x",
)  # fmt: skip
"""File names, as the kernel gives them, that have broken programs of this kind."""


PROBE_NAME = ".outhaul-probe"
"""What the names of objects that a probe may leave begin with."""


def long_key() -> str:
    """A key of 1,000 bytes, in parts of at most 200."""
    return "/".join(["p" * 200] * 4 + ["e" * 196])


class _Breaks(BytesOf):
    """A file that turns out to have changed when half of it was read."""

    def read(self, length: int) -> bytes:
        if self._at * 2 >= len(self._content):
            raise SourceChanged("it changed")
        return super().read(length)


class StoreContract:
    """Held by each adapter in a subclass that overrides `store`."""

    large_bytes = (16 << 20) + 4099
    """Length of a large object: more than one part, and not a whole number of them."""
    listed = 25
    """How many objects a listing is tried with; a store that lists in pages of 1,000 is asked for more than that once."""

    @pytest.fixture
    def store(self) -> Store:
        """An empty store that has been probed; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def another(self, store: Store) -> Store:
        """The same place, as another process would open it; to be overridden where an adapter remembers anything."""
        return store

    @pytest.fixture
    def prefix(self) -> str:
        """What every key of a test begins with."""
        return "site/7"

    def test_probe_tells_the_truth(self, store: Store, prefix: str) -> None:
        """What a probe says that the endpoint does is what it does, and a second probe says the same."""
        abilities = store.probe()
        store.adopt(abilities)
        assert abilities == store.probe()
        store.put(f"{prefix}/once", b"first")
        if abilities.readable:
            assert b"".join(store.read(f"{prefix}/once")) == b"first"

    def test_replacing_is_only_done_when_asked_for(self, store: Store, prefix: str) -> None:
        """With `replace` an object takes the place of another, whole, small or large."""
        store.put(f"{prefix}/replaced", b"first")
        store.put(f"{prefix}/replaced", b"second", replace=True)
        assert b"".join(store.read(f"{prefix}/replaced")) == b"second"
        content = b"large " * (self.large_bytes // 6)
        store.put_large(f"{prefix}/replaced", len(content), BytesOf(content), seal=lambda: None, replace=True)
        assert content == b"".join(store.read(f"{prefix}/replaced"))

    def test_what_is_put_is_read(self, store: Store, prefix: str) -> None:
        """Reading gives exactly the bytes that were put, and HEAD their length and the same ETag and version."""
        body = bytes(range(256)) * 41
        stored = store.put(f"{prefix}/a.dat", body)
        held = store.head(f"{prefix}/a.dat")
        assert (len(body), stored.etag) == (held.length, held.etag)
        assert body == b"".join(store.read(f"{prefix}/a.dat"))
        assert body == b"".join(store.read(f"{prefix}/a.dat", stored.version))

    def test_an_etag_that_looks_like_an_md5_is_one(self, store: Store, prefix: str) -> None:
        """An ETag of 32 hexadecimal digits is the MD5 of the bytes; the proof of an upload rests on it."""
        body = b"time;value\n1;2\n"
        etag = store.put(f"{prefix}/md5", body).etag
        assert etag == "" or len(etag) != 32 or etag == hashlib.md5(body, usedforsecurity=False).hexdigest()

    def test_nothing_is_replaced(self, store: Store, prefix: str) -> None:
        """A second put of a key is refused, whatever its bytes, and the first bytes stay (L2)."""
        store.put(f"{prefix}/a", b"first")
        for body in (b"second", b"first", b""):
            with pytest.raises(AlreadyThere):
                store.put(f"{prefix}/a", body)
        assert b"".join(store.read(f"{prefix}/a")) == b"first"

    def test_nothing_of_another_process_is_replaced(self, store: Store, another: Store, prefix: str) -> None:
        """A key that another process has made is refused, whatever characters it has (L2)."""
        keys = [f"{prefix}/{escape(name.decode('utf-8', 'surrogateescape'))}" for name in ODD_NAMES]
        for key in keys:
            another.put(key, b"first")
        for key in keys:
            with pytest.raises(AlreadyThere):
                store.put(key, b"second")

    def test_a_name_that_xml_cannot_say(self, store: Store, another: Store, prefix: str) -> None:
        """U+FFFE and U+FFFF are letters of a name like others, though no listing in XML 1.0 can hold them."""
        key = f"{prefix}/{escape(chr(0xFFFE) + chr(0xFFFF))}"
        another.put(key, b"first")
        with pytest.raises(AlreadyThere):
            store.put(key, b"second")
        assert key in set(store.list(f"{prefix}/"))

    def test_an_empty_object_is_an_object(self, store: Store, prefix: str) -> None:
        """Nothing at all can be put, is found, is read as nothing, and is not replaced."""
        store.put(f"{prefix}/empty", b"")
        assert store.head(f"{prefix}/empty").length == 0
        assert b"".join(store.read(f"{prefix}/empty")) == b""
        with pytest.raises(AlreadyThere):
            store.put(f"{prefix}/empty", b"something")

    def test_what_is_not_there_is_said_to_be_not_there(self, store: Store, prefix: str) -> None:
        """HEAD, the stored checksum and reading tell a missing object from every other fault."""
        store.put(f"{prefix}/is there", b"1")
        for key in (f"{prefix}/missing", f"{prefix}/is there/beneath", f"{prefix}/is"):
            with pytest.raises(NotThere):
                store.head(key)
            with pytest.raises(NotThere):
                b"".join(store.read(key))

    def test_every_name_becomes_a_key_and_comes_back(self, store: Store, prefix: str) -> None:
        """Whatever bytes a file name has, its key is stored, found, read and listed as it is (L13)."""
        keys = [f"{prefix}/{escape(name.decode('utf-8', 'surrogateescape'))}" for name in ODD_NAMES]
        for number, key in enumerate(keys):
            store.put(key, b"%d" % number)
        for number, key in enumerate(keys):
            assert b"%d" % number == b"".join(store.read(key)), key
            assert len(b"%d" % number) == store.head(key).length, key
        listed = [key for key in store.list(f"{prefix}/") if not key.startswith(f"{prefix}/{PROBE_NAME}")]
        assert sorted(keys) == sorted(listed)

    def test_long_keys(self, store: Store) -> None:
        """A key of 1,000 bytes is as good as a short one."""
        key = long_key()
        store.put(key, b"long")
        assert b"".join(store.read(key)) == b"long"
        with pytest.raises(AlreadyThere):
            store.put(key, b"again")

    def test_large_objects(self, store: Store, prefix: str) -> None:
        """A large object arrives whole, is never replaced, and a computed ETag is the one that the bytes give."""
        content = _pattern(self.large_bytes)
        stored, proving_etag, _ = store.put_large(f"{prefix}/large", len(content), BytesOf(content), seal=lambda: None)
        assert len(content) == store.head(f"{prefix}/large").length
        digest = hashlib.sha256()
        for chunk in store.read(f"{prefix}/large", stored.version):
            digest.update(chunk)
        assert hashlib.sha256(content).digest() == digest.digest()
        if re.fullmatch(r"[0-9a-f]{32}-\d+", stored.etag) and proving_etag:
            assert proving_etag == stored.etag
        with pytest.raises(AlreadyThere):
            store.put_large(f"{prefix}/large", len(content), BytesOf(b"\0" * len(content)), seal=lambda: None)
        with pytest.raises(AlreadyThere):
            store.put(f"{prefix}/large", b"small")

    def test_a_large_upload_goes_on(self, store: Store, prefix: str) -> None:
        """What was sent of one before it failed is not sent again, and the object is whole and proves itself as any other."""
        content = _pattern(2 * self.large_bytes)
        begun = store.begin_large(f"{prefix}/goes-on", len(content))
        if begun is None:
            pytest.skip("this store begins none")
        with pytest.raises(SourceChanged):
            store.put_large(f"{prefix}/goes-on", len(content), _Breaks(content), seal=lambda: None, begun=begun)
        with pytest.raises(NotThere):
            store.head(f"{prefix}/goes-on")
        sent = store.put_large(f"{prefix}/goes-on", len(content), BytesOf(content), seal=lambda: None, begun=begun)
        assert content == b"".join(store.read(f"{prefix}/goes-on"))
        if re.fullmatch(r"[0-9a-f]{32}-\d+", sent.stored.etag) and sent.proving_etag:
            assert sent.proving_etag == sent.stored.etag
        if sent.composite and (kept := store.stored_composite(f"{prefix}/goes-on", sent.stored.version)):
            assert sent.composite == kept

    def test_parts_of_other_bytes_are_not_believed(self, store: Store, prefix: str) -> None:
        """What the store has of an upload is believed by no number: other bytes are sent again, or the upload is given up."""
        content, other = _pattern(2 * self.large_bytes), b"\7" * (2 * self.large_bytes)
        begun = store.begin_large(f"{prefix}/other", len(content))
        if begun is None:
            pytest.skip("this store begins none")
        with pytest.raises(SourceChanged):
            store.put_large(f"{prefix}/other", len(other), _Breaks(other), seal=lambda: None, begun=begun)
        try:
            store.put_large(f"{prefix}/other", len(content), BytesOf(content), seal=lambda: None, begun=begun)
        except UploadGone:
            with pytest.raises(NotThere):
                store.head(f"{prefix}/other")
            return
        assert content == b"".join(store.read(f"{prefix}/other"))

    def test_what_is_not_sealed_does_not_come_to_be(self, store: Store, prefix: str) -> None:
        """Where the source turns out to have changed, there is no object; a key that is taken stays as it is."""

        def changed() -> None:
            raise SourceChanged("it changed")

        content = _pattern(self.large_bytes)
        with pytest.raises(SourceChanged):
            store.put_large(f"{prefix}/unsealed", len(content), BytesOf(content), seal=changed)
        with pytest.raises(NotThere):
            store.head(f"{prefix}/unsealed")

    def test_an_upload_that_somebody_else_began_is_left_alone(self, store: Store, prefix: str) -> None:
        """It may have other settings, and whoever began it sends to it: a second one of the same key is another."""
        first = store.begin_large(f"{prefix}/both", self.large_bytes)
        if first is None:
            pytest.skip("this store begins none")
        second = store.begin_large(f"{prefix}/both", self.large_bytes)
        assert second is not None
        assert first.upload != second.upload
        store.abandon(second)
        content = _pattern(self.large_bytes)
        store.put_large(f"{prefix}/both", len(content), BytesOf(content), seal=lambda: None, begun=first)
        assert content == b"".join(store.read(f"{prefix}/both"))

    def test_an_upload_that_was_abandoned_is_gone(self, store: Store, prefix: str) -> None:
        """It cannot go on; to abandon it again is no error."""
        content = _pattern(self.large_bytes)
        begun = store.begin_large(f"{prefix}/abandoned", len(content))
        if begun is None:
            pytest.skip("this store begins none")
        store.abandon(begun)
        store.abandon(begun)
        with pytest.raises(UploadGone):
            store.put_large(f"{prefix}/abandoned", len(content), BytesOf(content), seal=lambda: None, begun=begun)

    def test_a_stored_checksum_is_that_of_the_bytes(self, store: Store, prefix: str) -> None:
        """Where a store keeps a SHA-256 of an object, it is the one of the whole object."""
        stored = store.put(f"{prefix}/a", b"abc")
        assert store.stored_sha256(f"{prefix}/a", stored.version) in (None, hashlib.sha256(b"abc").digest())

    def test_many_stored_checksums_are_those_of_each(self, store: Store, prefix: str) -> None:
        """In their order, and one that cannot be told holds up no other."""
        asked = [(f"{prefix}/{name}", store.put(f"{prefix}/{name}", name.encode())) for name in "abc"]
        there = [store.stored_sha256(key, stored.version) for key, stored in asked]
        found = store.stored_sha256s([asked[0], (f"{prefix}/none", Stored("", "")), *asked[1:]], 2)
        assert [there[0], *there[1:]] == [found[0], *found[2:]]
        assert found[1] is None or isinstance(found[1], NotThere)

    def test_nothing_is_lacking_where_nothing_is_asked_for(self, store: Store, prefix: str) -> None:
        """A job without a lock and without encryption has nothing to be shown."""
        stored = store.put(f"{prefix}/plain", b"plain")
        assert store.lacks(f"{prefix}/plain", stored.version) == ""

    def test_a_listing_is_by_prefix(self, store: Store) -> None:
        """A listing gives each key that begins with the prefix once, and no other, also in the middle of a name."""
        keys = [f"in/{number:05}" for number in range(self.listed)] + ["in", "inside/a", "other/in/1"]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda key: store.put(key, b"") if key != "in" else None, keys))
        beneath = sorted(keys[: self.listed])
        assert beneath == sorted(store.list("in/"))
        assert [key for key in beneath if key.startswith("in/0001")] == sorted(store.list("in/0001"))
        assert [*beneath, "inside/a"] == sorted(key for key in store.list("in"))
        assert list(store.list("nothing/")) == []

    def test_of_many_at_once_one_wins(self, store: Store, prefix: str) -> None:
        """Of 32 puts of one key at once exactly one succeeds, and the object is its bytes; others may be told to come again."""
        bodies = [b"body %d" % number * 50 for number in range(32)]
        start = threading.Barrier(len(bodies))

        def put(body: bytes) -> bool:
            start.wait()
            try:
                store.put(f"{prefix}/contested", body)
            except (AlreadyThere, KeyBusy):
                return False
            return True

        with ThreadPoolExecutor(len(bodies)) as threads:
            won = list(threads.map(put, bodies))
        assert sum(won) == 1
        assert bodies[won.index(True)] == b"".join(store.read(f"{prefix}/contested"))

    @pytest.mark.parametrize("at_once", [1, 8])
    def test_many_in_one_call(self, store: Store, prefix: str, at_once: int) -> None:
        """Each of many objects is created, or refused, as `put` would have, and the answers are in their order."""
        store.put(f"{prefix}/7", b"first")
        bodies = [b"body %d " % number * (number * 40) for number in range(50)]
        new = [
            NewObject(f"{prefix}/{number}", body, hashlib.sha256(body).digest()) for number, body in enumerate(bodies)
        ]
        answers = store.put_many(new, at_once)
        assert [isinstance(answer.outcome, Stored) for answer in answers] == [number != 7 for number in range(50)]
        assert isinstance(answers[7].outcome, AlreadyThere)
        for number, body in enumerate(bodies):
            assert (b"first" if number == 7 else body) == b"".join(store.read(f"{prefix}/{number}"))
            outcome = answers[number].outcome
            assert not isinstance(outcome, Stored) or outcome.etag == store.head(f"{prefix}/{number}").etag
        again = [answer.outcome for answer in store.put_many(new, at_once)]
        # With the frames in which it was raised it would hold the bodies.
        assert [error.__traceback__ for error in again if isinstance(error, StoreError)] == [None] * len(new)
        assert [isinstance(outcome, AlreadyThere) for outcome in again] == [True] * 50
        assert store.put_many([], at_once) == []

    def test_many_odd_names_in_one_call(self, store: Store, another: Store, prefix: str) -> None:
        """Keys travel through `put_many` as they do through `put`."""
        keys = [f"{prefix}/{escape(name.decode('utf-8', 'surrogateescape'))}" for name in ODD_NAMES] + [long_key()]
        answers = store.put_many(
            [NewObject(key, key.encode(), hashlib.sha256(key.encode()).digest()) for key in keys], 4
        )
        assert [True] * len(keys) == [isinstance(answer.outcome, Stored) for answer in answers]
        for key in keys:
            assert key.encode() == b"".join(another.read(key)), key

    def test_many_keys_at_once(self, store: Store, prefix: str) -> None:
        """Puts of different keys from many threads do not mix."""
        keys = [f"{prefix}/{number % 5}/{number}" for number in range(60)]
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda key: store.put(key, key.encode() * 20), keys))
        for key in keys:
            assert key.encode() * 20 == b"".join(store.read(key))


def _pattern(length: int) -> bytes:
    """Bytes of which no two megabytes are the same."""
    block = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(1 << 10))
    whole = b"".join(number.to_bytes(4, "big") + block for number in range(length // len(block) + 1))
    return whole[:length]
