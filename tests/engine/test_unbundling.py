"""The files of a bucket, from its listing alone: bundles are opened, and nothing is lost where one cannot be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest

from outhaul.codecs import Undecodable, open_codec
from outhaul.codecs.choice import compression
from outhaul.engine import unbundling
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN
from outhaul.engine.unbundling import Opened, Unbundling
from outhaul.model.bundle import INDEX_SUFFIX, MANIFEST_SUFFIX, Kind, Listed, Member, index_text
from outhaul.model.errors import Archived, Damaged, Denied, NotThere, StoreError, Transient
from outhaul.model.evidence import Sighting, Within
from outhaul.model.notes import Claims
from outhaul.model.returning import Wanted
from outhaul.model.tar import END, header, padding
from outhaul.stages.bundle import Content, Packed, pack
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.shelf import SimulatedShelf
from outhaul.testing.store import Fault

TAR = "site/bundle-0123456789abcdef.tar"
SUFFIXES = {"zstd": ".zst"}
FILES = {"a/x": b"one", "b": b"two" * 400}


class World:
    """A store, and what is told of a listing of it."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.notices: list[str] = []
        self.opened: list[str] = []

    def put_bundle(
        self, key: str, files: dict[str, bytes], *, kind: Kind = "bundle", codec: str = "", mtime_ns: int = 7
    ) -> None:
        """An object whose content is of no matter here, and what is beside it."""
        members = [
            Member(
                Sighting(path.rpartition("/")[0], path.rpartition("/")[2], 0, 0, len(content), mtime_ns, 0),
                0o644,
                hashlib.sha256(content).digest(),
                Within(0, 512 * number, len(content), 0),
            )
            for number, (path, content) in enumerate(files.items(), 1)
        ]
        self.shelf.put(key, b"tar of " + key.encode())
        suffix = INDEX_SUFFIX if kind == "bundle" else MANIFEST_SUFFIX
        self.shelf.put(key + suffix, index_text(kind, codec, members))

    def put_packed(self, files: dict[str, bytes], codec: str = "") -> str:
        """A bundle as it is carried, and nothing beside it; its key."""
        made = packed(files, codec)
        self.shelf.put(made.bundle.key, made.body)
        return made.bundle.key

    def put_index(self, key: str, files: list[Listed]) -> None:
        """Another index in place of that of an object."""
        members = [
            Member(Sighting("", one.path, 0, 0, one.size, one.mtime_ns, 0), one.mode, one.sha256, one.within)
            for one in files
        ]
        self.shelf.put(key + INDEX_SUFFIX, index_text("bundle", "", members), replace=True)

    def list(
        self, prefix: str = "site", *, keys: Sequence[str] = (), claims: bool = True, latest_first: bool = True
    ) -> list[Wanted]:
        """What is wanted of what is beneath a prefix, or of keys in this order."""
        listing = list(self.shelf.listing(f"{prefix}/" if prefix else ""))
        if keys:
            listing.sort(key=lambda listed: keys.index(listed.key))
        opening = Unbundling(
            prefix, self.shelf, SUFFIXES, SimulatedClock(), self.notices.append, claims=Claims() if claims else None,
            latest_first=latest_first, opened=self._open,
        )  # fmt: skip
        return list(opening.wanted(listing))

    def _open(self, opened: Opened) -> None:
        self.opened.append(opened.key)


def packed(files: dict[str, bytes], codec: str = "") -> Packed:
    """A bundle of these files."""
    contents = [
        Content(Sighting(path.rpartition("/")[0], path.rpartition("/")[2], 1, 1, len(data), 7, 7), 0o640, b"", data)
        for path, data in files.items()
    ]
    return pack("site", contents, compression(codec or "none", 1))


class Shelf(SimulatedShelf):
    """With the codecs of this machine."""

    def decoded(self, codec: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        try:
            yield from open_codec(codec).decode(chunks, limit)
        except Undecodable as error:
            raise Damaged(str(error)) from error


@pytest.fixture
def world() -> World:
    """It."""
    return World()


def told(wanted: list[Wanted]) -> dict[str, str]:
    """Path to what is known of a file beforehand."""
    return {one.path: one.refused for one in wanted}


def test_a_bundle_is_its_files(world: World) -> None:
    """Each with its place, its digest and its time; neither the tar nor the index is a file. Others come before them."""
    world.put_bundle(TAR, {"a/x": b"one", "b": b"two"}, codec="zstd")
    world.shelf.put("site/z", b"plain")
    plain, first, second = world.list()
    assert (plain.path, plain.within) == ("z", None)
    assert (first.path, first.key, first.codec, first.size, first.mtime_ns) == ("a/x", TAR, "zstd", 3, 7)
    assert hashlib.sha256(b"one").digest() == first.sha256
    assert Within(0, 1024, 3, 0) == second.within
    assert (world.opened, world.notices) == ([TAR], [])


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("site", {"a/x": "", "a/y/z": ""}),
        ("", {"site/a/x": "", "site/a/y/z": ""}),
        ("site/a", {"x": "", "y/z": ""}),
    ],
)
def test_paths_are_those_beneath_what_was_asked_for(world: World, prefix: str, expected: dict[str, str]) -> None:
    """Whether that is the destination of the job, something above it, or something beneath."""
    world.put_bundle("site/a/bundle-0123456789abcdef.tar", {"a/x": b"", "a/y/z": b""})
    assert expected == told(world.list(prefix))


def test_a_group_is_its_files_wherever_they_were(world: World) -> None:
    """A companion that lay elsewhere goes there; beneath a part of the destination it was not asked for."""
    world.put_bundle("site/runs/7.tar", {"runs/7/x": b"", "logs/7": b""}, kind="group")
    assert told(world.list()) == {"runs/7/x": "", "logs/7": ""}
    assert told(world.list("site/runs")) == {"7/x": ""}
    assert told(world.list("")) == {"site/runs/7/x": "", "site/logs/7": ""}


def test_a_prefix_that_is_not_escaped(world: World) -> None:
    """It stands for itself."""
    world.put_bundle("100%/site/bundle-0123456789abcdef.tar", {"x": b"", "y": b""})
    assert told(world.list("")) == {"100%/site/x": "", "100%/site/y": ""}


def test_a_bundle_without_an_index_comes_back_as_it_is(world: World) -> None:
    """And that is said; a tar of somebody's own is a file like any other."""
    world.shelf.put(TAR, b"tar")
    world.shelf.put("site/own.tar", b"tar")
    world.shelf.put("site/own.tar.x/y", b"beneath a directory of that name")
    world.shelf.put("site/zebra", b"")
    assert {TAR[5:]: "", "own.tar": "", "own.tar.x/y": "", "zebra": ""} == told(world.list())
    assert [
        f"{TAR} has no index beside it, and none inside that can be read: it comes back as it is, a tar of many files"
    ] == world.notices


@pytest.mark.parametrize("text", [b"no JSON", b"{}", b'{"outhaul": "bundle", "version": 2}'])
def test_what_is_no_index_is_a_file(world: World, text: bytes) -> None:
    """It and its tar come back as they are."""
    for key in (TAR, "site/own.tar"):
        world.shelf.put(key, b"tar")
        world.shelf.put(key + (INDEX_SUFFIX if key == TAR else MANIFEST_SUFFIX), text)
    expected = {TAR[5:], TAR[5:] + INDEX_SUFFIX, "own.tar", "own.tar" + MANIFEST_SUFFIX}
    assert dict.fromkeys(expected, "") == told(world.list())
    assert len(world.notices) == 1


def test_an_index_that_is_too_large_or_too_new_is_a_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read, or not understood."""
    world.put_bundle(TAR, {"x": b""}, codec="newer")
    assert {TAR[5:]: "", TAR[5:] + INDEX_SUFFIX: ""} == told(world.list())
    world.put_bundle("site/bundle-0000000000000000.tar", {"x": b""})
    monkeypatch.setattr(unbundling, "INDEX_BYTES_MAX", 9)
    assert len(world.list()) == 4
    assert any("bytes" in notice for notice in world.notices)


def test_numbers_that_no_file_has(world: World) -> None:
    """An index with such is none; a mode has no more bits than modes have."""
    world.put_bundle(TAR, {"x": b""})
    world.put_index(TAR, [Listed("x", 1 << 63, 0, 0, bytes(32), Within(0, 0, 0, 0))])
    assert [TAR[5:], TAR[5:] + INDEX_SUFFIX] == [one.path for one in world.list()]
    world.put_index(TAR, [Listed("x", 1, 0, -(1 << 80) + 0o100644, bytes(32), Within(0, 0, 0, 0))])
    assert [one.mode for one in world.list()] == [0o644]


def test_an_index_knows_a_mode_of_0_and_1970(world: World) -> None:
    """They are what the file had, and not what nobody knows."""
    world.put_bundle(TAR, {"x": b""})
    world.put_index(TAR, [Listed("x", 1, 0, 0, bytes(32), Within(0, 0, 0, 0))])
    assert [(one.mode, one.mtime_ns) for one in world.list()] == [(0, 0)]


def test_an_index_that_grows_is_not_read_to_its_end(world: World) -> None:
    """No more is taken than the listing has shown."""
    world.put_bundle(TAR, {"x": b""})
    listing = [one._replace(length=min(one.length, 20)) for one in world.shelf.listing("site/")]
    opening = Unbundling("site", world.shelf, SUFFIXES, SimulatedClock(), world.notices.append)
    assert [TAR[5:], TAR[5:] + INDEX_SUFFIX] == [one.path for one in opening.wanted(listing)]


def test_an_index_without_its_bundle(world: World) -> None:
    """Its files are asked for: the store will say that they are missing."""
    world.put_bundle(TAR, {"x": b""})
    del world.shelf.objects[TAR]
    assert [(one.path, one.key, one.stored_size) for one in world.list()] == [("x", TAR, -1)]


def test_an_index_that_cannot_be_had(world: World) -> None:
    """A store that does not answer is asked again; one that refuses is told, and the tar is not taken for the files."""
    world.put_bundle(TAR, {"x": b""})
    world.shelf.fail("read", Fault(Transient("503")))
    assert told(world.list()) == {"x": ""}
    world.shelf.fail("read", Fault(Denied("403")))
    assert {TAR[5:] + INDEX_SUFFIX: "denied"} == told(world.list())
    world.shelf.fail("read", *[Fault(Transient("503"))] * ATTEMPTS_IN_A_RUN)
    assert {TAR[5:] + INDEX_SUFFIX: "no-answer"} == told(world.list())


def test_in_another_order(world: World) -> None:
    """A store that lists an index before its tar, or the tar last of all."""
    world.put_bundle(TAR, {"x": b""})
    world.shelf.put("site/zebra", b"")
    assert told(world.list(keys=[TAR + INDEX_SUFFIX, "site/zebra", TAR])) == {"zebra": "", "x": ""}


def test_no_path_leads_out(world: World) -> None:
    """Hazard 122: what an index says is looked at like any name; times beyond all systems are left out."""
    bad = ["../x", "/etc/passwd", "a/../../x", "n\0ul", "y" * 256, "a//b", "."]
    world.put_bundle(TAR, {**dict.fromkeys(bad, b""), "good": b""}, mtime_ns=1 << 80)
    found = world.list()
    assert {"refused-name"} == {one.refused for one in found if one.path != "good"}
    assert [(one.path, one.refused, one.mtime_ns) for one in found if one.path == "good"] == [("good", "", None)]
    assert len(bad) + 1 == len(found)


def test_two_files_of_one_path(world: World) -> None:
    """The first counts, a file before one in a bundle, and the later bundle before the earlier; the same bytes are one file."""
    other = "site/bundle-ffffffffffffffff.tar"
    world.shelf.put("site/plain", b"mine")
    world.put_bundle(TAR, {"plain": b"other", "x": b"one", "same": b"same"})
    world.put_bundle(other, {"x": b"two", "same": b"same"})
    found = world.list()
    assert [(one.path, one.refused) for one in found] == [
        ("plain", ""),
        ("plain", "collides"),
        ("x", ""),
        ("same", ""),
        ("x", "collides"),
    ]
    assert f"this one is in {other}" == found[-1].detail
    assert len(world.list(claims=False)) == 6


def test_two_keys_of_one_path(world: World) -> None:
    """One of them is escaped, the other is not outhaul's: the second is told."""
    world.shelf.put("site/a%", b"")
    world.shelf.put("site/a%25", b"")
    assert [one.refused for one in world.list()] == ["", "collides"]


def test_where_paths_fold_case() -> None:
    """Names that differ only by case are one, where the file system says so."""
    claims = Claims()
    assert [claims.claim("a"), claims.claim("A"), claims.claim("a")] == ["new", "new", "other"]
    claims.folds_case = True
    assert [claims.claim("b"), claims.claim("B")] == ["new", "other"]


def test_a_file_that_has_the_key_of_a_manifest(world: World) -> None:
    """It comes back as a file, and the group, whose manifest has a second key, as its files; also where the file has gone."""
    world.put_bundle("site/run.tar", {"run/x": b"x"}, kind="group")
    text = b"".join(world.shelf.read(f"site/run.tar{MANIFEST_SUFFIX}"))
    second = f"site/run.tar{MANIFEST_SUFFIX}~0123456789abcdef"
    world.shelf.put(second, text)
    assert {"run/x"} == {one.path for one in world.list()}  # Two of them say the same.
    world.shelf.put(f"site/run.tar{MANIFEST_SUFFIX}", b"a file of the user", replace=True)
    assert {"run/x", f"run.tar{MANIFEST_SUFFIX}"} == {one.path for one in world.list()}
    alone = World()
    alone.shelf.put("site/run.tar", b"tar")
    alone.shelf.put(second, text)
    assert {"run/x"} == {one.path for one in alone.list()}


def test_a_file_beside_that_cannot_be_read(world: World) -> None:
    """It is not known what it is, and that is told."""
    world.put_bundle("site/run.tar", {"run/x": b"x"}, kind="group")
    text = b"".join(world.shelf.read(f"site/run.tar{MANIFEST_SUFFIX}"))
    world.shelf.put(f"site/run.tar{MANIFEST_SUFFIX}~0123456789abcdef", text)
    world.shelf.fail("read", Fault(Denied("403")))
    assert {f"run.tar{MANIFEST_SUFFIX}": "denied", "run/x": ""} == {one.path: one.refused for one in world.list()}


@pytest.mark.parametrize("codec", ["", "zstd"])
def test_a_bundle_has_its_index_inside_too(world: World, codec: str) -> None:
    """Where none is beside it, its files are those, as the other would tell them; and one line says so."""
    key = world.put_packed(FILES, codec)
    inside = world.list()
    assert world.notices == [f"{key} has no index beside it: the one inside the bundle is used"]
    world.shelf.put(key + INDEX_SUFFIX, packed(FILES, codec).index_body)
    assert inside == world.list()
    assert told(inside) == {"a/x": "", "b": ""}
    assert {hashlib.sha256(content).digest() for content in FILES.values()} == {one.sha256 for one in inside}
    assert [key, key] == world.opened


def test_an_index_beside_that_is_damaged(world: World) -> None:
    """The one inside is used. What is beside it comes back as it is, for it may be a file of somebody's own."""
    key = world.put_packed(FILES)
    world.shelf.put(key + INDEX_SUFFIX, packed(FILES).index_body[:-30])
    assert {key[5:] + INDEX_SUFFIX: "", "a/x": "", "b": ""} == told(world.list())
    (notice,) = world.notices
    assert notice.startswith(f"{key}{INDEX_SUFFIX} is no index, and comes back as it is: ")
    assert notice.endswith("the one inside the bundle is used")


@pytest.mark.parametrize("error", [NotThere("404"), Denied("403"), Archived("frozen")])
def test_an_index_beside_that_is_not_given(world: World, error: StoreError) -> None:
    """Gone since it was listed, or refused: the one inside is used. From a store that does not answer nothing follows."""
    key = world.put_packed(FILES)
    world.shelf.put(key + INDEX_SUFFIX, packed(FILES).index_body)
    world.shelf.fail("read", Fault(error))
    assert told(world.list()) == {"a/x": "", "b": ""}
    assert [f"{key}{INDEX_SUFFIX} cannot be had ({error}): the one inside the bundle is used"] == world.notices
    world.shelf.fail("read", *[Fault(Transient("503"))] * ATTEMPTS_IN_A_RUN)
    assert {key[5:] + INDEX_SUFFIX: "no-answer"} == told(world.list())


def test_an_end_that_is_not_given(world: World) -> None:
    """A store that does not answer is asked again, and then the bundle is told; one that is frozen comes back as it is."""
    key = world.put_packed(FILES)
    world.shelf.fail("read", Fault(Transient("503")))
    assert told(world.list()) == {"a/x": "", "b": ""}
    world.shelf.fail("read", *[Fault(Transient("503"))] * ATTEMPTS_IN_A_RUN)
    assert {key[5:]: "no-answer"} == told(world.list())
    world.notices.clear()
    world.shelf.fail("read", Fault(Archived("frozen")))
    assert {key[5:]: ""} == told(world.list())
    assert len(world.notices) == 1


def test_an_index_inside_that_cannot_be_used(world: World) -> None:
    """Of a newer outhaul: the bundle is a tar."""
    key = world.put_packed(FILES, "gzip")
    assert {key[5:]: ""} == told(world.list())
    plain = packed(FILES)
    newer = plain.index_body.replace(b'"version": 1', b'"version": 9')
    old, new = (f".outhaul-index-{hashlib.sha256(text).digest()[:8].hex()}.json" for text in (plain.index_body, newer))
    start = plain.body.index(old.encode())
    body = plain.body[:start] + header(new, len(newer), 7, 0o644) + newer + padding(len(newer)) + END
    world.shelf.put(key, body, replace=True)
    world.shelf.put(TAR, body)
    assert {key[5:]: "", TAR[5:]: ""} == told(world.list())


def test_an_index_that_is_listed_late(world: World) -> None:
    """After it was thought that there is none: it is the one that counts, and no file is told twice."""
    key = world.put_packed(FILES)
    world.shelf.put(key + INDEX_SUFFIX, packed(FILES).index_body)
    world.shelf.put("site/zebra", b"")
    keys = [key, "site/zebra", key + INDEX_SUFFIX]
    assert [one.path for one in world.list(keys=keys, claims=False)] == ["zebra", "a/x", "b"]
    assert world.notices == []


def test_the_later_of_two_bundles_counts_without_indexes_too(world: World) -> None:
    """By the time of the bundle, where there is no index beside it."""
    first, second = (world.put_packed({"x": content, "other": b""}) for content in (b"one", b"two"))
    listing = [one._replace(modified_ns=10**18 + (one.key == second)) for one in world.shelf.listing("site/")]
    opening = Unbundling("site", world.shelf, SUFFIXES, SimulatedClock(), world.notices.append, claims=Claims())
    found = list(opening.wanted(listing))
    assert [(second, ""), (first, "collides")] == [(one.key, one.refused) for one in found if one.path == "x"]


def test_a_bundle_that_was_compressed_once_more(world: World) -> None:
    """Its index does not fit the object: it is a file of somebody's own, whose notes tell what it was."""
    key = "site/bundle-0123456789abcdef.tar.zst"
    world.shelf.put(key, open_codec("zstd").encode_bytes(packed(FILES).body))
    assert {key[5:]: ""} == told(world.list())
    assert len(world.notices) == 1
