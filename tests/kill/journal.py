"""What the producer says that it did: one JSON object a line, each durable before the producer goes on.

A line stands for something that stays true: a content was durable and closed at that moment; a content is
about to be thrown away by the producer itself; the producer met an error that is none of its making. A last
line that is not complete yet is not read.
"""

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Content:
    """One content that was durable under a name, with no writer, at some moment."""

    path: str
    number: int
    size: int
    sha256: str
    style: str


@dataclass(slots=True)
class Journal:
    """All that the journal says so far."""

    contents: dict[int, list[Content]] = field(default_factory=lambda: defaultdict(list))
    discarded: set[int] = field(default_factory=set)
    hindered: list[str] = field(default_factory=list)
    ended: bool = False

    def __len__(self) -> int:
        return sum(len(versions) for versions in self.contents.values())


class JournalWriter:
    """Appends lines and makes each one durable."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def content(self, content: Content) -> None:
        """The content is durable and closed."""
        self._write(
            event="content",
            path=content.path,
            number=content.number,
            size=content.size,
            sha256=content.sha256,
            style=content.style,
        )

    def append(self, path: str, number: int) -> None:
        """The file will be opened by its name and made longer: what was journalled stays its beginning."""
        self._write(event="append", path=path, number=number)

    def discard(self, path: str, number: int) -> None:
        """The producer will now replace the file by another one, by its own will."""
        self._write(event="discard", path=path, number=number)

    def hindered(self, path: str, error: str) -> None:
        """Something stood in the producer's way."""
        self._write(event="hindered", path=path, error=error)

    def end(self) -> None:
        """The producer has closed everything and writes no more."""
        self._write(event="end")

    def _write(self, **event: str | int) -> None:
        os.write(self._descriptor, json.dumps(event).encode() + b"\n")
        os.fsync(self._descriptor)


def read(path: Path) -> Journal:
    """The complete lines of a journal that may still be growing."""
    journal = Journal()
    text = path.read_bytes() if path.exists() else b""
    for line in text[: text.rfind(b"\n") + 1].splitlines():
        event = json.loads(line)
        match event.pop("event"):
            case "content":
                journal.contents[event["number"]].append(Content(**event))
            case "discard":
                journal.discarded.add(event["number"])
            case "hindered":
                journal.hindered.append(f"{event['path']}: {event['error']}")
            case "end":
                journal.ended = True
    return journal
