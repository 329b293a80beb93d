"""A store in memory, which can be as forgetful, stubborn and untruthful as real ones have been.

What it does not do: limits on key length or object size, regions, credentials, listings that lag behind, parts of a
multipart upload that outlive it. Each method is one numbered call (`steps.py`); calls from several threads at once are
safe as far as a lock around each makes them so.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

from outhaul.model.errors import AlreadyThere, Denied, NotThere, StoreError
from outhaul.model.evidence import ByteSource
from outhaul.ports import Abilities, Answered, Held, NewObject, Stored
from outhaul.testing.steps import Steps


class BytesOf:
    """A `ByteSource` over bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def pread(self, length: int, offset: int) -> bytes:
        """These bytes."""
        return self._content[offset : offset + length]


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


class SimulatedStore:
    """The `Store` of the simulated world. Its knobs are plain attributes, to be turned at any time."""

    def __init__(self, steps: Steps | None = None) -> None:
        self.steps = steps or Steps()
        self.small_max = 1 << 16
        self.many_at_once = False
        self.part_bytes = 1 << 14
        self.objects: dict[str, list[StoredObject]] = {}
        """Key to versions, the newest last. Without `versions` only the newest is kept."""
        self.create_only = True
        """It refuses to replace an object when asked to create; where not, `put` looks first, as the S3 store does."""
        self.etag: Literal["md5", "opaque"] = "md5"
        self.keeps_sha256 = False
        self.versions = False
        self.unreadable = False
        self.told_ns: int | None = None
        """What time it says it is."""
        """HEAD and GET are denied."""
        self.lies = False
        """It keeps other bytes of the same length, and answers as if it kept those it was sent."""
        self.truncates = False
        """It keeps one byte less, and answers as if it had kept all."""
        self.faults: dict[str, deque[Fault]] = {}
        """Method name to what goes wrong at its next calls, one each."""
        self._lock = threading.RLock()
        self._number = 0

    def fail(self, method: str, *faults: Fault) -> None:
        """Let these go wrong at the next calls of a method, one after the other."""
        self.faults.setdefault(method, deque()).extend(faults)

    def content(self, key: str) -> bytes:
        """What is kept under a key."""
        return self.objects[key][-1].content

    @property
    def md5_etags(self) -> bool:
        """As the knob says."""
        return self.etag == "md5"

    # --- the port ----------------------------------------------------------------------------------------------------

    def probe(self) -> Abilities:
        """Truly what the knobs say."""
        with self._call("probe", ""):
            return Abilities(self.create_only, not self.unreadable, self.etag == "md5", self.keeps_sha256)

    def adopt(self, abilities: Abilities) -> None:
        """Its knobs are the truth already."""

    def put(self, key: str, body: bytes, *, replace: bool = False) -> Stored:
        """See `ports.Store`."""
        with self._call("put", key):
            return self._create(key, body, hashlib.md5(body, usedforsecurity=False).hexdigest(), replace)

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`. One after the other, each a call of `put`."""
        answers: list[Answered] = []
        for new in objects:
            try:
                answers.append(Answered(self.put(new.key, new.body), 1))
            except StoreError as error:
                answers.append(Answered(error, 0))
        return answers

    def put_large(self, key: str, length: int, source: ByteSource, *, replace: bool = False) -> tuple[Stored, str]:
        """See `ports.Store`."""
        with self._call("put_large", key):
            if not replace:
                self._refuse_present(key)
            parts = [
                source.pread(min(self.part_bytes, length - offset), offset)
                for offset in range(0, length, self.part_bytes)
            ]
            digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
            etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
            return self._create(key, b"".join(parts), etag, replace), etag

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
        made = StoredObject(content, etag, f"v{self._number}" if self.versions else "")
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
