"""Letting go: of the file that was proved, with no writer, and of nothing else (L6)."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from outhaul.model.errors import SourceChanged, SourceError, SourceInUse, SourceStuck, SourceVanished
from outhaul.model.evidence import Disposal, Receipt
from outhaul.model.job import After
from outhaul.stages.dispose import CHUNK, dispose, finish
from stages.world import World

PATH = "a/file.csv"
BEFORE = b"time;value\n1;2\n"
OTHER = b"time;value\n1;3\n"


def let_go(world: World, receipt: Receipt, after: After = "delete", *, linked: bool = False) -> Disposal:
    """Dispose of one source."""
    with world.files.tree(world.job) as tree, tree.folder(receipt.sighting.directory) as folder:
        return dispose(receipt, folder, after, linked=linked)


def test_the_file_that_was_proved_goes(world: World) -> None:
    """With everything as it was proved, the file is removed, and nothing stays in the private directory."""
    receipt = world.receipt(PATH, 7)
    assert Disposal(7, "removed") == let_go(world, receipt)
    assert (world.files.read(PATH), world.files.private) == (None, {})


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_files_of_every_size_go(world: World, size: int) -> None:
    """An empty file, and one that is hashed in several pieces, go like others."""
    world.files.write(PATH, b"x" * size)
    let_go(world, world.receipt(PATH))
    assert world.files.read(PATH) is None


# What somebody does, before the removal begins, to the file of the receipt; and what must become of it.
BEFOREHAND: dict[str, tuple[Callable[[World], None], type[SourceError]]] = {
    "appended": (lambda world: world.files.append(PATH, b"3;4\n"), SourceChanged),
    "rewritten, as long": (lambda world: world.files.write(PATH, OTHER), SourceChanged),
    "rewritten, same bytes": (lambda world: world.files.write(PATH, BEFORE), SourceChanged),
    "truncated": (lambda world: world.files.write(PATH, b""), SourceChanged),
    "replaced": (lambda world: world.files.replace(PATH, OTHER), SourceChanged),
    "replaced by the same bytes": (lambda world: world.files.replace(PATH, BEFORE), SourceChanged),
    "linked": (lambda world: world.files.link(PATH, "second"), SourceChanged),
    "removed": (lambda world: world.files.remove(PATH), SourceVanished),
    "now a link": (lambda world: world.files.symlink(PATH, "elsewhere"), SourceError),
    "now a FIFO": (lambda world: world.files.fifo(PATH), SourceError),
}


@pytest.mark.parametrize("what", BEFOREHAND)
def test_another_generation_stays(world: World, what: str) -> None:
    """A file that is not, to the kernel, the very one of the receipt stays where it is, untouched."""
    receipt = world.receipt(PATH)
    change, error = BEFOREHAND[what]
    change(world)
    before = world.files.files()
    with pytest.raises(error):
        let_go(world, receipt)
    assert (before, {}) == (world.files.files(), world.files.private)


def test_the_other_names_of_a_file_go_with_it(world: World) -> None:
    """That one of them has gone has changed the time of the others, and nothing else."""
    world.files.link(PATH, "a/second")
    receipts = [world.receipt(PATH, 7), world.receipt("a/second", 8)]
    let_go(world, receipts[0])
    with pytest.raises(SourceChanged):
        let_go(world, receipts[1])
    assert Disposal(8, "removed") == let_go(world, receipts[1], linked=True)
    assert world.files.files() == {}


@pytest.mark.parametrize("what", ["other bytes", "nobody can tell who writes", "another file"])
def test_another_name_that_is_not_what_was_proved_stays(world: World, what: str) -> None:
    """Its change time says nothing then: its content does, under a lease."""
    world.files.link(PATH, "a/second")
    receipts = [world.receipt(PATH, 7), world.receipt("a/second", 8)]
    inode = world.files.find(PATH)
    assert inode is not None
    let_go(world, receipts[0])
    if what == "other bytes":
        world.files.write("a/second", OTHER)
        inode.mtime_ns = receipts[1].sighting.mtime_ns
    elif what == "another file":
        world.files.replace("a/second", BEFORE)
    else:
        world.files.knows_writers = False
    before = world.files.files()
    with pytest.raises(SourceChanged):
        let_go(world, receipts[1], linked=True)
    assert (before, {}) == (world.files.files(), world.files.private)


def test_a_birth_time_that_differs_is_another_file(world: World) -> None:
    """An inode number that was used again, with size and times as they were, is told by its birth time."""
    receipt = world.receipt(PATH)
    sighting = receipt.sighting._replace(birth_ns=receipt.sighting.birth_ns - 1)
    with pytest.raises(SourceChanged):
        let_go(world, receipt._replace(sighting=sighting))
    assert world.files.read(PATH) == BEFORE


@pytest.mark.parametrize("size", [len(BEFORE), CHUNK + 1])
def test_other_bytes_under_the_same_time_stamps_stay(world: World, size: int) -> None:
    """Where time stamps are too coarse to show a change, the digest does."""
    world.files.coarse = True
    world.files.write(PATH, b"1" * size)
    receipt = world.receipt(PATH)
    world.files.write(PATH, b"2" * size)
    assert world.sighting(PATH) == receipt.sighting
    with pytest.raises(SourceChanged):
        let_go(world, receipt)
    assert b"2" * size == world.files.read(PATH)


@pytest.mark.parametrize("call", ["files.take_lease", "files.unchanged"])
def test_a_change_that_hides_its_modification_time_shows(world: World, call: str) -> None:
    """What is written at the last moment, under the old mtime, shows in the content, or in the ctime."""
    world.files.write(PATH, b"1" * (CHUNK + 1))
    receipt = world.receipt(PATH)
    inode = world.files.find(PATH)
    assert inode is not None

    def rewritten() -> None:
        world.files.write(PATH, b"2" * (CHUNK + 1))
        inode.mtime_ns = receipt.sighting.mtime_ns
        inode.lease_broken = False

    world.files.steps.before(call, rewritten)
    with pytest.raises(SourceChanged):
        let_go(world, receipt)
    assert {b"2"[0]} == set(world.files.read(PATH) or b"")


def test_nobody_waits_until_a_large_file_is_hashed(world: World) -> None:
    """Who wants to write breaks the lease: the file is left to him after the piece at hand, whatever its time stamps say."""
    world.files.coarse = True
    world.files.write(PATH, b"1" * (CHUNK * 3))
    receipt = world.receipt(PATH)
    inode = world.files.find(PATH)
    assert inode is not None
    world.files.steps.before("files.lease_holds", lambda: setattr(inode, "lease_broken", True))
    start = len(world.files.steps.calls)
    with pytest.raises(SourceInUse):
        let_go(world, receipt)
    assert world.files.steps.names()[start:].count("files.pread") == 1
    assert world.files.read(PATH) == b"1" * (CHUNK * 3)


def test_a_file_in_use_stays(world: World) -> None:
    """A file that a process has open for writing stays."""
    receipt = world.receipt(PATH)
    with world.files.writing(PATH), pytest.raises(SourceInUse):
        let_go(world, receipt)
    assert (world.files.read(PATH), world.files.private) == (BEFORE, {})


def test_a_directory_that_may_not_be_changed_keeps_its_file(world: World) -> None:
    """Where the file cannot be taken out of its directory it stays, and that is said."""
    receipt = world.receipt(PATH)
    folder = world.files.find("a")
    assert folder is not None
    folder.changeable = False
    with pytest.raises(SourceStuck):
        let_go(world, receipt)
    assert world.files.read(PATH) == BEFORE


def _calls(knows_writers: bool, size: int) -> list[str]:
    world = World()
    world.files.knows_writers = knows_writers
    world.files.write(PATH, b"1" * size)
    receipt = world.receipt(PATH)
    start = len(world.files.steps.calls)
    let_go(world, receipt)
    return world.files.steps.names()[start:]


BETWEEN = [
    (knows_writers, size, name)
    for knows_writers in (True, False)
    for size in (20, CHUNK + 1)
    for name in dict.fromkeys(_calls(knows_writers, size))
]


def _replace(world: World, content: bytes) -> None:
    if world.files.find(PATH):
        world.files.remove(PATH)
    world.files.write(PATH, content)


HANDS: dict[str, Callable[[World, int], None]] = {
    "append": lambda world, _size: world.files.append(PATH, b"new"),
    "rewrite": lambda world, _size: world.files.write(PATH, b"new"),
    "rewrite as long": lambda world, size: world.files.write(PATH, b"2" * (size - 3) + b"new"),
    "replace": lambda world, size: _replace(world, b"2" * (size - 3) + b"new"),
}


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize(("knows_writers", "size", "call"), BETWEEN)
def test_a_hand_between_any_two_steps_loses_nothing(
    knows_writers: bool, size: int, call: str, hand: str, coarse: bool
) -> None:
    """Whenever a producer writes or replaces during a removal, its new bytes are in the source or aside afterwards.

    Also where nobody can tell who is writing, and where time stamps are as coarse as a second: the producer works by
    path, and what is removed is what was hashed.
    """
    world = World()
    world.files.coarse = coarse
    world.files.knows_writers = knows_writers
    world.files.write(PATH, b"1" * size)
    receipt = world.receipt(PATH)
    world.clock.advance(1)
    world.files.steps.before(call, lambda: HANDS[hand](world, size))
    with suppress(SourceError):
        let_go(world, receipt)
    kept = [*world.files.files().values(), *(inode.content for _, _, inode in world.files.private.values())]
    assert any(content.endswith(b"new") for content in kept)


def test_replaced_at_the_last_moment(world: World) -> None:
    """A file that takes the name just before the rename is put back, whole."""
    receipt = world.receipt(PATH)
    world.files.steps.before("files.take_aside", lambda: world.files.replace(PATH, OTHER))
    with pytest.raises(SourceChanged):
        let_go(world, receipt)
    assert (world.files.read(PATH), world.files.private) == (OTHER, {})


def test_opened_for_writing_at_the_last_moment(world: World) -> None:
    """A lease that is broken after the rename brings the file back: its writer has it by descriptor."""
    receipt = world.receipt(PATH)
    inode = world.files.find(PATH)
    assert inode is not None

    def opened() -> None:
        inode.lease_broken = True

    world.files.steps.before("files.lease_holds", opened)
    with pytest.raises(SourceChanged):
        let_go(world, receipt)
    assert (world.files.read(PATH), world.files.private) == (BEFORE, {})


def test_replaced_and_its_place_taken(world: World) -> None:
    """Where the wrong file was taken aside and its place is taken meanwhile, both stay whole, and that is said."""
    receipt = world.receipt(PATH)
    world.files.steps.before("files.take_aside", lambda: world.files.replace(PATH, OTHER))
    world.files.steps.before("files.is_file", lambda: world.files.write(PATH, b"third"))
    with pytest.raises(SourceStuck):
        let_go(world, receipt)
    assert world.files.read(PATH) == b"third"
    assert [inode.content for _, _, inode in world.files.private.values()] == [OTHER]


# --- finishing an interrupted removal ---------------------------------------------------------------------------------


def left_aside(world: World) -> Receipt:
    """Take the file aside and stop there, as a crash does."""
    receipt = world.receipt(PATH)
    with world.files.tree(world.job) as tree, tree.folder("a") as folder:
        folder.take_aside("file.csv", receipt.number)
    return receipt


def finished(world: World, receipt: Receipt) -> bool:
    """Finish it."""
    with world.files.tree(world.job) as tree:
        return [finish(receipt, left, "delete") for left in tree.left_aside()] == ["removed"]


def test_an_interrupted_removal_is_finished(world: World) -> None:
    """A file that is aside, and is the one of its receipt, goes."""
    assert finished(world, left_aside(world))
    assert world.files.private == {}


@pytest.mark.parametrize("what", ["appended", "rewritten", "other receipt", "in use"])
def test_what_is_not_the_receipts_stays_aside(world: World, what: str) -> None:
    """A file that is aside and is not, byte for byte, the one of the receipt is not removed."""
    receipt = left_aside(world)
    inode = next(iter(world.files.private.values()))[2]
    if what == "appended":
        inode.content += b"late"
    elif what == "rewritten":
        inode.content = OTHER
    elif what == "other receipt":
        receipt = receipt._replace(sighting=receipt.sighting._replace(inode=1))
    else:
        inode.writers = 1
        with pytest.raises(SourceInUse):
            finished(world, receipt)
        assert len(world.files.private) == 1
        return
    assert not finished(world, receipt)
    assert len(world.files.private) == 1
