"""Files of a batch are digested together, and each gets its own digest."""

import hashlib
from collections.abc import Sequence

import pytest

from engine.world import JOB, Machine
from outhaul.engine.pace import BATCH_BYTES_MAX, BATCH_BYTES_MIN, Pace
from outhaul.ports.digests import OneByOne

CONTENTS = {f"{number}.csv": b"content %d" % number * 10 for number in range(6)}


class Noting(OneByOne):
    """Notes how many bodies it is given at a time."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def sha256(self, bodies: Sequence[bytes]) -> list[bytes]:
        """See `Digests`."""
        self.given.append(len(bodies))
        return super().sha256(bodies)


@pytest.mark.parametrize("bundle_bytes", [0, 1 << 20])
@pytest.mark.parametrize("compress", ["none", "bzip2"])
def test_a_batch_is_digested_together(machine: Machine, bundle_bytes: int, compress: str) -> None:
    """In objects of their own and in a bundle, as they are and compressed: the receipt has the digest of the file."""
    for name, content in CONTENTS.items():
        machine.produce(f"a/{name}", content)
    machine.digests = noting = Noting()
    job = JOB._replace(bundle_bytes=bundle_bytes, bundle_file_max=8 << 10, compress=compress)
    assert machine.run(job).tally.by_reason == {"removed": len(CONTENTS)}
    assert noting.given == [len(CONTENTS)]
    receipts = machine.receipts("a", *CONTENTS, job=job)
    assert {name: receipt.sha256 for name, receipt in receipts.items()} == {
        name: hashlib.sha256(content).digest() for name, content in CONTENTS.items()
    }


@pytest.mark.parametrize(
    ("answer_ns", "expected"), [(0, BATCH_BYTES_MIN), (10**6, BATCH_BYTES_MAX), (10**9, BATCH_BYTES_MIN)]
)
def test_batches_are_large_where_answers_come_soon(answer_ns: int, expected: int) -> None:
    """Before anything is known, and over a thin link, receipts do not wait for many bytes."""
    pace = Pace(2)
    pace.suit(many_at_once=True)
    pace.learn(answer_ns, 1 << 20, 0)
    assert pace.batch_bytes == expected
