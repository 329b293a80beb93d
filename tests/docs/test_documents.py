"""Every document is read, and what it claims of the project is held against the project."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from docs.pages import DOCUMENTS, ROOT, blocks, commands, said
from outhaul.frontends.cli.main import build_parser
from outhaul.model.lifecycle import REASONS
from outhaul.ports import Ledger, Store


def texts() -> list[tuple[str, str]]:
    """Each document's name and text."""
    return [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in DOCUMENTS]


@pytest.mark.parametrize(("name", "text"), texts(), ids=[name for name, _ in texts()])
def test_links_lead_somewhere(name: str, text: str) -> None:
    """A link within the project names a file that is there, and a heading that is there."""
    targets = [target.partition("#") for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    places = [((ROOT / name).parent / path if path else ROOT / name, heading) for path, _, heading in targets]
    assert [str(path) for path, _ in places if not path.exists()] == []
    assert [heading for path, heading in places if heading and heading not in headings(path)] == []


def headings(path: Path) -> set[str]:
    """The anchors that a code host makes of the headings of a page."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


@pytest.mark.parametrize(("name", "text"), texts(), ids=[name for name, _ in texts()])
def test_commands_are_accepted(name: str, text: str) -> None:
    """Each `outhaul ...` line of a code block is one that the parser takes."""
    parser = build_parser()
    for block in blocks(ROOT / name):
        for line in commands(block):
            parser.parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_the_text_says_of_commands_is_so(path: Path) -> None:
    """Between backquotes, too, a command is one of outhaul, and an option beside it is one of that command."""
    (action,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    known = {name: {*command._option_string_actions} for name, command in action.choices.items()}
    known["COMMAND"] = {"--help"}
    lines = [line for line in said(path) if line.startswith("outhaul ")]
    assert [line for line in lines if line.split()[1] not in known] == []
    assert [line for line in lines if not {*re.findall(r" (--[a-z-]+)", line)} <= known[line.split()[1]]] == []


@pytest.mark.parametrize(("name", "text"), texts(), ids=[name for name, _ in texts()])
def test_modules_that_are_named_exist(name: str, text: str) -> None:
    """A path in backquotes such as `stages/dispose.py` is a file of the project."""
    named = set(re.findall(r"`((?:[a-z0-9_]+/)+[a-z0-9_]+\.(?:py|toml|json|md|sql))`", text))
    places = (ROOT, ROOT / "src", ROOT / "src" / "outhaul", (ROOT / name).parent)
    assert [path for path in sorted(named) if not any((place / path).exists() for place in places)] == []


def test_every_command_is_in_the_readme() -> None:
    """A command that the README does not name is one that nobody finds."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    action = next(action for action in build_parser()._actions if hasattr(action, "choices") and action.choices)
    assert [name for name in dict(action.choices or {}) if f"outhaul {name}" not in text] == []


def test_the_stages_are_in_the_order_of_the_architecture() -> None:
    """The walk of one file names each stage once, in the order of the journey; what is none of them is named too."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    walk = re.findall(r"^\d\. \*\*(\w+)\*\* \(`stages/(\w+)\.py`", text, re.MULTILINE)
    assert [name for name, _ in walk] == ["discover", "settle", "package", "upload", "prove", "record", "dispose"]
    modules = {path.stem for path in (ROOT / "src" / "outhaul" / "stages").glob("*.py")} - {"__init__"}
    beside = {module for module in modules if f"`stages/{module}.py`" in text}
    assert {module for _, module in walk} <= modules == beside


def test_the_tree_is_the_tree() -> None:
    """Every folder of the package is in the tree of the architecture."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "src" / "outhaul").glob("*/__init__.py")}
    assert [folder for folder in sorted(folders) if f"{folder}/" not in text] == []


def test_the_tables_of_the_ledger_are_described() -> None:
    """docs/format.md names every table and column."""
    import sqlite3

    from outhaul.ledgers.schema import migrate

    database = sqlite3.connect(":memory:", isolation_level=None)
    migrate(database)
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = [row[1] for table in tables for row in database.execute(f"PRAGMA table_info({table})")]
    assert [word for word in {*tables, *columns} if f"`{word}`" not in text] == []


def test_the_reasons_are_described() -> None:
    """docs/format.md names every reason that a program may meet in JSON."""
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    assert [reason for reason in REASONS if f"`{reason}`" not in text] == []


def test_usage_of_dev() -> None:
    """./dev names each command that the README names."""
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in set(re.findall(r"\./dev (\w+)", text)):
        assert f"./dev {command}" in usage


def test_ports_are_fully_explained() -> None:
    """Every method of a port says what must hold."""
    for port in (Store, Ledger):
        silent = [
            name
            for name, method in vars(port).items()
            if callable(method) and not name.startswith("_") and not method.__doc__
        ]
        assert silent == []


def test_no_place_of_a_machine_is_named() -> None:
    """The project names no directory of the machine that it was written on."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    pattern = re.compile("/" + "work/(main|shared)|/" + "root/[.]")
    texts_ = [(name, (ROOT / name).read_bytes()) for name in listed if (ROOT / name).is_file()]
    assert [name for name, data in texts_ if pattern.search(data.decode("utf-8", "replace"))] == []
