"""docs/configuration.md is true: its examples are read, and its errors are what outhaul says."""

import re
from pathlib import Path

import pytest

from config.writing import lines_of
from outhaul.config.formats import read
from outhaul.config.keys import JOB_KEYS, TOP_KEYS, parse
from outhaul.config.paths import absolute_from

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.md").read_text()
KNOWING = (DOCS / "knowing.md").read_text()
REFERENCE, ERRORS = PAGE.split("## Errors")


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of each example; commands are for docs/test_played.py."""
    return re.findall(r"```(?!sh\n)(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("language", "content"), [*blocks(REFERENCE), *(one for one in blocks(KNOWING) if one[0] == "toml")]
)
def test_every_example_is_right(tmp_path: Path, language: str, content: str) -> None:
    """The examples of the reference have no problem."""
    path = tmp_path / f"outhaul.{language}"
    path.write_text(content)
    assert parse(read(str(path)).tree, absolute_from("/base")).problems == []


PAIRS = [(first[1], second[1]) for first, second in zip(blocks(ERRORS)[::2], blocks(ERRORS)[1::2], strict=True)]


@pytest.mark.parametrize(("content", "said"), PAIRS)
def test_every_error_is_what_outhaul_says(tmp_path: Path, content: str, said: str) -> None:
    """The page shows the very lines."""
    home = tmp_path / "pi"
    for name in ("weather", "camera"):
        (home / name).mkdir(parents=True)
    assert said.replace("/home/pi", "/base").splitlines() == lines_of(home, content)


def test_every_key_is_on_the_page() -> None:
    """The reference names each key that the parser knows."""
    assert [key for key in (*JOB_KEYS, *TOP_KEYS) if f"`{key}" not in REFERENCE and key != "job"] == []
