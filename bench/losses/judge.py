"""The judge: compares every byte that producers wrote with what the source, private places and the store hold.

True here: whole contents are compared, and nothing that a tool says or records is believed; nothing is shared
with outhaul or a peer. Each wanted content is exactly one of: carried (an object has exactly these bytes, under whatever key),
kept (a file of the source has), aside (only a file among a tool's private ones has), or missing. What is missing is

* corrupt, if the object under its name is nothing that any producer ever had: its altered bytes are counted;
* overwritten, if that object is the content of a file that came later: all its bytes are counted;
* lost otherwise: what is beyond the longest beginning of it that is still somewhere is counted.

An object that is no content or earlier state of a file is `damaged`, also where the right bytes are safe elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OWN = ".outhaul"
"""Names that start so are outhaul's own: its probe of the store, its private directory in the source."""


@dataclass(frozen=True)
class Wanted:
    """A content that must not vanish, and the path its file had below the source, which is its natural key."""

    path: str
    data: bytes


@dataclass
class Places:
    """All files and objects that there are, by their paths and keys."""

    objects: Mapping[str, bytes]
    source: Sequence[bytes]
    private: Sequence[bytes]


@dataclass
class Verdict:
    """What became of the wanted contents: how many files, and bytes that are nowhere any more."""

    carried: int = 0
    kept: int = 0
    aside: int = 0
    lost: int = 0
    corrupt: int = 0
    overwritten: int = 0
    bytes_gone: int = 0
    damaged: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Return how many contents are nowhere, whole."""
        return self.lost + self.corrupt + self.overwritten


def judge(wanted: Sequence[Wanted], earlier: Collection[bytes], places: Places) -> Verdict:
    """Find each of the contents, which are in the order in which they came to be; `earlier` are former states."""
    verdict = Verdict()
    stored, source, private = set(places.objects.values()), set(places.source), set(places.private)
    known = {one.data for one in wanted} | set(earlier)
    for number, one in enumerate(wanted):
        if one.data in stored:
            verdict.carried += 1
        elif one.data in source:
            verdict.kept += 1
        elif one.data in private:
            verdict.aside += 1
        else:
            later = {other.data for other in wanted[number + 1 :]}
            _missing(one, places.objects.get(one.path), known, later, stored | source | private, verdict)
    for key, data in sorted(places.objects.items()):
        if data not in known and not is_own(key):
            verdict.damaged += 1
            verdict.findings.append(f"object {key}: {len(data)} bytes that no file ever had")
    return verdict


def _missing(
    one: Wanted,
    holder: bytes | None,
    known: Collection[bytes],
    later: Collection[bytes],
    everything: Iterable[bytes],
    verdict: Verdict,
) -> None:
    """A content is nowhere: say how, and count the bytes."""
    if holder is not None and holder not in known:
        what, gone = "corrupt", _altered(one.data, holder)
        verdict.corrupt += 1
    elif holder is not None and holder in later:
        what, gone = "overwritten", len(one.data)
        verdict.overwritten += 1
    else:
        what, gone = (
            "lost",
            len(one.data) - max(len(other) for other in [b"", *everything] if one.data.startswith(other)),
        )
        verdict.lost += 1
    verdict.bytes_gone += gone
    verdict.findings.append(f"{what}: {one.path}, {gone} of {len(one.data)} bytes")


def _altered(wanted: bytes, found: bytes) -> int:
    """Return how many bytes of the content are not in their place."""
    same = sum(a == b for a, b in zip(wanted, found, strict=False))
    return max(len(wanted), len(found)) - same


def is_own(path: str) -> bool:
    """Whether a path is of outhaul's own making."""
    return any(part.startswith(OWN) for part in path.split("/"))


def read_tree(root: Path) -> dict[str, bytes]:
    """Return every regular file below `root` by its path from there; one that vanishes meanwhile is left out."""
    found = {}
    for path in sorted(root.rglob("*")):
        try:
            if path.is_file() and not path.is_symlink():
                found[path.relative_to(root).as_posix()] = path.read_bytes()
        except FileNotFoundError:
            continue
    return found
