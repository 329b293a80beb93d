"""`move`, `copy` and `run`, as a script sees them."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli.program import Program


def test_move_says_what_it_did_on_standard_error(outhaul: Program) -> None:
    """Standard output is for data; people are told on standard error, and every file seen is accounted for."""
    for number in range(3):
        outhaul.write(f"2026/03/{number}.csv", b"x" * number)
    ran = outhaul.move()
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("move: 3 files seen, 3 carried (3 B in ")
    assert outhaul.stored() == {"2026/03/0.csv": b"", "2026/03/1.csv": b"x", "2026/03/2.csv": b"xx"}
    assert [path for path in outhaul.source.rglob("*") if path.is_file()] == []


def test_nothing_of_ours_stays_in_the_source(outhaul: Program) -> None:
    """After a move the source holds no private directory."""
    outhaul.write("one.csv")
    outhaul.move()
    assert list(outhaul.source.iterdir()) == []


def test_copy_again_sends_what_is_new_or_changed(outhaul: Program) -> None:
    """The sources stay; the second time only the changed file goes, to a second key, and nothing is overwritten."""
    outhaul.write("same.csv", b"same")
    changed = outhaul.write("changed.csv", b"first")
    assert outhaul.copy().code == 0
    changed.write_bytes(b"second")
    ran = outhaul.copy("--json")
    summary = ran.events[-1]
    assert (summary["event"], summary["seen"], summary["reasons"]) == ("summary", 2, {"unchanged": 1, "kept": 1})
    assert sorted([b"first", b"same", b"second"]) == sorted(outhaul.stored().values())
    assert outhaul.stored()["changed.csv"] == b"first"


def test_what_waits_and_what_is_ignored(outhaul: Program) -> None:
    """A file that is open for writing waits; a link, a FIFO, a socket and temporary names are ignored, with their reasons."""
    outhaul.write("done.csv")
    outhaul.write("half.csv.part")
    os.symlink("/etc/passwd", outhaul.source / "link")
    os.mkfifo(outhaul.source / "fifo")
    with socket.socket(socket.AF_UNIX) as sock, open(outhaul.write("live.csv"), "ab"):
        sock.bind(str(outhaul.source / "sock"))
        ran = outhaul.move("--json")
    summary = ran.events[-1]
    assert summary["reasons"] == {"removed": 1, "in-use": 1, "excluded": 1, "symlink": 1, "fifo": 1, "socket": 1}
    assert 6 == summary["seen"] == sum(summary["reasons"].values())
    assert (ran.code, outhaul.stored()) == (0, {"done.csv": b"content"})


def test_json_is_lossless_for_any_name(outhaul: Program) -> None:
    """A name that is no UTF-8, with a newline and an escape sequence, comes back byte for byte, and breaks no line."""
    name = b"\xff\nnew\x1b[31mline\xe2\x80\xae"
    with open(os.path.join(os.fsencode(outhaul.source), name), "wb") as file:
        file.write(b"1")
    event = outhaul.move("--json").events[0]
    assert name == base64.b64decode(event["path_base64"])
    assert (event["event"], event["proof"], event["size"]) == ("carried", "read-back", 1)
    assert list(outhaul.stored()) == ["%FF%0Anew%1B[31mline\u202e"]
    shown = outhaul("ls", "--state", str(outhaul.state)).out
    assert len(shown.splitlines()) == 1
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_quiet_says_nothing_when_all_is_well(outhaul: Program) -> None:
    """With -q there is output only when something is held or fails."""
    outhaul.write("one.csv")
    assert outhaul.move("-q") == (0, "", "")


def test_verbose_names_every_file(outhaul: Program) -> None:
    """With -v each file has a line."""
    outhaul.write("one.csv")
    assert "carried  one.csv -> one.csv (read-back)\n" in outhaul.move("-v").err


def test_what_an_earlier_run_has_carried_has_its_line(outhaul: Program) -> None:
    """Its receipt is older than the run in which its source goes: it is told as any other, and counted."""
    outhaul.write("a.csv")
    outhaul.copy()
    ran = outhaul.move("-v")
    assert ran.err.splitlines()[0] == "carried  a.csv -> a.csv (by an earlier run)"
    assert ran.err.splitlines()[1].startswith("move: 1 file seen, 1 carried")
    outhaul.write("b.csv")
    outhaul.copy()
    told, summary = outhaul.move("--json").events
    assert (told["event"], told["path"], told["size"], told["key"], told["sent"], told["earlier"]) == (
        "carried", "b.csv", 7, "b.csv", False, True,
    )  # fmt: skip
    assert summary["carried"] == 1


def test_a_dry_run_touches_nothing(outhaul: Program) -> None:
    """It says what would be carried."""
    outhaul.write("one.csv")
    ran = outhaul.move("--dry-run")
    assert "1 waiting: 1 would be carried now (this was a dry run)" in ran.err
    assert (ran.code, (outhaul.source / "one.csv").exists(), outhaul.target.exists()) == (0, True, False)


def test_patterns(outhaul: Program) -> None:
    """--include and --exclude choose; a pattern without a slash is for names in any directory."""
    for name in ("a/1.csv", "a/1.log", "b/2.csv"):
        outhaul.write(name)
    outhaul.move("--include", "*.csv", "--exclude", "b/**")
    assert list(outhaul.stored()) == ["a/1.csv"]


@pytest.mark.slow
def test_quiet_for_is_measured_across_runs(outhaul: Program) -> None:
    """A file that was just written waits, and goes in a later run when outhaul has seen it unchanged for long enough."""
    outhaul.write("one.csv")
    first = outhaul.move("--quiet-for", "3s", "--json").events[-1]
    time.sleep(3.1)
    second = outhaul.move("--quiet-for", "3s", "--json").events[-1]
    assert [first["reasons"], second["reasons"]] == [{"quiet": 1}, {"removed": 1}]


def test_another_instance(outhaul: Program) -> None:
    """A second process on the same state directory ends with 3, and the lock dies with its holder."""
    outhaul.state.mkdir()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.flock(f,2); print(1,flush=True); time.sleep(60)",
            str(outhaul.state / "lock"),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    outhaul.write("one.csv")
    busy = outhaul.move()
    holder.kill()
    holder.wait()
    assert (busy.code, busy.err[:36]) == (3, "outhaul: another outhaul works with ")
    assert outhaul.move().code == 0


def test_a_destination_that_cannot_be_used(outhaul: Program) -> None:
    """Exit code 4, the reason in one line, and every file still in its place."""
    outhaul.write("one.csv")
    ran = outhaul(
        "move",
        str(outhaul.source),
        "s3://bucket/p",
        "--state",
        str(outhaul.state),
        "--endpoint-url",
        "http://127.0.0.1:9",
    )
    assert (ran.code, (outhaul.source / "one.csv").exists()) == (4, True)
    assert "cannot be used: no AWS credentials found" in ran.err
    refused = outhaul(
        "move", str(outhaul.source), "s3://bucket/p", "--state", str(outhaul.state), "--endpoint-url", "http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret-canary",
    )  # fmt: skip
    assert (refused.code, "127.0.0.1:9: Connection refused" in refused.err) == (4, True)
    assert "secret-canary" not in refused.err


def test_https_to_a_server_without_tls(outhaul: Program) -> None:
    """What to write instead is said, and no number of a line in somebody's library."""
    outhaul.write("one.csv")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ran = outhaul(
            "move", str(outhaul.source), "s3://bucket/p", "--state", str(outhaul.state), "--endpoint-url",
            f"https://127.0.0.1:{server.server_port}", AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="a-secret",
        )  # fmt: skip
        server.shutdown()
    assert ran.code == 4
    assert f"127.0.0.1:{server.server_port}: the server speaks no TLS there; for one without, write http://" in ran.err


def test_a_state_that_is_no_directory(outhaul: Program) -> None:
    """Wrong usage, and nothing of a lock, which somebody might delete."""
    outhaul.write("one.csv")
    outhaul.state.write_bytes(b"")
    for state, said in (
        (
            outhaul.state,
            f"outhaul: {outhaul.state} is no directory; --state names one, for the ledger and private files\n",
        ),
        (
            outhaul.state / "x",
            f"outhaul: {outhaul.state}/x cannot hold the state: Not a directory; name another directory",
        ),
    ):
        ran = outhaul("move", str(outhaul.source), str(outhaul.target), "--state", str(state))
        assert (ran.code, ran.err.count("\n"), ran.err[: len(said)]) == (2, 1, said)
    assert (outhaul.source / "one.csv").exists()


@pytest.mark.slow
def test_interrupted(outhaul: Program, tmp_path: Path) -> None:
    """SIGINT ends a run with 130; what was under way is recorded, and the next run takes the rest."""
    for number in range(3000):
        outhaul.write(f"{number % 7}/{number}.csv", str(number).encode())
    arguments = ["move", str(outhaul.source), str(outhaul.target), "--state", str(outhaul.state)]
    running = subprocess.Popen(
        [sys.executable, "-m", "outhaul", *arguments], stderr=subprocess.PIPE, env=outhaul.environment
    )
    deadline = time.monotonic() + 30
    while not (outhaul.target.exists() and any(outhaul.target.rglob("*.csv"))) and time.monotonic() < deadline:
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode in (0, 130), err
    assert outhaul.move().code == 0
    assert len(outhaul.stored()) == 3000


STOPPING = "outhaul: stopping: what is on its way is brought to an end; Ctrl-C again stops at once\n"


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that takes every connection, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()


def interrupted(outhaul: Program, endpoint: str, signals: Sequence[int]) -> tuple[float, int, str]:
    """A move to it gets signals; how many seconds it takes from the last of them, its exit code, and what it says."""
    for number in range(3):
        outhaul.write(f"{number}.csv")
    arguments = [
        "move",
        str(outhaul.source),
        "s3://bucket/p",
        "--endpoint-url",
        endpoint,
        "--state",
        str(outhaul.state),
    ]
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-m", "outhaul", *arguments]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, env=outhaul.environment | keys)
    deadline = time.monotonic() + 30
    while not (outhaul.state / "ledger.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    for number in signals:
        time.sleep(1)
        running.send_signal(number)
    sent = time.monotonic()
    _, err = running.communicate(timeout=50)
    return time.monotonic() - sent, running.returncode, err.decode()


@pytest.mark.slow
def test_a_second_interrupt_ends_it_at_once(outhaul: Program, silent: str) -> None:
    """The first says what it does, and how to be quicker; nothing is lost by the second."""
    seconds, code, said = interrupted(outhaul, silent, [signal.SIGINT, signal.SIGINT])
    assert (code, said) == (130, STOPPING)
    assert seconds < 2
    assert len(list(outhaul.source.iterdir())) == 3


@pytest.mark.slow
def test_an_interrupt_waits_for_a_bounded_time(outhaul: Program, silent: str) -> None:
    """An endpoint that never answers keeps it for ten seconds, and is not asked anew."""
    seconds, code, said = interrupted(outhaul, silent, [signal.SIGINT])
    assert (code, said.startswith(STOPPING)) == (130, True)
    assert "3 the run was interrupted before its turn" in said
    assert seconds < 20


@pytest.mark.slow
def test_a_service_manager_is_told_nothing_more(outhaul: Program, silent: str) -> None:
    """It has asked for it, by SIGTERM."""
    _, code, said = interrupted(outhaul, silent, [signal.SIGTERM])
    assert (code, "stopping" in said) == (130, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("move", "nowhere", "target"), "nowhere"),
        (("move", "source", "s3:/bucket"), "write s3://bucket/prefix"),
        (("move", "source", "ftp://host/x"), "'ftp' is no kind of store"),
        (("move", "source", "source/below"), "source"),
        (
            ("copy", "s3://my-bucket/x", "target"),
            "SOURCE: s3://my-bucket/x is a bucket, and copy takes a directory of this "
            "machine; what fetches is outhaul restore s3://my-bucket/x --to DIR, or outhaul mirror\n",
        ),
        (("copy", "source", "target", "--level", "3"), "outhaul: --compress: is missing; add it\n"),
        (("copy", "source", "target", "--quiet-for", "3 parsecs"), '--quiet-for: expected a duration such as "30m"'),
        (("copy", "source", "target", "--include", "../abs"), '--include: pattern "../abs" is relative to the source'),
        (("copy", "source", "target", "--endpoint-url", "nonsense"), "--endpoint-url: expected an address"),
        (("run", "absent.toml"), "absent.toml: cannot be read"),
        (("run",), "no configuration: name one"),
    ],
)
def test_wrong_usage(outhaul: Program, arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2 and one line that says what to write instead; nothing is done."""
    ran = outhaul(*arguments, "--state", str(outhaul.state))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err and "Traceback" not in ran.err
    assert not outhaul.state.exists()


def test_run_with_a_configuration(outhaul: Program) -> None:
    """Each job is run; --job takes some of them; an unknown one is named."""
    other = outhaul.home / "other"
    other.mkdir()
    (other / "2.csv").write_bytes(b"2")
    outhaul.write("1.csv", b"1")
    config = outhaul.home / "outhaul.toml"
    config.write_text(
        '[[job]]\nname = "a"\nsource = "source"\nto = "target/a"\nsettle = { quiet = "0" }\n'
        '[[job]]\nname = "b"\nsource = "other"\nto = "target/b"\nsettle = { quiet = "0" }\nafter = "keep"\n'
    )
    outhaul.target.mkdir()
    state = ("--state", str(outhaul.state))
    assert outhaul("run", str(config), "--job", "a", *state).code == 0
    assert outhaul.stored() == {"a/1.csv": b"1"}
    assert outhaul("run", str(config), *state).code == 0
    assert (outhaul.stored(), (other / "2.csv").exists()) == ({"a/1.csv": b"1", "b/2.csv": b"2"}, True)
    assert (
        (ran := outhaul("run", str(config), "--job", "c", *state)).code,
        ran.err,
    ) == (2, "outhaul: --job c: there is no such job; there is a, b\n")


def test_a_vanished_source_is_no_empty_source(outhaul: Program) -> None:
    """A source that cannot be read is told as such, and the other jobs go on."""
    other = outhaul.home / "other"
    other.mkdir()
    outhaul.write("1.csv", b"1")
    outhaul.target.mkdir()
    config = outhaul.home / "outhaul.toml"
    config.write_text(
        '[[job]]\nname = "a"\nsource = "other"\nto = "target/a"\n[[job]]\nname = "b"\nsource = "source"\nto = "target/b"\n'
        'settle = { quiet = "0" }\n'
    )
    other.rmdir()
    ran = outhaul("run", str(config), "--state", str(outhaul.state))
    assert (ran.code, f"a: {other}: it is not there any more" in ran.err) == (1, True), ran.err
    assert outhaul.stored().keys() == {"b/1.csv"}
    source = outhaul.source
    shutil.rmtree(source)
    ran = outhaul("run", str(config), "--state", str(outhaul.state))
    assert ran.code == 2
    assert f'job "a": source: {other} does not exist; make it, or correct the path' in ran.err


def job_file(outhaul: Program, settle: str) -> str:
    """A configuration of one job with these finish rules."""
    outhaul.target.mkdir(exist_ok=True)
    config = outhaul.home / "outhaul.toml"
    config.write_text(f'[[job]]\nname = "a"\nsource = "source"\nto = "target"\nsettle = {settle}\n')
    return str(config)


def test_a_marker_says_that_a_file_is_finished(outhaul: Program) -> None:
    """Without its marker a file waits; with it, it goes; and the marker goes after it, as a file like any other."""
    config = job_file(outhaul, '{ quiet = "0", marker = "{name}.done" }')
    state = ("--state", str(outhaul.state), "--json")
    outhaul.write("1.csv", b"1")
    outhaul.write("2.csv", b"2")
    outhaul.write("2.csv.done", b"")
    runs = [outhaul("run", config, *state).events[-1]["reasons"] for _ in range(2)]
    assert runs == [{"unmarked": 1, "marker": 1, "removed": 1}, {"unmarked": 1, "removed": 1}]
    assert outhaul.stored() == {"2.csv": b"2", "2.csv.done": b""}
    outhaul.write("1.csv.done", b"")
    outhaul("run", config, *state)
    assert outhaul("run", config, *state).events[-1]["reasons"] == {"removed": 1}
    assert sorted(outhaul.stored()) == ["1.csv", "1.csv.done", "2.csv", "2.csv.done"]


@pytest.mark.slow
def test_the_newest_files_are_passed_over(outhaul: Program) -> None:
    """Of each directory the newest waits; when it has been left alone for the limit, it goes too."""
    config = job_file(outhaul, '{ quiet = "0", skip-newest = 1, newest-limit = "3s" }')
    state = ("--state", str(outhaul.state), "--json")
    for directory in ("a", "b"):
        for number in range(3):
            os.utime(outhaul.write(f"{directory}/{number}.csv"), (1000 + number, 1000 + number))
    assert outhaul("run", config, *state).events[-1]["reasons"] == {"newest": 2, "removed": 4}
    assert sorted(path.name for path in outhaul.source.rglob("*.csv")) == ["2.csv", "2.csv"]
    time.sleep(3.2)
    assert outhaul("run", config, *state).events[-1]["reasons"] == {"removed": 2}
