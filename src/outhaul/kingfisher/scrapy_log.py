"""What a Scrapy log tells of a crawl: when it began, with which arguments, how it ended, how many items were errors.

The log is read once, in pieces of bounded length, and nothing in it is evaluated: of the Python dicts that Scrapy prints
(items, statistics) and Kingfisher Collect prints (the arguments of a spider) only the top-level keys that matter are
looked at. A dict that does not come to its end ends with the next line that has a time. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from outhaul.kingfisher.collection import Crawl
from outhaul.kingfisher.rules import PARTIAL

PIECE = 64 << 10
"""Characters of a line that are looked at together."""
_VALUE_MAX = 256
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \[([^\]\s]+)\] [A-Z]+: ")
_ARGUMENTS = re.compile(r"Spider arguments: (?=\{)")
_STATISTICS = re.compile(r"Dumping Scrapy stats:\s*")
_NOTHING = frozenset(("None", "False", "''", '""', "0", "0.0", "[]", "{}", "()", "b''", "set()"))
_SPECIAL = re.compile(r"""['"{}\[\](),:]""")
_IN_STRING = {quote: re.compile(rf"[\\{quote}]") for quote in "'\""}


def read_log(pieces: Iterable[str]) -> Crawl:
    """What the lines of a log tell, however they are cut into pieces, as long as a line begins with a piece."""
    reader = _Reader()
    for piece in pieces:
        reader.take(piece)
    return reader.crawl()


class _Reader:
    def __init__(self) -> None:
        self._started: datetime | None = None
        self._arguments: dict[str, str] = {}
        self._finish_reason = ""
        self._files = self._errors = 0
        self._begins = True
        self._awaited = ""
        self._kind = ""
        self._dict: _Display | None = None

    def take(self, piece: str) -> None:
        begins, self._begins = self._begins, piece.endswith("\n")
        if begins and (line := _LINE.match(piece)):
            self._dict = None
            self._new_line(line[1], line[2], piece[line.end() :])
            return
        if begins and self._dict is None and piece.startswith("{"):
            self._dict, self._kind, self._awaited = _Display(), self._awaited or "item", ""
        self._feed(piece)

    def _new_line(self, time: str, logger: str, message: str) -> None:
        self._awaited = ""
        if self._started is None:
            self._started = _time(time)
        if arguments := _ARGUMENTS.match(message):
            self._dict, self._kind = _Display(), "arguments"
            self._feed(message[arguments.end() :])
        elif logger == "scrapy.statscollectors" and _STATISTICS.match(message):
            self._awaited = "statistics"
        elif logger == "scrapy.utils.log" and message.startswith("Scrapy ") and " started " in message:
            self._finish_reason = ""  # Another crawl writes to the same file, and this is its beginning.

    def _feed(self, text: str) -> None:
        if self._dict is None or not self._dict.feed(text):
            return
        found, self._dict = self._dict.found, None
        if self._kind == "arguments":
            self._arguments = found
        elif self._kind == "statistics":
            self._finish_reason = _text(found.get("finish_reason", "")) or self._finish_reason
        elif "errors" in found:
            self._errors += 1
        elif "data_type" in found and "number" not in found:  # One with a number is a piece of a file that is counted.
            self._files += 1

    def crawl(self) -> Crawl:
        part_of = tuple(name for name in PARTIAL if self._arguments.get(name, "None") not in _NOTHING)
        crawl_time = _time(_text(self._arguments.get("crawl_time", "")).replace("T", " "))
        return Crawl(self._started, crawl_time, part_of, self._finish_reason, self._files, self._errors)


class _Display:
    """A Python dict as `repr` or `pprint` writes it, fed in pieces."""

    _WANTED = frozenset((*PARTIAL, "crawl_time", "finish_reason", "errors", "data_type", "number"))

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        """Of the wanted keys at the top, the beginnings of their values as they are written."""
        self._depth = 0
        self._quote = ""
        self._escaped = False
        self._text = ""
        self._key = ""

    def feed(self, text: str) -> bool:
        """Read on; whether the dict has come to its end."""
        at = 0
        if self._escaped and text:
            self._escaped, at = False, 1
            self._keep(text[:1])
        while at < len(text):
            found = (_IN_STRING[self._quote] if self._quote else _SPECIAL).search(text, at)
            if found is None:
                self._keep(text[at:])
                break
            self._keep(text[at : found.start()])
            at = found.end()
            if self._quote:
                at = self._in_string(found[0], text, at)
            elif self._outside(found[0]):
                return True
        return False

    def _in_string(self, character: str, text: str, at: int) -> int:
        self._keep(character)
        if character == self._quote:
            self._quote = ""
            return at
        if at == len(text):
            self._escaped = True
            return at
        self._keep(text[at])
        return at + 1

    def _outside(self, character: str) -> bool:
        top = self._depth == 1
        if character in "'\"":
            self._quote = character
        elif character in "{[(":
            self._depth += 1
            if self._depth == 1:
                self._text = ""
                return False
        elif character in "}])":
            self._depth -= 1
        if top and character == ":" and not self._key:
            self._key, self._text = _text(self._text) or "?", ""
            return False
        if top and (character == "," or self._depth == 0):
            if self._key in self._WANTED:
                self.found[self._key] = self._text.strip()
            self._key = self._text = ""
        else:
            self._keep(character)
        return self._depth <= 0

    def _keep(self, text: str) -> None:
        if self._depth and len(self._text) < _VALUE_MAX:
            self._text += text[: _VALUE_MAX - len(self._text)]


def _text(written: str) -> str:
    """What a string says that is written without escapes; '' for whatever else it is."""
    written = written.strip()
    plain = len(written) >= 2 and written[0] in "'\"" and written[-1] == written[0] and "\\" not in written
    return written[1:-1] if plain else ""


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
