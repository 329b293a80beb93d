"""What a profile is: a compiler from the configuration of an older program to the native form.

It makes the very tree that a native file would hold. So there is one reader of jobs, `outhaul translate` prints what is
run, and running the one or the other is the same. A profile is pure: what it knows beyond the text is in `Surroundings`.
What the text says and no job can say is a problem with its line; what differs from the older program is a change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from outhaul.config.formats import Document
from outhaul.config.wording import Where


class Surroundings(NamedTuple):
    """What an older program took from elsewhere than its configuration."""

    environ: Mapping[str, str]
    home: str
    """The home directory of the user."""
    directory: str
    """Where relative paths begin: the working directory."""


class Change(NamedTuple):
    """Something that is not as it was, or that a reader of the native form should know."""

    where: Where
    """Path in the native tree that it belongs to; () is the whole."""
    text: str


class Profiled(NamedTuple):
    """What a configuration came to."""

    tree: dict[str, Any]
    """In the native form, as `keys.parse` takes it."""
    origins: dict[Where, tuple[int, str]]
    """Path in that tree to the line, and the key, of the older configuration that it comes from."""
    changes: list[Change]
    problems: list[tuple[int, str]]
    """Line and text of what cannot be said; where there are any, nothing is run."""

    def origin(self, where: Where) -> tuple[int, str]:
        """Line and key that a path of the tree comes from, or the nearest thing around it; (0, '') where that is not known."""
        while where and where not in self.origins:
            where = where[:-1]
        return self.origins.get(where, (0, ""))


class Profile(NamedTuple):
    """One older program."""

    program: str
    """Its command, as its users know it."""
    recognises: Callable[[object], bool]
    """Whether a tree is a configuration of this program."""
    compile: Callable[[Document, Surroundings], Profiled]


def duration(seconds: float) -> str:
    """A number of seconds as a native duration, to the millisecond, rounded up."""
    milliseconds = -int(-seconds * 1000 // 1)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"
