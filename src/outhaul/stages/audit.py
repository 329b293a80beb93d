"""Hold an object against its receipt, by the cheapest evidence that comes from stored bytes (law L4).

In this order: the ETag that it had when it was proved, at the same length, since whoever writes an object anew changes it; a
SHA-256 that the store keeps; all bytes, read and hashed. Nothing is repaired here, and nothing written.

Of an index or a manifest there is no receipt, but its text follows from those of the files that it lists. Where its bytes are
others, it is read, and what it says counts.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from outhaul.model.bundle import INDEX_BYTES_MAX, index_of, text_of
from outhaul.model.errors import Archived, Damaged, Denied, NotThere, StoreError
from outhaul.model.keys import second_key
from outhaul.model.returning import Beside, Wanted
from outhaul.stages.restore import Shelf, fetch_and_compare

LISTED_MIN = 16
"""Receipts in a page from which on a listing is asked for: it costs as much as a dozen HEADs (AWS, "Amazon S3 pricing")."""
_PAGE = 1000


def audit(wanted: Wanted, shelf: Shelf, *, read_back: bool) -> str:
    """Whether the store still holds what was proved.

    Args:
        wanted: As its receipt says, with the ETag of that time.
        shelf: Where it is.
        read_back: Believe no digest of the store: read all bytes.

    Returns:
        A key of `RETURNS`: 'as-proved', 'changed' or 'unproved'.

    Raises:
        NotThere: it is missing.
        StoreError: see `Shelf`.
    """
    if wanted.beside is not None:
        return _beside(wanted, wanted.beside, shelf, read_back=read_back)
    if read_back or not wanted.etag:
        return _by_bytes(wanted, shelf)
    held = shelf.held(wanted.key, wanted.version)
    if held.length != (wanted.stored_size if wanted.stored_size >= 0 else wanted.size):
        return "changed"
    if held.etag == wanted.etag:
        return "as-proved"
    try:
        stored, _ = shelf.digests(wanted.key, wanted.version)
        if stored:
            return "as-proved" if stored == (wanted.stored_sha256 or wanted.sha256) else "changed"
        return _by_bytes(wanted, shelf)
    except (Archived, Denied):
        return "unproved"


def listed_as_proved(wanted: Sequence[Wanted], shelf: Shelf) -> set[Wanted]:
    """Those of many receipts, in the order of their keys, whose object a listing shows with the length and ETag of its proof.

    Nothing follows for the others: not even that they are missing. A page in which hardly any of them is ends it.
    """
    by_key: dict[str, list[Wanted]] = defaultdict(list)
    for one in wanted:
        by_key[one.key].append(one)
    proved: set[Wanted] = set()
    if len(by_key) < LISTED_MIN:
        return proved
    first, last, found = min(by_key), max(by_key), 0
    try:
        for number, listed in enumerate(shelf.listing(_folder(first, last), _before(first)), 1):
            alike = by_key.get(listed.key, ())
            found += bool(alike)
            proved.update(one for one in alike if _is(one, listed.length, listed.etag))
            if listed.key >= last or (number % _PAGE == 0 and found < LISTED_MIN * number // _PAGE):
                break
    except StoreError:
        pass  # Each is asked for; whatever is wrong is told then.
    return proved


def _is(wanted: Wanted, length: int, etag: str) -> bool:
    return (length, etag) == (wanted.stored_size if wanted.stored_size >= 0 else wanted.size, wanted.etag)


def _folder(first: str, last: str) -> str:
    """The longest beginning of both keys that ends at a '/'."""
    same = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[: first.rfind("/", 0, same) + 1]


def _before(key: str) -> str:
    """What a listing may start after so as to show this key, and little before it."""
    return key[:-1] + chr(ord(key[-1]) - 1) + "~" if " " < key[-1] <= "~" else key[:-1]


def _beside(wanted: Wanted, beside: Beside, shelf: Shelf, *, read_back: bool) -> str:
    """As `audit`. Where a file of the source has its key, it is under a second one: outhaul does not write over that file."""
    keys = [wanted.key, second_key(wanted.key, wanted.sha256)] if wanted.sha256 else [wanted.key]
    outcome, missing = "", NotThere(wanted.key)
    for key in keys:
        try:
            outcome = _says(wanted._replace(key=key), beside, shelf, read_back=read_back)
        except NotThere as error:
            missing = missing if key != wanted.key else error
        if outcome == "as-proved":
            return outcome
    if not outcome:
        raise missing
    return outcome


def _says(wanted: Wanted, beside: Beside, shelf: Shelf, *, read_back: bool) -> str:
    if wanted.etag and not read_back:
        held = shelf.held(wanted.key, "")
        if (held.length, held.etag) == (wanted.size, wanted.etag):
            return "as-proved"
    try:
        index = index_of(_bounded(shelf.read(wanted.key)))
    except ValueError:
        return "changed"
    except (Archived, Denied):
        if read_back:
            raise
        return "unproved"
    if wanted.sha256:
        same = hashlib.sha256(text_of(index)).digest() == wanted.sha256
    else:
        same = (index.kind, index.codec, len(index.members)) == (beside.kind, beside.codec, beside.files)
    return "as-proved" if same else "changed"


def _bounded(chunks: Iterator[bytes]) -> bytes:
    """All of these. Raises ValueError where they are more than an index has."""
    pieces, size = list[bytes](), 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > INDEX_BYTES_MAX:
            raise ValueError(f"it has more than {INDEX_BYTES_MAX:,} bytes")
    return b"".join(pieces)


def _by_bytes(wanted: Wanted, shelf: Shelf) -> str:
    if wanted.within is not None:  # Of all the files in the object one is asked for here: it stands for all.
        wanted = wanted._replace(within=None, codec="", size=wanted.stored_size, sha256=wanted.stored_sha256)
    try:
        fetch_and_compare(wanted, shelf)
    except Damaged:
        return "changed"
    return "as-proved"
