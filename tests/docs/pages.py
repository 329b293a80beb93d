"""The pages of the documentation, as what they show: blocks of code with their language and place.

Blocks are fenced, or indented by four spaces as on the older pages. HTML comments are blocks too: no reader sees them, and
`played.py` finds in them what a machine needs to be like the one of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md"), *ROOT.glob("greengrass/*.md")]
)
PLAYED = [ROOT / "docs" / "tutorial.md", *sorted(ROOT.glob("docs/guides/*.md"))]
_BLOCK = re.compile(
    r"^```(?P<language>\w*)\n(?P<fenced>.*?)^```$|^<!--(?P<comment>.*?)-->$|(?<=\n\n)(?P<indented>(?: {4}[^\n]*\n|\n)+)",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One block of a page."""

    page: str
    """Path beneath the project."""
    line: int
    """Of the page, where its text begins; from 1."""
    language: str
    """As behind the fence; `comment` or `indented` for the others."""
    text: str
    start: int
    """Offset of the text in the page."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    """All of a page, in order."""
    content = path.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(content):
        kind = next(name for name in ("fenced", "comment", "indented") if found[name] is not None)
        if found[kind].strip():
            start = found.start(kind)
            language = found["language"] if kind == "fenced" else kind
            yield Block(str(path.relative_to(ROOT)), content.count("\n", 0, start) + 1, language, found[kind], start)


def commands(block: Block) -> list[str]:
    """The lines that call outhaul, in a block that shows commands."""
    if block.language not in ("indented", "sh", "console", ""):
        return []
    lines = re.findall(r"^ *(?:\$ |# )?(?:sudo )?(outhaul [a-z].*)$", block.text.replace("\\\n", " "), re.MULTILINE)
    return [re.split(r" (?:#|\d?>|\||&)|;", line)[0] for line in lines]
