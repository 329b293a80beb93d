"""Every configuration on a page is read by the real reader, and what it does not know is a fault of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import DOCUMENTS, ROOT, Block, blocks
from docs.played import machine
from outhaul.config.formats import read
from outhaul.config.keys import parse
from outhaul.config.paths import absolute_from

_KINDS = {"toml": "toml", "yaml": "yaml", "yml": "yaml", "json": "json", "jsonl": "json"}
_WRONG_ON_PURPOSE = "docs/configuration.md"
"""Behind its heading `Errors`; config/test_documentation.py compares what is said of each with what the page says."""


def configurations() -> list[Block]:
    """The blocks that are configurations, by what they begin with; fragments of keys beneath [[job]] are such, too."""
    found = [block for path in DOCUMENTS for block in blocks(path) if block.language in _KINDS]
    return [block for block in found if re.search(r'^\[\[job\]\]|^job:|"job": \[', block.text, re.MULTILINE)]


def _behind_errors(block: Block) -> bool:
    content = (ROOT / block.page).read_text(encoding="utf-8")
    return block.page == _WRONG_ON_PURPOSE and block.start > content.index("\n## Errors")


@pytest.mark.parametrize("block", [block for block in configurations() if not _behind_errors(block)], ids=str)
def test_a_configuration_is_right(tmp_path_factory: pytest.TempPathFactory, block: Block) -> None:
    """It has no problem."""
    path = tmp_path_factory.mktemp("page") / f"outhaul.{_KINDS[block.language]}"
    path.write_text(block.text, encoding="utf-8")
    assert parse(read(str(path)).tree, absolute_from("/base")).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in configurations() if not _behind_errors(block)], ids=str)
def test_a_configuration_is_checked(block: Block) -> None:
    """`outhaul check` takes it where its directories are there; what it asks for a store may lack, nothing else is wrong."""
    with machine(ROOT / block.page, "moto") as here:
        text = here.here(block.text)
        (here.home / f"outhaul.{_KINDS[block.language]}").write_text(text, encoding="utf-8")
        for place in re.findall(r'(?:source|to)"?\s*[=:]\s*"?((?:~|/|file:///)[^",}\s]+)', text):
            made = Path(place.removeprefix("file://").replace("~", str(here.home)))
            assert made.is_relative_to(here.root)
            made.mkdir(parents=True, exist_ok=True)
        printed = here.run(f"outhaul check ~/outhaul.{_KINDS[block.language]}")
        assert here.code in (0, 4) and "can be read" in printed, printed


_JOB = '[[job]]\nname = "job"\nsource = "/data"\nto = "s3://bucket/prefix"\n'


def fragments() -> list[Block]:
    """TOML without a job: some keys of a configuration."""
    known = {str(block) for block in configurations()}
    every = [block for path in DOCUMENTS for block in blocks(path) if block.language == "toml"]
    return [block for block in every if str(block) not in known]


@pytest.mark.parametrize("block", fragments(), ids=str)
def test_a_fragment_is_right(tmp_path_factory: pytest.TempPathFactory, block: Block) -> None:
    """At the top of a configuration, or beneath a job, it has no problem."""
    path = tmp_path_factory.mktemp("fragment") / "outhaul.toml"
    problems = []
    for text in (f"{block.text}\n{_JOB}", f"{_JOB}{block.text}"):
        path.write_text(text, encoding="utf-8")
        problems.append(parse(read(str(path)).tree, absolute_from("/base")).problems)
    assert [] in problems, problems
