"""A machine on which a page is played: its commands are run, and what they print is compared with what the page shows.

Everything is in one temporary directory: `/home/pi`, `/etc/outhaul` and the like are directories beneath it, the state
directory too, and the names are put back into what is printed. The store is a real S3 server on loopback with the buckets of the
page. What differs from run to run is in `LOOSE`, and nothing else is passed over but what a page leaves out with `...`.

In order, a page is: blocks whose first line names a file (it is written); ```console blocks (each `$ ` line is run by sh; with
code 0, unless `$ echo $?` follows); ```sh blocks (run as one script, which has to reach its end, whatever it prints: see
`scripts.py`); lines of a crontab in ```text blocks (run in the same way); and comments that no reader sees:

    <!-- store: moto -->                    the S3 server from here on: moto, ministack or rclone (on /srv/objects)
    <!-- postgres: db.lab -->               a PostgreSQL that is meant by postgresql://db.lab/...
    <!-- instead of "10m": "1s" -->         words of the page's configurations that are others here
    <!-- file: PATH TEXT -->                one that is there (the path alone on its line)
    <!-- run: COMMANDS -->                  what the machine of the reader has done by itself
    <!-- before WORDS: COMMANDS -->         the same, before the command of a ```sh block that begins so
    <!-- said: FILE = /data/a.csv -->       run what the text of the page says between backquotes, with these words for others
    <!-- code 1: WORDS -->                  the command of a ```sh block or a crontab that these are ends with this code
    <!-- network: off -->                   until `on`
    <!-- for writers: TEXT -->              nothing

`python -m docs.played PAGE...` (from tests) writes what is printed now into pages; look at the difference before you keep it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.processes import free_port

from docs.pages import ROOT, Block, blocks, file_name, said, shown
from docs.scripts import script
from outhaul.frontends.cli.main import build_parser
from servers.postgres import durable_postgres
from servers.start import SERVERS, rclone

LOOSE = (
    (r"(?m)^( +disk:) .*$", r"\1 SPACE"),
    (r"(?m)^( +in the last hour [\d,]+ files?), .*$", r"\1, STORED"),
    (r"\b\d[\d.]* (?:ms|s)\b", "TIME"),
    (r"\b[\d,]+ files?/s\b", "RATE"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z\b", "MOMENT"),
    (r"[ \t]+", " "),
)
"""What differs from run to run, and how both sides are told of it; tables have other widths where paths do."""
_PATHS = re.compile(
    r"(?:(?<=file://)|(?<=unix:)|(?<![\w/.*~-]))/"
    r"(?=(?:home|etc|data|mnt|srv|var|tmp|usr/local/bin|media|lab|scratch|run|greengrass)\b)"
)
_SERVER = "https://s3.example.net"
_LOCAL = re.compile(r"\b(?:127\.0\.0\.1|scheduler):\d+\b")
"""Addresses of servers that a page starts."""
_PROGRAMS = os.path.realpath(os.path.dirname(sys.executable))
_TIMEOUT_SECONDS = 120


class Step(NamedTuple):
    """One command of a ```console block, or all of a ```sh block."""

    command: str
    expected: str
    start: int
    """Offsets in the page of what it is expected to print."""
    end: int


def steps(block: Block) -> Iterator[Step]:
    """The commands of a ```console block, each with what is shown beneath it."""
    for found in re.finditer(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", block.text, re.MULTILINE):
        yield Step(found[1], found[2], block.start + found.start(2), block.start + found.end(2))


class Machine:
    """Where one page is played."""

    def __init__(self, root: Path, page: Path, stack: ExitStack) -> None:
        self.root, self.page, self.stack = root, page, stack
        self.home = root / "home" / "pi"
        self.home.mkdir(parents=True)
        self.code = 0
        self.instead: list[tuple[str, str]] = []
        self.before: dict[str, str] = {}
        self.codes: dict[str, int] = {}
        self.environment: dict[str, str] = {}
        self.endpoint = ""
        self.addresses: dict[str, str] = {}
        """What stands for words of the page here."""
        self.others: list[subprocess.Popen[bytes]] = []
        _write_programs(root)

    def play(self) -> Iterator[tuple[Step, str, int]]:
        """Do all that the page says; each command of its ```console blocks is told, with what it printed and its code."""
        for block in blocks(self.page):
            if block.language == "comment" and block.text.startswith(" said: "):
                lines = [self._with(block.text.removeprefix(" said: "), line) for line in said(self.page)]
                yield from self._script(block, lines)
            elif block.language == "comment":
                self._obey(block)
            elif name := file_name(block):
                self._write(Path(self.here(name.replace("~", "/home/pi", 1))), block.text)
            elif block.language == "console":
                for step in steps(block):
                    yield step, self.run(step.command), self.code
            elif lines := shown(block):
                yield from self._script(block, lines)

    def _script(self, block: Block, lines: list[str]) -> Iterator[tuple[Step, str, int]]:
        text = "\n".join(script(lines, self.before, self.codes))
        yield Step(f"{block}\n{block.text}", "...", 0, 0), self.run(f"set -eux\n{text}\n"), self.code
        for exported in filter(None, (re.match(r"export (\w+)=", line) for line in lines)):
            self._export(exported.string, exported[1])

    @staticmethod
    def _with(words: str, line: str) -> str:
        for pair in words.strip().split(", "):
            word, _, other = pair.partition(" = ")
            line = line.replace(word, other)
        return line

    def here(self, text: str) -> str:
        """Words of the page as they are on this machine."""
        text = _PATHS.sub(f"{self.root}/", text)
        for word in _LOCAL.findall(text):
            self.addresses.setdefault(word, f"127.0.0.1:{free_port()}")
        for word, address in self.addresses.items():
            text = text.replace(word, address)
        return text

    def there(self, text: str) -> str:
        """What was printed, as the reader sees it."""
        for word, here in (*self.addresses.items(), ("", f"{self.root}"), ("/usr/local/bin", _PROGRAMS)):
            text = text.replace(here, word)
        return text

    def _other_words(self, text: str) -> str:
        for words, others in self.instead:
            text = text.replace(words, others)
        return text

    def _obey(self, block: Block) -> None:
        kind, _, rest = block.text.strip().partition(": ")
        if kind == "run":
            self.run(rest)
            assert self.code == 0, f"{block}: {rest}"
        elif kind == "network":
            closed = f"http://127.0.0.1:{free_port()}"
            self.environment["AWS_ENDPOINT_URL"] = closed if rest.strip() == "off" else self.endpoint
        elif kind == "file":
            path, _, text = rest.partition("\n")
            self._write(Path(self.here(path)), text)
        elif kind == "store":
            self.use(rest.strip())
        elif kind == "postgres":
            server = self.stack.enter_context(durable_postgres()).server
            self.addresses[f"postgresql://{rest.strip()}/"] = server.address("")
            self.environment |= {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": server.user}
            self.environment["PGPASSWORD"] = server.password
        elif kind.startswith("instead of "):
            self.instead.append((kind.removeprefix("instead of "), rest.strip()))
        elif kind.startswith("before "):
            self.before[kind.removeprefix("before ")] = rest.strip()
        elif kind.startswith("code "):
            self.codes[rest.strip()] = int(kind.removeprefix("code "))
        else:
            assert kind == "for writers", f"{block}: {kind!r} is no instruction"

    def use(self, name: str) -> None:
        """Start this server, with the buckets that the page names."""
        objects = self.root / "srv" / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        server = self.stack.enter_context(rclone(objects) if name == "rclone" else SERVERS[name]())
        self.endpoint = self.addresses[_SERVER] = server.endpoint_url
        self.environment |= {key: value for key, value in server.environ().items() if key.startswith("AWS_")}
        self.environment["AWS_ENDPOINT_URL"] = server.endpoint_url
        with server.client() as client:
            for bucket in sorted(set(re.findall(r"s3://(?!no-)([a-z0-9-]+)", self.page.read_text(encoding="utf-8")))):
                client.create_bucket(bucket)

    def run(self, command: str) -> str:
        """What it prints on both streams; its code is kept, so that `echo $?` tells it."""
        if exported := re.fullmatch(r" *export (\w+)=.+", command):
            self._export(command, exported[1])
            return ""
        if command.endswith("&"):
            return self._start(self.here(command).removesuffix("&"))
        if command.startswith("kill "):
            command = re.sub(r"%(\d)", lambda found: str(self.others[int(found[1]) - 1].pid), command)
        line = f"(exit {self.code}); {self.here(command)}"
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                ["sh", "-c", line], cwd=self.home, env=self._environ(), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
            try:
                self.code = process.wait(_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                self.code = process.wait()
            output.seek(0)
            return self.there(output.read().decode("utf-8", "replace"))

    def _export(self, command: str, name: str) -> None:
        """What is run from now on has this."""
        line = ["sh", "-euc", f'{self.here(command)}; printf %s "${name}"']
        told = subprocess.run(line, cwd=self.home, env=self._environ(), capture_output=True, text=True, check=True)
        self.environment[name] = told.stdout

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._other_words(self.here(text)), encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)

    def _start(self, command: str) -> str:
        """What stays: it is ended with the machine. A server is waited for."""
        with open(self.root / "others.log", "ab") as log:
            other = subprocess.Popen(
                ["sh", "-c", f"exec {command}"], cwd=self.home, env=self._environ(), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.others.append(other)
        self.code = 0
        for address in self.addresses.values():
            if address in command and address.startswith("127."):
                _wait_for(address)
        return ""

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OUTHAUL_", "XDG_"))}
        programs = f"{self.root}/bin:{self.root}/usr/local/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        given = {"PATH": programs, "HOME": str(self.home), "COLUMNS": "120", "TERM": "dumb", "LC_ALL": "C.UTF-8",
                 "XDG_CONFIG_HOME": f"{self.root}/etc"}  # fmt: skip
        return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "PROJECT": str(ROOT), **self.environment, **given}

    def end(self) -> None:
        """End what stays."""
        for other in self.others:
            os.killpg(other.pid, signal.SIGTERM)
            other.wait(timeout=20)


def _write_programs(root: Path) -> None:
    """outhaul and the older commands as on a machine of its own: with the state of this one; and what root has there."""
    state = root / "var" / "lib" / "outhaul"
    programs = Path(sys.executable).parent
    (root / "bin").mkdir()
    told = f'case " $* " in *" --state "*) exec "$program" "$@" ;; esac\nexec "$program" "$@" --state "{state}"\n'
    lines = {
        "outhaul": f'case "$1" in {"|".join(_stateless())}) exec "$program" "$@" ;; esac\n'
        f'[ "$1" != install-service ] || exec "$program" "$@" --to "{root}/etc/systemd/system"\n'
        f'[ "$*" != web ] || set -- web --listen 127.0.0.1:0\n{told}',
        **dict.fromkeys(("archive-upload", "c3", "kingfisher-archive", "outhaul-greengrass", "s3-uploader-cli"), told),
        "stay": f'exec "{sys.executable}" "{Path(__file__).with_name("stay.py")}" "$@"\n',
        "four-devices": f'PYTHONPATH="{Path(__file__).parents[1]}" exec "{sys.executable}" -m docs.four_devices "$@"\n',
        "sudo": 'exec "$@"\n',
        "createdb": f'exec "{sys.executable}" -c "import sys, psycopg\n'
        "psycopg.connect(dbname='postgres', autocommit=True).execute('create database ' + sys.argv[1])\" \"$@\"\n",
    }
    for name, text in lines.items():
        (root / "bin" / name).write_text(f"#!/bin/sh\nprogram='{programs / name}'\n{text}")
        (root / "bin" / name).chmod(0o755)
    (root / "etc" / "systemd" / "system").mkdir(parents=True)


def _stateless() -> list[str]:
    """Commands that know no --state."""
    (commands,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    names = [name for name, command in commands.choices.items() if "--state" not in command._option_string_actions]
    return [*names, "--version", "--help"]


def _wait_for(address: str) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"nothing answers on {address}"
            time.sleep(0.02)


@contextmanager
def machine(page: Path, store: str = "") -> Iterator[Machine]:
    """A machine for this page, while the block runs; with this store from the beginning."""
    root = Path(tempfile.mkdtemp(prefix="oh-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        made = Machine(root, page, stack)
        stack.callback(made.end)
        if store:
            made.use(store)
        yield made


def matches(expected: str, printed: str) -> bool:
    """Whether this was printed, but for what is loose; `...` stands for anything, and files are listed in any order."""
    wanted, found = _told(expected), _told(printed)
    if "..." not in wanted:
        return sorted(wanted.splitlines()) == sorted(found.splitlines())
    return re.fullmatch(".*?".join(map(re.escape, wanted.split("..."))), found, re.DOTALL) is not None


def _told(text: str) -> str:
    for pattern, word in LOOSE:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def rewrite(page: Path) -> None:
    """Put what is printed now into the page, where it is not what the page shows."""
    content, shift = page.read_text(encoding="utf-8"), 0
    with machine(page) as here:
        for step, printed, _ in here.play():
            if step.end and not matches(step.expected, printed):
                content = content[: step.start + shift] + printed + content[step.end + shift :]
                shift += len(printed) - (step.end - step.start)
    page.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        rewrite(Path(argument).resolve())
