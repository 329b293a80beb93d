"""`thaw`: an object is looked at first, and asked for once, in the way that its class knows."""

from __future__ import annotations

import pytest

from outhaul.model.errors import Archived, Denied, NotThere, Transient
from outhaul.model.returning import Wanted
from outhaul.model.thawing import LOOK_SECONDS_MAX, LOOK_SECONDS_MIN, Frozen, Wish
from outhaul.stages.thaw import Thawed, thaw
from outhaul.testing.shelf import SimulatedShelf
from outhaul.testing.store import Fault

WANTED = Wanted("a", 0, "a", "", 1)


@pytest.fixture
def shelf() -> SimulatedShelf:
    """A store with one object."""
    shelf = SimulatedShelf()
    shelf.put("a", b"1")
    return shelf


@pytest.mark.parametrize(
    ("archive", "tier", "takes", "wish"),
    [
        ("GLACIER", "standard", ": it takes 3 to 5 hours", Wish("standard", 7)),
        ("GLACIER", "expedited", ": it takes 1 to 5 minutes", Wish("expedited", 7)),
        ("DEEP_ARCHIVE", "bulk", ": it takes up to 48 hours", Wish("bulk", 7)),
        ("ARCHIVE_ACCESS", "bulk", ": it takes 5 to 12 hours", None),
        ("DEEP_ARCHIVE_ACCESS", "standard", ": it takes up to 12 hours", None),
        ("COLD", "bulk", "", Wish("bulk", 7)),
    ],
)
def test_asked_for_once(shelf: SimulatedShelf, archive: str, tier: str, takes: str, wish: Wish | None) -> None:
    """With the time of its class and tier; an object that moves back for good takes no days; then it is under way."""
    shelf.freezer["a"] = archive
    first = thaw(WANTED, shelf, Wish(tier))
    assert (first.outcome, first.detail) == ("asked", f"{archive}, {tier}{takes}")
    assert LOOK_SECONDS_MIN <= first.look_seconds <= LOOK_SECONDS_MAX
    assert shelf.wishes == {"a": wish}
    assert thaw(WANTED, shelf, Wish(tier)) == Thawed("under-way", archive, first.look_seconds)
    with pytest.raises(Transient):
        thaw(WANTED, shelf, Wish(tier))


def test_what_cannot_be_asked_for(shelf: SimulatedShelf) -> None:
    """A tier that the class has not, a refusal, a missing permission: told, and nothing else is done."""
    shelf.freezer["a"] = "DEEP_ARCHIVE"
    assert thaw(WANTED, shelf, Wish("expedited")).outcome == "archived"
    for error in (Denied("allow s3:RestoreObject"), Archived("not now")):
        shelf.fail("thaw", Fault(error))
        assert thaw(WANTED, shelf, Wish()) == Thawed("archived", str(error))
    assert shelf.wishes == {}


def test_two_ask_at_once(shelf: SimulatedShelf) -> None:
    """Somebody else asks between the look and the request: it is under way."""
    shelf.freezer["a"] = "GLACIER"
    shelf.frozen = lambda *_: Frozen("GLACIER")  # type: ignore[method-assign]
    assert [thaw(WANTED, shelf, Wish()).outcome for _ in range(2)] == ["asked", "under-way"]


def test_what_is_gone(shelf: SimulatedShelf) -> None:
    """It is missing, as it would be without any archive."""
    with pytest.raises(NotThere):
        thaw(WANTED._replace(key="b"), shelf, Wish())
