"""The pages of the documentation, as what they show: blocks of code with their language and place.

Blocks are fenced. HTML comments are blocks too: no reader sees them, and `played.py` finds in them what a machine needs to be
like the one of the page. What is indented by four spaces is a block for a reader; a test refuses it, since it has no language.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md"), *ROOT.glob("greengrass/*.md")]
)
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


def file_name(block: Block) -> str:
    """Of the file that a block is; nothing where it is none. It stands in the first line, or behind `#!`."""
    found = re.match(r"(?:#!.*\n)?# ([/~][^\s:]+)(?::.*)?\n", block.text)
    return found[1] if found else ""


def shown(block: Block) -> list[str]:
    """The command lines of a block, each with those that go on with it."""
    if file_name(block):
        return []
    text = block.text.replace("\\\n", " ")
    if block.language == "console":
        return re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    if block.language == "text":
        return re.findall(r"^(?:[\d*/,-]+ ){5}(.*)$", text, re.MULTILINE)
    return text.splitlines() if block.language == "sh" else []


def commands(block: Block) -> list[str]:
    """What calls outhaul in a block that shows commands, also by way of another program."""
    found = (re.match(r"(?:[^#]* )?(outhaul (?!outhaul )[a-z].*)$", line) for line in shown(block))
    return [re.split(r" (?:#|\d?>|\||&|:::)|;", one[1])[0] for one in found if one]


def said(path: Path) -> list[str]:
    """What calls a program of this project in the text of a page, between backquotes, as it stands there."""
    programs = "|".join(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"])
    text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    return re.findall(rf"`(?:(?:[\d*/,-]+ ){{5}})?((?:{programs}) [^`]+)`", text)


PLAYED = [path for path in DOCUMENTS if any(shown(one) or one.text.startswith(" said: ") for one in blocks(path))]
"""The pages that show commands."""
