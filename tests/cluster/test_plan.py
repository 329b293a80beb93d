"""What a batch is: each file is in one, and none is too large."""

import re
import sys
from collections import Counter

import pytest

from outhaul.cluster.launching import client, where
from outhaul.cluster.plan import Batch, Counted, batches
from outhaul.model.bandwidth import Bandwidth, Window
from outhaul.model.errors import ConfigurationError
from outhaul.model.shard import WHOLE, Shard


def test_directories_are_together_until_they_are_enough() -> None:
    """By the number of files, or by their bytes; one without files is in none."""
    some = [Counted("a", 3, 10), Counted("b", 0, 0), Counted("c", 2, 10), Counted("d", 1, 90), Counted("e", 1, 1)]
    assert list(batches(some, files_max=5, bytes_max=100)) == [
        Batch(("a", "c"), WHOLE, 5, 20),
        Batch(("d", "e"), WHOLE, 2, 91),
    ]


def test_a_large_directory_is_in_several() -> None:
    """By the names of its files; a few very large files are no more batches than files."""
    found = list(batches([Counted("a", 101, 100)], files_max=100))
    assert found == [Batch(("a",), Shard(n, 3), 33, 33) for n in (1, 2, 3)]
    assert len(list(batches([Counted("a", 2, 1000)], bytes_max=10))) == 2


@pytest.mark.parametrize("files", [5_000, 5_001, 10_000, 46_000])
def test_no_share_of_a_directory_is_too_large(files: int) -> None:
    """Which share a file belongs to is a hash of its name: their numbers differ, and the largest counts."""
    shares = [batch.share for batch in batches([Counted("a", files, 0)])]
    assert len(shares) <= files / 5000 * 1.08 + 1
    held = Counter(next(n for n, share in enumerate(shares) if share.holds(f"{number}.csv")) for number in range(files))
    assert max(held.values()) <= 5000


def test_batches_have_names_of_their_own() -> None:
    """The same work has the same name, other work another."""
    names = {Batch(("a",)).name, Batch(("a", "b")).name, Batch(("ab",)).name, Batch(("a",), Shard(1, 2)).name}
    assert len(names) == 4
    assert Batch(("a",), WHOLE, 5, 9).name == Batch(("a",)).name


def test_where_the_workers_are() -> None:
    """Processes of this machine, or a scheduler; what is neither is told what to write."""
    assert [where("local:4"), where("dask://host:8786"), where("dask+tls://host:1")] == [
        4,
        "tcp://host:8786",
        "tls://host:1",
    ]
    assert [where("dask://10.0.0.1:1"), where("dask://[fe80::1%eth0]:8786")] == [
        "tcp://10.0.0.1:1",
        "tcp://[fe80::1%eth0]:8786",
    ]
    for text in (
        "local",
        "local:0",
        "local:x",
        "dask://host",
        "host:8786",
        "local:9999",
        "dask://::1:8786",
        "dask://h:99999",
    ):
        with pytest.raises(ConfigurationError, match=f"^--on {re.escape(text)}: write local:4"):
            where(text)


def test_what_is_no_place_is_told_without_a_secret() -> None:
    """A variable that is not set, and a password, which Dask has no use for."""
    for text in ("", "dask://user:pw@127.0.0.1:1"):
        with pytest.raises(ConfigurationError, match=r"^--on: write local:4"):
            where(text)


def test_tls_has_to_be_set() -> None:
    """Its files are named to Dask; without them no scheduler is asked."""
    with (
        pytest.raises(ConfigurationError, match=r"^--on dask\+tls://127.0.0.1:1: name the files for TLS"),
        client("dask+tls://127.0.0.1:1"),
    ):
        pass


def test_a_library_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask does without cryptography, and its own certificates do not."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigurationError, match=r"^--on local:1 needs cryptography: pip install"), client("local:1"):
        pass


def test_a_limit_is_shared_alike() -> None:
    """Each worker has an equal part of it, at any time."""
    limit = Bandwidth(100, (Window(None), Window(9))).among(4)
    assert limit == Bandwidth(25, (Window(None), Window(2)))
