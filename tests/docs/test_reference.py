"""The pages of metrics, exit codes and formats hold what the program has."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from docs.pages import ROOT, blocks
from docs.played import machine
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


def test_the_alarms_are_about_metrics_that_there_are() -> None:
    """The rules are YAML, and their expressions name metrics and labels of the page."""
    page = ROOT / "docs" / "metrics.md"
    (rules,) = [yaml.safe_load(block.text) for block in blocks(page) if block.language == "yaml"]
    told = "".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    known = re.findall(r"^\| `(\w+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in re.findall(r"outhaul_\w+", told) if name not in known] == []
    assert re.findall(r"\{(.*?)\}", told) == ['state="held"']


@pytest.mark.slow
def test_what_is_written_has_the_form_of_the_page() -> None:
    """A bundle's index, and what travels on a stick: member for member as docs/format.md shows it."""
    page = ROOT / "docs" / "format.md"
    index, travelling = [block.text for block in blocks(page) if block.language == "json"]
    with machine(ROOT / "docs" / "guides" / "usb-stick.md", "ministack") as here:
        settings = here.home / "stick.toml"
        settings.write_text(
            here.here('[[job]]\nname = "a"\nsource = "/data"\nto = "s3://my-bucket/site-7"\nsettle.quiet = "0s"')
        )
        printed = here.run(
            "set -eux; mkdir -p /data/a /mnt/disk /media/stick; echo 1 > /data/a/b.csv; echo 2 > /data/a/c.csv;"
            "outhaul copy /data /mnt/disk/archive --bundle 1MiB --compress zstd; cp /mnt/disk/archive/a/*.index.json index;"
            "outhaul export --make-key key; outhaul export ~/stick.toml --to /media/stick --key-file key;"
            "outhaul carry /media/stick --to s3://my-bucket/site-7 --key-file key;"
            "cat /media/stick/outhaul-stick/*.manifest /media/stick/outhaul-stick/*.receipt > travelling"
        )
        assert here.code == 0, printed
        found = (here.home / "index").read_text(), (here.home / "travelling").read_text()
    assert _names(json.loads(found[0])) == _names(json.loads(index))
    assert sorted({line["is"]: sorted(line) for line in map(json.loads, found[1].splitlines())}.items()) == sorted(
        {line["is"]: sorted(line) for line in map(json.loads, travelling.splitlines())}.items()
    )


def _names(form: object) -> object:
    """Of its members, at each depth; of a list, of the first."""
    if isinstance(form, dict):
        return {name: _names(value) for name, value in sorted(form.items())}
    return [_names(form[0])] if isinstance(form, list) and form else ""
