"""The command lines that are compared: one module, so that anyone can see what each tool was asked to do.

True here: each tool gets the settings under which it was fastest of those tried, and keeps its own defaults
elsewhere; `SETTINGS` says so in words and is printed with the results. All tools get the same credentials,
an empty home directory (no configuration of this user is read), and put `ROOT/x/y` under
`BUCKET/PREFIX/x/y`.
Not done here: installing and measuring.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.real_server import KEY, SECRET

BUCKET, PREFIX, REGION = "bench", "moved/site-7", "us-east-1"

BUNDLED = "16MiB"
SETTINGS = {
    "outhaul": "defaults; its ledger is on the file system of the temporary directory",
    "outhaul-bundles": f"--bundle {BUNDLED}",
    "s5cmd": "defaults (256 workers), --log error",
    "rclone": "defaults (4 transfers; it looks at each object after its upload, with a HEAD)",
    "rclone-tuned": "--transfers 16 (256 where replies take 50 ms) --checkers 16 --s3-no-check-bucket "
    "--s3-no-head: it does not look at what it has uploaded",
    "aws": "defaults, --only-show-errors",
}


@dataclass(frozen=True)
class Target:
    """Where a tool sends the files: a running server, the authority to trust, whether replies are slow."""

    url: str
    ca_file: Path | None = None
    slow: bool = False

    @property
    def destination(self) -> str:
        """Return the S3 URL under which the tree is to appear."""
        return f"s3://{BUCKET}/{PREFIX}"


@dataclass(frozen=True)
class Tool:
    """A program that moves a tree: its name and its whole command line."""

    name: str
    program: Path
    _move: Callable[[Path, Path, Target, Path], list[str]]

    def move(self, source: Path, target: Target, state: Path) -> list[str]:
        """Return the command that moves all files below `source`; `state` is an empty directory."""
        return self._move(self.program, source, target, state)


def environment(home: Path, target: Target) -> dict[str, str]:
    """Return the environment of every measured program."""
    values = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if target.ca_file:
        values["AWS_CA_BUNDLE"] = str(target.ca_file)
    return values


def tool(name: str, program: Path) -> Tool:
    """Return the tool of that name."""
    return Tool(name, program, _MOVES[name])


def copying(command: Sequence[str]) -> list[str]:
    """Return the same command, which leaves the files where they are."""
    return [{"move": "copy", "mv": "cp"}.get(word, word) for word in command]


def fetching(name: str, program: Path, into: Path, target: Target, state: Path) -> list[str]:
    """Return the command that brings everything beneath the destination back; outhaul knows it by its ledger."""
    if name == "s5cmd":
        options = ["--log", "error", "--endpoint-url", target.url]
        return [str(program), *options, "cp", f"{target.destination}/*", f"{into}/"]
    if name == "rclone":
        return _rclone_between(program, f":s3:{BUCKET}/{PREFIX}", str(into), target, "copy")
    return [str(program), "restore", "**", "--to", str(into), *outhaul_options(target, state)]


def outhaul_options(target: Target, state: Path) -> list[str]:
    """Return the options that all of outhaul's commands share."""
    return ["--endpoint-url", target.url, "--region", REGION, "--state", str(state), "-q"]


def _outhaul(program: Path, source: Path, target: Target, state: Path) -> list[str]:
    return [str(program), "move", str(source), target.destination, *outhaul_options(target, state)]


def _outhaul_bundles(program: Path, source: Path, target: Target, state: Path) -> list[str]:
    return [*_outhaul(program, source, target, state), "--bundle", BUNDLED]


def _s5cmd(program: Path, source: Path, target: Target, _state: Path) -> list[str]:
    options = ["--log", "error", "--endpoint-url", target.url]
    return [str(program), *options, "mv", f"{source}/", f"{target.destination}/"]


def _rclone(program: Path, source: Path, target: Target, _state: Path) -> list[str]:
    return _rclone_between(program, str(source), f":s3:{BUCKET}/{PREFIX}", target, "move")


def _rclone_between(program: Path, source: str, destination: str, target: Target, verb: str) -> list[str]:
    command = [str(program), verb, source, destination, "--config", os.devnull]
    command += ["--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", target.url, "--s3-region", REGION]
    return command + (["--ca-cert", str(target.ca_file)] if target.ca_file else [])


def _rclone_tuned(program: Path, source: Path, target: Target, state: Path) -> list[str]:
    transfers = "256" if target.slow else "16"
    tuned = ["--transfers", transfers, "--checkers", "16", "--s3-no-check-bucket", "--s3-no-head"]
    return _rclone(program, source, target, state) + tuned


def _aws(program: Path, source: Path, target: Target, _state: Path) -> list[str]:
    command = [str(program), "s3", "mv", str(source), target.destination, "--recursive", "--only-show-errors"]
    command += ["--endpoint-url", target.url]
    return command + (["--ca-bundle", str(target.ca_file)] if target.ca_file else [])


_MOVES = {
    "outhaul": _outhaul,
    "outhaul-bundles": _outhaul_bundles,
    "s5cmd": _s5cmd,
    "rclone": _rclone,
    "rclone-tuned": _rclone_tuned,
    "aws": _aws,
}
