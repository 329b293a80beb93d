"""The way back: what is wanted, what can become of it, and which paths may be written.

Every file that was asked for is under exactly one key of `RETURNS` at the end, so the counts add up. Nothing here touches
a disk or a store. What a bundle adds later goes into `Wanted`, beside the key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from outhaul.model.evidence import Within
from outhaul.model.fleet import is_reserved
from outhaul.model.keys import escape, path_of


class Listed(NamedTuple):
    """One object as a listing shows it."""

    key: str
    length: int
    etag: str
    """'' where the store has none."""
    modified_ns: int | None
    """When it was stored; None where the store does not say."""


class Beside(NamedTuple):
    """What is known of an index or a manifest, which an audit looks at like the object that it speaks of."""

    of: str
    """The key of that object."""
    kind: Literal["bundle", "group"]
    codec: str
    files: int
    """How many are in it."""


class Wanted(NamedTuple):
    """One file to bring back."""

    path: str
    """Where it goes, beneath the directory that was named. Not yet known to be harmless: see `refusal`."""
    place: int
    """Which store it is in: a number that the caller gave it."""
    key: str
    version: str = ""
    size: int = -1
    """Bytes; -1 where nobody knows."""
    sha256: bytes = b""
    """From its receipt; b'' where there is none."""
    etag: str = ""
    """From a listing; it stands in for a digest where there is no receipt."""
    mtime_ns: int | None = None
    """None where nobody knows: then it is the time of writing. 0 is 1970."""
    codec: str = ""
    """The compression of the object, which is undone; '' for none."""
    stored_size: int = -1
    """With the next: of the object itself, where that is not the file."""
    stored_sha256: bytes = b""
    within: Within | None = None
    """Where it is in an object that carries several files; the three above are then of that object."""
    refused: str = ""
    """A key of `RETURNS`, where it is known beforehand that it cannot be brought back."""
    detail: str = ""
    """Particulars of that."""
    mode: int | None = None
    """Permission bits of the source; None where nobody knows: then it is made as any new file. 0 are none at all."""
    beside: Beside | None = None
    """Of an index or a manifest, which is no file: its path is its key. Size and digests are those of the text that follows from
    the receipts of all files that it lists; not known where there are receipts of some of them only."""


class Copy(NamedTuple):
    """The same bytes, elsewhere."""

    wanted: Wanted
    where: str
    """For a person."""


class Return(NamedTuple):
    """What became of a wanted file, in words, and what a person can do about it."""

    well: bool
    """False makes the exit code 1."""
    meaning: str
    advice: str


RETURNS: dict[str, Return] = {
    "restored": Return(True, "restored, and the digest checked", ""),
    "unverified": Return(True, "restored; the store gives no digest to check it by", ""),
    "there": Return(True, "there already, with the same bytes", ""),
    "planned": Return(True, "would be restored now (this was a dry run)", "Run without --dry-run."),
    "marker": Return(True, "folder markers, and objects with which outhaul tried the store: no files", ""),
    "other-bytes": Return(
        False, "other bytes are there", "Move that file away, name another --to, or write over it with --overwrite."
    ),
    "in-the-way": Return(
        False,
        "a link, a directory or a special file stands in its place or on the way to it",
        "Nothing is ever written through a link. Move it away, or name another --to.",
    ),
    "collides": Return(
        False,
        "another file that was asked for has this path",
        "Name one of them: --job, --prefix, or a path; or restore them into two directories.",
    ),
    "refused-name": Return(
        False, "its name may not be written (it leads out of the directory, or is none)", "Fetch that key by hand."
    ),
    "missing": Return(False, "missing in the store", "`outhaul history PATH` tells of other copies."),
    "damaged": Return(
        False,
        "the store gives other bytes than the receipt says; not written",
        "`outhaul history PATH` tells of other copies and versions.",
    ),
    "archived": Return(
        False,
        "is in an archive class, and cannot be read at once",
        "`outhaul restore` asks the store for it, unless --no-thaw says otherwise; that costs money, and takes its time.",
    ),
    "asked": Return(
        False,
        "in an archive class; the store has been asked for it",
        "Run this again when that time is over, or let it go on looking with --wait.",
    ),
    "under-way": Return(
        False,
        "in an archive class; asked for before, and not ready yet",
        "Run this again later, or let it go on looking with --wait.",
    ),
    "denied": Return(False, "the store does not let it be read", "Allow s3:GetObject on its prefix."),
    "no-answer": Return(False, "the store did not answer as it should", "Run this again: it goes on where it was."),
    "store-refused": Return(False, "the store refuses to give it", "The text after it is the store's own reason."),
    "not-written": Return(False, "cannot be written here", "Make room, or look at the disk; then run this again."),
    "store": Return(False, "its store cannot be used at present", "`outhaul check` tells what is wrong with it."),
    # of an audit
    "as-proved": Return(True, "as the receipt says", ""),
    "changed": Return(
        False,
        "changed: the store holds other bytes than the receipt says",
        "`outhaul history PATH` tells of other copies.",
    ),
    "unproved": Return(
        False, "there, but the store does not show that it holds the same bytes", "Allow s3:GetObject on its prefix."
    ),
    # of a new ledger
    "recorded": Return(True, "recorded, by the SHA-256 that the store keeps", ""),
    "recorded-read": Return(True, "recorded; every byte was read for it", ""),
    "interrupted": Return(False, "interrupted before its turn", "Run this again: it goes on where it was."),
}

ALONE: dict[str, str] = {
    "collides": "Give the key that is told as the address, and another directory; of a bundle that brings the tar.",
    "missing": "Where the bucket keeps versions, an older one may be there.",
    "damaged": "Where the bucket keeps versions, an older one may be whole.",
    "store": "The text after it says why; run this again when that is mended.",
}
"""What takes the place of the advice above where no ledger is asked: nothing that takes one."""
FOLLOWING: dict[str, str] = {
    **ALONE,
    "other-bytes": "Move that file away, or fetch into another directory: nothing is written over.",
    "in-the-way": "Nothing is ever written through a link. Move it away, or fetch into another directory.",
}
"""The same where a directory follows a bucket."""
ON_A_PAGE: dict[str, str] = {
    "other-bytes": "Move that file away: nothing is written over from here. `outhaul restore --overwrite` does that.",
    "in-the-way": "Nothing is ever written through a link. Move it away.",
    "asked": "Restore it again when that time is over.",
    "under-way": "Restore it again later.",
    "no-answer": "Restore it again.",
    "not-written": "Make room, or look at the disk; then restore it again.",
    "interrupted": "Restore it again.",
}
"""The same where a person has pressed a button, which has no options."""

_PART_BYTES_MAX = 255
_TRIAL = ".outhaul-probe"  # As `stores/s3_probe.py` names what it writes.
_SECOND_KEY = re.compile(r"~([0-9a-f]{16})")


def refusal(path: str) -> str:
    """Why `path` may not be written beneath a directory; '' where it may (hazard 122)."""
    if not path or path.startswith("/"):
        return "it is absolute" if path else "it is empty"
    if "\0" in path:
        return "it holds a NUL character"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return f"it has a part {part!r}"
        if len(part) > _PART_BYTES_MAX // 4 and len(part.encode("utf-8", "surrogateescape")) > _PART_BYTES_MAX:
            return f"it has a part of more than {_PART_BYTES_MAX} bytes"
    return ""


def wanted_object(place: int, prefix: str, listed: Listed) -> Wanted:
    """The file that an object stands for, known by its key alone.

    A key that outhaul did not make is taken as it is: its file has the key's own name.
    """
    inside = listed.key[len(prefix) + 1 :] if prefix else listed.key
    try:
        path = path_of(inside)
    except ValueError:
        path = inside
    wanted = Wanted(path, place, listed.key, "", listed.length, b"", listed.etag, listed.modified_ns)
    if (inside.endswith("/") and listed.length == 0) or inside.startswith(_TRIAL) or is_reserved(inside):
        return wanted._replace(refused="marker")
    why = refusal(path)
    return wanted._replace(refused="refused-name", detail=why) if why else wanted


def wanted_objects(place: int, prefix: str, listing: Iterable[Listed]) -> Iterator[Wanted]:
    """The files that a listing stands for.

    Two keys have one path only where one of them is escaped and the other is not outhaul's ('a%25' and 'a%'): the second is
    told, and not brought back, so that it can never take the place of the first.
    """
    unplain: set[str] = set()
    for listed in listing:
        wanted = wanted_object(place, prefix, listed)
        if not wanted.refused and escape(wanted.path) != wanted.path:
            if wanted.path in unplain:
                wanted = wanted._replace(refused="collides", detail=f"this one is {listed.key}")
            unplain.add(wanted.path)
        yield wanted


def second_key_digits(key: str) -> str:
    """The digits of a SHA-256 at the end of what looks like a second key (`keys.second_key`); '' where it looks like none."""
    found = _SECOND_KEY.fullmatch(key[-17:])
    return found[1] if found and len(key) > 17 else ""
