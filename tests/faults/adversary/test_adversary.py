"""Whatever an unprivileged producer does to its own tree, outhaul as root harms nobody else and loses no final content.

OUTHAUL_ADVERSARY_SECONDS is how long the trials race (10; half of that for a bucket), OUTHAUL_SEED repeats
the racer's choices.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from faults.adversary import racer
from faults.adversary.grounds import TOKEN, Grounds
from faults.places import need_root, open_directory, tmpfs
from faults.runs import outhaul, run
from kill.places import BucketStore, DirectoryStore, Store, files, is_own
from servers.start import Unavailable, rclone

SECONDS = float(os.environ.get("OUTHAUL_ADVERSARY_SECONDS", "10"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
_TMPFS_BYTES = 64 << 20
Figure = Callable[[str, object], None]

pytestmark = pytest.mark.slow


@pytest.fixture
def grounds() -> Iterator[Grounds]:
    """A tree that nobody owns, in a directory that all may enter."""
    need_root()
    with open_directory("adversary") as root:
        yield Grounds(root)


def test_root_is_not_led_out_of_the_tree_to_a_directory(grounds: Grounds, record_property: Figure) -> None:
    """T1, T2: the private directory is in the source itself, where the racer may rename it."""
    store = grounds.root / "store"
    store.mkdir(mode=0o700)
    with tmpfs(grounds.root / "state", _TMPFS_BYTES) as state:
        told = _trial(grounds, [str(store)], os.environ, DirectoryStore(store), state, SECONDS)
    record_property("figure", f"adversary, to a directory: {told}")


def test_root_is_not_led_out_of_the_tree_to_a_bucket(grounds: Grounds, record_property: Figure) -> None:
    """T1, T2: the private directory is beside the ledger, and the store is far away."""
    state = grounds.root / "state"
    state.mkdir(mode=0o700)
    try:
        with rclone() as server, server.client() as client:
            bucket = server.make_bucket()
            there = [f"s3://{bucket}/site", "--endpoint-url", server.endpoint_url]
            told = _trial(grounds, there, server.environ(), BucketStore(client, bucket, "site"), state, SECONDS / 2)
    except Unavailable as reason:
        pytest.skip(str(reason))
    record_property("figure", f"adversary, to a bucket: {told}")


def _trial(
    grounds: Grounds, there: Sequence[str], environ: Mapping[str, str], store: Store, state: Path, seconds: float
) -> str:
    """Race, let faults stop, and look at everything; in a line, how much that was."""
    grounds.canaries()  # Sets the times of reading anew.
    before = grounds.canaries()
    command = outhaul("move", str(grounds.tree), *there, "--state", str(state), "--quiet")
    with _racing(grounds, seconds) as deadline:
        runs = 0
        while time.monotonic() < deadline:
            assert run(command, environ).faults == [], f"OUTHAUL_SEED={SEED}"
            runs += 1
    report: dict[str, Any] = json.loads((grounds.root / "report").read_text())
    for _ in range(3):
        ended = run(command, environ)
        assert ended.faults == [], f"OUTHAUL_SEED={SEED}"
    print(f"OUTHAUL_SEED={SEED}: {runs} runs, {sum(report['races'].values())} races: {report['races']}")
    after = grounds.canaries()
    assert before == after, f"OUTHAUL_SEED={SEED}: canaries were read, changed or removed"
    objects = {name: store.read(name) for name, _ in store.names() if not is_own(name)}
    assert [name for name, data in objects.items() if TOKEN in data] == [], f"OUTHAUL_SEED={SEED}"
    stored = {sha256(data).hexdigest() for data in objects.values()}
    assert set() == stored - set(report["written"]), f"OUTHAUL_SEED={SEED}: objects that were never a file's content"
    local = {sha256(path.read_bytes()).hexdigest() for root in (grounds.tree, grounds.elsewhere, state)
             for path in files(root)}  # fmt: skip
    lost = set(report["final"]) - stored - local
    assert set() == lost, f"OUTHAUL_SEED={SEED}: final contents that are nowhere"
    print(f"last run: {ended}")
    return (
        f"{runs} runs, {sum(report['races'].values())} races, {len(report['final'])} final contents; "
        f"{len(lost)} lost, no canary touched"
    )


@contextmanager
def _racing(grounds: Grounds, seconds: float) -> Iterator[float]:
    """The racer works while the block runs; gives the moment when it ends by itself."""
    where = grounds.tree, grounds.elsewhere, grounds.outside
    child = racer.start(*where, SEED, seconds, grounds.root / "report")
    ended = False
    try:
        yield time.monotonic() + seconds
        ended = True
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        if not ended:
            with suppress(ProcessLookupError):
                os.kill(child, 9)
            os.waitpid(child, 0)
