"""Every configuration on a page is read by the real reader, and what it does not know is a fault of the page."""

from __future__ import annotations

import re

import pytest

from docs.pages import DOCUMENTS, Block, blocks
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


@pytest.mark.parametrize("block", configurations(), ids=str)
def test_a_configuration_is_right(tmp_path_factory: pytest.TempPathFactory, block: Block) -> None:
    """It has no problem."""
    if block.page == _WRONG_ON_PURPOSE and _behind_errors(block):
        return
    path = tmp_path_factory.mktemp("page") / f"outhaul.{_KINDS[block.language]}"
    path.write_text(block.text, encoding="utf-8")
    assert parse(read(str(path)).tree, absolute_from("/base")).problems == []


def _behind_errors(block: Block) -> bool:
    (page,) = [path for path in DOCUMENTS if str(path).endswith(block.page)]
    return block.start > page.read_text(encoding="utf-8").index("\n## Errors")


def test_what_is_no_configuration_is_named() -> None:
    """A TOML block without a job is a fragment, and each fragment is one of these: none escapes by its form."""
    known = {str(block) for block in configurations()}
    others = [
        block for path in DOCUMENTS for block in blocks(path) if block.language == "toml" and str(block) not in known
    ]
    assert [str(block) for block in others if not block.text.startswith("# beneath [[job]]\n")] == []
