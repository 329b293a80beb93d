"""The list of hazards is true: each has a test that is there, or stands among those that have none."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", PAGE, re.MULTILINE)


def test_each_hazard_is_listed_once() -> None:
    """Of 127: with a test, or without."""
    with_one = [int(number) for number, _ in ROWS]
    without: list[int] = []
    named = re.search(r"measured by hand: ([^.]+)\.", PAGE)
    assert named is not None
    for first, last in re.findall(r"(\d+)(?: to (\d+))?", named[1]):
        without.extend(range(int(first), int(last or first) + 1))
    assert sorted(with_one + without) == list(range(1, 128))


def test_each_test_that_is_named_is_there() -> None:
    """In its file, by its name, and where a case is named with that case."""
    named = [test for _, tests in ROWS for test in re.findall(r"`([^`]+)`", tests)]
    assert [test for test in named if not _is_there(test)] == []
    assert len(named) > 100


def _is_there(test: str) -> bool:
    found = re.fullmatch(r"([\w/]+\.py)::(\w+)(?:\[(.+)\])?", test)
    if found is None:
        return False
    places = (ROOT / "tests" / found[1], ROOT / "src" / "outhaul" / "testing" / found[1])
    texts = [place.read_text(encoding="utf-8") for place in places if place.exists()]
    return any(f"def {found[2]}(" in text and (found[3] or "") in text for text in texts)
