"""The files in a bucket, from its listing alone: bundles and groups are opened, everything else is a file of its own.

A bundle has its index twice: where the one beside it is missing, or is none, the one inside is read. What says who is in a
bundle was written by outhaul, but anybody may have changed it since: it is bounded in size, and its paths are looked at like
any others. It is read here, by the thread that decides; the files themselves are fetched like those of a ledger. Where
something is no bundle after all, or cannot be opened, its objects come back as they are. Keys are expected in their order, as
S3 lists them; in another order a tar may come back beside its files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from outhaul.engine.account import outcome_of
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN, pause_ns
from outhaul.model.bundle import INDEX_BYTES_MAX, Index, destination_prefix, index_of, is_beside, object_of
from outhaul.model.errors import StoreError, Transient
from outhaul.model.keys import path_of
from outhaul.model.notes import MTIME_NS_MAX, Claims, codec_of
from outhaul.model.returning import Listed, Wanted, refusal, wanted_object
from outhaul.ports import Clock
from outhaul.stages.inside import index_inside
from outhaul.stages.restore import Shelf

_TAR = re.compile(r".+\.tar(?:\.[a-z0-9]+)?(?:~[0-9a-f]{16})?", re.DOTALL)
_BUNDLE = re.compile(r"(?:.*/)?bundle-[0-9a-f]{16}\.tar(?:\.[a-z0-9]+)?(?:~[0-9a-f]{16})?", re.DOTALL)
_Answer = TypeVar("_Answer")
_NUMBER_MAX = 1 << 62
_MODE_BITS = 0o7777
_LAST = ".manifest.json~g"
"""What is beside an object, if anything, is listed before its key with this at the end: digits of a second key are less."""


class Opened(NamedTuple):
    """A bundle or group whose index has been read."""

    key: str
    length: int
    """As it is listed; -1 where it is not."""
    etag: str
    says: Index


class Unbundling:
    """One listing of one store.

    Args:
        prefix: What is listed, without '/' at its end; paths are relative to it.
        shelf: Where indexes are read.
        suffixes: Codec to what it adds to a name, of all that are known.
        clock: For pauses before a read is tried again.
        notice: Is told what a person should know, in one line.
        claims: Which paths are taken: of two files with one path the second is told, and not brought back. None takes all.
        latest_first: Of bundles, by the time of their index: so the first of several files with one path is the latest.
        opened: Is told of each bundle before its files are.
    """

    def __init__(
        self,
        prefix: str,
        shelf: Shelf,
        suffixes: Mapping[str, str],
        clock: Clock,
        notice: Callable[[str], None],
        *,
        claims: Claims | None = None,
        latest_first: bool = True,
        opened: Callable[[Opened], None] = lambda _: None,
    ) -> None:
        self._prefix = prefix
        self._shelf = shelf
        self._suffixes = suffixes
        self._clock = clock
        self._notice = notice
        self._claims = claims
        self._latest_first = latest_first
        self._opened = opened
        self._tars: dict[str, Listed] = {}
        """Those of which nothing is known yet, in the order of their keys."""
        self._beside: dict[str, list[Listed]] = {}
        """Key of an object to what is beside it: more than one, where a file of a source has the key of its manifest; none, where
        it has the name of a bundle."""
        self._held: dict[str, Listed] = {}
        """The objects of these keys, as far as they are listed."""

    def wanted(self, listing: Iterable[Listed]) -> Iterator[Wanted]:
        """All files, those in bundles after all others."""
        for listed in listing:
            yield from self._settled(listed.key)
            if is_beside(listed.key):
                of = object_of(listed.key)
                self._beside.setdefault(of, []).append(listed)
                if of in self._tars:
                    self._held[of] = self._tars.pop(of)
            elif listed.key in self._beside:
                self._held[listed.key] = listed
            elif _TAR.fullmatch(listed.key):
                self._tars[listed.key] = listed
            else:
                yield self._claimed(wanted_object(0, self._prefix, listed))
        yield from self._settled("")
        for of in sorted(self._beside, key=self._age):
            several = self._beside[of]
            yield from self._no_indexes(several[:-1])
            yield from self._files_of(of, several[-1] if several else None, self._held.get(of))

    def _age(self, of: str) -> tuple[int, str]:
        last = self._beside[of][-1] if self._beside[of] else self._held[of]
        stored_ns = last.modified_ns or 0
        return (-stored_ns if self._latest_first else stored_ns), of

    def _settled(self, key: str) -> Iterator[Wanted]:
        """The tars that have nothing beside them, now that the listing has come to `key`; '' is its end."""
        while self._tars and (not key or next(iter(self._tars)) + _LAST < key):
            listed = self._tars.pop(next(iter(self._tars)))
            if _BUNDLE.fullmatch(listed.key):
                self._beside[listed.key], self._held[listed.key] = [], listed
            else:
                yield self._claimed(wanted_object(0, self._prefix, listed))

    def _files_of(self, key: str, beside: Listed | None, listed: Listed | None) -> Iterator[Wanted]:
        """Of what is under a key and beside it; where that cannot be opened, both as they are."""
        told = self._told_beside(beside)
        if isinstance(told, Index):
            yield from self._members(key, listed, told)
            return
        its_own = [wanted_object(0, self._prefix, one) for one in (listed, beside) if one is not None]
        inside: Index | StoreError | None = None
        if listed is not None and _BUNDLE.fullmatch(key) and not isinstance(told, Transient):
            inside = self._told_inside(listed)
        why = f"{beside.key} is no index, and comes back as it is" if beside else f"{key} has no index beside it"
        if isinstance(inside, Index):
            if isinstance(told, ValueError):  # It may be a file of somebody's own.
                yield self._claimed(its_own[-1])
            elif told is not None:
                why = f"{its_own[-1].key} cannot be had ({told})"
            self._notice(f"{why}: the one inside the bundle is used")
            yield from self._members(key, listed, inside)
        elif isinstance(told, StoreError):
            yield its_own[-1]._replace(
                refused=outcome_of(told), detail=f"none of the files in {key} comes back without it: {told}"
            )
        elif isinstance(inside, Transient):
            detail = f"none of the files in it comes back without its index: {inside}"
            yield its_own[0]._replace(refused=outcome_of(inside), detail=detail)
            yield from map(self._claimed, its_own[1:])
        else:
            if told is not None and _BUNDLE.fullmatch(key):
                self._notice(f"{why}: {told}")
            elif told is None:
                self._notice(f"{why}, and none inside that can be read: it comes back as it is, a tar of many files")
            yield from map(self._claimed, its_own)

    def _members(self, key: str, listed: Listed | None, index: Index) -> Iterator[Wanted]:
        opened = Opened(key, listed.length if listed else -1, listed.etag if listed else "", index)
        self._opened(opened)
        inside = _placed(self._prefix, destination_prefix(key, index))
        for member in index.members:
            if (path := inside(member.path)) is None:
                continue
            mtime_ns = member.mtime_ns if abs(member.mtime_ns) <= MTIME_NS_MAX else None
            wanted = Wanted(
                path, 0, key, "", member.size, member.sha256, opened.etag, mtime_ns, index.codec, opened.length,
                index.sha256, member.within, mode=member.mode & _MODE_BITS,
            )  # fmt: skip
            why = refusal(path)
            wanted = wanted._replace(refused="refused-name", detail=why) if why else wanted
            claim = "new" if why or self._claims is None else self._claims.claim(path, member.sha256)
            if claim == "other":
                wanted = wanted._replace(refused="collides", detail=f"this one is in {key}")
            if claim != "same":
                yield wanted

    def _no_indexes(self, several: Iterable[Listed]) -> Iterator[Wanted]:
        """Those that are files like any other; a second index of one object says nothing new."""
        for listed in several:
            wanted = wanted_object(0, self._prefix, listed)
            try:
                self._read(listed)
            except ValueError:
                yield self._claimed(wanted)
            except StoreError as error:
                yield wanted._replace(refused=outcome_of(error), detail=str(error))

    def _claimed(self, wanted: Wanted) -> Wanted:
        if wanted.refused or self._claims is None or self._claims.claim(wanted.path) == "new":
            return wanted
        return wanted._replace(refused="collides", detail=f"this one is {wanted.key}")

    def _told_beside(self, beside: Listed | None) -> Index | ValueError | StoreError | None:
        try:
            return self._read(beside) if beside is not None else None
        except (ValueError, StoreError) as error:
            return error

    def _told_inside(self, listed: Listed) -> Index | StoreError | None:
        codec = codec_of(listed.key, self._suffixes)
        try:
            text = self._asked(lambda: index_inside(listed.key, listed.length, codec, self._shelf))
            index = self._usable(text) if text is not None else None
            # Of a bundle that somebody has compressed once more, it tells of other bytes than those of the object.
            return index if index is not None and index.codec == codec else None
        except ValueError:
            return None
        except StoreError as error:
            return error

    def _read(self, beside: Listed) -> Index:
        """What an index says. Raises ValueError where it is none that can be used, and StoreError."""
        if beside.length > INDEX_BYTES_MAX:
            raise ValueError(f"it has {beside.length:,} bytes")
        return self._usable(self._asked(lambda: b"".join(self._bounded(beside))))

    def _usable(self, text: bytes) -> Index:
        index = index_of(text)
        if index.codec and index.codec not in self._suffixes:
            raise ValueError(f"this outhaul knows no codec {index.codec!r}")
        if any(max(one.size, *one.within) > _NUMBER_MAX for one in index.members):
            raise ValueError("a number in it is larger than any file")
        return index

    def _asked(self, ask: Callable[[], _Answer]) -> _Answer:
        attempt = 1
        while True:
            try:
                return ask()
            except Transient:
                if attempt == ATTEMPTS_IN_A_RUN:
                    raise
                self._clock.sleep(pause_ns(attempt, self._clock.monotonic_ns()) / 10**9)
                attempt += 1

    def _bounded(self, beside: Listed) -> Iterator[bytes]:
        size = 0
        for chunk in self._shelf.read(beside.key):
            size += len(chunk)
            if size > beside.length:
                raise ValueError("it is longer than the listing says")
            yield chunk


def _placed(prefix: str, destination: str) -> Callable[[str], str | None]:
    """From a path beneath the source to the one beneath `prefix`; None where it lies elsewhere."""
    above = f"{destination}/" if destination else ""
    beneath = f"{prefix}/" if prefix else ""
    if above.startswith(beneath):
        before = _path(above[len(beneath) :])
        return lambda path: before + path
    first = _path(beneath[len(above) :])  # Both are how the key begins, so one of them begins with the other.
    return lambda path: path[len(first) :] if path.startswith(first) else None


def _path(key: str) -> str:
    try:
        return path_of(key)
    except ValueError:  # Not outhaul's: it stands for itself.
        return key
