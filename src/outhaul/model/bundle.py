"""One object that carries several files: who is in it, where, and the index that says so.

A bundle is many small files of a job; a group is the files of a directory that belong together. Both are one tar, perhaps
compressed, and beside it a JSON text: of a bundle the index, which is its last member too; of a group the manifest, without
which the group does not count. docs/format.md describes both for people. Nothing is read or written here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from outhaul.model.evidence import Sighting, Within
from outhaul.model.keys import KEY_BYTES_MAX, escape, object_key, path_of, second_key
from outhaul.model.tar import BLOCK, read_header

Kind = Literal["bundle", "group"]
INDEX_SUFFIX = ".index.json"
MANIFEST_SUFFIX = ".manifest.json"
INDEX_BYTES_MAX = 256 << 20
"""A larger one is none of ours."""
_VERSION = 1
_INSIDE = ".outhaul-index-"
_quoted = json.encoder.encode_basestring_ascii
"""What `json.dumps` makes of a string."""
_BESIDE = re.compile(
    r"(?:.*/)?(?:bundle-[0-9a-f]{16}\.tar(?:\.[a-z0-9]+)?(?:~[0-9a-f]{16})?\.index"
    r"|.+\.tar(?:\.[a-z0-9]+)?(?:~[0-9a-f]{16})?\.manifest)\.json"
    r"(?:~[0-9a-f]{16})?",  # A file of a source may have the key of a manifest; then this is a second key.
    re.DOTALL,
)
_ENDING = re.compile(rf"(?:{re.escape(INDEX_SUFFIX)}|{re.escape(MANIFEST_SUFFIX)})(?:~[0-9a-f]{{16}})?\Z")
MANIFEST = re.compile(rf"{re.escape(MANIFEST_SUFFIX)}(?:~[0-9a-f]{{16}})?\Z")
"""What the key of a manifest has beyond that of its group."""
_STEM = re.compile(r"(.+)\.tar(?:\.[a-z0-9]+)?(?:~[0-9a-f]{16})?", re.DOTALL)
_SECOND = re.compile(r"~[0-9a-f]{16}\Z")
_BESIDE_MAX = 2 * len(second_key("", bytes(8))) + len(MANIFEST_SUFFIX)
"""Bytes: each of the two may have a second key."""


class Member(NamedTuple):
    """One file in such an object."""

    sighting: Sighting
    mode: int
    """Permission bits."""
    sha256: bytes
    within: Within


class Bundle(NamedTuple):
    """Such an object, as it is to be sent."""

    kind: Kind
    key: str
    length: int
    sha256: bytes
    """With the next: b'' of a group that has not been sent yet."""
    md5: bytes
    codec: str
    """'' for none."""
    members: tuple[Member, ...]


class Listed(NamedTuple):
    """One file as an index tells of it."""

    path: str
    size: int
    mtime_ns: int
    mode: int
    sha256: bytes
    within: Within


class Index(NamedTuple):
    """What an index or a manifest says."""

    kind: Kind
    codec: str
    size: int
    """Bytes of the object; -1 where it does not say."""
    sha256: bytes
    """Of the object; b'' where it does not say."""
    members: list[Listed]


def index_text(kind: Kind, codec: str, members: Iterable[Member], *, size: int = -1, sha256: bytes = b"") -> bytes:
    """The index of a bundle, or the manifest of a group, which knows size and digest of its tar."""
    rows = [
        _row(sighting.path, sighting.size, sighting.mtime_ns, mode, digest, within)
        for sighting, mode, digest, within in members
    ]
    return _text(kind, codec, size, sha256, rows)


def text_of(index: Index) -> bytes:
    """The text of an index as it is written today, with its files in the order of their paths: so that two that say the same
    are the same."""
    return _text(index.kind, index.codec, index.size, index.sha256, [_row(*member) for member in sorted(index.members)])


def _text(kind: Kind, codec: str, size: int, sha256: bytes, rows: list[str]) -> bytes:
    told: dict[str, Any] = {"outhaul": kind, "version": _VERSION, "codec": codec or "none"}
    if sha256:
        told |= {"size": size, "sha256": sha256.hex()}
    head = json.dumps(told)[:-1]
    # A line for each file: a person can read it, and grep finds one.
    return "".join([head, ', "members": [\n', ",\n".join(rows), "\n]}\n"]).encode()


def _row(path: str, size: int, mtime_ns: int, mode: int, digest: bytes, within: Within) -> str:
    """A line of an index. Written as it is: `json.dumps` of it takes three times as long, and nothing but the path needs care."""
    return (
        f'{{"path": {_quoted(escape(path))}, "size": {size}, "mtime_ns": {mtime_ns}, '
        f'"mode": "{mode:04o}", "sha256": "{digest.hex()}", '
        f'"offset": {within.offset}, "length": {within.length}, "at": {within.at}}}'
    )


def beside(bundle: Bundle, key: str) -> tuple[str, bytes]:
    """Key and text of what says who is in a bundle or group that is under `key`."""
    if bundle.kind == "bundle":
        return key + INDEX_SUFFIX, index_text("bundle", bundle.codec, bundle.members)
    manifest = index_text("group", bundle.codec, bundle.members, size=bundle.length, sha256=bundle.sha256)
    return key + MANIFEST_SUFFIX, manifest


def inside_name(text: bytes) -> str:
    """The name of the last member of a bundle, which is its index: it has the digest of this text, so it proves itself."""
    return f"{_INSIDE}{hashlib.sha256(text).digest()[:8].hex()}.json"


def index_in(tar: bytes) -> bytes | None:
    """The text of the index that is a member of a tar, of which these bytes are the end; None where there is none.

    It is looked for from the end on, and the first member of that name decides.
    """
    at = len(tar)
    while (at := tar.rfind(_INSIDE.encode(), 0, at)) >= 0:
        found = read_header(tar[at : at + BLOCK]) if (len(tar) - at) % BLOCK == 0 else None
        if found is not None:
            name, size = found
            text = tar[at + BLOCK : at + BLOCK + size]
            return text if name == inside_name(text) else None
    return None


def index_of(text: bytes) -> Index:
    """The opposite of `index_text`.

    Raises:
        ValueError: it is no index of ours, or holds what no index holds.
    """
    try:
        told = json.loads(text)
        if told["outhaul"] not in ("bundle", "group") or told["version"] != _VERSION:
            raise ValueError("it is no index of this outhaul")
        codec = str(told["codec"])
        members = [_listed(row) for row in told["members"]]
        return Index(
            told["outhaul"], "" if codec == "none" else codec, int(told.get("size", -1)),
            bytes.fromhex(told.get("sha256", "")), members,
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is no index of outhaul: {error}") from None


def _listed(row: dict[str, Any]) -> Listed:
    numbers = [row[name] for name in ("size", "mtime_ns", "offset", "length", "at")]
    if not all(type(number) is int for number in numbers) or min(numbers[0], *numbers[2:]) < 0:
        raise ValueError("a number in the index is none")
    size, mtime_ns, offset, length, at = numbers
    sha256 = bytes.fromhex(row["sha256"])
    if len(sha256) != 32:
        raise ValueError("a digest in the index is none")
    return Listed(path_of(row["path"]), size, mtime_ns, int(row["mode"], 8), sha256, Within(0, offset, length, at))


def bundle_key(prefix: str, paths: Sequence[str], sha256: bytes, suffix: str) -> str:
    """The key of a bundle: beneath the directory that all its files share, named by its own bytes.

    So the same bytes always go to the same key, and others never do. Where that directory makes the key too long, it is one
    above it that does not.
    """
    return _beneath(prefix, paths, f"bundle-{sha256[:8].hex()}.tar{suffix}")


def is_too_long(key: str) -> bool:
    """Whether a store would not take an object that carries several files under this key, or what is written beside it."""
    return len(key.encode()) + _BESIDE_MAX > KEY_BYTES_MAX


def is_beside(key: str) -> bool:
    """Whether a key looks like that of an index or a manifest; only its text shows that it is one."""
    return _BESIDE.fullmatch(key) is not None


def object_of(key: str) -> str:
    """The key of the object that an index or manifest under `key` speaks of."""
    return _ENDING.sub("", key)


def destination_prefix(key: str, index: Index) -> str:
    """The prefix of the destination, from the key of an object and who is in it: paths are relative to that.

    A bundle lies beneath the deepest directory that its files share, a group beside the directory whose files it has. Where
    neither is so, somebody has put the object elsewhere: its own folder then stands for the source.
    """
    first = _SECOND.sub("", key)
    folder, _, name = first.rpartition("/")
    paths = [member.path for member in index.members]
    if index.kind == "bundle":
        for directory in _upwards(_shared(paths)) if paths else ():
            prefix = f"/{folder}/".removesuffix(f"/{escape(directory)}")
            if not prefix.endswith("/") and first == _beneath(prefix[1:], paths, name):
                return prefix[1:]
        return folder
    stem = _STEM.fullmatch(key)
    parts = stem[1].split("/") if stem else []
    for above in range(len(parts)):
        beneath = "/".join(parts[above:]) + "/"
        if any(escape(path).startswith(beneath) for path in paths):
            return "/".join(parts[:above])
    return folder


def _beneath(prefix: str, paths: Sequence[str], name: str) -> str:
    keys = (object_key(prefix, directory) + name for directory in _upwards(_shared(paths)))
    return next((key for key in keys if not is_too_long(key)), object_key(prefix, "") + name)


def _upwards(directory: str) -> Iterator[str]:
    """A directory with '/' at its end, and those above it; the last is ''."""
    while directory:
        yield directory
        directory = directory[: directory.rfind("/", 0, -1) + 1]
    yield ""


def _shared(paths: Sequence[str]) -> str:
    """The deepest directory that all paths lie in, with '/' at its end; '' for none."""
    first, last = min(paths), max(paths)
    same = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        same += 1
    return first[: first.rfind("/", 0, same) + 1]
