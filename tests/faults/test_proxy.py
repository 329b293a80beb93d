"""A network that cuts, stalls, slows, flips, truncates or repeats bytes between outhaul and a real server loses nothing.

OUTHAUL_PROXY_CASES is the number of cases (100), OUTHAUL_SEED repeats them.
"""

import os
import random
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.proxy import Proxy, proxy, random_harm
from faults.receipts import without_object
from faults.runs import move
from faults.world import World
from kill.places import BucketStore
from servers.server import Server

CASES = int(os.environ.get("OUTHAUL_PROXY_CASES", "100"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
_FILES = 3
_CASES_A_CLEAN_RUN = 10
_SECONDS = 90.0
"""An answer that a harm has left without its end is waited for, and asked for once more."""

pytestmark = pytest.mark.slow


@pytest.fixture
def way(tmp_path: Path, rclone_server: Server) -> Iterator[tuple[World, Proxy]]:
    """A world whose destination is a real server behind a proxy."""
    with ExitStack() as stack:
        client = stack.enter_context(rclone_server.client())
        between = stack.enter_context(proxy(rclone_server.endpoint_url))
        bucket = rclone_server.make_bucket()
        source, state, store = (tmp_path / name for name in ("source", "state", "store"))
        source.mkdir()
        there = [f"s3://{bucket}/site", "--endpoint-url", between.url]
        objects = BucketStore(client, bucket, "site")
        yield (
            World(source, state, store, tmp_path / "journal", there, rclone_server.environ(), objects, "site/"),
            between,
        )


def test_a_bad_network_loses_nothing(way: tuple[World, Proxy]) -> None:
    """At any offset of a request or an answer: no byte is lost or altered, and the next good run carries everything.

    rclone stores what it gets: a byte that was flipped on the way stands in an object then, which no receipt names.
    """
    world, between = way
    rng = random.Random(SEED)
    met: Counter[str] = Counter()
    codes: Counter[int | None] = Counter()
    for number in range(1, CASES + 1):
        world.plant(_FILES)
        harm = between.harm = random_harm(rng)
        ended = move(world, seconds=_SECONDS)
        met[harm.kind] += between.harm is None
        codes[ended.code] += 1
        between.harm = None
        faults = ended.faults + world.faults(spoilt=True)
        if number % _CASES_A_CLEAN_RUN == 0 or number == CASES:
            ended = move(world)
            faults += ended.faults + world.faults(complete=True, spoilt=True) + without_object(world)
            faults += [f"code {ended.code}"] if ended.code else []
        expected: list[str] = []
        assert expected == faults, f"OUTHAUL_SEED={SEED}, case {number}: {harm}\n{ended}"
    print(f"OUTHAUL_SEED={SEED}: {CASES} cases, {met.total()} met: {dict(met)}; exit codes {dict(codes)}")
