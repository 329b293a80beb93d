"""On which line a key of a TOML or JSON text stands, for messages.

Asked only when something is wrong, and only of texts that the real parser has accepted. It may say that it does not
know; it never guesses: what it does not understand makes it give up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from outhaul.config.wording import Where

Lines = dict[Where, int]
"""First line of each path that was found; negative where its value spreads over lines that are not told apart."""

# toml.io/en/v1.0.0; the text is valid, so each kind is recognised by how it begins.
_TOML = re.compile(
    r"""(?P<skip>[ \t\r]+|\#[^\n]*)|(?P<newline>\n)
    |(?P<long>\"{3}(?:[^"\\]|\\.|"{1,2}(?!"))*\"{3,5}|'{3}(?:[^']|'{1,2}(?!'))*'{3,5})
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    |(?P<mark>[\[\]{}=,.])|(?P<bare>[^\s\[\]{}=,.\#"']+)""",
    re.DOTALL | re.VERBOSE,
)
_JSON = re.compile(r'\s+|"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')

Token = tuple[str, str, int]
"""Kind, text, line."""


def looked_up(lines: Lines, where: Where) -> int:
    """The line of a path, or of the nearest thing around it; 0 where that is not known."""
    if where in lines:
        return abs(lines[where])
    while where and where not in lines:
        where = where[:-1]
    return max(lines.get(where, 0), 0)


def toml_lines(text: str) -> Lines:
    """The lines of the keys and table headers of a valid TOML text."""
    lines: Lines = {}
    arrays: dict[Where, int] = {}
    table: Where = ()
    for statement in _statements(text):
        names = _names(statement)
        if names is None:
            return {}
        first, last = statement[0][2], statement[-1][2]
        if statement[0][1] == "[":
            table = _header(names, arrays, double=statement[1][1] == "[")
            lines.setdefault(table, first)
            continue
        for end in range(1, len(names) + 1):
            lines.setdefault((*table, *names[:end]), first if first == last else -first)
    return lines


def _statements(text: str) -> Iterator[list[Token]]:
    """Key-value pairs and headers. Ends early at anything it does not know."""
    statement: list[Token] = []
    depth, line, end = 0, 1, 0
    for found in _TOML.finditer(text):
        if found.start() != end:
            return
        kind, piece, end = found.lastgroup or "", found[0], found.end()
        if kind == "newline" and depth == 0 and statement:
            yield statement
            statement = []
        elif kind not in ("skip", "newline"):
            statement.append((kind, piece, line))
            depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        line += piece.count("\n")
    if statement:
        yield statement


def _names(statement: list[Token]) -> tuple[str, ...] | None:
    """The parts of the key that a statement begins with; None where one is written with an escape."""
    names = []
    for kind, piece, _line in statement:
        if piece in ("=", "]"):
            break
        if kind == "string" and "\\" in piece:
            return None
        if kind != "mark":
            names.append(piece[1:-1] if kind == "string" else piece)
    return tuple(names)


def _header(names: tuple[str, ...], arrays: dict[Where, int], *, double: bool) -> Where:
    where: Where = ()
    for position, name in enumerate(names):
        where = (*where, name)
        if double and position == len(names) - 1:
            arrays[where] = arrays.get(where, 0) + 1
        if where in arrays:
            where = (*where, arrays[where] - 1)
    return where


def json_lines(text: str, repeated: list[tuple[Where, int]] | None = None) -> Lines:
    """The lines of the members and elements of a valid JSON text; members that stand twice are put into `repeated`."""
    from json import loads

    lines: Lines = {}
    where: Where = ()
    expects_key = False
    line = 1
    for found in _JSON.finditer(text):
        piece = found[0]
        if piece == "{":
            lines.setdefault(where, line)
            where, expects_key = (*where, ""), True
        elif piece == "[":
            lines.setdefault(where, line)
            where, expects_key = (*where, 0), False
        elif piece in ("}", "]"):
            where, expects_key = where[:-1], False
        elif piece == ",":
            last = where[-1]
            where = (*where[:-1], last + 1 if isinstance(last, int) else "")
            expects_key = not isinstance(last, int)
        elif piece[0] == '"' and expects_key:
            where, expects_key = (*where[:-1], loads(piece)), False
            if where in lines and repeated is not None:
                repeated.append((where, line))
            lines.setdefault(where, line)
        elif piece != ":" and not piece.isspace():
            lines.setdefault(where, line)
        line += piece.count("\n")
    return lines


def locator(make: Callable[[str], Lines], text: str) -> Callable[[Where], int]:
    """A function that finds lines, reading the text when it is first asked."""
    made: list[Lines] = []

    def line_of(where: Where) -> int:
        if not made:
            made.append(make(text))
        return looked_up(made[0], where)

    return line_of
