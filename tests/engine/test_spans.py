"""Files of one bundle share requests, and nothing is read twice."""

import hashlib
import random

import pytest

from outhaul.engine.spans import NEAR, SPAN_MAX, Spans, spans_of
from outhaul.model.errors import NotThere
from outhaul.model.evidence import Within
from outhaul.model.returning import Wanted
from outhaul.stages.restore import fetch_and_compare
from outhaul.testing.shelf import SimulatedShelf

BODY = random.Random(1).randbytes(300_000)


def member(
    offset: int, length: int, *, codec: str = "", at: int = 0, size: int | None = None, key: str = "b"
) -> Wanted:
    """A file in an object."""
    part = BODY[offset : offset + length]
    content = (part[::-1] if codec else part)[at : at + (length if size is None else size)]
    digest = hashlib.sha256(content).digest()
    return Wanted(
        f"{key}{offset}.{at}", 0, key, "", len(content), digest, codec=codec, within=Within(1, offset, length, at)
    )


def shelf_with(*keys: str) -> SimulatedShelf:
    """A store in which these hold the body."""
    shelf = SimulatedShelf()
    for key in keys:
        shelf.put(key, BODY)
    shelf.steps.calls.clear()
    return shelf


def test_neighbours_are_read_at_once() -> None:
    """One request for what lies close together, another for what does not."""
    shelf = shelf_with("b", "c")
    batch = [member(0, 100), member(150, 10), member(100, 50), member(100 + 2 * NEAR, 7), member(5, 9, key="c")]
    spans = Spans(shelf, batch)
    assert [fetch_and_compare(one, spans) for one in batch] == ["restored"] * 5
    assert shelf.steps.names().count("store.read") == 3


def test_an_empty_file_needs_no_request() -> None:
    """There is nothing to read."""
    shelf = shelf_with("b")
    empty = member(10, 0)
    assert fetch_and_compare(empty, Spans(shelf, [empty])) == "restored"
    assert shelf.steps.names() == []


def test_what_is_decompressed_serves_all_that_are_in_it() -> None:
    """A piece with several files is read, and decompressed, once."""
    shelf = shelf_with("b")
    batch = [member(0, 1000, codec="reversed", at=at, size=90) for at in (0, 100, 910)]
    spans = Spans(shelf, batch)
    assert [fetch_and_compare(one, spans) for one in batch] == ["restored"] * 3
    assert shelf.steps.names().count("store.read") == 1


def test_a_large_piece_is_passed_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not kept."""
    monkeypatch.setattr("outhaul.engine.spans._FRAME_KEPT_MAX", 500)
    shelf = shelf_with("b")
    batch = [member(0, 1000, codec="reversed", at=at, size=90) for at in (0, 100)]
    spans = Spans(shelf, batch)
    assert [fetch_and_compare(one, spans) for one in batch] == ["restored"] * 2
    assert shelf.steps.names().count("store.read") == 2
    assert b"".join(spans.frame("reversed", "b", "", 0, 1000, 1000)) == BODY[999::-1]


def test_what_is_missing_is_asked_for_once() -> None:
    """All files in it share the answer."""
    shelf = shelf_with()
    batch = [member(0, 10), member(10, 10), member(20, 10)]
    spans = Spans(shelf, batch)
    for one in batch:
        with pytest.raises(NotThere):
            fetch_and_compare(one, spans)
    assert shelf.steps.names().count("store.read") == 1


def test_spans_are_bounded() -> None:
    """However many neighbours there are, no more than so much is read at once."""
    step = SPAN_MAX // 4
    wanted = [Wanted(str(n), 0, "b", within=Within(1, n * step, step, 0)) for n in range(10)]
    (spans,) = spans_of(wanted).values()
    assert [(span.start // step, span.end // step) for span in spans] == [(0, 4), (4, 8), (8, 10)]


def test_a_version_is_an_object_of_its_own() -> None:
    """Nothing of one is taken for the other."""
    old, new = member(0, 10), member(0, 10)._replace(version="2")
    assert list(spans_of([old, new, member(50, 10)])) == [("b", ""), ("b", "2")]
    (first, *_), (second, *_) = spans_of([old, new, member(50, 10)]).values()
    assert (first.parts, second.parts) == (2, 1)


def test_a_piece_beyond_what_is_near_is_found() -> None:
    """Among several spans of one object, each part is found in its own."""
    shelf = shelf_with("b")
    batch = [member(at, 10) for at in (0, 20, 3 * NEAR, 3 * NEAR + 20)]
    spans = Spans(shelf, batch)
    assert [fetch_and_compare(one, spans) for one in reversed(batch)] == ["restored"] * 4
    assert shelf.steps.names().count("store.read") == 2


def test_what_is_no_member_passes() -> None:
    """The rest of the shelf is that of the store; a part that nobody announced is read alone."""
    shelf = shelf_with("b")
    spans = Spans(shelf, [Wanted("alone", 0, "b")])
    assert b"".join(spans.read_part("b", "", 5, 7)) == BODY[5:12]
    assert [listed.key for listed in spans.listing("")] == ["b"]
    assert b"".join(spans.frame("", "b", "", 5, 7, 99)) == BODY[5:12]
    assert b"".join(spans.decoded("reversed", iter([b"abc"]), 9)) == b"cba"
