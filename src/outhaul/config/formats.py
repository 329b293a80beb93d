"""A configuration file to a tree: TOML, JSON or YAML.

The readers are those of the standard library and PyYAML; each is imported when a file needs it. Whatever is wrong
with a file becomes one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from outhaul.config.places import json_lines, locator, toml_lines
from outhaul.config.wording import Where, dotted
from outhaul.model.errors import ConfigurationError
from outhaul.model.keys import printable

SIZE_MAX = 1 << 20
"""Bytes that a configuration may have."""

_TOML_LINE_MAX = 1 << 14
"""Characters. The time that `tomllib` takes grows with the square of the parts of a dotted key."""

_TOO_DEEP = "is nested too deeply"
_SUFFIXES = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}


class Document(NamedTuple):
    """What a file holds."""

    tree: object
    line_of: Callable[[Where], int]
    """The line of a key path; 0 where that is not known."""


class Unreadable(Exception):
    """A text that its format does not allow."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


def read(path: str) -> Document:
    """The document in a file.

    Raises:
        ConfigurationError: one line on what is wrong with the file.
    """
    try:
        text = _text(path)
        _refuse_what_has_no_jobs(text, path)
        kind = kind_of(path, text)
        return {"toml": _toml, "json": _json, "yaml": _yaml}[kind](text)
    except Unreadable as error:
        place = f"{path}:{error.line}" if error.line else path
        raise ConfigurationError(printable(f"{place}: {error}")) from None


def _refuse_what_has_no_jobs(text: str, path: str) -> None:
    """One of the older programs is configured in an INI file, which names no jobs."""
    if "[DIRECTORIES]" in text:
        from outhaul.config.profiles.kingfisher import is_kingfisher, no_jobs

        if is_kingfisher(text):
            raise no_jobs(text, path)


def kind_of(path: str, text: str) -> str:
    """Which of toml, json and yaml a text is: its suffix tells, or else how it begins."""
    for suffix, kind in _SUFFIXES.items():
        if path.lower().endswith(suffix):
            return kind
    if text.lstrip().startswith("{"):
        return "json"
    first = re.search(r"^[ \t]*([^\s#].*)$", text, re.MULTILINE)
    return "yaml" if first and re.match(r"---|%YAML|- |[\w$\"'-]+[ \t]*:(?:\s|$)", first[1]) else "toml"


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(SIZE_MAX + 1)
    except IsADirectoryError:
        raise Unreadable("is a directory; name the configuration file in it") from None
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > SIZE_MAX:
        raise Unreadable("is larger than 1 MiB, so it is no configuration")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start
        raise Unreadable(
            f"is not UTF-8 (byte 0x{error.object[at]:02x}); save it as UTF-8", data.count(b"\n", 0, at) + 1
        ) from None


def _toml(text: str) -> Document:
    import tomllib

    for number, content in enumerate(text.split("\n"), 1):
        if len(content) > _TOML_LINE_MAX:
            raise Unreadable(f"is longer than {_TOML_LINE_MAX} characters in one line; break the line", number)
    try:
        return Document(tomllib.loads(text), locator(toml_lines, text))
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    except ValueError as error:
        said, line = str(error), 0
        if found := re.search(r" \(at line (\d+), column \d+\)$", said):
            said, line = said[: found.start()], int(found[1])
        said = said.removesuffix(" (at end of document)")
        if said.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate")):
            said += ": a key or table stands twice"
        quotes = "; text stands in quotes" if _lacks_quotes(text, line) else ""
        raise Unreadable(f"is not TOML: {_short(said)}{quotes}", line) from None


_BARE = re.compile(r"=\s*\[?\s*([^\s\"'\[{}\],#][^\s,}\]#]*)")


def _lacks_quotes(text: str, line: int) -> bool:
    """Whether a value of this line is no number, time, true or false, and has no quotes: `source = /home/pi`."""
    import tomllib

    lines = text.split("\n")
    for value in _BARE.findall(lines[line - 1] if line else lines[-1]):
        try:
            tomllib.loads(f"value = {value}")
        except (ValueError, RecursionError):
            return True
    return False


def _json(text: str) -> Document:
    import json

    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        twice.extend([""] * (len(pairs) - len(made)))
        return made

    try:
        tree = json.loads(text, object_pairs_hook=members, parse_constant=_no_constant)
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"is not JSON: {error.msg}", error.lineno) from None
    except ValueError as error:
        raise Unreadable(f"is not JSON: {_short(str(error))}") from None
    if twice:
        repeated: list[tuple[Where, int]] = []
        json_lines(text, repeated)
        where, line = repeated[0]
        raise Unreadable(f"{dotted(where)}: stands twice; leave one out", line)
    return Document(tree, locator(json_lines, text))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value")


def _yaml(text: str) -> Document:
    from outhaul.config.yaml_tree import yaml_tree

    try:
        tree, lines = yaml_tree(text)
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    return Document(tree, locator(lambda _text: lines, text))


def _short(said: str) -> str:
    return said if len(said) <= 160 else said[:157] + "..."
