"""How problems are worded: values shown on one line, key paths, suggestions.

A value that is shown is data (law L13): it is shortened, and nothing in it reaches the terminal as a command.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from outhaul.model.keys import printable

Where = tuple[str | int, ...]
"""Path of a value in the configuration: `("job", 0, "settle", "quiet")`."""

_SHOWN_MAX = 60
_KEY_MAX = 40
_LISTED_MAX = 16
_SECRET = re.compile(r"secret|password|passwd|token|credential|access.?key", re.IGNORECASE)
_OTHER_WORDS = {
    "destination": "to",
    "destinations": "to",
    "dest": "to",
    "target": "to",
    "src": "source",
    "directory": "source",
    "jobs": "job",
    "endpoint": "endpoint-url",
}


def shown(value: object) -> str:
    """A value as one short piece of a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{_shortened(value, _SHOWN_MAX)}"'
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a very large number"
    if isinstance(value, float):
        return str(value)
    if isinstance(value, list):
        return "an array"
    return "a table" if isinstance(value, dict) else "a date or time"


def dotted(where: Where) -> str:
    """A key path as people read it: `job[0].settle.quiet`."""
    out = ""
    for part in where:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += ("." if out else "") + (part if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", part) else _quoted(part))
    return out


def unknown_key(
    key: str, known: Collection[str], elsewhere: Mapping[str, str], page: str = "docs/configuration.md"
) -> str:
    """What to say of a key that means nothing where it stands.

    Args:
        key: As it was written.
        known: The keys that have a meaning there.
        elsewhere: For keys that have a meaning in another table, what to do.
        page: Of the documentation, for where they are too many for one line.
    """
    plain = key[:_KEY_MAX].strip().lower().replace("_", "-")
    plain = _OTHER_WORDS.get(plain, plain)
    if plain in elsewhere:
        return elsewhere[plain]
    if _SECRET.search(key) and plain not in known:
        return "unknown key; credentials do not belong here: use the AWS environment variables, files or a profile"
    if suggestion := _similar(plain, known):
        return f'unknown key; did you mean "{suggestion}"?'
    if len(known) > _LISTED_MAX:
        return f"unknown key; {page} lists those that there are"
    return f"unknown key; the keys here are {', '.join(known)}"


def _similar(plain: str, known: Collection[str]) -> str:
    if plain in known:
        return plain
    import difflib

    return next(iter(difflib.get_close_matches(plain, known, n=1)), "")


def _quoted(text: str) -> str:
    return f'"{_shortened(text, _KEY_MAX)}"'


def _shortened(text: str, longest: int) -> str:
    return printable(text if len(text) <= longest else text[: longest - 3] + "...").replace('"', r"\"")
