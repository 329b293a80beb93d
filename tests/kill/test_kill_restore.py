"""A restore that is killed at any moment leaves nothing half done: whole files, and what the next run completes.

OUTHAUL_KILLS says how many kills there are in all (default 200, of which these tests take a part).
"""

import os
import random
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kill.moments import after
from kill.processes import Mover
from servers.start import Unavailable, rclone

KILLS = max(4, int(os.environ.get("OUTHAUL_KILLS", "200")) // 10)
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
COMMAND = shlex.split(os.environ.get("OUTHAUL_COMMAND", "")) or [sys.executable, "-m", "outhaul"]
FILES = 400

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + KILLS * 10)]


class Carried:
    """Files that have been carried to a bucket: in bundles, alone, compressed, and one large."""

    def __init__(self, root: Path, address: str, options: list[str], environ: dict[str, str]) -> None:
        self.root, self.address, self.options, self.environ = root, address, options, environ
        rng = random.Random(SEED)
        self.contents = {
            f"d{number % 7}/{number}.csv": rng.randbytes(rng.choice((0, 90, 3000))) for number in range(FILES)
        }
        self._move(self.contents, "--bundle", "256KiB", "--compress", "zstd")
        for more, compress in (
            ({f"e/{number}": b"%d;" % number * 9000 for number in range(40)}, ["--compress", "gzip"]),
            (
                {"d0/large": rng.randbytes(9 << 20), **{f"f/{number}": rng.randbytes(70_000) for number in range(40)}},
                [],
            ),
        ):
            self._move(more, *compress)
            self.contents |= more

    def _move(self, contents: dict[str, bytes], *how: str) -> None:
        for name, content in contents.items():
            path = self.root / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        command = [*COMMAND, "move", str(self.root / "source"), self.address, "--state", str(self.root / "state"), "-q"]
        subprocess.run([*command, *how, *self.options], env=self.environ, check=True, timeout=60)

    def restoring(self, back: Path, *, ledger: bool, overwrite: bool) -> Mover:
        """The command that is killed."""
        what = (
            ["**", "--state", str(self.root / "state")] if ledger else [self.address, "--state", str(self.root / "no")]
        )
        command = [*COMMAND, "restore", *what, "--to", str(back), *self.options, *["--overwrite"] * overwrite]
        return Mover(command, self.environ, self.root / "output")


@pytest.fixture
def carried(tmp_path: Path) -> Iterator[Carried]:
    """On a real server."""
    try:
        with rclone(tmp_path / "objects") as server:
            address = f"s3://{server.make_bucket()}/site"
            yield Carried(
                tmp_path, address, ["--endpoint-url", server.endpoint_url], {**os.environ, **server.environ()}
            )
    except Unavailable as reason:
        pytest.skip(str(reason))


def wrong(back: Path, contents: dict[str, bytes], before: bytes | None) -> list[str]:
    """What a person would see there that is no whole file."""
    found = []
    for path in back.rglob("*"):
        name = str(path.relative_to(back))
        if (
            path.is_file()
            and path.read_bytes() not in (contents.get(name), before)
            and not path.name.startswith(".outhaul-")
        ):
            found.append(name)
    return found


@pytest.mark.parametrize(("ledger", "overwrite"), [(True, False), (False, False), (False, True)])
def test_a_killed_restore_leaves_whole_files(
    carried: Carried, tmp_path: Path, ledger: bool, overwrite: bool, record_property: Callable[[str, object], None]
) -> None:
    """After each kill every file is whole, or still the one of before; one more run, and all are there, and nothing else."""
    rng, back = random.Random(SEED), tmp_path / "back"
    before = b"of before" if overwrite else None
    restoring = carried.restoring(back, ledger=ledger, overwrite=overwrite)
    _prepare(back, carried.contents, before)
    started = time.monotonic()
    assert restoring.run().code == 0
    seconds = time.monotonic() - started
    kills, most_left = 0, 0
    for number in range(4 * KILLS):  # Many end before their kill: what is there already is not fetched again.
        if kills == KILLS:
            break
        if number % 3 == 0:
            _prepare(back, carried.contents, before)
        kills += restoring.run_and_kill(after(rng.uniform(0.1, 0.9) * seconds)).killed
        assert wrong(back, carried.contents, before) == [], f"seed {SEED}, kill {number}"
        most_left = max(most_left, len(list(back.rglob(".outhaul-*"))))
    last = restoring.run()
    assert last.code == 0, last.output
    assert {
        str(path.relative_to(back)): path.read_bytes() for path in back.rglob("*") if path.is_file()
    } == carried.contents
    how = f"{'ledger' if ledger else 'bucket alone'}{', over other bytes' * overwrite}"
    record_property("figure", f"restores killed ({how}): {kills}; temporary names left by a kill: at most {most_left}")
    assert kills == KILLS


def _prepare(back: Path, contents: dict[str, bytes], before: bytes | None) -> None:
    shutil.rmtree(back, ignore_errors=True)
    for name in contents if before is not None else ():
        path = back / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(before or b"")
