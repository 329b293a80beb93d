"""The way from one machine to a store: it may flip a bit, cut a body short, lose a request or a reply, or show things late.

Each machine has a network of its own to the one store, with its own numbered calls (`steps.py`), so two machines can meet
there. Where the store does not create only, this looks before it writes, as the S3 adapter does (decision 0004). Not
shown here: bodies that arrive out of order, and answers that are other than one of the errors of `model/errors.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from outhaul.model.errors import AlreadyThere, NotThere, StoreError, bare
from outhaul.model.notes import Notes
from outhaul.ports import Abilities, Answered, Begun, Held, NewObject, Outgoing, Sent, Stored, one_by_one
from outhaul.testing.steps import Steps
from outhaul.testing.store import SimulatedStore

LATE_READS = 3
"""How many times in a row an object that is shown late is not to be seen."""


class Network:
    """The `Store` as one machine reaches it."""

    def __init__(self, store: SimulatedStore, steps: Steps) -> None:
        self.store = store
        self.steps = steps
        self.small_max = store.small_max
        self.many_at_once = store.many_at_once
        self.md5_etags, self.wants_md5 = store.md5_etags, store.wants_md5
        self.late: dict[str, int] = {}
        """Key to how many more times it will not be seen."""
        self.swallows = False
        """A body that is dropped is answered with its right ETag, as by a store that lost it after it had all of it: then
        nothing but a read-back can tell. Otherwise nobody has computed one, as where a proxy answers."""

    def probe(self) -> Abilities:
        """See `ports.Store`."""
        with self.steps.step("store.probe"):
            return self.store.probe()

    def adopt(self, abilities: Abilities) -> None:
        """See `ports.Store`."""
        with self.steps.step("store.adopt"):
            self.store.adopt(abilities)
            self.md5_etags, self.wants_md5 = self.store.md5_etags, self.store.wants_md5

    def close(self) -> None:
        """See `ports.Store`. Nobody can see it."""

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        """See `ports.Store`."""
        replace = self._look(key, replace)
        with self.steps.step("store.put", key) as mishap:
            if mishap == "drop":
                return Stored(hashlib.md5(body, usedforsecurity=False).hexdigest() if self.swallows else "", "")
            stored = self.store.put(key, _twisted(body, mishap), replace=replace, notes=notes)
            if mishap == "late" and self.store.create_only:  # Otherwise nobody could keep from replacing it.
                self.late[key] = LATE_READS
            return stored

    def wall_ns(self) -> int | None:
        """See `ports.Store`."""
        with self.steps.step("store.wall_ns"):
            return self.store.wall_ns()

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`. One after the other."""
        answers: list[Answered] = []
        for new in objects:
            try:
                answers.append(Answered(self.put(new.key, new.body, notes=new.notes), 1))
            except StoreError as error:
                answers.append(Answered(bare(error), 0))
        return answers

    def begin_large(self, key: str, length: int, *, replace: bool = False) -> Begun | None:
        """See `ports.Store`."""
        self._look(key, replace)
        with self.steps.step("store.begin_large", key):
            return self.store.begin_large(key, length, replace=replace or not self.store.create_only)

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
        """See `ports.Store`. The ETag that proves is that of what left this machine, not of what arrived."""
        replace = self._look(key, replace)
        line = _Line(source)
        parts = self._parts(key, line, begun)
        seal()
        with self.steps.step("store.put_large", key) as mishap:
            if mishap == "drop":
                return Sent(Stored(line.etag() if self.swallows else "", ""), line.etag())
            stored = self.store.complete(key, parts, begun, replace=replace)
            if mishap == "late" and self.store.create_only:  # Otherwise nobody could keep from replacing it.
                self.late[key] = LATE_READS
            return Sent(stored, line.etag())

    def _parts(self, key: str, line: _Line, begun: Begun | None) -> list[bytes]:
        """Send all parts, each with what may become of it on its way; what the store has of them now."""
        has = self.store.uploads[begun.upload][1] if begun and begun.upload in self.store.uploads else {}
        size = begun.part_bytes if begun else self.store.part_bytes
        parts: list[bytes] = []
        while body := line.read(size):
            number = len(parts) + 1
            if has.get(number) != body:
                with self.steps.step("store.put_part", key) as mishap:
                    body = self.store.put_part(key, number, _twisted(body, mishap), begun)
            parts.append(body)
        return parts

    def abandon(self, begun: Begun) -> None:
        """See `ports.Store`."""
        with self.steps.step("store.abandon", begun.key):
            self.store.abandon(begun)

    def stored_composite(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        with self.steps.step("store.stored_composite", key):
            return self.store.stored_composite(key, version)

    def lacks(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        if not self.store.locks:
            return ""
        with self.steps.step("store.lacks", key):
            return self.store.lacks(key, version)

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        with self.steps.step("store.head", key):
            self._be_late(key)
            return self.store.head(key)

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """See `ports.Store`."""
        with self.steps.step("store.stored_sha256", key):
            self._be_late(key)
            return self.store.stored_sha256(key, version)

    def stored_sha256s(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[bytes | StoreError | None]:
        """See `ports.Store`."""
        return one_by_one(self.stored_sha256, objects)

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `ports.Store`. A reply that is lost ends in its middle."""
        content = b""
        try:
            with self.steps.step("store.read", key):
                self._be_late(key)
                content = b"".join(self.store.read(key, version))
        except StoreError:
            yield content[: len(content) // 2]
            raise
        yield content[: len(content) // 2]
        yield content[len(content) // 2 :]

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`."""
        with self.steps.step("store.list", prefix):
            return iter([key for key in self.store.list(prefix) if key not in self.late])

    # --- within ------------------------------------------------------------------------------------------------------

    def _look(self, key: str, replace: bool) -> bool:
        """Whether what is there, if anything, will be replaced: it is, unknowingly, where a store creates over it."""
        if replace or self.store.create_only:
            return replace
        with self.steps.step("store.look", key):
            if key in self.store.objects and key not in self.late:
                raise AlreadyThere(f"{key}: it is there")
        return True

    def _be_late(self, key: str) -> None:
        if left := self.late.get(key, 0):
            if left == 1:
                del self.late[key]
            else:
                self.late[key] = left - 1
            raise NotThere(f"{key}: there is no such object")


class _Line:
    """A source on its way: what leaves here is digested, part by part; what arrives may be something else."""

    def __init__(self, source: Outgoing) -> None:
        self._source = source
        self._digests: list[bytes] = []

    def read(self, length: int) -> bytes:
        """See `Outgoing`."""
        data = self._source.read(length)
        self._digests += [hashlib.md5(data, usedforsecurity=False).digest()] if data else []
        return data

    def etag(self) -> str:
        """That of a multipart upload of these parts."""
        return f"{hashlib.md5(b''.join(self._digests), usedforsecurity=False).hexdigest()}-{len(self._digests)}"


def _twisted(body: bytes, mishap: str) -> bytes:
    if mishap == "flip" and body:
        return body[:-1] + bytes([body[-1] ^ 1])
    return body[:-1] if mishap == "short" else body
