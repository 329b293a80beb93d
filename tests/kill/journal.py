"""What the producer says that it did: one JSON object a line, each durable before the producer goes on.

A line stands for something that stays true: a content was durable and closed at that moment; a content is
about to be thrown away by the producer itself; the producer met an error that is none of its making. A last
line that is not complete yet is not read.
"""

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Content:
    """One content that was durable under a name, with no writer, at some moment."""

    path: str
    number: int
    size: int
    sha256: str
    style: str


class JournalReader:
    """All that a journal, which may still be growing, has said so far."""

    def __init__(self, path: Path) -> None:
        self.contents: list[Content] = []
        self.versions: defaultdict[int, list[Content]] = defaultdict(list)
        self.discarded: set[int] = set()
        self.hindered: list[str] = []
        self.ended = False
        self._path = path
        self._offset = 0

    def advance(self) -> None:
        """Read the lines that were completed since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            text = stream.read()
        text = text[: text.rfind(b"\n") + 1]
        self._offset += len(text)
        for line in text.splitlines():
            self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        match event.pop("event"):
            case "content":
                content = Content(**event)
                self.contents.append(content)
                self.versions[content.number].append(content)
            case "discard":
                self.discarded.add(event["number"])
            case "hindered":
                self.hindered.append(f"{event['path']}: {event['error']}")
            case "end":
                self.ended = True


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
