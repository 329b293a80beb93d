"""The checker finds what is planted: one thing wrong at a time, in a world that is right otherwise."""

import hashlib

import pytest

from simulation import checker
from simulation.checker import Found, LetGo, Row

GONE, HERE = b"gone and stored", b"still here"
OBJECTS = {("site/a/gone", ""): GONE}
SHA = hashlib.sha256(GONE).digest()
ROW = Row("a/gone", len(GONE), SHA, "site/a/gone", "")
RIGHT = Found(
    {1: GONE, 2: HERE},
    {"a/here": HERE},
    [],
    [LetGo("a/gone", GONE, 0, 5)],
    [ROW],
    {"a/gone": {GONE}, "a/here": {HERE}},
    5,
)


def kinds(found: Found = RIGHT, objects: checker.Objects = OBJECTS) -> set[str]:
    """What is found, by kind."""
    return {" ".join(line.split()[:2]).split(" '")[0].split(" b")[0] for line in checker.check(found, objects, "site")}


def test_a_world_that_is_right() -> None:
    """Nothing is found where nothing is wrong."""
    assert kinds() == set()


def test_what_is_aside_is_not_lost() -> None:
    """Bytes in the private directory are safe."""
    assert kinds(RIGHT._replace(source={}, aside=[HERE])) == set()


@pytest.mark.parametrize("altered", [b"", HERE[:-1], HERE + b"!", b"still hers"])
def test_a_loss(altered: bytes) -> None:
    """A file that is nowhere, or only shorter, longer or altered, is lost."""
    assert kinds(RIGHT._replace(source={"a/here": altered})) == {"LOST"}


def test_one_lost_of_ten_thousand() -> None:
    """One is found among many."""
    owed = {serial: b"%d" % serial for serial in range(10_000)}
    source = {str(serial): content for serial, content in owed.items() if serial != 4711}
    lost = checker.check(RIGHT._replace(owed=owed, source=source, let_go=[], rows=[]), {}, "site")
    assert lost == ["LOST b'4711'... of file 4711"]


def test_no_receipt() -> None:
    """A file that went without a receipt, or with one of other bytes or of another path."""
    assert kinds(RIGHT._replace(rows=[])) == {"UNRECORDED"}
    assert "UNRECORDED" in kinds(RIGHT._replace(rows=[ROW._replace(path="a/other")]))
    assert "UNRECORDED" in kinds(RIGHT._replace(rows=[ROW._replace(sha256=bytes(32))]))


def test_a_receipt_that_is_not_true() -> None:
    """Its object is gone, other, shorter, or of another version; where no version was told, none of them has its bytes."""
    told = RIGHT._replace(rows=[ROW._replace(version="v1")])
    for found, objects in (
        (RIGHT, {}),
        (RIGHT, {("site/a/gone", ""): b"gone and storeD"}),
        (RIGHT, {("site/a/gone", ""): GONE[:-1]}),
        (RIGHT, {("site/a/gone", "v1"): GONE[:-1], ("site/a/gone", "v2"): b"another"}),
        (told, {("site/a/gone", "v2"): GONE}),
    ):
        assert "CORRUPT" in {line.split()[0] for line in checker.check(found, objects, "site")}
    assert checker.check(RIGHT, {("site/a/gone", "v1"): GONE, ("site/a/gone", "v2"): b"another"}, "site") == []


def test_another_files_object() -> None:
    """A receipt whose key is that of another path, or whose bytes never stood under the path."""
    key = Row("a/gone", len(GONE), SHA, "site/b/gone", "")
    wrong = checker.check(RIGHT._replace(rows=[ROW, key]), {**OBJECTS, ("site/b/gone", ""): GONE}, "site")
    assert [line.split()[:2] for line in wrong] == [["WRONG", "TARGET"]]
    wrong = checker.check(RIGHT._replace(held={"a/gone": {b"other"}}), OBJECTS, "site")
    assert [line.split()[:2] for line in wrong] == [["WRONG", "TARGET"]]


def test_a_writer_and_a_hurry() -> None:
    """A file that went while somebody wrote to it, or too soon."""
    assert kinds(RIGHT._replace(let_go=[LetGo("a/gone", GONE, 1, 5)])) == {"HINDERED"}
    assert kinds(RIGHT._replace(let_go=[LetGo("a/gone", GONE, 0, 4)])) == {"HASTY"}


def test_an_object_that_changed() -> None:
    """Replaced, cut short, removed; a new version beside it is none of these."""
    for now in ({}, {("k", "1"): b"b"}, {("k", "1"): b""}, {("k", "2"): b"a"}):
        assert len(checker.overwritten({("k", "1"): b"a"}, now)) == 1
    assert checker.overwritten({("k", "1"): b"a"}, {("k", "1"): b"a", ("k", "2"): b"b"}) == []


def test_an_account_that_does_not_add_up() -> None:
    """A file that was seen and is in no state, or that was there and was not seen; a claim that is not borne out."""
    assert checker.account(2, {"removed": 2}, 2) == []
    assert len(checker.account(2, {"removed": 1})) == 1
    assert len(checker.account(2, {"removed": 2}, 3)) == 1
    assert checker.claims({"removed": 2}, 2) == []
    assert len(checker.claims({"removed": 2}, 1)) == 1
    assert checker.silence(["a"], {"a": "closed-directory"}) == []
    assert len(checker.silence(["a"], {"a/b": "closed-directory"})) == 1


def test_a_file_that_goes_nowhere() -> None:
    """One that stands under no reason, or one that is no reason to stay; not one that is held, or may stay."""
    reasons = {"a": "held back", "b": "conflict", "c": "quiet"}
    assert [line.split("'")[1] for line in checker.stuck(["a", "b", "c", "d", "e"], reasons, ["e"])] == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("site/a/b", "a/b"),
        ("site/%2541", "%41"),
        ("site/%FF%0A", "\udcff\n"),
        ("site/a~0123456789abcdef", "a"),
        ("site/Zü", "Zü"),
    ],
)
def test_the_path_of_a_key(key: str, path: str) -> None:
    """It is found by itself, without the product's own function."""
    assert checker.path_of(key, "site") == path


def test_no_lock() -> None:
    """A receipt is of an object that is locked, where every one is to be: of its version, or of any where it names none."""
    locks = {("site/a/gone", "v1"): False, ("site/a/gone", "v2"): True}
    assert checker.unlocked([ROW, ROW._replace(version="v2")], locks) == []
    for row in (ROW._replace(version="v1"), ROW._replace(key="site/a/other")):
        assert len(checker.unlocked([row], locks)) == 1
