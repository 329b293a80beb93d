"""A search in a ledger: by a part of a path or key, a pattern, or the beginning of a digest; in words of SQLite or PostgreSQL.

A path is bytes. SQLite takes them for text; PostgreSQL refuses that of those that are none, so there paths are compared in a form
of which everything that is no ASCII is escaped ("encode", format "escape").
"""

from __future__ import annotations

import re
import sqlite3

from outhaul.ledgers.queries import Database

_DIGITS = re.compile("[0-9a-f]{8,64}").fullmatch
_CAPITALS = {ord(letter): ord(letter) + 32 for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_ANY = r"(.|(\\[0-7]{3}){2,4})"
"""One character: what is no ASCII is two to four bytes of UTF-8."""


def condition(database: Database, text: str, name: str, key: str = "", sha256: str = "") -> tuple[str, list[str]]:
    """A condition on the path, and on key and digest where there are such, with its values.

    Args:
        database: Which is asked.
        text: What is looked for. Letters of ASCII may be small or capital.
        name: Column of the last part of a path; the directory is `d`.
        key: Column of a key; '' for none.
        sha256: The same of a digest.
    """
    text = text.translate(_CAPITALS)
    is_pattern = any(mark in text for mark in "*?")
    tests, values = (_sqlite if isinstance(database, sqlite3.Connection) else _postgres)(text, name, key, is_pattern)
    if sha256 and _DIGITS(text):
        tests.append(f"substr(lower(hex({sha256})), 1, {len(text)}) = ?")
        values.append(text)
    return f"({' OR '.join(tests)})", values


def _sqlite(text: str, name: str, key: str, is_pattern: bool) -> tuple[list[str], list[str]]:
    """LIKE would read % and _ as patterns."""
    within = "CASE WHEN d.path = X'' THEN '' ELSE CAST(d.path AS TEXT) || '/' END"
    columns = [f"lower({within} || CAST({name} AS TEXT))", *([f"lower({key})"] if key else [])]
    return [f"{column} GLOB ?" if is_pattern else f"instr({column}, ?)" for column in columns], [text] * len(columns)


def _postgres(text: str, name: str, key: str, is_pattern: bool) -> tuple[list[str], list[str]]:
    within = "CASE WHEN length(d.path) = 0 THEN '' ELSE encode(d.path, 'escape') || '/' END"
    columns = [(f"{within} || encode({name}, 'escape')", _escaped(text)), *([(key, text)] if key else [])]
    if not is_pattern:
        return [f'strpos(lower(({column}) COLLATE "C"), ?) > 0' for column, _ in columns], [one for _, one in columns]
    any_of = {True: _ANY, False: "."}
    patterns = [_pattern(one, any_of[number == 0]) for number, (_, one) in enumerate(columns)]
    return [f'lower(({column}) COLLATE "C") ~ ?' for column, _ in columns], patterns


def _escaped(text: str) -> str:
    """As `encode(..., 'escape')` writes it."""
    return "".join(
        f"\\{byte:03o}" if byte >= 128 or not byte else "\\\\" if byte == 92 else chr(byte)
        for byte in text.encode("utf-8", "surrogateescape")
    )


def _pattern(text: str, any_one: str) -> str:
    """A regular expression of PostgreSQL (its chapter 9.7.3): a backslash before what is no letter is that character."""
    marks = {"*": ".*", "?": any_one}
    text = re.sub(r"\*+", "*", text)
    plain = (marks.get(one) or (one if one.isalnum() or not one.isascii() else f"\\{one}") for one in text)
    return f"^{''.join(plain)}$"
