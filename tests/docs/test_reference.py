"""The pages of metrics and exit codes hold what the program has."""

from __future__ import annotations

import re

from docs.pages import ROOT
from outhaul.frontends.cli.main import EXIT_CODES
from outhaul.frontends.cli.metrics import exposition


def test_every_metric_is_described() -> None:
    """With its name, its type and its own words, in the order in which they are told."""
    lines = list(exposition([], 0))
    helps = dict(re.findall(r"^# HELP (\w+) (.*)$", "\n".join(lines), re.MULTILINE))
    types = dict(re.findall(r"^# TYPE (\w+) (.*)$", "\n".join(lines), re.MULTILINE))
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = {
        name: (kind, said) for name, kind, said in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", text, re.MULTILINE)
    }
    assert types == {name: kind for name, (kind, _) in rows.items()}
    words = {name: re.split(r"[,.;]", said)[0] for name, said in helps.items() if name != "outhaul_build_info"}
    assert [name for name, said in words.items() if not rows[name][1].startswith(said)] == []


def test_every_exit_code_is_described() -> None:
    """Those that `outhaul --help` tells."""
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    codes = re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)
    assert codes == re.findall(r"^\| (\d+) \|", text, re.MULTILINE)
