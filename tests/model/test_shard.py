"""Shards: what they are called, and that every directory is in one of them, the same everywhere and for ever."""

from collections import Counter

import pytest

from outhaul.model.shard import WHOLE, Shard, shard_of


def test_every_directory_is_in_one_shard() -> None:
    """Whatever it is called, and they are about equally many."""
    paths = ["", "\udcff", "Zürich/ä", *(f"year/{number}" for number in range(8000))]
    of = Counter(shard.number for path in paths for shard in (Shard(n, 8) for n in range(1, 9)) if shard.holds(path))
    assert len(paths) == sum(of.values())
    assert all(900 < count < 1100 for count in of.values())
    assert all(WHOLE.holds(path) for path in paths)


def test_where_a_directory_belongs_never_changes() -> None:
    """These numbers are a promise to whoever runs shards on several machines, with several versions."""
    assert {path: next(n for n in range(1, 9) if Shard(n, 8).holds(path)) for path in ("", "a", "a/b", "\udcff")} == {
        "": 5,
        "a": 3,
        "a/b": 6,
        "\udcff": 1,
    }


def test_as_it_is_written() -> None:
    """A number, and of how many; what is neither is told what to write."""
    assert Shard(3, 8) == shard_of("3/8")
    assert (Shard(3, 8).name, WHOLE.name) == ("shard-3-of-8", "")
    for text in ("", "3", "0/8", "9/8", "a/8", "3/0", "-1/8", "3/99999999", "3/8/9", "٣/8"):
        with pytest.raises(ValueError, match="shard"):
            shard_of(text)
