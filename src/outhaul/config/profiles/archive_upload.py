"""The YAML of archive-upload: directories with patterns, a local archive of .bz2 copies, and a bucket with a base key.

Each directory becomes a job: `bzip2`, the key made of the name alone, and an archive that holds what is stored. A directory
that is listed twice with different destinations becomes two jobs, of which the second excludes what the first includes,
as the first entry has always had its files first.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from outhaul.config.formats import Document
from outhaul.config.profiles.profile import Change, Profile, Profiled, Surroundings, duration
from outhaul.config.profiles.reading import Old, asks_for_temporary_names, named
from outhaul.config.wording import shown
from outhaul.model.address import destination
from outhaul.model.patterns import broken

FINISHED_SECS = 5.0
LONGEST_DAYS = 3650
LEVEL = "INFO"
_TOP = ("log-file-dir", "log-level", "directories")
_DIRECTORY = ("directory", "file-patterns", "archive-dir", "bucket-and-key", "delete-after")
_PATTERN = ("pattern", "finished-secs")
_OPEN = "A file that is open for writing waits, and a source goes only when the object is proved and the copy is in archive-dir."
_LOGS = "The command archive-upload writes the log file of log-file-dir; outhaul itself logs to standard error."


class Logs(NamedTuple):
    """What is to become of the log of the older command."""

    directory: str
    level: str
    """Name of a level of `logging`."""


class _Entry(NamedTuple):
    """One entry of `directories`."""

    position: int
    line: int
    directory: str
    archive: str
    to: str
    keep_days: float
    patterns: list[tuple[str, float]]


def compile(document: Document, surroundings: Surroundings) -> Profiled:
    """The jobs of such a configuration, in the native form."""
    old = Old(document, surroundings)
    logs(old)
    old.note_others((), _TOP, "has no meaning, and had none")
    entries = [entry for index in old.indices(("directories",)) if (entry := _entry(old, index)) is not None]
    if not entries and not old.problems:
        old.problem((), "lists no directories; there is nothing to carry")
    made = Profiled({"job": []}, {}, [Change((), _OPEN), Change((), _LOGS)], old.problems)
    made.changes.extend(Change((), text) for text in old.notes)
    if not old.problems:
        _jobs(entries, old, made)
    return made


def logs(old: Old) -> Logs:
    """Where the log goes, and how much is in it."""
    directory = old.text(("log-file-dir",), "/var/log/archive-upload", default="~/.archive-upload/log")
    level = old.text(("log-level",), LEVEL, default=LEVEL).upper()
    if not isinstance(logging.getLevelName(level), int):
        old.problem(("log-level",), f"expected DEBUG, INFO, WARNING, ERROR or CRITICAL, not {shown(level)}")
        level = LEVEL
    return Logs(old.absolute(("log-file-dir",), directory), level)


def _entry(old: Old, index: int) -> _Entry | None:
    where = ("directories", index)
    if not old.is_table(where):
        return None
    before = len(old.problems)
    old.note_others(where, _DIRECTORY, "has no meaning, and had none")
    directory = old.path((*where, "directory"), "/home/pi/data")
    archive = old.path((*where, "archive-dir"), "/home/pi/archive")
    to = _destination(old, (*where, "bucket-and-key"))
    days = old.number((*where, "delete-after"), default=0.0, none_is_default=True)
    if days > LONGEST_DAYS:
        old.notes.append(f"{old.named((*where, 'delete-after'))}: more than ten years is for ever.")
    patterns = list(_patterns(old, (*where, "file-patterns")))
    if len(old.problems) > before:
        return None
    return _Entry(index, old.line(where), directory, archive, to, max(days, 0.0), patterns)


def _destination(old: Old, where: tuple[str | int, ...]) -> str:
    text = old.text(where, "my-bucket/base/key")
    if re.match("s3:/+", text, re.IGNORECASE):
        old.notes.append(
            f"{old.named(where)}: s3:// in front of the bucket is understood now; before, nothing arrived."
        )
    there = "s3://" + str(PurePosixPath(re.sub("^s3:/*", "", text.strip("/"), flags=re.IGNORECASE)))
    try:
        return destination(there, str).address if text else ""
    except ValueError:
        old.problem(where, f"{shown(text)} begins with no name of a bucket; write my-bucket/base/key")
        return ""


def _patterns(old: Old, where: tuple[str | int, ...]) -> Iterator[tuple[str, float]]:
    for index in old.indices(where):
        there = (*where, index)
        if not old.is_table(there):
            continue
        old.note_others(there, _PATTERN, "has no meaning, and had none")
        pattern = old.text((*there, "pattern"), "*.csv")
        seconds = old.number((*there, "finished-secs"), default=FINISHED_SECS)
        if pattern and (wrong := _wrong(pattern)):
            old.problem((*there, "pattern"), wrong)
        elif pattern:
            yield _native(pattern), max(seconds, 0.0)
    if not old.items(where) and not old.said(where):
        old.problem(where, "lists no patterns, so that nothing would be carried; write - pattern: '*.csv'")


def _wrong(pattern: str) -> str:
    parts = PurePosixPath(pattern).parts
    if pattern.startswith("/") or ".." in parts:
        return f"{shown(pattern)} leads out of the directory; list that directory as one of its own"
    if parts and parts[-1] == "**":
        return f'{shown(pattern)} matches directories only; write "{pattern.rstrip("/")}/*"'
    if any("**" in part and part != "**" for part in parts):
        return f"{shown(pattern)} cannot be read: ** stands alone between two /"
    wrong = broken(_native(pattern))
    return f"{shown(pattern)} {wrong}" if wrong else ""


def _native(pattern: str) -> str:
    """A pattern without `**` is of the directory itself, as `Path.glob` has it."""
    path = str(PurePosixPath(pattern))
    return path if path.startswith("**/") else f"/{path}"


# --- jobs -----------------------------------------------------------------------------------------------------------


def _jobs(entries: list[_Entry], old: Old, made: Profiled) -> None:
    merged = _merged(entries, old)
    names = named([(entry.directory, f"{entry.directory}\n{entry.to}") for entry in merged])
    for entry, name in zip(merged, names, strict=True):
        before = [
            pattern for other in merged[: len(made.tree["job"])] if other.directory == entry.directory
            for pattern, _ in other.patterns
        ]  # fmt: skip
        _add(entry, name, before, old, made)


def _merged(entries: list[_Entry], old: Old) -> list[_Entry]:
    """Entries of one directory that go to one place are one job."""
    merged: dict[tuple[str, str], _Entry] = {}
    for entry in entries:
        first = merged.setdefault((entry.directory, entry.to), entry)
        if first is entry:
            continue
        if (first.archive, first.keep_days) != (entry.archive, entry.keep_days):
            text = (
                f"goes to {entry.to} as directories[{first.position}] does, but has another archive-dir or delete-after"
            )
            old.problem(("directories", entry.position), f"{text}; write the same for both")
        first.patterns.extend(entry.patterns)
    return list(merged.values())


def _add(entry: _Entry, name: str, before: list[str], old: Old, made: Profiled) -> None:
    where = ("job", len(made.tree["job"]))
    include = list(dict.fromkeys(pattern for pattern, _ in entry.patterns))
    exclude = list(dict.fromkeys(before))
    if entry.archive == entry.directory:
        exclude += ["*.bz2", "*.bz2~*"]
        made.changes.append(Change((*where, "exclude"), "The copies that archive-dir gets are not compressed again."))
    after: dict[str, Any] = {"archive": entry.archive, "form": "stored"}
    if 0 < entry.keep_days <= LONGEST_DAYS:
        after["keep"] = duration(entry.keep_days * 86_400)
    job: dict[str, Any] = {
        "name": name, "source": entry.directory, "to": entry.to, "key": "{name}", "include": include,
        **({"exclude": exclude} if exclude else {}),
        **({"temporary-names": True} if asks_for_temporary_names(include) else {}),
        "settle": _settle(entry), "compress": "bzip2", "after": after, "region": "auto",
    }  # fmt: skip
    made.tree["job"].append(job)
    made.changes.append(Change((*where, "key"), "Two files of one name are both kept: the second under a second key."))
    made.changes.append(Change((*where, "after"), _AFTER))
    _origins(entry, where, old, made)


_AFTER = (
    "archive-dir gets the .bz2 when the object is proved; before, the source had gone first. "
    "Only what outhaul put there leaves it."
)


def _settle(entry: _Entry) -> dict[str, Any]:
    """The shortest time counts where several patterns match: whichever said so first had the file."""
    ordered = sorted(entry.patterns, key=lambda each: each[1])
    shortest = ordered[0][1]
    settle: dict[str, Any] = {"quiet": duration(shortest)}
    if ordered[-1][1] != shortest:
        times: dict[str, str] = {}
        for pattern, seconds in ordered:
            times.setdefault(pattern, duration(seconds))
        settle["quiet-for"] = times
    return settle


def _origins(entry: _Entry, where: tuple[str, int], old: Old, made: Profiled) -> None:
    there: tuple[str | int, ...] = ("directories", entry.position)
    made.origins[where] = (entry.line, old.named(there))
    for key, of_old in (
        ("source", "directory"), ("to", "bucket-and-key"), ("include", "file-patterns"), ("after", "archive-dir"),
        ("settle", "file-patterns"),
    ):  # fmt: skip
        made.origins[(*where, key)] = (old.line((*there, of_old)), old.named((*there, of_old)))
    made.origins[(*where, "after", "keep")] = (old.line((*there, "delete-after")), old.named((*there, "delete-after")))


def _recognises(tree: object) -> bool:
    return isinstance(tree, dict) and "directories" in tree and "base_dir" not in tree


def is_copy(name: str) -> bool:
    """Whether a name in archive-dir is one that such a copy has: `x.bz2`, or its second name."""
    return name.endswith(".bz2") or re.search(r"\.bz2~[0-9a-f]{16}\Z", name) is not None


PROFILE = Profile("archive-upload", _recognises, compile)
