"""A command line that is wrong: one line, what was perhaps meant, and exit code 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cli.program import Program


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stauts", "outhaul: 'stauts' is no command; did you mean status?"),
        ("frobnicate", "outhaul: 'frobnicate' is no command; outhaul --help lists them"),
        ("", "outhaul: COMMAND missing; outhaul --help says what to write"),
        ("move a b --dryrun", "outhaul move: --dryrun is no option; did you mean --dry-run?"),
        ("move a b --quietfor=3s", "outhaul move: --quietfor is no option; did you mean --quiet-for?"),
        ("move a b --dry", "outhaul move: --dry is no option; did you mean --dry-run?"),
        ("move a b --zzz", "outhaul move: --zzz is no option; outhaul move --help lists them"),
        ("move a b c", "outhaul move: 'c' is one argument too many; outhaul move --help says what to write"),
        ("move a", "outhaul move: DESTINATION missing; outhaul move --help says what to write"),
        ("move a b --proof x", "outhaul move: --proof: 'x' is none of auto, stored, read-back"),
        ("move a b --proof", "outhaul move: --proof: expected one argument"),
        (
            "mirror d --to x --max-files 0",
            "outhaul mirror: --max-files: '0' is no number from 1 on; leave it out for all",
        ),
        (
            "mirror d --to x --max-files -3",
            "outhaul mirror: --max-files: '-3' is no number from 1 on; leave it out for all",
        ),
        (
            "mirror d --to x --max-files ten",
            "outhaul mirror: --max-files: 'ten' is no number from 1 on; leave it out for all",
        ),
        ("ls --limit x", "outhaul ls: --limit: 'x' is no number; write one such as 300"),
        ("--json status", "outhaul: --json belongs behind the command"),
        ("st\x1b[31m", "outhaul: 'st\\x1b[31m' is no command; outhaul --help lists them"),
    ],
)
def test_one_line(outhaul: Program, line: str, said: str) -> None:
    """Without the wall of usage, which hid it; options are not guessed from their beginning."""
    assert outhaul(*line.split()) == (2, "", f"{said}\n")


def test_of_the_older_commands(outhaul: Program) -> None:
    """Likewise; what is only abbreviated is taken, as by the programs whose place they take."""
    code = "from outhaul.frontends.older.archive_upload import entry; entry()"
    done = subprocess.run([sys.executable, "-c", code, "a", "--stats", "b"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "archive-upload: --stats is no option; did you mean --state?\n")
