"""A place that holds objects, and what an endpoint has shown that it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from outhaul.model.errors import StoreError, bare
from outhaul.model.job import ProofRule
from outhaul.model.notes import Notes


class Stored(NamedTuple):
    """What a store answered to a write."""

    etag: str
    version: str
    shown: bool = False
    """Whether it shows all that protects the object, so that `Store.lacks` need not be asked."""


class NewObject(NamedTuple):
    """A small object to be created."""

    key: str
    body: bytes
    sha256: bytes
    md5: bytes = b""
    """Told to a store that has shown that it checks it; b'' to none."""
    notes: Notes = ()
    """Kept beside the object where the store can; nothing depends on them."""


class Answered(NamedTuple):
    """What came of creating one object."""

    outcome: Stored | StoreError
    took_ns: int
    """From sending to the answer; 0 where there was none."""


class Begun(NamedTuple):
    """A large upload that a store has begun. A hint, never a promise: the store may have forgotten it."""

    key: str
    upload: str
    """As the store names it."""
    part_bytes: int
    """Size of each part but the last."""


class Sent(NamedTuple):
    """What a store answered to a large upload, and what it must say of the object if it holds these very bytes."""

    stored: Stored
    proving_etag: str = ""
    """The ETag of a store which computes it from the MD5s of the parts; '' where there is no such."""
    composite: str = ""
    """The SHA-256 of the SHA-256s of the parts, in Base64, '-' and their number; '' where none was told to the store."""


class Outgoing(Protocol):
    """Bytes on their way out: they are read once, from their beginning to their end."""

    def read(self, length: int) -> bytes:
        """The next bytes: as many as asked for, fewer only at the end, and then none.

        Raises:
            SourceChanged: the file they come from is not what it was.
        """


class Held(NamedTuple):
    """What a store says it holds under a key."""

    length: int
    etag: str
    version: str
    file: tuple[int, int] = (0, 0)
    """Device and inode, where the object is a file of this machine."""


class Abilities(NamedTuple):
    """What an endpoint has shown that it does. Learnt by trying, never assumed (L4)."""

    create_only: bool
    """It refuses to replace an existing object when asked to create."""
    readable: bool
    """What was written can be read back."""
    md5_etag: bool = False
    """Its ETag of a small object is the MD5 of the bytes."""
    keeps_sha256: bool = False
    """It keeps a SHA-256 with an object, and has shown that it does not take a wrong one: what it gives is no echo."""
    checks_payload: bool | None = None
    """It refuses a body that is not the one that was signed; None where that was not tried."""
    checks_md5: bool | None = None
    """It refuses a body that does not fit a Content-MD5 header."""
    checks_owner: bool | None = None
    """It refuses a request that expects another owner of the bucket."""
    takes_long_keys: bool | None = None
    """It takes a key of as many bytes as S3 allows; None where that was not tried, or not clear."""
    takes_odd_keys: bool | None = None
    """It takes a key of all kinds of characters that are found in names of files."""

    why_unreadable: str = ""
    """What it said when it was asked for what had been written."""

    def can_prove(self, rule: ProofRule) -> bool:
        """Whether there is any evidence of the kind that a job asks for."""
        return self.readable or (rule != "read-back" and self.keeps_sha256) or (rule == "auto" and self.md5_etag)


def one_by_one(
    stored_sha256: Callable[[str, str], bytes | None], objects: Sequence[tuple[str, Stored]]
) -> list[bytes | StoreError | None]:
    """`Store.stored_sha256s` of a store that can do no better."""
    return [_outcome(stored_sha256, key, stored.version) for key, stored in objects]


def _outcome(stored_sha256: Callable[[str, str], bytes | None], key: str, version: str) -> bytes | StoreError | None:
    try:
        return stored_sha256(key, version)
    except StoreError as error:
        return bare(error)


class Store(Protocol):
    """A place that holds objects. All methods may be called from several threads at once.

    Every method raises the `StoreError`s: `Transient` when what happened is unknown, `Denied` and `Misconfigured` when
    nothing will work until somebody acts, `Refused` when this one object never will.
    """

    @property
    def md5_etags(self) -> bool:
        """Whether the ETag of a small object has shown to be the MD5 of its bytes: one that differs is evidence against."""

    @property
    def wants_md5(self) -> bool:
        """Whether an MD5 of a small object is good for anything: to be told, or to be compared with an ETag."""

    small_max: int
    """Up to this many bytes an object is written by `put` or `put_many`; beyond, by `put_large`."""
    many_at_once: bool
    """Whether one call of `put_many` keeps many objects under way; else each needs a thread."""

    def probe(self) -> Abilities:
        """Find out what the endpoint does, with private keys of this prefix, and some requests that are wrong on purpose.

        At most ten requests, and three where the job asks for what protects its objects. Raises `Unproved` where what is
        read back is not what was written, `NotAsAsked` where it is not protected so.
        """

    def adopt(self, abilities: Abilities) -> None:
        """Work on the ground of abilities that were found out earlier."""

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        """Create an object; whole or not at all.

        Args:
            key: Where.
            body: What.
            replace: Take the place of what is there: only where a job says so.
            notes: Kept beside it where the store can; nothing depends on them.

        Raises:
            AlreadyThere: the key is taken, and is not to be replaced (L2).
        """

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """`put` for each of these, up to `at_once` of them at the same time where the store can.

        Returns:
            For each, in order, what `put` would have returned or raised.
        """

    def begin_large(self, key: str, length: int, *, replace: bool = False) -> Begun | None:
        """Begin an upload that can go on in another process; None where the store has no such.

        Raises:
            AlreadyThere: the key is taken.
        """

    def put_large(
        self,
        key: str,
        length: int,
        source: Outgoing,
        *,
        seal: Callable[[], None],
        begun: Begun | None = None,
        replace: bool = False,
    ) -> Sent:
        """As `put`, from all bytes of `source`, in bounded memory.

        Args:
            key: Where.
            length: About how many bytes that is: it decides the size of the parts.
            source: What.
            seal: Called when all is sent, before the object comes to be. Where it raises, no object does.
            begun: An upload of the same bytes to go on with. What the store has of it is compared with the source, part by
                part, and not sent again. An upload that fails stays for the next attempt; without `begun` nothing does.
            replace: As for `put`.

        Raises:
            AlreadyThere: the key is taken.
            UploadGone: the store knows nothing of `begun` any more, or has other bytes of it.
            SourceChanged: as the source raises it.
        """

    def abandon(self, begun: Begun) -> None:
        """Have the store forget what it has of an upload; one that it does not know is forgotten already."""

    def head(self, key: str) -> Held:
        """What is held under a key, without its bytes.

        Raises:
            NotThere: nothing.
        """

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """The SHA-256 of the whole object that the store keeps with it; None where it keeps none, or does not say."""

    def stored_sha256s(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[bytes | StoreError | None]:
        """`stored_sha256` for each of these, up to `at_once` at the same time where the store can.

        Args:
            objects: The key of each, and what the store answered when it was written or looked at: an answer of another ETag
                tells nothing of it.
            at_once: How many.

        Returns:
            For each, in order, what `stored_sha256` would have returned or raised.
        """

    def stored_composite(self, key: str, version: str) -> str:
        """As `stored_sha256`, of an object that was sent in parts: `Sent.composite` as the store has it, or ''."""

    def lacks(self, key: str, version: str) -> str:
        """What the store does not show of the lock and the encryption that the job asks for, for a person; '' for nothing.

        Where the job asks for none, nobody is asked.

        Raises:
            NotThere: there is no such object.
        """

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """The bytes of an object.

        Raises:
            NotThere: there is none.
        """

    def list(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`."""

    def wall_ns(self) -> int | None:
        """What time it is for the store; None where it tells no time."""

    def close(self) -> None:
        """Let go of connections. Nothing is begun with it any more; calls that are under way come to their ends."""
