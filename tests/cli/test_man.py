"""The man page: all of the parser is in it, and those who render it find nothing wrong."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from outhaul.frontends.cli.main import EXIT_CODES, build_parser
from outhaul.frontends.cli.man import page, today

PAGE = page(build_parser(), "2026-01-31")
PLAIN = re.sub(r"\\f[BIR]", "", PAGE).replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\(ga", "`")
SOURCES = Path(__file__).parents[2] / "src"
RENDERERS = {
    "groff": ["groff", "-man", "-ww", "-b", "-Tutf8", "-z"],
    "mandoc": ["mandoc", "-T", "lint", "-W", "warning"],
    "man": ["man", "--warnings=w", "-l"],
}


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command of the parser."""
    action = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


def sections() -> dict[str, str]:
    """The text of each command."""
    pieces = re.split(r'^\.S[SH] "?(?:outhaul )?([^"\n]+)"?$', PLAIN, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.mark.parametrize("name", commands())
def test_every_command_has_its_options(name: str) -> None:
    """Explained in its section, or named there and explained once for all commands."""
    said, command = sections(), commands()[name]
    missing = []
    for action in [action for action in command._actions if action.help != argparse.SUPPRESS]:
        words = action.option_strings or [str(action.metavar or "{" + ",".join(map(str, action.choices or ())) + "}")]
        if action.option_strings and action.option_strings != ["-h", "--help"]:
            explained = f".TP\n{', '.join(words)}"
            own, common = explained in said[name], f"{words[-1]}" in said[name] and explained in said["COMMON OPTIONS"]
            missing += [] if own or common else [words]
        elif words[0] not in said[name] and not action.option_strings:
            missing.append(words)
    assert missing == []


def test_exit_codes() -> None:
    """Those of `--help`."""
    assert [code for code in re.findall(r"^ +(\d+)", EXIT_CODES, re.MULTILINE) if f".TP\n{code}\n" not in PLAIN] == []


@pytest.mark.parametrize("program", RENDERERS)
def test_it_is_rendered_without_a_warning(program: str, tmp_path: Path) -> None:
    """By whichever of them is installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    path = tmp_path / "outhaul.1"
    path.write_text(PAGE)
    done = subprocess.run([*RENDERERS[program], path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert program == "man" or done.stdout == ""


def test_no_line_is_a_macro_by_accident() -> None:
    """Text that begins with a dot or a quote is text."""
    known = {"TH", "SH", "SS", "TP", "PP", "EX", "EE", "B"}
    assert {line.split()[0][1:] for line in PAGE.splitlines() if line.startswith((".", "'"))} <= known


def test_it_is_made_without_any_other_package() -> None:
    """Whoever builds a wheel has nothing but hatchling."""
    environ = {"PYTHONPATH": str(SOURCES), "PATH": os.defpath, "SOURCE_DATE_EPOCH": "1769817600"}
    command = [sys.executable, "-S", "-m", "outhaul.frontends.cli.man"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", PAGE)


def test_the_date_is_that_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a package can be built again with the same bytes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1769817600")
    assert today() == "2026-01-31"
