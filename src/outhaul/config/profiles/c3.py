"""The YAML of C3: a directory whose files of some extensions are copied to a bucket, daily, and a directory to fetch them to.

The README and the schema of C3 name the storage class differently; both are read. The job keeps its sources, and looks at
every file at each pass, so that one with an old date is not missed. What the native form has no words for yet, the daily
time, and what is for the way back, are given by `daily` and `fetching`.
"""

from __future__ import annotations

import shlex
from datetime import time
from typing import Any, NamedTuple

from outhaul.config.formats import Document
from outhaul.config.profiles.profile import Change, Profile, Profiled, Surroundings
from outhaul.config.profiles.reading import Old, asks_for_temporary_names, named
from outhaul.config.wording import Where, shown

_TABLES: dict[Where, tuple[str, ...]] = {
    (): ("input", "output", "target", "job"),
    ("input",): ("path", "file-extensions"),
    ("output",): ("path",),
    ("target",): ("max-uploaded-file", "max-download-file", "provider"),
    ("target", "provider"): ("aws",),
    ("target", "provider", "aws"): ("region", "bucket-name", "storage-class", "storage-policy"),
    ("job",): ("job-description", "runtime"),
    ("job", "runtime"): ("at",),
}
_AWS = ("target", "provider", "aws")
_AT = ("job", "runtime", "at")
_UNITS = {"hour": 24, "minute": 60, "second": 60}
_SENDS = "Files are really sent, and proved; before, only the date of the last one was noted."
_EVERY = (
    "Every file is looked at, and goes once; before, one whose date was not after that of the last was never taken. "
    "last-upload.json has no meaning any more."
)
_NAMES = "Where a name is used again, both files are kept: the later one under a second key."
_CASE = "Upper and lower case count, as before: .JPG is not .jpg."


class Fetching(NamedTuple):
    """What `c3 -d` is to do."""

    to: str
    """Absolute path of the directory."""
    limit: int
    """How many files at most; 0 is no limit."""


def compile(document: Document, surroundings: Surroundings) -> Profiled:
    """The job of such a configuration, in the native form."""
    old = Old(document, surroundings)
    _check_tables(old)
    job = _job(old)
    at = daily(old)
    # Only a download needs a directory for it.
    fetched = fetching(old) if old.has(("output", "path")) else Fetching("", _fetched_at_most(old))
    made = Profiled({"job": []}, {}, [], old.problems)
    if not old.problems:
        made.tree["job"].append(job)
        _tell(old, made, at, fetched)
        _origins(old, made)
    return made


def daily(old: Old) -> time | None:
    """When it is to run each day, by the machine's clock; None where nothing is said of it."""
    if not old.has(_AT):
        return None
    found: dict[str, int] = {}
    for index in old.indices(_AT, "hour, minute and second"):
        for unit in old.get((*_AT, index)) if old.is_table((*_AT, index)) else ():
            _take(old, (*_AT, index, unit), found)
    if "hour" not in found and not old.said(_AT):
        old.problem(_AT, "says no hour; write - hour: 3")
    return None if old.said(_AT) else time(found["hour"], found.get("minute", 0), found.get("second", 0))


def fetching(old: Old) -> Fetching:
    """Where files are fetched to, and how many."""
    return Fetching(old.path(("output", "path"), "/home/pi/restored"), _fetched_at_most(old))


def _fetched_at_most(old: Old) -> int:
    return old.count(("target", "max-download-file"), "files")


def _take(old: Old, where: Where, found: dict[str, int]) -> None:
    unit, value = str(where[-1]), old.get(where)
    if unit not in _UNITS:
        old.problem(where, "is no part of a time; the parts are hour, minute and second")
        return
    if isinstance(value, str) and value.isdecimal():
        value = int(value)  # YAML 1.1 takes 08 and 09 for text, as they are no octal numbers.
    if unit in found:
        old.problem(where, f"stands twice; write one {unit}")
    elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _UNITS[unit]:
        old.problem(where, f"expected a number from 0 to {_UNITS[unit] - 1}, not {shown(value)}")
        value = 0
    found[unit] = value


def _check_tables(old: Old) -> None:
    """Unknown keys are refused, as they were. What is missing is told by whoever needs it."""
    for where, known in _TABLES.items():
        if not where or (old.has(where) and old.is_table(where)):
            old.refuse_others(where, known)


def _job(old: Old) -> dict[str, Any]:
    source = old.path(("input", "path"), "/home/pi/photos")
    include = [f"/*{_literal(each)}" for each in _extensions(old)]
    storage_class = _storage_class(old)
    limit = old.count(("target", "max-uploaded-file"), "files")
    region = old.text((*_AWS, "region"), "eu-central-1", default="")
    return {
        "name": named([(source, "")])[0], "source": source, "to": f"s3://{old.bucket((*_AWS, 'bucket-name'))}",
        **({"region": region} if region else {}),
        "include": list(dict.fromkeys(include)),
        **({"temporary-names": True} if asks_for_temporary_names(include) else {}),
        "settle": {"quiet": "5s"},
        **({"object": {"storage-class": storage_class}} if storage_class else {}),
        **({"max-files": limit} if limit else {}),
        "after": "keep",
    }  # fmt: skip


def _extensions(old: Old) -> list[str]:
    where: Where = ("input", "file-extensions")
    found = []
    for index in old.indices(where):
        text = old.text((*where, index), ".jpg")
        if text and (wrong := _wrong(text)):
            old.problem((*where, index), wrong)
        found.append(text)
    if not found and not old.said(where):
        old.problem(where, "lists no extensions, so that nothing would be carried; write - .jpg")
    return found


def _wrong(extension: str) -> str:
    if "/" in extension or "\0" in extension:
        return f"{shown(extension)} can end no file name; write an extension such as .jpg"
    return "" if extension.startswith(".") else f"{shown(extension)} has no dot, so that it fitted no file; write .jpg"


def _literal(text: str) -> str:
    """A pattern that matches this text alone."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)


def _storage_class(old: Old) -> str:
    both = [(*_AWS, key) for key in ("storage-class", "storage-policy") if old.has((*_AWS, key))]
    found = [old.text(where, "STANDARD_IA") for where in both]
    if len(set(found)) > 1:
        old.problem(both[1], f"says {shown(found[1])}, and storage-class says {shown(found[0])}; leave one out")
    return found[0] if found else ""


def _tell(old: Old, made: Profiled, at: time | None, fetched: Fetching) -> None:
    whole = [_SENDS, _EVERY]
    if at is not None:
        whole.append(
            f"Daily at {at:%H:%M:%S}, as job.runtime.at says: `c3 -n` stays and does so. From cron, to the minute:"
        )
        whole.append(f"    {at.minute} {at.hour} * * * outhaul run CONFIG")
    if fetched.to:
        most = f" --max-files {fetched.limit}" if fetched.limit else ""
        whole.append("`c3 -d` is:")
        whole.append(f"    outhaul mirror {made.tree['job'][0]['to']} --to {shlex.quote(fetched.to)}{most}")
    if description := old.get(("job", "job-description")):
        whole.append(f"job-description: {shown(description)}")
    made.changes.extend(Change((), text) for text in whole)
    made.changes.extend([Change(("job", 0, "include"), _CASE), Change(("job", 0, "to"), _NAMES)])


def _origins(old: Old, made: Profiled) -> None:
    storage = "storage-class" if old.has((*_AWS, "storage-class")) else "storage-policy"
    of_old: dict[Where, Where] = {
        (): ("input",), ("source",): ("input", "path"), ("include",): ("input", "file-extensions"),
        ("to",): (*_AWS, "bucket-name"), ("region",): (*_AWS, "region"), ("object",): (*_AWS, storage),
        ("max-files",): ("target", "max-uploaded-file"),
    }  # fmt: skip
    for where, there in of_old.items():
        made.origins["job", 0, *where] = (old.line(there), old.named(there))


def _recognises(tree: object) -> bool:
    return isinstance(tree, dict) and sum(key in tree for key in ("input", "output", "target")) >= 2


PROFILE = Profile("C3", _recognises, compile)
