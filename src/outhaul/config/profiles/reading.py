"""Reading the tree of an older configuration: values of the right kind, and lines for what is wrong or left aside."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Sequence
from typing import Any

from outhaul.config.formats import Document
from outhaul.config.paths import absolute_from
from outhaul.config.profiles.profile import Surroundings
from outhaul.config.wording import Where, dotted, shown, unknown_key
from outhaul.model.patterns import TEMPORARY_NAMES, compile_patterns


class Old:
    """An older configuration while it is read. Whatever is wrong is kept, and reading goes on."""

    def __init__(self, document: Document, surroundings: Surroundings) -> None:
        self._tree = document.tree
        self._line_of = document.line_of
        self._absolute = absolute_from(surroundings.directory)
        self.problems: list[tuple[int, str]] = []
        self.notes: list[str] = []
        """What means nothing, or is understood otherwise than before: each with its line."""

    def get(self, where: Where) -> Any:
        """The value at a path; None where there is nothing."""
        value: Any = self._tree
        for part in where:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def has(self, where: Where) -> bool:
        """Whether something stands at a path, be it null."""
        table = self.get(where[:-1])
        return where[-1] in (range(len(table)) if isinstance(table, list) else table if isinstance(table, dict) else ())

    def line(self, where: Where) -> int:
        """The line of a path, or of the nearest thing around it; 0 where that is not known."""
        return self._line_of(where)

    def named(self, where: Where) -> str:
        """A path as messages name it."""
        return dotted(where)

    def problem(self, where: Where, text: str) -> None:
        """Something is wrong here."""
        self.problems.append((self.line(where), f"{dotted(where)}: {text}" if where else text))

    def said(self, where: Where) -> bool:
        """Whether there is a problem of this path or beneath it already."""
        return any(text.startswith(dotted(where)) for _, text in self.problems)

    def note_others(self, where: Where, known: Collection[str], text: str) -> None:
        """Note keys of a table that the older program did not look at."""
        table = self.get(where)
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                path = (*where, str(key))
                self.notes.append(f"line {self.line(path)}: {dotted(path)}: {text}.")

    def refuse_others(self, where: Where, known: Sequence[str]) -> None:
        """Keys of a table that the older program refused are problems."""
        table = self.get(where)
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                self.problem((*where, str(key)), unknown_key(str(key), known, {}, "docs/coming-from"))

    def items(self, where: Where) -> list[Any]:
        """The elements of a list; none where there is no list, which is a problem."""
        value = self.get(where)
        return value if isinstance(value, list) else []

    def indices(self, where: Where, of: str = "what is to be carried") -> range:
        """The positions in a list of something."""
        value = self.get(where)
        if not isinstance(value, list) and not self.said(where):
            there = "is missing; it lists" if not self.has(where) else f"expected a list, not {shown(value)}; it lists"
            self.problem(where, f"{there} {of}")
        return range(len(self.items(where)))

    def is_table(self, where: Where) -> bool:
        """Whether a table stands here; else that is a problem."""
        value = self.get(where)
        if not isinstance(value, dict):
            self.problem(where, f"expected a table, not {shown(value)}")
        return isinstance(value, dict)

    def text(self, where: Where, example: str, *, default: str | None = None) -> str:
        """A string that is not blank; '' where there is none, which is a problem unless there is a default."""
        value = self.get(where)
        if not self.has(where) and default is not None:
            return default
        if isinstance(value, str) and value.strip():
            return value
        missing = f"is missing; write {_last(where)}: {example}"
        self.problem(where, f"expected a text such as {example}, not {shown(value)}" if self.has(where) else missing)
        return default or ""

    def number(self, where: Where, *, default: float, none_is_default: bool = False) -> float:
        """A number, or the default where nothing stands."""
        value = self.get(where)
        if not self.has(where) or (value is None and none_is_default):
            return default
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value
        self.problem(where, f"expected a number such as {default or 30:g}, not {shown(value)}")
        return default

    def count(self, where: Where, what: str) -> int:
        """A number from 1 on; 0, which is no limit, where nothing stands or null does."""
        value = self.get(where)
        if value is None:
            return 0
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        self.problem(where, f"expected a number of {what} from 1 on, or null for no limit, not {shown(value)}")
        return 0

    def bucket(self, where: Where) -> str:
        """The name of a bucket and nothing more; '' where there is none, which is a problem."""
        text = self.text(where, "my-bucket").strip()
        if "/" in text or ":" in text:
            self.problem(where, f"expected the name of a bucket alone, such as my-bucket, not {shown(text)}")
            return ""
        return text

    def path(self, where: Where, example: str) -> str:
        """An absolute path; '' where there is none, which is a problem."""
        text = self.text(where, example)
        return self.absolute(where, text) if text else ""

    def absolute(self, where: Where, text: str) -> str:
        """The path that a text is; relative ones begin where the program is started."""
        try:
            return self._absolute(text)
        except ValueError as error:
            self.problem(where, str(error))
            return ""


def _last(where: Where) -> str:
    return str(where[-1])


def named(directories: Sequence[tuple[str, str]]) -> list[str]:
    """Names for jobs that had none: the last part of their directory, and where several have the same, digits behind it.

    Args:
        directories: Of each job its directory, and what tells it from the others. The ledger knows a
            job by its source and destination, so that a name may change when an entry is added.
    """
    slugs = [
        re.sub(r"[^A-Za-z0-9._-]+", "-", path.rstrip("/").rpartition("/")[2])[:48].strip("-") for path, _ in directories
    ]
    slugs = [slug or "root" for slug in slugs]
    return [
        slug
        if slugs.count(slug) == 1
        else f"{slug}-{hashlib.sha256(what.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"
        for slug, (_, what) in zip(slugs, directories, strict=True)
    ]


def asks_for_temporary_names(patterns: Sequence[str]) -> bool:
    """Whether patterns ask for names that look temporary, so that such files are meant to go."""
    matches = compile_patterns(patterns)
    samples = [name.replace("*", "x") for name in TEMPORARY_NAMES if not name.startswith(".outhaul")]
    return matches is not None and any(matches(sample) or matches(f"x/{sample}") for sample in samples)
