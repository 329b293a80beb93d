"""What the commands of the way back advise can be done: each option that is named is one of the command that it is named for."""

from __future__ import annotations

import argparse
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.program import Program
from cli.test_restore import There
from outhaul.engine.account import Account
from outhaul.frontends.cli.main import build_parser
from outhaul.frontends.cli.parsing import Parser
from outhaul.frontends.cli.returning import summary
from outhaul.model.returning import ALONE, FOLLOWING, ON_A_PAGE, RETURNS
from servers.server import Server

LEDGER: Mapping[str, str] = {}
OF_AN_AUDIT = (
    "missing",
    "archived",
    "denied",
    "no-answer",
    "store-refused",
    "store",
    "as-proved",
    "changed",
    "unproved",
)
OF_A_NEW_LEDGER = (
    "missing", "damaged", "archived", "denied", "no-answer", "store-refused", "store", "marker", "refused-name", "recorded",
    "recorded-read", "interrupted",
)  # fmt: skip
OF_FILES = tuple(
    name for name in RETURNS if name not in ("as-proved", "changed", "unproved", "recorded", "recorded-read")
)
NOT_ASKED = tuple(name for name in OF_FILES if name not in ("asked", "under-way"))


def parser_of(command: str) -> Parser:
    """That of one command."""
    action = next(one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction))
    found = action.choices[command]
    assert isinstance(found, Parser)
    return found


def told(command: str, outcomes: tuple[str, ...], advice: Mapping[str, str]) -> str:
    """All that a summary can say."""
    account = Account()
    for outcome in outcomes:
        account.put(outcome)
    return "\n".join(summary(command, account, 1, advice=advice))


def named(text: str, command: str) -> set[tuple[str, str]]:
    """Every option in a text, with the command that it is of: the one named before it in its line, or the one that spoke."""
    found: set[tuple[str, str]] = set()
    for line in text.splitlines():
        of = command
        for other, option in re.findall(r"`outhaul ([a-z]+)|(?<![\w-])(--[a-z][a-z-]+)", line):
            of = other or of
            found.update([(of, option)] if option else [(of, "--help")])
    return found


@pytest.mark.parametrize(
    ("command", "outcomes", "advice"),
    [
        ("restore", OF_FILES, LEDGER),
        ("restore", OF_FILES, ALONE),
        ("mirror", NOT_ASKED, FOLLOWING),
        ("audit", OF_AN_AUDIT, LEDGER),
        ("rebuild", OF_A_NEW_LEDGER, ALONE),
    ],
)
def test_every_option_is_one_of_its_command(command: str, outcomes: tuple[str, ...], advice: Mapping[str, str]) -> None:
    """And every command that is named is one."""
    pairs = named(told(command, outcomes, advice), command)
    assert [pair for pair in pairs if pair[1] not in parser_of(pair[0]).options()] == []
    assert len(pairs) > (command == "restore")


@pytest.mark.parametrize("advice", [ALONE, FOLLOWING])
def test_without_a_ledger_none_is_asked(advice: Mapping[str, str]) -> None:
    """Where a bucket is asked alone, nothing that takes a ledger is advised."""
    text = told("restore", OF_FILES, advice)
    assert [word for word in ("`outhaul history", "`outhaul find", "--job", "--prefix", "--key") if word in text] == []
    assert set(advice) <= set(RETURNS)


def test_a_page_names_options_with_their_command() -> None:
    """A button has none: an option that is named is one of a command that is named before it."""
    said = [
        ON_A_PAGE.get(outcome, RETURNS[outcome].advice)
        for outcome in OF_FILES
        if outcome not in ("planned", "collides")
    ]
    assert [text for text in said if any(of == "page" for of, _ in named(text, "page"))] == []


def test_c3_names_no_option_of_ours() -> None:
    """It fetches as `mirror` does, by a file that says where to, and has no such options."""
    outcomes = tuple(name for name in NOT_ASKED if name != "planned")
    assert [pair for pair in named(told("c3", outcomes, FOLLOWING), "c3") if pair[0] == "c3"] == []


def test_into_a_source(tmp_path: Path) -> None:
    """Refused; only `restore` has an option to do it all the same."""
    outhaul = Program(tmp_path)
    outhaul.write("a.csv")
    assert outhaul.copy().code == 0
    for command, more in (("restore", ", or add --into-source"), ("mirror", "")):
        ran = outhaul(command, str(outhaul.target), "--to", str(outhaul.source / "in"), "--state", str(outhaul.state))
        assert ran == (
            2,
            "",
            f"outhaul: --to {outhaul.source}/in lies in {outhaul.source}, the source of job copy, which would carry the files "
            f"away again; name another directory{more}\n",
        )


@pytest.mark.slow
def test_what_collides_in_a_bucket_comes_by_its_key(rclone_server: Server, tmp_path: Path) -> None:
    """The key that is told, as the address, and another directory bring it, as is advised: a file, or the tar that it is in."""
    there = There(tmp_path, rclone_server)
    for content in (b"earlier", b"later"):
        for name in ("d/a.csv", content.decode()):
            there.write(name, content)
        assert there("move", str(there.source), there.address, "--bundle", "1MiB").code == 0
    with there.server.client() as client:
        for name in ("e/%", "e/%25"):
            client.request("PUT", there.bucket, f"site/{name}", body=name.encode())
    ran = there("restore", there.address, "--to", str(there.back))
    assert (ran.code, f"      {ALONE['collides']}\n" in ran.err) == (1, True)
    found = {}
    for path, key in re.findall(r"^collides +(\S+) \(this one is (?:in )?(.*)\)$", ran.err, re.MULTILINE):
        other = tmp_path / path.replace("/", "-")
        assert there("restore", f"s3://{there.bucket}/{key}", "--to", str(other)).code == 0
        found[path] = next(other.iterdir())
    assert sorted(found) == ["d/a.csv", "e/%"]
    assert {found["e/%"].read_bytes(), (there.back / "e/%").read_bytes()} == {b"e/%", b"e/%25"}
    with tarfile.open(found["d/a.csv"]) as tar:
        member = tar.extractfile("d/a.csv")
        assert member is not None
        assert {member.read(), (there.back / "d/a.csv").read_bytes()} == {b"earlier", b"later"}
