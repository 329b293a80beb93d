"""The checker finds every planted loss among some hundreds of contents, and nothing where all is well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kill.checker import Checker
from kill.places import BucketStore
from kill.planted import FILES, SEED, World, path_of
from servers.server import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which nothing is wrong."""
    return World(tmp_path)


def test_a_sound_world_is_sound(world: World) -> None:
    """Where nothing is wrong, nothing is found, and every content is counted once."""
    report = world.check()
    assert report.sound
    counted = (report.ok, report.waiting, report.objects, len(report.left_in_source))
    expected = (200, 100, 200, 100)
    assert expected == counted


def test_a_lost_content_is_found(world: World) -> None:
    """A content that is nowhere is lost, wherever it has been before."""
    world.check()
    (world.source / path_of(3)).unlink()
    (world.store / path_of(4)).unlink()
    report = world.check()
    assert [path_of(3), path_of(4)] == named(report.lost)
    assert [path_of(4)] == named(report.overwritten)


def test_one_altered_byte_is_found(world: World) -> None:
    """An object with one other byte is corrupt, and the content that it stood for is lost."""
    altered = world.store / path_of(10)
    data = bytearray(altered.read_bytes())
    data[-2] ^= 1
    altered.write_bytes(data)
    report = world.check()
    assert [path_of(10)] == named(report.corrupt) == named(report.lost)


def test_an_altered_first_line_is_found(world: World) -> None:
    """An object that claims to be another file, or none, is corrupt too."""
    for number, old, new in ((10, b"file=10\n", b"file=11\n"), (13, b"# logger", b"# lodger")):
        path = world.store / path_of(number)
        path.write_bytes(path.read_bytes().replace(old, new))
    report = world.check()
    expected = [path_of(10), path_of(13)]
    assert expected == named(report.corrupt) == named(report.lost)


def test_a_truncated_object_is_found(world: World) -> None:
    """An object that lacks its last byte is corrupt, even while the whole content is safe elsewhere."""
    truncated = world.store / path_of(20)
    truncated.write_bytes(truncated.read_bytes()[:-1])
    world.place(world.source, 20)
    report = world.check()
    assert [path_of(20)] == named(report.corrupt)
    assert not report.lost


def test_an_overwritten_object_is_found(world: World) -> None:
    """A name that was used again and carried over its former object: the former content is overwritten."""
    world.tell(FILES + 1, path=path_of(40))
    world.place(world.store, FILES + 1, name=path_of(40))
    assert [path_of(40)] == named(world.check().overwritten)


def test_an_object_that_changes_between_checks_is_found(world: World) -> None:
    """An object's bytes never change, not even when the producer has discarded what they were."""
    world.check()
    world.journal.discard(path_of(40), 40)
    world.place(world.store, 41, name=path_of(40))
    report = world.check()
    assert [path_of(40)] == named(report.overwritten)


def test_a_check_that_is_not_full_sees_changes(world: World) -> None:
    """A quick check reads each object that is new or has changed."""
    world.checker.check(full=False)
    world.place(world.store, 41, name=path_of(40))
    assert [path_of(40)] == named(world.checker.check(full=False).overwritten[:1])


def test_all_planted_losses_are_found_at_once(world: World) -> None:
    """One lost, one altered, one truncated and one overwritten among hundreds: just these four are found."""
    (world.source / path_of(33)).unlink()
    altered, truncated = world.store / path_of(50), world.store / path_of(70)
    altered.write_bytes(altered.read_bytes()[:-9] + b"x" + altered.read_bytes()[-8:])
    truncated.write_bytes(truncated.read_bytes()[:-30])
    world.tell(FILES + 1, path=path_of(100))
    world.place(world.store, FILES + 1, name=path_of(100))
    report = world.check()
    assert [path_of(33), path_of(50), path_of(70)] == named(report.lost)
    assert [path_of(50), path_of(70)] == named(report.corrupt)
    assert [path_of(100)] == named(report.overwritten)


def test_a_content_under_another_name_is_found(world: World) -> None:
    """A content that arrived under the name of another file is mixed up."""
    name = "roof/other.dat"
    (world.store / path_of(50)).rename(world.store / name)
    assert [name] == named(world.check().misplaced)


def test_a_longer_content_carries_the_shorter(world: World) -> None:
    """A file that was appended to counts for what it was before; what it became must be there as well."""
    world.place(world.store, 50, step=2)
    world.tell(50, step=1)
    world.tell(50, step=2)
    report = world.check()
    assert report.sound
    expected = FILES + 2
    assert expected == report.ok + report.waiting


def test_bytes_appended_to_a_removed_file_are_lost(world: World) -> None:
    """A file that was carried and removed while its writer went on: the shorter object is not enough."""
    world.tell(50, step=1)
    assert [path_of(50)] == named(world.check().lost)


def test_a_content_in_a_private_area_is_waiting(world: World) -> None:
    """A file that the mover has in hand is safe in its private areas, and is told as left there."""
    world.place(world.state / "private", 3, name="1a2b")
    (world.source / path_of(3)).unlink()
    world.place(world.source / ".outhaul-1", 6, name="3c4d")
    (world.source / path_of(6)).unlink()
    report = world.check()
    waiting, left = 100, 2
    assert report.sound
    assert waiting == report.waiting
    assert left == len(report.left_in_private)


def test_a_private_object_of_the_mover_is_no_copy(world: World) -> None:
    """What the mover keeps for itself in the store is neither a content nor a fault."""
    (world.store / path_of(10)).rename(world.store / ".outhaul-upload")
    report = world.check()
    assert [path_of(10)] == named(report.lost)
    assert not report.corrupt


def test_what_the_producer_threw_away_may_be_gone(world: World) -> None:
    """A content that the producer replaced by its own will is not lost."""
    world.journal.discard(path_of(3), 3)
    (world.source / path_of(3)).unlink()
    report = world.check()
    discarded = 1
    assert report.sound
    assert discarded == report.discarded


def test_a_state_that_was_never_closed_is_counted(world: World) -> None:
    """An object of bytes that the producer had written but not closed is counted, and is no fault."""
    world.place(world.store, 3, step=1)
    report = world.check()
    early = 1
    assert report.sound
    assert early == report.early


def test_equal_objects_are_counted(world: World) -> None:
    """The same content under two keys of the same file is allowed and counted."""
    world.place(world.store, 50, name=path_of(50).replace(".dat", "~2.dat"))
    report = world.check()
    duplicates = 1
    assert report.sound
    assert duplicates == report.duplicates


def test_a_half_written_journal_line_is_not_read(world: World) -> None:
    """A journal may be read while the producer writes to it."""
    with (world.root / "journal").open("a") as journal:
        journal.write('{"event": "content", "path": "')
    assert world.check().sound


def test_what_hinders_the_producer_is_told(world: World) -> None:
    """A producer that was hindered makes a report that is not sound."""
    world.journal.hindered("a/b.dat", "open took 45 s")
    assert not world.check().sound


@pytest.fixture
def bucket_store(rclone_server: Server) -> Iterator[BucketStore]:
    """A fresh bucket on a real server."""
    with rclone_server.client() as client:
        yield BucketStore(client, rclone_server.make_bucket(), "site-7")


def test_losses_in_a_bucket_are_found(world: World, bucket_store: BucketStore) -> None:
    """The same holds for objects in a bucket: one lost, one altered, the rest sound."""
    checker = Checker(SEED, world.root / "journal", world.source, world.state, bucket_store)
    for path in sorted(world.store.rglob("*.dat")):
        name = path.relative_to(world.store).as_posix()
        data = path.read_bytes()
        if name == path_of(4):
            continue
        if name == path_of(5):
            data = data[:-1] + b"?"
        bucket_store.client.put(bucket_store.bucket, f"site-7/{name}", data)
    report = checker.check(full=True)
    assert [path_of(4), path_of(5)] == named(report.lost)
    assert [path_of(5)] == named(report.corrupt)
    carried = 198
    assert carried == report.ok


def named(lines: list[str]) -> list[str]:
    """The names that findings begin with, in order."""
    return sorted(line.partition(":")[0] for line in lines)
