"""No byte is lost, altered or overwritten when outhaul is killed at any moment beside a live producer.

OUTHAUL_KILLS says how many runs are killed in all (default 200). OUTHAUL_SEED repeats a seed: the same contents and
the same choice of moments; the timing of the programs is not repeated. OUTHAUL_COMMAND names another mover
that takes the same command line, to see that the trial finds the losses of an unsafe one.
"""

import os
import random
import secrets
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from kill.checker import Checker
from kill.journal import JournalReader
from kill.places import BucketStore, DirectoryStore, Store
from kill.processes import Mover, live_producer
from kill.trial import Tally, Trial
from servers.start import Unavailable, rclone

KILLS = int(os.environ.get("OUTHAUL_KILLS", "200"))
KILLS_WITH_A_DIRECTORY = KILLS // 4
TRIALS = 3
"""To a bucket: each from an empty source on, and short enough to be one test."""
COMMAND = shlex.split(os.environ.get("OUTHAUL_COMMAND", "")) or [sys.executable, "-m", "outhaul"]
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
FILES_A_SECOND = 200.0
LONGEST_SECONDS_A_KILL = 10.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + KILLS * LONGEST_SECONDS_A_KILL)]


@pytest.mark.parametrize("trial", range(TRIALS))
def test_no_kill_loses_a_byte_on_the_way_to_a_bucket(
    trial: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Whatever was durable is in the source, in private areas or in the bucket after each of many kills."""
    kills = (KILLS - KILLS_WITH_A_DIRECTORY + trial) // TRIALS
    try:
        with rclone(tmp_path / "objects") as server, server.client() as client:
            bucket = server.make_bucket()
            destination = [f"s3://{bucket}/site-7", "--endpoint-url", server.endpoint_url]
            store = BucketStore(client, bucket, "site-7", tmp_path / "objects")
            tally = survive(tmp_path, destination, server.environ(), store, kills, SEED + trial)
    except Unavailable as reason:
        pytest.skip(str(reason))
    record_property("figure", _figure("a bucket", tally))


def test_no_kill_loses_a_byte_on_the_way_to_a_directory(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The same holds where the destination is a directory: a file there is whole or not there."""
    store = tmp_path / "objects"
    store.mkdir()
    tally = survive(tmp_path, [str(store)], os.environ, DirectoryStore(store), KILLS_WITH_A_DIRECTORY, SEED)
    record_property("figure", _figure("a directory", tally))


def survive(
    root: Path, destination: Sequence[str], environ: Mapping[str, str], store: Store, kills: int, seed: int
) -> Tally:
    """Run one trial; where it fails say how to repeat it and leave the trees, else remove them."""
    source, state, journal = root / "source", root / "state", root / "journal"
    source.mkdir()
    command = [*COMMAND, "move", str(source), *destination, "--state", str(state), "-q"]
    mover = Mover(command, environ, root / "output")
    checker = Checker(seed, journal, source, state, store)
    longest = kills * LONGEST_SECONDS_A_KILL
    try:
        with live_producer(source, journal, seed=seed, rate=FILES_A_SECOND, seconds=longest) as producer:
            trial = Trial(mover, producer, checker, JournalReader(journal), source, random.Random(seed))
            tally = trial.run(kills)
    except BaseException as error:
        error.add_note(f"repeat with OUTHAUL_SEED={SEED} OUTHAUL_KILLS={KILLS}; the trees are kept in {root}")
        raise
    shutil.rmtree(root)
    return tally


def _figure(where: str, tally: Tally) -> str:
    """The kills and where they struck, on one line; the rest for whoever asks for it with `-s`."""
    print(tally)
    files = f"{tally.last.ok} contents whole, {len(tally.last.lost)} lost"
    return f"on the way to {where}: {str(tally).partition(chr(10))[0]}; {files}"
