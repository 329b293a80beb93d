"""Kingfisher Archive's whole way, with a real database, logs of a real Scrapy, and real servers."""

import pytest

from kingfisher.world import World, files_of


def test_a_collection_is_archived_and_removed(world: World) -> None:
    """Data and log become one tar, the log and metadata lie beside it, the sources go, and that is remembered."""
    directory = world.collection(3, {"0/a.json": b"a" * 5000, "0/b c.json": b"b", "empty": b""})
    log = (world.logs / "scotland/3.log").read_bytes()
    ran = world()
    assert ran == (0, "", "")
    objects = world.objects()
    assert [key.removeprefix("scotland/2020/09/") for key in objects] == ["data.tar.lz4", "metadata.json", "scrapy.log"]
    assert {
        "data/scotland/20200902_052453/0/a.json": b"a" * 5000,
        "data/scotland/20200902_052453/0/b c.json": b"b",
        "data/scotland/20200902_052453/empty": b"",
        "logs/scotland/3.log": log,
    } == files_of(objects["scotland/2020/09/data.tar.lz4"])
    assert log == objects["scotland/2020/09/scrapy.log"]
    told = world.metadata()
    assert tuple(
        told[key] for key in ("database_id", "scrapy_log_file_found", "errors_count", "bytes", "files_count")
    ) == (3, True, 0, 5001, 3)
    assert not directory.exists()
    assert not (world.logs / "scotland/3.log").exists()
    assert world.decisions() == {3: ("ARCHIVED", "first", False)}
    assert world() == (0, "", "")


@pytest.mark.slow
def test_on_every_server(any_world: World) -> None:
    """As above, also where a server knows no conditions or checksums."""
    directory = any_world.collection(3, {"0/a.json": b"a" * 5000})
    assert any_world() == (0, "", "")
    assert b"a" * 5000 in files_of(any_world.objects()["scotland/2020/09/data.tar.lz4"]).values()
    assert not directory.exists()
