"""Hold an object against its receipt, by the cheapest evidence that comes from stored bytes (law L4).

In this order: the ETag that it had when it was proved, at the same length, since whoever writes an object anew changes it; a
SHA-256 that the store keeps; all bytes, read and hashed. Nothing is repaired here, and nothing written.
"""

from __future__ import annotations

from outhaul.model.errors import Archived, Damaged, Denied
from outhaul.model.returning import Wanted
from outhaul.stages.restore import Shelf, fetch_and_compare


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


def _by_bytes(wanted: Wanted, shelf: Shelf) -> str:
    if wanted.within is not None:  # Of all the files in the object one is asked for here: it stands for all.
        wanted = wanted._replace(within=None, codec="", size=wanted.stored_size, sha256=wanted.stored_sha256)
    try:
        fetch_and_compare(wanted, shelf)
    except Damaged:
        return "changed"
    return "as-proved"
