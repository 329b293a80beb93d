"""Kingfisher Archive's whole way, with a real database, logs of a real Scrapy, and real servers."""

from kingfisher.world import World, files_of


def test_a_collection_is_archived_and_removed(any_world: World) -> None:
    """Data and log become one tar, the log and metadata lie beside it, the sources go, and that is remembered."""
    world = any_world
    directory = world.collection(3, {"0/a.json": b"a" * 5000, "0/b c.json": b"b", "empty": b""})
    log = (world.logs / "scotland/3.log").read_bytes()
    ran = world()
    assert (0, "", "") == ran
    objects = world.objects()
    assert ["data.tar.lz4", "metadata.json", "scrapy.log"] == [key.removeprefix("scotland/2020/09/") for key in objects]
    assert {
        "data/scotland/20200902_052453/0/a.json": b"a" * 5000,
        "data/scotland/20200902_052453/0/b c.json": b"b",
        "data/scotland/20200902_052453/empty": b"",
        "logs/scotland/3.log": log,
    } == files_of(objects["scotland/2020/09/data.tar.lz4"])
    assert log == objects["scotland/2020/09/scrapy.log"]
    told = world.metadata()
    assert (3, True, 0, 5001, 3) == tuple(
        told[key] for key in ("database_id", "scrapy_log_file_found", "errors_count", "bytes", "files_count")
    )
    assert not directory.exists()
    assert not (world.logs / "scotland/3.log").exists()
    assert {3: ("ARCHIVED", "first", False)} == world.decisions()
    assert (0, "", "") == world()
