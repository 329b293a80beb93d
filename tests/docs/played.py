"""A machine on which a page is played: its commands are run, and what they print is compared with what the page shows.

Everything is in one temporary directory: `/home/pi`, `/etc/outhaul` and the like are directories beneath it, the state
directory too, and the names are put back into what is printed. The store is a real S3 server on loopback with the buckets of the
page. What differs from run to run is in `LOOSE`, and nothing else is passed over but what a page leaves out with `...`.

In order, a page is: ```toml blocks whose first line names a file (it is written), ```console blocks (each `$ ` line is run by sh;
with code 0, unless `$ echo $?` follows), and comments that no reader sees:

    <!-- store: moto -->                    the S3 server from here on: moto, ministack or rclone
    <!-- instead of "10m": "1s" -->         words of the page's configurations that are others here
    <!-- run: COMMANDS -->                  what the machine of the reader has done by itself
    <!-- network: off -->                   until `on`
    <!-- for writers: TEXT -->              nothing

`python -m docs.played PAGE...` (from tests) writes what is printed now into pages; look at the difference before you keep it.
"""

from __future__ import annotations

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

from docs.pages import Block, blocks
from servers.start import SERVERS

LOOSE = (
    (r"(?m)^( +disk:) .*$", r"\1 SPACE"),
    (r"(?m)^( +in the last hour [\d,]+ files?), .*$", r"\1, STORED"),
    (r"\b\d[\d.]* (?:ms|s)\b", "TIME"),
    (r"\b[\d,]+ files?/s\b", "RATE"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z\b", "MOMENT"),
    (r"[ \t]+", " "),
)
"""What differs from run to run, and how both sides are told of it; tables have other widths where paths do."""
_PATHS = re.compile(r"(?:(?<=file://)|(?<![\w/.*~-]))/(?=(?:home|etc|data|mnt|srv|var|tmp|usr/local/bin|media)\b)")
_SERVER, _LOCAL = "https://s3.example.net", "127.0.0.1:9000"
_PROGRAMS = os.path.realpath(os.path.dirname(sys.executable))
_TIMEOUT_SECONDS = 60
_STATELESS = ("translate", "demo", "completion", "install-service", "carry", "--version", "--help")


class Step(NamedTuple):
    """One command of a block."""

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
        self.environment: dict[str, str] = {}
        self.endpoint = ""
        self.local = f"127.0.0.1:{_free_port()}"
        self.others: list[subprocess.Popen[bytes]] = []
        _write_shim(root / "bin" / "outhaul", root / "var" / "lib" / "outhaul")

    def play(self) -> Iterator[tuple[Step, str, int]]:
        """Do all that the page says; each command of its ```console blocks is told, with what it printed and its code."""
        for block in blocks(self.page):
            if block.language == "comment":
                self._obey(block)
            elif block.language == "toml" and (name := re.match(r"# ([/~]\S+)\n", block.text)):
                path = Path(self.here(name[1].replace("~", "/home/pi", 1)))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._other_words(self.here(block.text)), encoding="utf-8")
            elif block.language == "console":
                for step in steps(block):
                    yield step, self.run(step.command), self.code

    def here(self, text: str) -> str:
        """Words of the page as they are on this machine."""
        text = _PATHS.sub(f"{self.root}/", text)
        return text.replace(_SERVER, self.endpoint).replace(_LOCAL, self.local)

    def there(self, text: str) -> str:
        """What was printed, as the reader sees it."""
        for word, shown in (
            (str(self.root), ""),
            (self.endpoint, _SERVER),
            (self.local, _LOCAL),
            (_PROGRAMS, "/usr/local/bin"),
        ):
            text = text.replace(word, shown) if word else text
        return text

    def _other_words(self, text: str) -> str:
        for words, others in self.instead:
            text = text.replace(words, others)
        return text

    def _obey(self, block: Block) -> None:
        kind, _, rest = block.text.strip().partition(":")
        if kind == "run":
            self.run(rest)
            assert self.code == 0, f"{block}: {rest}"
        elif kind == "network":
            closed = f"http://127.0.0.1:{_free_port()}"
            self.environment["AWS_ENDPOINT_URL"] = closed if rest.strip() == "off" else self.endpoint
        elif kind == "store":
            self.use(rest.strip())
        elif kind.startswith("instead of "):
            self.instead.append((kind.removeprefix("instead of "), rest.strip()))
        else:
            assert kind == "for writers", f"{block}: {kind!r} is no instruction"

    def use(self, name: str) -> None:
        """Start this server, with the buckets that the page names."""
        server = self.stack.enter_context(SERVERS[name]())
        self.endpoint = server.endpoint_url
        self.environment |= {key: value for key, value in server.environ().items() if key.startswith("AWS_")}
        self.environment["AWS_ENDPOINT_URL"] = server.endpoint_url
        with server.client() as client:
            for bucket in sorted(set(re.findall(r"s3://(?!no-)([a-z0-9-]+)", self.page.read_text(encoding="utf-8")))):
                client.create_bucket(bucket)

    def run(self, command: str) -> str:
        """What it prints on both streams; its code is kept, so that `echo $?` tells it."""
        if exported := re.fullmatch(r"export (\w+)=(\S+)", command):
            self.environment[exported[1]] = self.here(exported[2]).replace("$HOME", str(self.home))
            return ""
        if command.endswith("&"):
            return self._start(self.here(command).removesuffix("&"))
        jobs = re.sub(r"%(\d)", lambda found: str(self.others[int(found[1]) - 1].pid), command)
        line = f"(exit {self.code}); {self.here(jobs if command.startswith('kill ') else command)}"
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                ["sh", "-c", line], cwd=self.home, env=self._environ(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, timeout=_TIMEOUT_SECONDS, check=False,
            )  # fmt: skip
            self.code = done.returncode
            output.seek(0)
            return self.there(output.read().decode("utf-8", "replace"))

    def _start(self, command: str) -> str:
        """What stays: it is ended with the machine. A server is waited for."""
        with open(self.root / "others.log", "ab") as log:
            other = subprocess.Popen(
                ["sh", "-c", f"exec {command}"], cwd=self.home, env=self._environ(), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.others.append(other)
        if self.local in command:
            _wait_for(self.local)
        return ""

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OUTHAUL_", "XDG_"))}
        programs = f"{self.root}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        given = {"PATH": programs, "HOME": str(self.home), "COLUMNS": "120", "TERM": "dumb", "LC_ALL": "C.UTF-8",
                 "XDG_CONFIG_HOME": f"{self.root}/etc"}  # fmt: skip
        return {**kept, "AWS_EC2_METADATA_DISABLED": "true", **self.environment, **given}

    def end(self) -> None:
        """End what stays."""
        for other in self.others:
            os.killpg(other.pid, signal.SIGTERM)
            other.wait(timeout=20)


def _write_shim(path: Path, state: Path) -> None:
    """`outhaul` as it is called on a machine of its own: with the state of this one."""
    path.parent.mkdir()
    path.write_text(
        f'#!/bin/sh\ncase "$1" in {" | ".join(_STATELESS)}) exec "{sys.executable}" -m outhaul "$@" ;; esac\n'
        f'exec "{sys.executable}" -m outhaul "$@" --state "{state}"\n'
    )
    path.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


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
            if not matches(step.expected, printed):
                content = content[: step.start + shift] + printed + content[step.end + shift :]
                shift += len(printed) - (step.end - step.start)
    page.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        rewrite(Path(argument).resolve())
