"""Proves that no content which the producer made durable is lost, altered or overwritten.

A content is safe while all its bytes are in the source, in a private area or in the store, or while a longer
content that begins with them is. What counts is the bytes found, compared by SHA-256 with what the producer
journalled or must have written; the mover's own records are never read, and nothing here is shared with it.

A check may run beside the producer but not beside the mover. It takes its time in this order: journal, files,
store, journal again; so what the producer threw away in the meantime is known to be its own will.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from kill.content import claimed, content, steps
from kill.journal import Content, JournalReader
from kill.places import Store, files, is_own


@dataclass(frozen=True, slots=True)
class Found:
    """What some bytes are: all of a file up to a step, and the digests of every step before it."""

    number: int
    size: int
    digests: dict[int, str]

    def holds(self, wanted: Content) -> bool:
        """True if these bytes begin with all bytes of that content."""
        return self.digests.get(wanted.size) == wanted.sha256


@dataclass(slots=True)
class Report:
    """What a check found. The lists name each finding; only `sound` reports are good ones."""

    ok: int = 0
    still_at_source: int = 0
    waiting: int = 0
    discarded: int = 0
    objects: int = 0
    duplicates: int = 0
    early: int = 0
    lost: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    hindered: list[str] = field(default_factory=list)
    left_in_source: list[str] = field(default_factory=list)
    left_in_private: list[str] = field(default_factory=list)
    own_in_store: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """True if nothing was lost, altered, overwritten or put under another file's name."""
        return not (self.lost or self.overwritten or self.corrupt or self.misplaced or self.hindered)

    @property
    def complete(self) -> bool:
        """True if everything has been carried: nothing waits and nothing is left behind."""
        return not (self.waiting or self.left_in_source or self.left_in_private)

    def __str__(self) -> str:
        shown = []
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int):
                shown.append(f"{name}: {value}")
            elif value:
                shown.append(f"{name}: {len(value)}" + "".join(f"\n    {line}" for line in value[:20]))
        return "\n  ".join(["report", *shown])


class Checker:
    """Checks one journal against its places, again and again; it remembers each object that it has seen."""

    def __init__(self, seed: int, journal_path: Path, source: Path, state: Path, store: Store) -> None:
        self._seed, self._journal = seed, JournalReader(journal_path)
        self._source, self._state, self._store = source, state, store
        self._tags: dict[str, str] = {}
        self._objects: dict[str, Found | None] = {}
        self._digests: dict[str, str] = {}
        self._overwritten: list[str] = []

    def check(self, *, full: bool) -> Report:
        """Look everywhere. A full check reads every object again; else only those that are new or changed."""
        self._journal.advance()
        durable = list(self._journal.contents)
        report = Report()
        local = self._local(report)
        self._look_at_store(report, full=full)
        self._journal.advance()
        report.hindered = list(self._journal.hindered)
        report.overwritten = list(self._overwritten)
        self._judge_objects(report)
        stored = _by_number(found for found in self._objects.values() if found)
        for wanted in durable:
            is_local = any(found.holds(wanted) for found in local[wanted.number])
            if any(found.holds(wanted) for found in stored[wanted.number]):
                report.ok += 1
                report.still_at_source += is_local
            elif is_local:
                report.waiting += 1
            elif wanted.number in self._journal.discarded:
                report.discarded += 1
            else:
                self._missing(wanted, report)
        return report

    def _local(self, report: Report) -> dict[int, list[Found]]:
        """What the files of the source and of the private areas are, by their numbers."""
        local: list[Found] = []
        for root in (self._source, self._state):
            for path in files(root):
                try:
                    found = self._identify(path.read_bytes())
                except FileNotFoundError:  # renamed or replaced by the producer at this moment
                    continue
                name = path.relative_to(root).as_posix()
                if root == self._source and not is_own(name):
                    report.left_in_source.append(name)
                elif found is not None or root == self._source:
                    report.left_in_private.append(str(path))
                if found is not None:
                    local.append(found)
        return _by_number(local)

    def _look_at_store(self, report: Report, *, full: bool) -> None:
        """Read the objects, and note each that has changed or gone since it was first seen."""
        listed = dict(self._store.names())
        report.own_in_store = [name for name in listed if is_own(name)]
        for name in report.own_in_store:
            del listed[name]
        self._overwritten += [f"{name}: the object is gone" for name in self._tags.keys() - listed.keys()]
        for name, tag in listed.items():
            if not full and self._tags.get(name) == tag:
                continue
            data = self._store.read(name)
            digest = sha256(data).hexdigest()
            if self._digests.setdefault(name, digest) != digest:
                self._overwritten.append(f"{name}: the object's bytes have changed")
            self._digests[name] = digest
            self._objects[name] = self._identify(data)
        for name in self._tags.keys() - listed.keys():
            del self._objects[name], self._digests[name]
        self._tags = listed

    def _judge_objects(self, report: Report) -> None:
        """Each object is a content, or at least a step, of the file that its name says."""
        report.objects = len(self._objects)
        report.duplicates = sum(times - 1 for times in Counter(self._digests.values()).values())
        for name, found in self._objects.items():
            if found is None or not self._is_step(found):
                report.corrupt.append(f"{name}: {found.size if found else 'unknown'} bytes that are no content")
                continue
            versions = self._journal.versions[found.number]
            report.early += found.size not in {version.size for version in versions}
            if versions and not name.startswith(versions[0].path.removesuffix(".dat")):
                report.misplaced.append(f"{name}: is the content of {versions[0].path}")

    def _is_step(self, found: Found) -> bool:
        """True if the bytes are, as a whole, what the producer had written after one of its steps."""
        versions = self._journal.versions[found.number]
        if any(version.size == found.size and found.holds(version) for version in versions):
            return True
        expected = sha256(content(self._seed, found.number, found.size)).hexdigest()
        return found.digests.get(found.size) == expected

    def _missing(self, wanted: Content, report: Report) -> None:
        """A content is nowhere: overwritten if a later file has its very name in the store, else lost."""
        line = f"{wanted.path}: file {wanted.number}, {wanted.size} bytes, {wanted.style}"
        holder = self._objects.get(wanted.path)
        if holder and holder.number > wanted.number and self._is_step(holder):
            report.overwritten.append(line)
        else:
            report.lost.append(line)

    def _identify(self, data: bytes) -> Found | None:
        """Which file bytes claim to be, with the digest of each step that they have; None if of no file."""
        claim = claimed(data)
        if claim is None or claim[0] != self._seed:
            return None
        digests = {}
        running, done = sha256(), 0
        for size in steps(self._seed, claim[1]):
            if size <= len(data):
                running.update(data[done:size])
                digests[size], done = running.hexdigest(), size
        return Found(claim[1], len(data), digests)


def _by_number(found: Iterable[Found]) -> defaultdict[int, list[Found]]:
    grouped: defaultdict[int, list[Found]] = defaultdict(list)
    for one in found:
        grouped[one.number].append(one)
    return grouped
