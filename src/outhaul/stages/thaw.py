"""Ask a store for an object in an archive class, once: it is looked at first, and asked for only if nobody has.

Asking costs money and is done for a restore alone. When it is ready is found out by looking again; nothing waits here.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from outhaul.model.errors import AlreadyThere, Archived, Denied, Transient
from outhaul.model.returning import Wanted
from outhaul.model.thawing import Frozen, Wish


class Freezer(Protocol):
    """A store whose objects may be in an archive class. It raises `StoreError`s, as `Store` does."""

    def frozen(self, key: str, version: str) -> Frozen:
        """What it says of an object that could not be read at once. Raises `NotThere`."""

    def thaw(self, key: str, version: str, wish: Wish, *, moved_back: bool) -> None:
        """Ask for it; no days are named where it moves back for good.

        Raises:
            AlreadyThere: it has been asked for.
            Archived: not in this way, or not now.
        """


class Thawed(NamedTuple):
    """What asking for an object came to."""

    outcome: str
    """A key of `RETURNS`: 'asked', 'under-way', or 'archived' where it could not be asked for."""
    detail: str
    look_seconds: float = 0
    """How long to wait until one looks again."""


def thaw(wanted: Wanted, freezer: Freezer, wish: Wish) -> Thawed:
    """Ask for an object, unless that has been done.

    Raises:
        Transient: it can be read by now.
        StoreError: see `Freezer`.
    """
    seen = freezer.frozen(wanted.key, wanted.version)
    if seen.ready:
        raise Transient(f"{wanted.key}: it is ready, and is not given yet")
    if seen.under_way:
        return _under_way(seen, wish)
    if not seen.has(wish.tier):
        return Thawed("archived", f"{seen.name} knows no tier {wish.tier}: --tier standard, or bulk")
    try:
        freezer.thaw(wanted.key, wanted.version, wish, moved_back=seen.moved_back)
    except AlreadyThere:
        return _under_way(seen, wish)
    except (Archived, Denied) as error:
        return Thawed("archived", str(error))
    takes = seen.time(wish.tier)
    told = f"{seen.name}, {wish.tier}: it takes {takes}" if takes else f"{seen.name}, {wish.tier}"
    return Thawed("asked", told, seen.look_seconds(wish.tier))


def _under_way(seen: Frozen, wish: Wish) -> Thawed:
    return Thawed("under-way", seen.name, seen.look_seconds(wish.tier))
