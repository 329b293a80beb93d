"""A store in memory, which can be as forgetful, stubborn and untruthful as real ones have been.

What it does not do: limits on key length or object size, regions, credentials, listings that lag behind, parts of a
multipart upload that outlive it. Each method is one numbered call (`steps.py`); calls from several threads at once are
safe as far as a lock around each makes them so.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

from outhaul.model.errors import AlreadyThere, Denied, NotThere, SourceChanged, StoreError, UploadGone, bare
from outhaul.model.notes import Notes
from outhaul.ports import Abilities, Answered, Begun, Held, NewObject, Outgoing, Sent, Stored, one_by_one
from outhaul.testing.steps import Steps


class BytesOf:
    """A `ByteSource`, and an `Outgoing`, over bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def read(self, length: int) -> bytes:
        """The next of them."""
        data = self._content[self._at : self._at + length]
        self._at += len(data)
        return data

    def pread(self, length: int, offset: int) -> bytes:
        """These bytes."""
        data = self._content[offset : offset + length]
        if len(data) < length:
            raise SourceChanged("it is shorter")
        return data


class Fault(NamedTuple):
    """What goes wrong at the next call of a method."""

    error: StoreError
    after: bool = False
    """True: the effect took place, and only the answer was lost."""


class StoredObject(NamedTuple):
    """One version of an object."""

    content: bytes
    etag: str
    version: str
    locked: bool = False


def etag_of(parts: Sequence[bytes]) -> str:
    """That of an object that was sent in these parts."""
    digests = b"".join([hashlib.md5(part, usedforsecurity=False).digest() for part in parts])
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


class SimulatedStore:
    """The `Store` of the simulated world. Its knobs are plain attributes, to be turned at any time."""

    def __init__(self, steps: Steps | None = None) -> None:
        self.steps = steps or Steps()
        self.small_max = 1 << 16
        self.many_at_once = False
        self.part_bytes = 1 << 14
        self.objects: dict[str, list[StoredObject]] = {}
        """Key to versions, the newest last. Without `versions` only the newest is kept."""
        self.notes: dict[str, Notes] = {}
        """Key to what is noted beside its object."""
        self.create_only = True
        """It refuses to replace an object when asked to create; where not, `put` looks first, as the S3 store does."""
        self.etag: Literal["md5", "opaque"] = "md5"
        self.keeps_sha256 = False
        self.versions = False
        self.unreadable = False
        self.resumes = True
        """Whether a large upload can go on in another process."""
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        """Large uploads that were begun and have not ended: key, and parts by number."""
        self.parts_sent = 0
        self.told_ns: int | None = None
        """What time it says it is."""
        """HEAD and GET are denied."""
        self.lies = False
        """It keeps other bytes of the same length, and answers as if it kept those it was sent."""
        self.locks = False
        """The job asks for a lock, and it keeps it."""
        self.forgets_locks = False
        """It answers as if it kept it, and keeps none."""
        self.truncates = False
        """It keeps one byte less, and answers as if it had kept all."""
        self.faults: dict[str, deque[Fault]] = {}
        """Method name to what goes wrong at its next calls, one each."""
        self.closed = 0
        """How many times it was closed."""
        self._lock = threading.RLock()
        self._number = 0

    def fail(self, method: str, *faults: Fault) -> None:
        """Let these go wrong at the next calls of a method, one after the other."""
        self.faults.setdefault(method, deque()).extend(faults)

    def close(self) -> None:
        """See `ports.Store`. It is counted; whoever opens it again finds all that it holds."""
        self.closed += 1

    def content(self, key: str) -> bytes:
        """What is kept under a key."""
        return self.objects[key][-1].content

    @property
    def md5_etags(self) -> bool:
        """As the knob says."""
        return self.etag == "md5"

    @property
    def wants_md5(self) -> bool:
        """Where there is no better evidence."""
        return self.md5_etags or not self.keeps_sha256

    # --- the port ----------------------------------------------------------------------------------------------------

    def probe(self) -> Abilities:
        """Truly what the knobs say."""
        with self._call("probe", ""):
            return Abilities(self.create_only, not self.unreadable, self.etag == "md5", self.keeps_sha256)

    def adopt(self, abilities: Abilities) -> None:
        """Its knobs are the truth already."""

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        """See `ports.Store`."""
        with self._call("put", key):
            if notes:
                self.notes[key] = notes
            return self._create(key, body, hashlib.md5(body, usedforsecurity=False).hexdigest(), replace)

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`. One after the other, each a call of `put`."""
        answers: list[Answered] = []
        for new in objects:
            try:
                answers.append(Answered(self.put(new.key, new.body, notes=new.notes), 1))
            except StoreError as error:
                answers.append(Answered(bare(error), 0))
        return answers

    def begin_large(self, key: str, length: int, *, replace: bool = False) -> Begun | None:
        """See `ports.Store`."""
        with self._call("begin_large", key):
            if not replace:
                self._refuse_present(key)
            if not self.resumes:
                return None
            self._number += 1
            self.uploads[f"upload-{self._number}"] = (key, {})
            return Begun(key, f"upload-{self._number}", self.part_bytes)

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
        """See `ports.Store`. Each part is a call of its own; one that the store has is not sent again."""
        if begun is None and not replace:
            self._refuse_present(key)
        has = self.uploads[begun.upload][1] if begun and begun.upload in self.uploads else {}
        size = begun.part_bytes if begun else self.part_bytes
        parts: list[bytes] = []
        while part := source.read(size):
            number = len(parts) + 1
            parts.append(part if has.get(number) == part else self.put_part(key, number, part, begun))
        seal()
        return Sent(self.complete(key, parts, begun, replace=replace), etag_of(parts))

    def complete(self, key: str, parts: Sequence[bytes], begun: Begun | None, *, replace: bool = False) -> Stored:
        """Make an object of parts that were sent."""
        with self._call("put_large", key):
            if begun is not None and begun.upload not in self.uploads:
                raise UploadGone(f"{key}: no such upload")
            stored = self._create(key, b"".join(parts), etag_of(parts), replace)
            if begun is not None:
                del self.uploads[begun.upload]
            return stored

    def put_part(self, key: str, number: int, body: bytes, begun: Begun | None) -> bytes:
        """One part; what the store now has of it."""
        with self._call("put_part", key):
            if begun is not None:
                if begun.upload not in self.uploads:
                    raise UploadGone(f"{key}: no such upload")
                self.uploads[begun.upload][1][number] = body
            self.parts_sent += 1
            return body

    def abandon(self, begun: Begun) -> None:
        """See `ports.Store`."""
        with self._call("abandon", begun.key):
            self.uploads.pop(begun.upload, None)

    def stored_composite(self, key: str, version: str) -> str:
        """See `ports.Store`. This one keeps none."""
        with self._call("stored_composite", key):
            return ""

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        with self._call("head", key):
            found = self._find(key, "")
            return Held(len(found.content), found.etag, found.version)

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """See `ports.Store`."""
        with self._call("stored_sha256", key):
            found = self._find(key, version)
            return hashlib.sha256(found.content).digest() if self.keeps_sha256 else None

    def stored_sha256s(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[bytes | StoreError | None]:
        """See `ports.Store`."""
        return one_by_one(self.stored_sha256, objects)

    def lacks(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        if not self.locks:
            return ""
        with self._call("lacks", key):
            return "" if self._find(key, version).locked else "the store shows no lock of it"

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `ports.Store`."""
        with self._call("read", key):
            content = self._find(key, version).content
        for offset in range(0, len(content), self.part_bytes):
            yield content[offset : offset + self.part_bytes]

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`."""
        with self._call("list", prefix):
            keys = sorted(key for key in self.objects if key.startswith(prefix))
        yield from keys

    # --- within ------------------------------------------------------------------------------------------------------

    def wall_ns(self) -> int | None:
        """See `ports.Store`."""
        return self.told_ns

    @contextmanager
    def _call(self, method: str, key: str) -> Iterator[None]:
        with self._lock, self.steps.step(f"store.{method}", key):
            queue = self.faults.get(method)
            fault = queue.popleft() if queue else None
            if fault is not None and not fault.after:
                raise fault.error
            yield
            if fault is not None:
                raise fault.error

    def _create(self, key: str, content: bytes, etag: str, replace: bool) -> Stored:
        if not replace:
            self._refuse_present(key)
        self._number += 1
        if self.etag == "opaque":
            etag = f"opaque-{self._number}"
        if self.lies and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.truncates:
            content = content[:-1]
        locked = self.locks and not self.forgets_locks
        made = StoredObject(content, etag, f"v{self._number}" if self.versions else "", locked)
        before = self.objects.get(key, []) if self.versions else []
        self.objects[key] = [*before, made]
        return Stored(made.etag, made.version)

    def _refuse_present(self, key: str) -> None:
        if key in self.objects:
            raise AlreadyThere(f"PUT {key}: an object of this key exists")

    def _find(self, key: str, version: str) -> StoredObject:
        if self.unreadable:
            raise Denied(f"{key}: may not be read")
        for found in reversed(self.objects.get(key, [])):
            if version in ("", found.version):
                return found
        raise NotThere(f"{key}: there is no such object")
