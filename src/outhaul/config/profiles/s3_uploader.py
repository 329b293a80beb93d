"""The JSON of s3-uploader: a directory whose .dat files go to a bucket, under their paths, and are then removed.

`base_dir` and `s3_bucket` are all that it says; the region is that of the environment. Directories of a date that have long
been empty are removed too, as its users have wished.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from outhaul.config.formats import Document
from outhaul.config.profiles.profile import Change, Profile, Profiled, Surroundings
from outhaul.config.profiles.reading import Old, named

REGION = "auto"
"""Where the bucket is, unless AWS_DEFAULT_REGION says otherwise."""
REGION_VARIABLE = "AWS_DEFAULT_REGION"
_KEYS = ("base_dir", "s3_bucket")
_TWO = "/[0-9][0-9]"
_YEAR = "**/[0-9][0-9][0-9][0-9]"
DATES = [_YEAR + _TWO * parts for parts in range(4)]
"""Directories YYYY, YYYY/MM, YYYY/MM/DD and YYYY/MM/DD/HH."""
_PATIENCE = (
    "A file that is open for writing waits, and each goes when its object is proved; before, a file went as it was, "
    "and all were removed together at the end."
)
_KEY = (
    "The key is the whole path below base_dir; before, it was the last six parts of the path, however deep it lay, and "
    "two files could have one key."
)
_LINKS = "Symbolic links are left alone; before, what they lead to was sent, and the link removed."
_EMPTY = "Directories of a date go when they have been empty for a day; others, and base_dir itself, stay."


def compile(document: Document, surroundings: Surroundings) -> Profiled:
    """The job of such a configuration, in the native form."""
    old = Old(document, surroundings)
    old.note_others((), _KEYS, "has no meaning, and had none")
    source = old.path(("base_dir",), "/home/pi/data")
    bucket = old.bucket(("s3_bucket",))
    made = Profiled({"job": []}, {}, [Change((), text) for text in old.notes], old.problems)
    if not old.problems:
        region = surroundings.environ.get(REGION_VARIABLE, "")
        made.tree["job"].append(_job(source, bucket, region or REGION))
        _tell(old, made, region)
    return made


def base_directory(document: Document) -> str:
    """`base_dir` as the log names it: as it is written, without what means nothing in it."""
    tree = document.tree
    return str(PurePosixPath(str(tree.get("base_dir", "")))) if isinstance(tree, dict) else ""


def _job(source: str, bucket: str, region: str) -> dict[str, Any]:
    return {
        "name": named([(source, "")])[0], "source": source, "to": f"s3://{bucket}", "region": region,
        "include": ["*.dat"], "settle": {"quiet": "5s"}, "after": "delete",
        "empty-directories": {"remove-after": "1d", "include": list(DATES)},
    }  # fmt: skip


def _tell(old: Old, made: Profiled, region: str) -> None:
    said = (
        f"{REGION_VARIABLE} says so."
        if region
        else f"{REGION_VARIABLE} says nothing: S3 is asked. Before, it began with us-west-2, and was led on."
    )
    changes = (
        ("to", _KEY), ("region", said), ("include", _LINKS), ("settle", _PATIENCE), ("empty-directories", _EMPTY),
    )  # fmt: skip
    made.changes.extend(Change(("job", 0, key), text) for key, text in changes)
    made.origins["job", 0] = (old.line(("base_dir",)), "base_dir")
    made.origins["job", 0, "to"] = (old.line(("s3_bucket",)), "s3_bucket")
    made.origins["job", 0, "region"] = (0, REGION_VARIABLE)


def _recognises(tree: object) -> bool:
    return isinstance(tree, dict) and any(key in tree for key in _KEYS)


PROFILE = Profile("s3-uploader", _recognises, compile)
