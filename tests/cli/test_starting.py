"""What a command does before it looks at its arguments: names are bytes, whatever the locale takes them for (L13)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.program import Program

ODD = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale whose file system encoding is not UTF-8, on any machine."""
NAMES = ["Größe.csv", "日本.csv", "no \udcff UTF-8.csv"]
_ISOLATED = "import sys; sys.path[:0] = {path!r}; from outhaul.frontends.cli.main import entry; entry()"


def test_a_name_has_one_key_in_every_locale(outhaul: Program) -> None:
    """What went in a UTF-8 locale is known in another one, is listed there, and comes back."""
    for name in NAMES:
        outhaul.write(name)
    assert outhaul.copy().code == 0
    again = outhaul("copy", str(outhaul.source), str(outhaul.target), "--state", str(outhaul.state), "--json", **ODD)
    assert (again.code, again.events[-1]["reasons"], len(outhaul.stored())) == (0, {"unchanged": 3}, 3)
    listed = outhaul("ls", "--state", str(outhaul.state), **ODD)
    assert (listed.code, listed.err) == (0, "") and "Größe.csv -> " in listed.out
    back = outhaul("restore", "Größe.csv", "--to", str(outhaul.home / "back"), "--state", str(outhaul.state), **ODD)
    assert (back.code, [path.name for path in (outhaul.home / "back").rglob("*.csv")]) == (0, ["Größe.csv"])


@pytest.fixture(scope="module")
def latin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A locale in ISO 8859-1, made for this test: `python -I`, which heeds no PYTHONUTF8, is in UTF-8 in the locale C."""
    made = tmp_path_factory.mktemp("locales")
    if not (program := shutil.which("localedef")):
        pytest.skip("no localedef(1)")
    subprocess.run([program, "-c", "-i", "de_DE", "-f", "ISO-8859-1", made / "de_DE"], capture_output=True, check=False)
    environment = {"LOCPATH": str(made), "LC_ALL": "de_DE"}
    code = "import sys; print(sys.getfilesystemencoding())"
    told = subprocess.run(
        [sys.executable, "-I", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    if told.stdout != "iso8859-1\n":
        pytest.skip("localedef(1) has no sources of locales here")
    return environment


@pytest.mark.parametrize("command", [["{bin}/outhaul"], ["{bin}/python", "-I", "-c", _ISOLATED]])
def test_however_it_is_started(outhaul: Program, latin: dict[str, str], command: list[str]) -> None:
    """As the console script, and under `python -I` as the Debian package has it, where the environment says nothing."""
    outhaul.write("Größe.csv")
    words = [word.format(bin=Path(sys.executable).parent, path=sys.path) for word in command]
    words += ["move", str(outhaul.source), str(outhaul.target), "--state", str(outhaul.state), "-v"]
    done = subprocess.run(words, capture_output=True, env={**outhaul.environment, **latin}, timeout=60, check=False)
    assert (done.returncode, list(outhaul.stored())) == (0, ["Größe.csv"])
    assert "carried  Größe.csv -> Größe.csv" in done.stderr.decode()


def test_older_commands_too(outhaul: Program) -> None:
    """An argument that is no ASCII arrives as it was given."""
    code = "from outhaul.frontends.older.archive_upload import entry; entry()"
    done = subprocess.run(
        [sys.executable, "-c", code, os.fsencode("Größe.yaml")], capture_output=True, cwd=outhaul.home,
        env={**outhaul.environment, **ODD}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Größe.yaml" in done.stderr.decode()


def test_output_that_cannot_be_written_as_text(outhaul: Program) -> None:
    """An encoding of the output that lacks a character ends nothing: it is written as an escape."""
    outhaul.write("Größe.csv")
    outhaul.move()
    listed = outhaul("ls", "--state", str(outhaul.state), PYTHONIOENCODING="ascii")
    assert (listed.code, listed.err) == (0, "")
    assert "Gr\\xf6\\xdfe.csv" in listed.out
