"""`status`, `ls`, `why`, `check`, and what every command has."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import pytest

from cli.program import Program
from outhaul.frontends.cli.main import VERSION, build_parser
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.evidence import Sighting
from outhaul.ports import Begun


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command by name."""
    action = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


@pytest.mark.parametrize("name", commands())
def test_every_command_has_an_example(name: str) -> None:
    """--help ends with an example that the parser itself accepts."""
    epilog = commands()[name].epilog or ""
    lines = [line.strip() for line in epilog.splitlines()[1:]]
    assert epilog.startswith("example:\n  outhaul ") and lines
    for line in lines:
        words = line.split(" > ")[0].split(" | ")[0].replace("'", "").split()
        build_parser().parse_args(words[1:])


def test_version(outhaul: Program) -> None:
    """--version names the version of the package."""
    from importlib.metadata import version

    assert (0, f"outhaul {version('outhaul')}\n", "") == outhaul("--version")
    assert version("outhaul") == VERSION


def test_wrong_command(outhaul: Program) -> None:
    """Exit code 2."""
    assert [outhaul("frobnicate").code, outhaul().code] == [2, 2]


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(outhaul: Program, shell: str) -> None:
    """A script that knows the commands."""
    ran = outhaul("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert "status" in ran.out
    assert "--quiet-for" in ran.out or shell == "tcsh"  # There, shtab knows no options of commands.


def test_no_ledger(outhaul: Program) -> None:
    """One line, exit code 1, and no ledger is made by asking."""
    for command in (("status",), ("ls",), ("why", "x")):
        ran = outhaul(*command, "--state", str(outhaul.state))
        assert (1, "", f"outhaul: there is no ledger in {outhaul.state}; --state names another directory\n") == ran
    assert not outhaul.state.exists()


def test_status_ls_and_why(outhaul: Program) -> None:
    """They tell of the carried file and of the one that waits, for people and for programs."""
    done = outhaul.write("a/done.csv", b"12345")
    live = outhaul.write("live.csv")
    with open(live, "ab"):
        outhaul.move()
    state = ("--state", str(outhaul.state))
    status = outhaul("status", *state)
    assert f"move: {outhaul.source} -> file://{outhaul.target}\n  1 file carried, 5 B; last run " in status.out
    assert "1 waiting: 1 open for writing by another process" in status.out
    job, waiting = outhaul("status", "--json", *state).events
    assert (job["receipts"], job["receipt_bytes"], job["waiting"]) == (1, 5, {"in-use": 1})
    assert tuple(waiting[k] for k in ("event", "path", "state", "reason")) == ("file", "live.csv", "waiting", "in-use")
    (receipt,) = outhaul("ls", "--json", *state).events
    assert tuple(receipt[k] for k in ("path", "size", "proof", "disposal")) == ("a/done.csv", 5, "read-back", "removed")
    assert {"receipt", "sha256", "mtime_ns", "key", "version", "etag", "destination", "recorded_ns"} <= set(receipt)
    assert outhaul("ls", "*.log", "--json", *state).events == []
    assert f"carried {'20'}" in outhaul("why", str(done), *state).out
    assert "there is no file here now" in outhaul("why", str(done), *state).out
    assert "waiting: open for writing by another process" in outhaul("why", str(live), *state).out
    assert "matches no" not in outhaul("why", str(live), *state).out
    assert "  ignored: excluded by a pattern: *.tmp\n" in outhaul("why", str(outhaul.source / "a.tmp"), *state).out
    assert outhaul("why", "/elsewhere/file", *state)[:2] == (1, "")


def test_a_list_is_interrupted_at_once(outhaul: Program) -> None:
    """What only shows brings nothing to an end: the first Ctrl-C ends it, without a word."""
    for number in range(600):
        outhaul.write(f"{'a long name ' * 15}{number}.csv")
    outhaul.move()
    command = [sys.executable, "-m", "outhaul", "ls", "--state", str(outhaul.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout and listing.stderr
        listing.stdout.read(1)  # It has begun, and there is more than a pipe holds.
        listing.send_signal(signal.SIGINT)
        assert (listing.wait(20), listing.stderr.read()) == (130, b"")


def test_status_of_what_is_held(outhaul: Program) -> None:
    """Something held makes `status` end with 1."""
    long = "/".join(["d" * 200] * 6) + "/file.csv"
    outhaul.write(long)
    assert outhaul.move().code == 1
    assert outhaul("status", "--state", str(outhaul.state)).code == 1
    assert (outhaul.source / long).exists()


@pytest.mark.parametrize(("uploads", "told"), [(1, "parts of a large file are"), (2, "parts of 2 large files are")])
def test_status_of_parts_in_the_store(outhaul: Program, uploads: int, told: str) -> None:
    """They are paid for, also where nobody goes on with them: a person is told, and since when."""
    outhaul.write("a/small")
    outhaul.move()
    ledger = SqliteLedger(str(outhaul.state), lambda: time.time_ns() - 3 * 86_400 * 10**9)
    with contextlib.closing(ledger):
        for number in range(uploads):
            seen = Sighting("a", f"large-{number}", 1, number, 10, 0, 0)
            ledger.begin_upload(1, seen, Begun("a/large", f"{number}", 5))
    state = ("--state", str(outhaul.state))
    assert f"  {told} in the store, begun 3 days ago\n" in outhaul("status", *state).out
    told_json = json.loads(outhaul("status", "--json", *state).out.splitlines()[0])
    assert told_json["begun"] == uploads


def test_status_on_a_narrow_terminal(outhaul: Program) -> None:
    """The name of a file is never cut: the reason stands beneath it. A wide terminal has the table, as a pipe has."""
    name = "2026/11/" + "reading-" * 6 + ".csv"
    with open(outhaul.write(name), "ab"):
        outhaul.move()
    state = ("--state", str(outhaul.state))
    narrow = outhaul.on_terminal("status", *state)
    assert f"  7 B  {name}\n    open for writing by another process" in narrow
    assert re.search(r"^STATE +SEEN +SIZE  FILE$", narrow, re.MULTILINE)
    wide = outhaul.on_terminal("status", *state, columns=200)
    for shown in (wide, outhaul("status", *state).out):
        assert re.search(rf"  7 B  open for writing by another process.*  {name}$", shown, re.MULTILINE)


def test_check_finds_a_file_beneath_the_source(outhaul: Program) -> None:
    """Whether writers are seen is tried on a file of a subdirectory, where the source itself holds directories only."""
    (outhaul.source / "empty").mkdir()
    config = outhaul.home / "outhaul.toml"
    config.write_text(f'[[job]]\nname = "a"\nsource = "{outhaul.source}"\nto = "{outhaul.target}"\n')
    nothing = outhaul("check", str(config), "--state", str(outhaul.state))
    assert "there is no file yet" in nothing.out
    outhaul.write("2026/11/1.csv")
    assert (
        "files that are open for writing are seen" in outhaul("check", str(config), "--state", str(outhaul.state)).out
    )


def test_check(outhaul: Program) -> None:
    """A configuration that is well, one whose destination cannot be used, and a bare destination."""
    outhaul.write("1.csv")
    outhaul.target.mkdir()
    config = outhaul.home / "outhaul.toml"
    config.write_text('[[job]]\nname = "a"\nsource = "source"\nto = "target/a"\n')
    state = ("--state", str(outhaul.state))
    well = outhaul("check", str(config), *state)
    assert (well.code, well.err) == (0, "")
    assert "can be read" in well.out and "can be written to" in well.out
    assert "files that are open for writing are seen, and wait" in well.out
    config.write_text(
        '[[job]]\nname = "a"\nsource = "source"\nto = "s3://bucket/a"\nendpoint-url = "http://127.0.0.1:9"\n'
    )
    assert outhaul("check", str(config), *state, AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s").code == 4
    assert outhaul("check", str(outhaul.target), *state).code == 0
    assert outhaul("check", "--json", str(outhaul.target), *state).events[0]["abilities"]["create_only"] is True


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="becomes another user")
def test_check_of_what_may_not_be_written(outhaul: Program) -> None:
    """Each is one line and exit code 1, though the destination is well. As another user; nothing is left behind."""
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))  # That of the test may be closed to others.
    try:
        home.chmod(0o755)
        for name, mode in {
            "source": 0o755,
            "source/in": 0o755,
            "archive": 0o755,
            "target": 0o777,
            "state": 0o777,
        }.items():
            (home / name).mkdir()
            (home / name).chmod(mode)
        (home / "source/in/a.csv").write_text("1")
        config = home / "outhaul.toml"
        config.write_text(f'[[job]]\nname = "a"\nsource = "{home}/source"\nto = "{home}/target"\n')
        before = sorted(home.rglob("*"))

        def check(state: str) -> tuple[int, list[str]]:
            command = [
                "setpriv",
                "--reuid",
                "65534",
                "--clear-groups",
                sys.executable,
                "-m",
                "outhaul",
                "check",
                str(config),
            ]
            done = subprocess.run(
                [*command, "--state", str(home / state)],
                env={**outhaul.environment, "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/", capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert not done.stderr and "can be written to" in done.stdout
            said = [" ".join(line.split()) for line in done.stdout.replace(str(home), "").splitlines()]
            return done.returncode, [line for line in said if "user 65534" in line]

        may_not = "user 65534 may not write in"
        removed = f'source files cannot be removed: {may_not} /source/in; allow it, or write after = "keep"'
        assert check("state") == (1, [removed])
        (home / "source/in").chmod(0o777)
        assert check("state") == (0, [])  # Where there are no files, nothing is removed.
        with config.open("a") as file:
            file.write(f'after = {{ archive = "{home}/archive" }}\n')
        assert check("state") == (1, ["archive /archive cannot be written by user 65534"])
        (home / "archive").rmdir()
        assert check("state") == (1, [f"archive /archive cannot be made: {may_not}"])
        config.write_text(config.read_text().partition("after")[0] + 'after = "keep"\n')
        (home / "source/in").chmod(0o755)
        assert check("state") == (0, [])
        unmade = f"state /new/state cannot be made: {may_not} ; --state DIR names another"
        assert check("new/state") == (1, [unmade])
        (home / "state").chmod(0o755)
        assert check("state") == (1, ["state /state cannot be written by user 65534; --state DIR names another"])
        assert sorted(home.rglob("*")) == [path for path in before if path.name != "archive"]
    finally:
        shutil.rmtree(home)


def test_what_is_stored_beside_the_file(outhaul: Program) -> None:
    """`ls`, `find` and `export` tell the codec, size and digest of the object; lines for people do so with -v."""
    content = b"reading\n" * 1000
    outhaul.write("a.csv", content)
    assert outhaul.move("--compress", "gzip").code == 0
    outhaul.write("b.csv", content)
    assert outhaul.move().code == 0
    stored = outhaul.stored()
    state = ("--state", str(outhaul.state))
    for ran in (
        outhaul("ls", "--json", *state),
        outhaul("find", "--json", *state),
        outhaul("export", "--format", "jsonl", *state),
    ):
        told = [(row["size"], row["codec"], row["stored_size"], row["stored_sha256"]) for row in ran.events]
        expected = [
            (len(content), codec, len(stored[key]), sha256(stored[key]).hexdigest())
            for key, codec in (("a.csv.gz", "gzip"), ("b.csv", ""))
        ]
        assert expected == told
    first, second = outhaul("ls", "-v", *state).out.splitlines()
    assert first.endswith(f"a.csv.gz  (gzip, {len(stored['a.csv.gz'])} B stored)") and second.endswith("/b.csv")
    assert "B stored" not in outhaul("find", *state).out
    assert (
        f"    stored as gzip: {len(stored['a.csv.gz'])} bytes"
        in outhaul("why", str(outhaul.source / "a.csv"), *state).out
    )
