"""The decision to remove, whole: each combination of its conditions, against a table that knows nothing of the code.

Every condition is brought about by a hand of the simulated world, whose files keep the contract of the real ones
(`tests/contracts/test_files.py`). Time stamps are as coarse as a second throughout, so that bytes can differ under the
same stamps. Beside the outcome, what is left is looked at: of all bytes only the ones that were proved may be gone.
"""

import itertools
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from outhaul.model.errors import SourceChanged, SourceError, SourceInUse, SourceStuck, SourceVanished
from outhaul.model.evidence import Receipt
from outhaul.model.job import After
from outhaul.stages.dispose import CHUNK, expire
from outhaul.testing.files import ARCHIVE
from stages.test_dispose import finished, left_aside, let_go
from stages.world import World

PATH = "a/file.csv"
SMALL, LARGE = 20, CHUNK + 1
REPLACED, THIRD = b"another file", b"a third file"
OUTCOME: dict[After, str] = {"delete": "removed", "archive": "archived"}


class Case(NamedTuple):
    """One combination. All True, granted or unknown, and taken, is the one in which the file goes."""

    is_there: bool
    same_generation: bool
    same_digest: bool
    lease: str
    """'granted', 'refused', or 'unknown': nobody can tell who writes."""
    unchanged: bool
    taken: str
    """Into the private directory: 'yes'; 'vanished' before; or 'stuck', its directory may not be changed."""
    same_aside: bool
    lease_holds: bool
    place_is_free: bool
    """Where it has to be put back."""


CASES = [
    Case(*case)
    for case in itertools.product(
        (True, False), (True, False), (True, False), ("granted", "refused", "unknown"), (True, False),
        ("yes", "vanished", "stuck"), (True, False), (True, False), (True, False),
    )
]  # fmt: skip


def expected(case: Case, size: int, after: After) -> str:
    """The truth table, from the top: the first line that applies says what becomes of the file."""
    digest = (not case.same_digest, SourceChanged)
    lease = (case.lease == "refused", SourceInUse)
    put_back = not case.same_aside or (case.lease == "granted" and not case.lease_holds)
    lines = [
        (not case.is_there, SourceVanished),
        (not case.same_generation, SourceChanged),
        lease,
        (
            size == LARGE and case.lease == "granted" and not case.lease_holds,
            SourceInUse,
        ),  # Seen after the first piece.
        digest,
        (not case.unchanged, SourceChanged),
        (case.taken == "vanished", SourceVanished),
        (case.taken == "stuck", SourceStuck),
        (put_back and case.place_is_free, SourceChanged),
        (put_back, SourceStuck),
    ]
    return next((error.__name__ for applies, error in lines if applies), OUTCOME[after])


def arranged(case: Case, size: int, stack: ExitStack) -> tuple[World, Receipt, bytes]:
    """A world in which the conditions are these; the receipt; and the bytes that the file has when its removal begins."""
    world, content = World(), b"1" * size
    files, steps = world.files, world.files.steps
    files.coarse, files.knows_writers = True, case.lease != "unknown"
    files.write(PATH, content)
    receipt = world.receipt(PATH)
    if not case.same_generation:
        world.clock.advance(1)
    if not case.same_digest:
        content = b"2" * size
    files.write(PATH, content)
    inode, folder = files.find(PATH), files.find("a")
    assert inode is not None
    assert folder is not None
    if case.lease == "refused":
        stack.enter_context(files.writing(PATH))
    if not case.is_there:
        files.remove(PATH)
    if not case.unchanged:
        steps.before("files.unchanged", lambda: setattr(inode, "ctime_ns", inode.ctime_ns + 1))
    if not case.same_aside:
        steps.before("files.take_aside", lambda: files.replace(PATH, REPLACED))
    if case.taken == "vanished":
        steps.before("files.take_aside", lambda: files.remove(PATH))
    if not case.lease_holds:
        steps.before("files.lease_holds", lambda: setattr(inode, "lease_broken", True))
    if not case.place_is_free:
        steps.before("files.is_file", lambda: files.write(PATH, THIRD))
    folder.changeable = case.taken != "stuck"
    return world, receipt, content


def outcome(world: World, receipt: Receipt, after: After = "delete") -> str:
    """What `dispose` says."""
    try:
        return let_go(world, receipt, after).outcome
    except SourceError as error:
        return type(error).__name__


def kept(world: World) -> set[bytes]:
    """All bytes that there are, in the source, in its private directory and in the archive."""
    aside = [inode.content for _, _, inode in world.files.private.values()]
    return {*world.files.files().values(), *aside, *world.files.archived().values()}


@pytest.mark.slow
@pytest.mark.parametrize("after", ["delete", "archive"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_every_combination_of_the_conditions_of_a_removal(size: int, after: After) -> None:
    """Each ends as the table says; and the file is gone only where it was removed, or somebody else removed it."""
    wrong = []
    for case in CASES:
        with ExitStack() as stack:
            world, receipt, content = arranged(case, size, stack)
            said = outcome(world, receipt, after)
        somebody = not case.is_there or ("files.take_aside" in world.files.steps.names() and (
            case.taken == "vanished" or not case.same_aside
        ))  # fmt: skip
        may_be_gone = said == "removed" or somebody
        if said != expected(case, size, after) or not (may_be_gone or content in kept(world)):
            wrong.append((case, expected(case, size, after), said))
    assert wrong == []
    assert len(CASES) == 2**7 * 3 * 3


def test_only_the_private_directory_keeps_what_cannot_go_back() -> None:
    """Nothing is left aside but a file whose place was taken; and whatever took the place stays, whole."""
    for case in CASES:
        with ExitStack() as stack:
            world, receipt, _ = arranged(case, SMALL, stack)
            said = outcome(world, receipt)
        aside = bool(world.files.private)
        assert aside == (said == "SourceStuck" and case.taken == "yes"), case
        if not case.place_is_free and "files.is_file" in world.files.steps.names():
            assert world.files.read(PATH) == THIRD, case


ALL_WELL = Case(True, True, True, "granted", True, "yes", True, True, True)
EACH_ALONE: list[Case] = [
    ALL_WELL._replace(is_there=False), ALL_WELL._replace(same_generation=False), ALL_WELL._replace(same_digest=False),
    ALL_WELL._replace(lease="refused"), ALL_WELL._replace(unchanged=False), ALL_WELL._replace(taken="vanished"),
    ALL_WELL._replace(taken="stuck"), ALL_WELL._replace(same_aside=False), ALL_WELL._replace(lease_holds=False),
]  # fmt: skip


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_each_condition_decides_alone(size: int) -> None:
    """With all others met, each one by itself keeps the file from being removed (MC/DC)."""
    outcomes = []
    for case in (ALL_WELL, *EACH_ALONE):
        with ExitStack() as stack:
            world, receipt, _ = arranged(case, size, stack)
            outcomes.append(outcome(world, receipt) == "removed")
    assert outcomes == [True, *[False] * len(EACH_ALONE)]


# --- what an archive may say --------------------------------------------------------------------------------------------

IN_ARCHIVE = ("free", "same bytes", "other bytes", "a link")
"""What stands under a name there."""


def stands(world: World, name: str, what: str) -> None:
    """Let this stand under a name of the archive."""
    folder = world.files.archive.entries.setdefault("a", world.files._make("folder"))
    if what != "free":
        inode = folder.entries[name] = world.files._make("symlink" if what == "a link" else "file")
        inode.content = {"same bytes": b"1" * SMALL, "other bytes": THIRD}.get(what, b"")


@pytest.mark.parametrize("place_is_free", [True, False])
@pytest.mark.parametrize(("first", "second"), list(itertools.product(IN_ARCHIVE, IN_ARCHIVE)))
def test_every_state_of_an_archive(first: str, second: str, place_is_free: bool) -> None:
    """A file goes to its name there, or to its second one; it replaces nothing; and goes back where both are taken."""
    with ExitStack() as stack:
        world, receipt, content = arranged(ALL_WELL, SMALL, stack)
    stands(world, "file.csv", first)
    stands(world, f"file.csv~{receipt.sha256[:8].hex()}", second)
    before = world.files.archived()
    if not place_is_free:
        world.files.steps.before("files.archive", lambda: world.files.write(PATH, THIRD))
    said = outcome(world, receipt, "archive")
    taken = first in ("other bytes", "a link") and second in ("other bytes", "a link")
    assert said == ("SourceStuck" if taken else "archived")
    assert {path: world.files.archived()[path] for path in before} == before
    assert content in (kept(world) if taken else set(world.files.archived().values()))
    assert bool(world.files.private) == (taken and not place_is_free)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(IN_ARCHIVE, IN_ARCHIVE)))
def test_every_state_of_an_archive_that_a_file_is_to_leave(first: str, second: str) -> None:
    """Only the bytes of the receipt go; what is another's stays, and is an error only under the name that says whose it is."""
    with ExitStack() as stack:
        world, receipt, _ = arranged(ALL_WELL, SMALL, stack)
    stands(world, "file.csv", first)
    stands(world, f"file.csv~{receipt.sha256[:8].hex()}", second)
    others = [content for content in world.files.archived().values() if content == THIRD]
    with world.files.tree(world.job._replace(source=ARCHIVE)) as tree, tree.folder("a") as folder:
        try:
            said = expire(receipt, folder, receipt.sighting.name, None).outcome
        except SourceError as error:
            said = type(error).__name__
    assert said == LEAVING[first] if first in ("same bytes", "a link") else LEAVING[second]
    assert [content for content in world.files.archived().values() if content == THIRD] == others


LEAVING = {"free": "gone", "same bytes": "expired", "other bytes": "SourceChanged", "a link": "SourceNotRegular"}


# --- the other place where a file goes: an interrupted removal that is finished -----------------------------------------


class Left(NamedTuple):
    """What is found aside, against its receipt."""

    same_inode: bool
    same_size: bool
    same_mtime: bool
    same_digest: bool
    lease: str
    lease_holds: bool


LEFT = [
    Left(*case)
    for case in itertools.product(
        (True, False), (True, False), (True, False), (True, False), ("granted", "refused", "unknown"), (True, False)
    )
]


def finished_as(case: Left) -> tuple[str, World]:
    """What `finish` says of it."""
    world = World()
    world.files.write(PATH, b"1" * SMALL)
    world.files.knows_writers = case.lease != "unknown"
    receipt = left_aside(world)
    (inode,) = [inode for _, _, inode in world.files.private.values()]
    inode.number += not case.same_inode
    inode.content = (b"1" if case.same_digest else b"2") * SMALL
    seen = receipt.sighting._replace(size=SMALL + (not case.same_size))
    inode.mtime_ns += not case.same_mtime
    inode.writers = int(case.lease == "refused")
    if not case.lease_holds:
        world.files.steps.before("files.lease_holds", lambda: setattr(inode, "lease_broken", True))
    try:
        return ("removed" if finished(world, receipt._replace(sighting=seen)) else "left"), world
    except SourceInUse:
        return "in use", world


def test_every_combination_of_the_conditions_of_a_finish() -> None:
    """It goes only with inode, size, modification time and content as proved, and nobody writing; else it stays, whole."""
    wrong = []
    for case in LEFT:
        said, world = finished_as(case)
        same = case.same_inode and case.same_size and case.same_mtime and case.same_digest
        goes = same and (case.lease == "unknown" or case.lease_holds)
        should = "in use" if case.lease == "refused" else "removed" if goes else "left"
        if said != should or (said == "removed") == bool(world.files.private):
            wrong.append((case, should, said))
    assert wrong == []
    assert len(LEFT) == 2**5 * 3
