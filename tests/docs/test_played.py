"""Every page that shows commands is played: each is run and prints what is shown, or is in one list of what cannot be run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench import __main__ as bench
from bench.losses import __main__ as losses

from docs.pages import DOCUMENTS, PLAYED, ROOT, Block, blocks, file_name, shown
from docs.played import machine, matches
from docs.scripts import NOT_HERE, left_out, script
from servers.start import Unavailable

_LANGUAGES = {
    "comment": "played.py obeys it, or refuses it",
    "console": "played, and what it prints is compared",
    "sh": "played, to its end",
    "text": "no command, but for lines of a crontab, which are played; test_no_command_is_shown_as_text",
    "toml": "read: test_examples.py, config/test_documentation.py",
    "yaml": "read: test_examples.py; the alarms: test_reference.py",
    "json": "read: test_examples.py; what is written: test_reference.py",
    "sql": "run on three databases: fleet/test_importing.py",
}
"""What is done with a block of each kind. One of another kind would be shown and never tried."""
_ONLY_THERE = {
    "text": {
        f"docs/{name}.md" for name in ("ARCHITECTURE", "coming-from/s3-uploader", "configuration", "fleet", "web")
    },
    "yaml": {"docs/configuration.md", "docs/metrics.md"},
    "json": {"docs/configuration.md", "docs/format.md"},
    "sql": {"docs/fleet.md"},
}
"""The pages on which those are."""


@pytest.mark.slow
@pytest.mark.parametrize("page", PLAYED, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_shows(page: Path) -> None:
    """Word for word, but for times and what the page leaves out with `...`."""
    if (
        page.stem == "tutorial"
        and shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") is None
    ):
        pytest.skip("rclone is not installed here")
    try:
        with machine(page) as here:
            for step, printed, code in here.play():
                assert matches(step.expected, printed), f"$ {step.command}\n{printed}\nThe page shows:\n{step.expected}"
                tells = step.end and _after(page, step.end) == "$ echo $?"
                assert code == 0 or tells, f"$ {step.command}\nexit code {code}\n{printed}"
    except Unavailable as reason:
        pytest.skip(str(reason))


def _after(page: Path, offset: int) -> str:
    """The line behind what a command prints."""
    return page.read_text(encoding="utf-8")[offset:].partition("\n")[0]


EVERY = [block for path in DOCUMENTS for block in blocks(path)]


def test_nothing_is_shown_that_nothing_tries() -> None:
    """A block has a language, and to each language something is done."""
    assert [(str(block), block.language) for block in EVERY if block.language not in _LANGUAGES] == []
    pages = {kind: {block.page for block in EVERY if block.language == kind} for kind in _ONLY_THERE}
    assert pages == _ONLY_THERE


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_fence_is_one_of_a_block(path: Path) -> None:
    """One that is indented, or has more than a language behind it, would be shown and not be found."""
    fences = re.findall(r"^ *(?:```|~~~)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * sum(block.language not in ("comment", "indented") for block in blocks(path))


def test_a_program_of_a_page_has_a_name() -> None:
    """By which it is written and called while the page is played."""
    assert [str(block) for block in EVERY if block.text.startswith("#!") and not file_name(block)] == []


def test_no_command_is_shown_as_text() -> None:
    """A line that begins with a program, or as a prompt does, belongs into a block that is played."""
    known = {line.removeprefix("sudo ").partition(" ")[0] for block in EVERY for line in shown(block)} - {"", "#", "}"}
    lines = [(block, line) for block in EVERY if block.language == "text" for line in block.text.splitlines()]
    assert [f"{block}: {line}" for block, line in lines if re.match(r"[$#] ", line) or _program(line) in known] == []
    assert [f"{block}: {line}" for block, line in lines if shutil.which(_program(line))] == []


def _program(line: str) -> str:
    return line.removeprefix("sudo ").partition(" ")[0]


def _left_out() -> list[tuple[Block, str]]:
    return [(block, line) for block in EVERY for line in shown(block) if left_out(line)]


def test_what_is_not_run_is_named_on_a_page() -> None:
    """The list of what is not run has nothing in it that no page shows."""
    lines = [line.removeprefix("sudo ") for _, line in _left_out()]
    assert [pattern for pattern, _ in NOT_HERE if not any(re.match(pattern, line) for line in lines)] == []


_EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


@pytest.mark.parametrize(("block", "line"), _left_out(), ids=str)
def test_what_is_not_run_is_right_as_far_as_can_be_told(block: Block, line: str) -> None:
    """Extras, commands of ./dev and options of the benchmarks are there (and outhaul's own: test_documents.py)."""
    words = shlex.split(line, comments=True)
    assert set(re.findall(r"outhaul\[(\w+)\]", line)) <= _EXTRAS
    if words[0] == "./dev":
        assert f"\n    {words[1]})" in (ROOT / "dev").read_text()
    options: dict[tuple[str, ...], Callable[[list[str]], Any]] = {
        ("./dev", "bench"): bench._options,
        ("python", "-m", "bench.losses"): losses._options,
    }
    for start, parse in options.items():
        if tuple(words[: len(start)]) == start and "|" not in words:
            parse(words[len(start) :])
    if words[:2] == ["python3", "build.py"]:
        usage = subprocess.run([sys.executable, ROOT / "greengrass/build.py", "--help"], capture_output=True, text=True)
        assert set(re.findall(r" (--[a-z-]+)", line)) <= set(re.findall(r"(--[a-z-]+)", usage.stdout))


def test_how_a_block_is_run() -> None:
    """What stays is ended, what is not for here is left out, what is to fail has to; what a comment puts before it is there."""
    lines = [
        "outhaul watch   # stays",
        "sudo systemctl stop x",
        "outhaul ls",
        "outhaul health # 1 and why",
        "  # no more",
    ]
    told = list(script(lines, {"outhaul ls": "echo first"}, {"outhaul health": 1}))
    assert told == [
        "stay outhaul watch   # stays", ":", "echo first", "outhaul ls",
        "code=0; outhaul health || code=$?; test $code = 1", "  # no more",
    ]  # fmt: skip


@pytest.mark.parametrize(("command", "code"), [("exit 0", 99), ("exit 3", 3)])
def test_what_does_not_stay_has_failed(command: str, code: int) -> None:
    """Also where it ended well."""
    done = subprocess.run([sys.executable, Path(__file__).with_name("stay.py"), "sh", "-c", command], check=False)
    assert done.returncode == code


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\n", "a\n", True),
        ("a\n", "b\n", False),
        ("in 0.2 s\n", "in 31 ms\n", True),
        ("one ... three\n", "one two three\n", True),
        ("one\n...\nthree\n", "one\n2\n2\nthree\n", True),
        ("one\n...\nthree\n", "one\n2\nfour\n", False),
        ("3 files carried\n", "4 files carried\n", False),
    ],
)
def test_what_counts_as_the_same(expected: str, printed: str, same: bool) -> None:
    """Times are loose, figures are not."""
    assert same == matches(expected, printed)
