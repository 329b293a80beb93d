"""The recipe of the AWS Greengrass S3 file uploader: one pattern, one bucket, and the newest file left alone.

Its parameters stand in `ComponentConfiguration.DefaultConfiguration` of a recipe, in YAML or JSON; the component itself gets
them as arguments, in the order of `PARAMETERS` (`of_arguments`). Both come to the same job. `Via` is new: it says whether the
AWS Stream Manager sends the files, as it did before, or outhaul itself.

Not done here: how often it looks (`Interval`) and how much it logs (`LogLevel`) is the business of the command.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from outhaul.config.formats import Document
from outhaul.config.profiles.profile import Change, Profile, Profiled, Surroundings
from outhaul.config.profiles.reading import Old, named
from outhaul.config.wording import Where, shown
from outhaul.model.patterns import TEMPORARY_NAMES, broken, compile_patterns

PARAMETERS = ("PathName", "BucketName", "ObjectKeyPrefix", "Interval", "LogLevel", "Via")
REQUIRED = PARAMETERS[:5]
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
DIRECT, STREAM_MANAGER = "S3", "StreamManager"
LONGEST_INTERVAL_SECONDS = 366 * 86_400
_IN_RECIPE: Where = ("ComponentConfiguration", "DefaultConfiguration")
_QUIET, _NEWEST_LIMIT = "5s", "1m"

_NEWEST = (
    "The newest file is left alone as before, and goes once nobody has changed it for a minute and nobody has it open; "
    "before, it never went."
)
_OPEN = (
    "A file that is open for writing waits. One is removed when the store has proved that it holds it, and when it is still "
    "the file that was sent."
)
_CONFLICT = (
    "Where other bytes stand under a key, they stay, and the file goes to a second key; before, it took their place."
)


class Pacing(NamedTuple):
    """What the parameters say to the command alone."""

    interval_seconds: int
    """Between the end of a pass and the next; at least 1."""
    level: str
    """Name of a level of `logging`."""


def compile(document: Document, surroundings: Surroundings) -> Profiled:
    """The job of a recipe, in the native form."""
    return _compile(Old(document, surroundings), _IN_RECIPE)


def of_arguments(values: Sequence[str], surroundings: Surroundings) -> tuple[Profiled, Pacing]:
    """The same, of the arguments of the component: five or six, in the order of `PARAMETERS`."""
    given = Document(dict(zip(PARAMETERS, values, strict=False)), lambda _: 0)
    old = Old(given, surroundings)
    return _compile(old, ()), Pacing(_interval(Old(given, surroundings), ()), _level(Old(given, surroundings), ()))


def _compile(old: Old, where: Where) -> Profiled:
    old.note_others(where, PARAMETERS, "has no meaning, and had none")
    source, pattern = _path_name(old, (*where, "PathName"))
    to = _to(old, where)
    seconds, _ = _interval(old, where), _level(old, where)
    via = _via(old, (*where, "Via"))
    made = Profiled({"job": []}, {}, [Change((), _OPEN)], old.problems)
    made.changes.extend(Change((), text) for text in old.notes)
    if not old.problems:
        _add(source, pattern, to, via, made)
        every = f"Interval: the component looks again after {seconds} s; `outhaul run` looks once."
        made.changes.append(Change((), every))
        _origins(old, where, made)
    return made


def _add(source: str, pattern: str, to: str, via: str, made: Profiled) -> None:
    where = ("job", 0)
    asks = _asks_for_temporary_names(pattern)
    hidden = pattern[0] in "*?["
    (name,) = named([(source, to)])
    job: dict[str, Any] = {
        "name": name, "source": source, "to": to, "key": "{name}", "include": [f"/{pattern}"],
        **({"exclude": ["/.*"]} if hidden else {}), **({"temporary-names": True} if asks else {}),
        "settle": {"quiet": _QUIET, "skip-newest": 1, "newest-limit": _NEWEST_LIMIT},
        **({"via": "stream-manager"} if via == STREAM_MANAGER else {}), "after": "delete",
    }  # fmt: skip
    made.tree["job"].append(job)
    made.changes.append(Change((*where, "settle"), _NEWEST))
    made.changes.append(Change((*where, "key"), _CONFLICT))
    if hidden:
        made.changes.append(
            Change((*where, "exclude"), "Names that begin with a dot were never matched by a wildcard.")
        )
    if not asks:
        text = "Names that look temporary (*.tmp, *.part, ...) are left alone, unless PathName asks for them."
        made.changes.append(Change((*where, "include"), text))
    if via == DIRECT:
        made.changes.append(Change((*where, "to"), "Sent by outhaul itself; Via: StreamManager goes the former way."))


def _path_name(old: Old, where: Where) -> tuple[str, str]:
    """The directory, and the pattern of names in it; '' where there are none."""
    text = old.text(where, "/data/outbox/*.csv")
    if not text:
        return "", ""
    directory, _, pattern = text.rpartition("/")
    if not text.startswith("/"):
        old.problem(where, f"{shown(text)} begins nowhere; write the whole path, such as /data/outbox/*.csv")
    elif re.search(r"[*?[]", directory):
        old.problem(where, f"{shown(text)} has a wildcard in its directory; it may stand in the last part only")
    elif not pattern or pattern in (".", ".."):
        old.problem(where, f"{shown(text)} names a directory; write {text.rstrip('./') or ''}/* for the files in it")
    elif wrong := broken(f"/{_native(pattern)}"):
        old.problem(where, f"{shown(text)} {wrong}")
    else:
        return old.absolute(where, directory or "/"), _native(pattern)
    return "", ""


def _native(pattern: str) -> str:
    """As `glob` had it: `**` is `*` in a name, and only `!` turns a set about."""
    return re.sub(r"\[\^([^]]+)\]", r"[\1^]", re.sub(r"\*\*+", "*", pattern))


def _to(old: Old, where: Where) -> str:
    bucket = old.text((*where, "BucketName"), "my-bucket")
    if re.search(r"[/:@\s]", bucket):
        old.problem(
            (*where, "BucketName"), f"expected the name of a bucket alone, such as my-bucket, not {shown(bucket)}"
        )
    prefix = old.get((*where, "ObjectKeyPrefix"))
    if prefix is not None and not isinstance(prefix, str):
        old.problem((*where, "ObjectKeyPrefix"), f"expected a text such as site-7, not {shown(prefix)}")
        return ""
    prefix = (prefix or "").removeprefix("/").removesuffix("/")
    if prefix and any(part in ("", ".", "..") for part in prefix.split("/")):
        old.problem((*where, "ObjectKeyPrefix"), f"{shown(prefix)} has empty, '.' or '..' parts; no key begins so here")
    return f"s3://{bucket}/{prefix}".rstrip("/")


def _interval(old: Old, where: Where) -> int:
    """Greengrass keeps numbers as JSON has them, so that 60 may come as 60.0."""
    there = (*where, "Interval")
    said = old.get(there)
    if said is None and not old.has(there):
        return 1
    found = re.fullmatch(r"(\d{1,9})(?:\.0+)?", str(said).strip()) if not isinstance(said, bool) else None
    if found is None or int(found[1]) > LONGEST_INTERVAL_SECONDS:
        old.problem(there, f"expected a whole number of seconds such as 60, not {shown(said)}")
        return 1
    return max(1, int(found[1]))


def _level(old: Old, where: Where) -> str:
    there = (*where, "LogLevel")
    level = old.text(there, "INFO", default="INFO").strip().upper()
    if not old.said(there) and not isinstance(logging.getLevelName(level), int):
        old.problem(there, f"expected {', '.join(LEVELS[:-1])} or {LEVELS[-1]}, not {shown(level)}")
    return level


def _via(old: Old, where: Where) -> str:
    said = old.get(where)
    for known in (DIRECT, STREAM_MANAGER):
        if said is None or said == "" or (isinstance(said, str) and said.lower() == known.lower()):
            return known
    old.problem(where, f"expected {DIRECT} or {STREAM_MANAGER}, not {shown(said)}")
    return DIRECT


def _asks_for_temporary_names(pattern: str) -> bool:
    """Whether it names such an ending itself; `*` alone asks for nothing of the kind."""
    plain = compile_patterns(TEMPORARY_NAMES)
    assert plain is not None
    return bool(re.search(r"[^*?]", pattern)) and plain(re.sub(r"\[[^]]*\]|[*?]", "x", pattern))


def _origins(old: Old, where: Where, made: Profiled) -> None:
    for key, parameter in (
        ("source", "PathName"), ("include", "PathName"), ("to", "BucketName"), ("via", "Via"), ("settle", "PathName"),
    ):  # fmt: skip
        there = (*where, parameter)
        made.origins[("job", 0, key)] = (old.line(there), old.named(there))
    made.origins[("job", 0)] = (old.line(where), old.named((*where, "PathName")))


def _recognises(tree: object) -> bool:
    for part in _IN_RECIPE:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return isinstance(tree, Mapping) and "PathName" in tree


PROFILE = Profile("greengrass-s3-file-uploader", _recognises, compile)
