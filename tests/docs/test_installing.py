"""The recipes of a container and of a package fit the project that they are for."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from outhaul.frontends.cli.main import VERSION, build_parser

ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "packaging" / "debian"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions() -> list[tuple[str, str]]:
    """Those of the Dockerfile, each on one line."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in text.splitlines() if line.strip()]


def all_of(name: str) -> list[str]:
    """The arguments of an instruction."""
    return [rest for instruction, rest in instructions() if instruction == name]


def test_what_is_copied_is_there_and_is_let_through() -> None:
    """Each file that the build takes exists, is not ignored, and is all that the build of a wheel reads."""
    copied = [word for rest in all_of("COPY") if not rest.startswith("--from") for word in rest.split()[:-1]]
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == let_through == {path for path in copied if (ROOT / path).exists()}
    assert {"pyproject.toml", "hatch_build.py", "src", PROJECT["readme"], *PROJECT["license-files"]} == let_through


def test_what_it_runs_is_a_command_line() -> None:
    """The entry point with its default words, and the health check."""
    (entry,), (words,), (health,) = all_of("ENTRYPOINT"), all_of("CMD"), all_of("HEALTHCHECK")
    assert json.loads(entry) == ["outhaul"]
    assert build_parser().parse_args(json.loads(words)).function == "watch"
    assert build_parser().parse_args(json.loads(health.partition(" CMD ")[2])[1:]).function == "health"
    assert all_of("STOPSIGNAL") == ["SIGTERM"]


def test_it_is_nobody_special_and_knows_no_secret() -> None:
    """A user of its own; state and source are volumes of that user; the ledger of the command is on one."""
    order = [instruction for instruction, _ in instructions()]
    assert all_of("USER") == ["outhaul"] and order.index("USER") < order.index("ENTRYPOINT")
    assert json.loads(all_of("VOLUME")[0]) == ["/var/lib/outhaul", "/data"]
    assert "/var/lib/outhaul" in all_of("CMD")[0]
    said = " ".join(all_of("ENV") + all_of("ARG") + all_of("COPY"))
    assert re.findall(r"(?i)secret|password|token|AWS_", said) == []


def test_both_stages_are_the_same_slim_python() -> None:
    """What was installed for one Python runs by it; it is one that the project supports."""
    (image,) = {rest.split(" AS ")[0] for rest in all_of("FROM")}
    version = re.fullmatch(r"python:(3\.\d+)-slim-\w+", image)
    assert version and f"Programming Language :: Python :: {version[1]}" in PROJECT["classifiers"]


def test_the_package_is_of_this_version() -> None:
    """Its changelog and the project agree; its recipe names every command of the project."""
    assert re.match(r"outhaul \(([^)]+)\)", (DEBIAN / "changelog").read_text())[1] == PROJECT["version"] == VERSION  # type: ignore[index]


def test_what_debhelper_is_told_of_is_made(tmp_path: Path) -> None:
    """Files that the recipe installs are written by it, or stand in the project; its unit is one that `watch` runs by."""
    subprocess.run([sys.executable, DEBIAN / "written.py", tmp_path], check=True)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    named = [
        word for name in ("install", "manpages", "docs") for word in (DEBIAN / f"outhaul.{name}").read_text().split()
    ]
    sources = [word for word in named if not fnmatch.fnmatch(word, "usr/*")]
    assert [
        word for word in sources if word.removeprefix("debian/") not in written and not (ROOT / word).exists()
    ] == []
    unit = (tmp_path / "outhaul.service").read_text()
    assert "ExecStart=/usr/bin/outhaul watch /etc/outhaul/outhaul.toml --state /var/lib/outhaul\n" in unit


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd is not installed")
def test_the_user_can_be_made(tmp_path: Path) -> None:
    """systemd-sysusers takes the line, in a root of its own."""
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", f"--root={tmp_path}", str(DEBIAN / "outhaul.sysusers")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^outhaul:x:\d+:\d+:.+:/var/lib/outhaul:", (tmp_path / "etc" / "passwd").read_text(), re.MULTILINE
    )
