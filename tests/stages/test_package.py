"""A package is one reading of one open file that nobody writes to."""

import bz2
import hashlib

import pytest

from outhaul.codecs.choice import Always
from outhaul.model.errors import KeyTooLong, SourceChanged, SourceInUse, Unproved, WritersUnknown
from outhaul.model.evidence import Package, Settled
from outhaul.ports import ONE_BY_ONE
from outhaul.stages.package import UNWATCHED_QUIET_NS, digested, package
from stages.faulty import Faulty
from stages.world import World

PATH = "a/file.csv"


def packed(world: World, *, observed_ns: int = 0, path: str = PATH) -> Package:
    """Package what was seen before, now."""
    seen = world.sighting(path)._replace(birth_ns=0)
    directory, _, name = path.rpartition("/")
    with world.files.tree(world.job) as tree, tree.folder(directory) as folder, folder.open(name) as file:
        made = package(world.job, Settled(seen, observed_ns), file, world.store.small_max)
    return digested([made], ONE_BY_ONE, wants_md5=world.store.wants_md5)[0]


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 16) + 1, 3 << 20])
def test_digests_are_of_the_whole(world: World, size: int) -> None:
    """Length and digests are the file's; a small one is in memory, a large one is not, and is digested as it is sent."""
    content = bytes(number % 251 for number in range(size))
    world.files.write(PATH, content)
    made = packed(world)
    assert size == made.length
    if size > world.store.small_max:
        assert (made.body, made.sha256, made.md5) == (None, b"", b"")
        return
    assert (content, hashlib.sha256(content).digest()) == (made.body, made.sha256)
    assert hashlib.md5(content, usedforsecurity=False).digest() == made.md5


@pytest.mark.parametrize(
    ("etag", "keeps_sha256", "wants"), [("md5", True, True), ("opaque", True, False), ("opaque", False, True)]
)
def test_an_md5_is_made_where_it_is_of_use(world: World, etag: str, keeps_sha256: bool, wants: bool) -> None:
    """A store that keeps a SHA-256, and whose ETags are no MD5s, has no use for one."""
    world.store.etag, world.store.keeps_sha256 = etag, keeps_sha256  # type: ignore[assignment]
    world.files.write(PATH, b"content")
    made = packed(world)
    assert (world.store.wants_md5, made.md5 != b"", made.sha256) == (wants, wants, hashlib.sha256(b"content").digest())


def test_a_file_in_use_is_not_read(world: World) -> None:
    """With a writer there is no package, and not a byte was read."""
    with world.files.writing(PATH), pytest.raises(SourceInUse):
        packed(world)
    assert "files.pread" not in world.files.steps.names()


@pytest.mark.parametrize("call", ["files.open", "files.check_writers", "files.pread", "files.unchanged"])
def test_a_change_at_any_moment_is_noticed(world: World, call: str) -> None:
    """A write between the look at the directory and the end of the reading makes no package."""
    seen = world.sighting(PATH)
    world.files.steps.before(call, lambda: world.files.append(PATH, b"more"))
    with (
        world.files.tree(world.job) as tree,
        tree.folder("a") as folder,
        pytest.raises(SourceChanged),
        folder.open("file.csv") as file,
    ):
        package(world.job, Settled(seen, 0), file, world.store.small_max)


def test_where_nobody_knows_the_writers(world: World) -> None:
    """There, only what outhaul has itself seen unchanged for a minute is packaged."""
    world.files.knows_writers = False
    with pytest.raises(WritersUnknown):
        packed(world, observed_ns=UNWATCHED_QUIET_NS - 1)
    packed(world, observed_ns=UNWATCHED_QUIET_NS)


def test_a_key_that_no_store_takes(world: World) -> None:
    """A key may have 1,024 bytes as UTF-8, prefix included, and not one more."""
    room = 1024 - len("site/")
    packed_key = packed_name(world, "é" * (room // 2) + "x" * (room % 2))
    assert len(packed_key.encode()) == 1024
    with pytest.raises(KeyTooLong):
        packed_name(world, "é" * (room // 2) + "xx")


def packed_name(world: World, name: str) -> str:
    """The key of a file of this name."""
    world.files.write(name, b"1")
    return packed(world, path=name).key


class _Eager(Always):
    """Compresses everything, and is content with what comes out smaller."""

    plain_if_larger = True


@pytest.mark.parametrize(("content", "smaller"), [(b"x" * 500, True), (b"x", False), (b"", False)])
def test_what_comes_out_larger_is_sent_as_it_is(world: World, content: bytes, smaller: bool) -> None:
    """Where the job allows it; its name is then its own."""
    world.files.write(PATH, content)
    seen = world.sighting(PATH)._replace(birth_ns=0)
    with world.files.tree(world.job) as tree, tree.folder("a") as folder, folder.open("file.csv") as file:
        made = package(world.job, Settled(seen, 0), file, world.store.small_max, _Eager("bzip2", None))
        (made,) = digested([made], ONE_BY_ONE)
    assert made.body is not None
    assert (made.codec, made.key.endswith(".bz2")) == (("bzip2", True) if smaller else ("", False))
    assert content == (bz2.decompress(made.body) if smaller else made.body)
    assert made.sha256 == hashlib.sha256(made.body).digest()
    assert made.content_sha256 == (hashlib.sha256(content).digest() if smaller else b"")


@pytest.mark.parametrize("what", ["misread", "flipped"])
def test_a_codec_that_makes_a_mistake_is_found_out(world: World, what: str) -> None:
    """What it makes is decompressed, and compared with the file, before anything is sent."""
    seen = world.sighting(PATH)._replace(birth_ns=0)
    with (
        world.files.tree(world.job) as tree,
        tree.folder("a") as folder,
        folder.open("file.csv") as file,
        pytest.raises(Unproved),
    ):
        package(world.job, Settled(seen, 0), file, world.store.small_max, Faulty(what))
