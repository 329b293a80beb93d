"""Index texts and keys of objects that carry several files."""

import pytest

from outhaul.model.bundle import (
    Index,
    Kind,
    Listed,
    Member,
    bundle_key,
    destination_prefix,
    index_of,
    index_text,
    is_beside,
    is_too_long,
    object_of,
)
from outhaul.model.evidence import Sighting, Within
from outhaul.model.keys import second_key

DIGEST = bytes(range(32))
MEMBERS = (
    Member(Sighting("a/é", "odd\udcff%\n", 1, 2, 5, 10**18 + 1, 7), 0o640, DIGEST, Within(0, 10, 20, 30)),
    Member(Sighting("", "top", 1, 3, 0, -1, 7), 0o644, DIGEST, Within(0, 30, 0, 0)),
)


def test_an_index_is_read_back() -> None:
    """Every name, size, time, mode, digest and place; one line for each file."""
    text = index_text("bundle", "zstd", MEMBERS)
    listed = [
        Listed("a/é/odd\udcff%\n", 5, 10**18 + 1, 0o640, DIGEST, Within(0, 10, 20, 30)),
        Listed("top", 0, -1, 0o644, DIGEST, Within(0, 30, 0, 0)),
    ]
    assert Index("bundle", "zstd", -1, b"", listed) == index_of(text)
    assert len(MEMBERS) + 2 == len(text.splitlines())


def test_a_manifest_tells_of_its_object() -> None:
    """Size and digest of the tar stand in it."""
    assert index_of(index_text("group", "", (), size=99, sha256=DIGEST))[:4] == ("group", "", 99, DIGEST)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"{}", b'{"outhaul": "x", "version": 1, "codec": "none", "members": []}',
        b'{"outhaul": "bundle", "version": 2, "codec": "none", "members": []}',
        b'{"outhaul": "bundle", "version": 1, "codec": "none", "members": [{}]}',
        b'{"outhaul": "bundle", "version": 1, "codec": "none", "members": 3}',
        index_text("bundle", "", MEMBERS).replace(b'"offset": 10', b'"offset": -10'),
        index_text("bundle", "", MEMBERS).replace(b'"offset": 10', b'"offset": true'),
        index_text("bundle", "", MEMBERS).replace(b'"offset": 10', b'"offset": "10"'),
        index_text("bundle", "", MEMBERS).replace(DIGEST.hex().encode(), b"00"),
        index_text("bundle", "", MEMBERS).replace(b'"0640"', b'"0888"'),
        index_text("bundle", "", MEMBERS).replace(b"%25", b"%"),
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_index_is_refused(text: bytes) -> None:
    """Whatever stands in a bucket under such a key: one error, no other."""
    with pytest.raises(ValueError, match=r"."):
        index_of(text)


@pytest.mark.parametrize(
    ("paths", "directory"),
    [
        (["a/b/c", "a/b/d"], "a/b/"),
        (["a/bc/x", "a/bd/x"], "a/"),
        (["a", "b"], ""),
        (["a/x"], "a/"),
        (["a/b", "ab"], ""),
    ],
)
def test_a_bundle_lies_beneath_what_its_files_share(paths: list[str], directory: str) -> None:
    """The deepest directory of all, and a name that follows from the bytes."""
    assert bundle_key("p", paths, DIGEST, ".zst") == f"p/{directory}bundle-0001020304050607.tar.zst"


def test_a_bundle_has_a_key_that_a_store_takes() -> None:
    """Where the directory is too deep for its key, that of its index, and second keys of both, it is one above."""
    deep = "/".join(["d" * 200] * 5)
    assert bundle_key("p", [f"{deep}/a", f"{deep}/b"], DIGEST, "") == f"p/{deep[:804]}bundle-0001020304050607.tar"
    prefix = "p" * 970
    assert bundle_key(prefix, [f"{deep}/a", f"{deep}/b"], DIGEST, "") == f"{prefix}/bundle-0001020304050607.tar"
    longest = "l" * (1024 - 48)
    assert (is_too_long(longest), is_too_long(longest + "l")) == (False, True)


def test_an_index_is_known_by_its_key() -> None:
    """Beside a bundle or a group, and nothing else."""
    key = bundle_key("", ["x"], DIGEST, ".bz2")
    assert [
        is_beside(key + ".index.json"), is_beside("p/" + key + ".index.json"), is_beside("g.tar.zst.manifest.json"),
        is_beside("g.tar.manifest.json~0123456789abcdef"), is_beside(key), is_beside("my.index.json"),
    ] == [True, True, True, True, False, False]  # fmt: skip
    assert [key, "g.tar"] == [object_of(key + ".index.json"), object_of("g.tar.manifest.json")]
    second = "g.tar~0123456789abcdef"
    assert second == object_of(f"{second}.manifest.json") == object_of(f"{second}.manifest.json~fedcba9876543210")


@pytest.mark.parametrize(
    ("kind", "key", "paths", "expected"),
    [
        ("bundle", "site/bundle-0.tar", ["a", "b/c"], "site"),
        ("bundle", "site/a/bundle-0.tar", ["a/x", "a/y"], "site"),
        ("bundle", "a/bundle-0.tar", ["a/x", "a/y"], ""),
        ("bundle", "bundle-0.tar", ["x", "y"], ""),
        ("bundle", "xa/bundle-0.tar", ["a/x", "a/y"], "xa"),
        ("bundle", "100%25/bundle-0.tar", ["100%/x", "100%/y"], ""),
        ("bundle", "site/bundle-0.tar", [], "site"),
        ("group", "site/a/b.tar", ["a/b/x", "log/z"], "site"),
        ("group", "a/b.tar.zst~0123456789abcdef", ["a/b/x"], ""),
        ("group", "elsewhere/c.tar", ["a/b/x"], "elsewhere"),
        ("group", "elsewhere/c", ["a/b/x"], "elsewhere"),
    ],
)
def test_the_destination_of_an_object(kind: Kind, key: str, paths: list[str], expected: str) -> None:
    """Paths in an index are relative to it; an object that was put elsewhere has its own folder for one."""
    members = [Listed(path, 0, 0, 0, bytes(32), Within(0, 0, 0, 0)) for path in paths]
    assert expected == destination_prefix(key, Index(kind, "", -1, b"", members))


@pytest.mark.parametrize("deep", ["a/b/", "/".join(["d" * 200] * 5) + "/", "100%/" * 240])
@pytest.mark.parametrize("prefix", ["", "site", "a", "site/" + "p" * 900])
def test_the_destination_of_a_bundle_follows_from_its_key(prefix: str, deep: str) -> None:
    """Also of one that lies above the directory of its files, since its key would be too long there."""
    paths = [f"{deep}x", f"{deep}y"]
    members = [Listed(path, 0, 0, 0, bytes(32), Within(0, 0, 0, 0)) for path in paths]
    key = bundle_key(prefix, paths, DIGEST, ".zst")
    for one in (key, second_key(key, DIGEST)):
        assert prefix == destination_prefix(one, Index("bundle", "zstd", -1, b"", members))
