"""Kingfisher Archive's whole way, with a real database, logs of a real Scrapy, and real servers."""

import os
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from kingfisher.world import OCTOBER, SEPTEMBER, World, files_of

pytestmark = pytest.mark.slow


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


@pytest.mark.slow
def test_what_logparser_wrote_goes_with_the_log(world: World) -> None:
    """`.log.stats` belongs to the log: it is in the tar, and goes."""
    world.collection(1)
    (world.logs / "scotland/1.log.stats").write_text("{}")
    assert not world.run().failed
    objects = world.objects()
    assert files_of(objects["scotland/2020/09/data.tar.lz4"])["logs/scotland/1.log.stats"] == b"{}"
    assert list((world.logs / "scotland").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(
    not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(tempfile.gettempdir()).st_dev,
    reason="there is no second file system to write to",
)
def test_logs_on_another_file_system_go_alone(world: World) -> None:
    """No group reaches across file systems: the log is an object of its own, and is removed by itself."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        world.logs = Path(elsewhere)
        world.configure()
        directory = world.collection(1, {"a": b"content"})
        (world.logs / "scotland/1.log.stats").write_text("{}")
        log = (world.logs / "scotland/1.log").read_bytes()
        assert not world.run().failed
        assert [path for path in world.logs.rglob("*") if path.is_file()] == []
    objects = world.objects()
    assert (log, b"{}") == (objects["scotland/2020/09/scrapy.log"], objects["scotland/2020/09/scrapy.log.stats"])
    assert files_of(objects["scotland/2020/09/data.tar.lz4"]) == {"20200902_052453/a": b"content"}
    assert not directory.exists()


@pytest.mark.slow
def test_what_links_lead_to_is_archived(world: World) -> None:
    """A directory of data or of a source that is a link is the one it leads to; a link in a crawl is not followed, and stays."""
    world.collection(1, {"a": b"content"})
    (world.data / "scotland").rename(world.home / "elsewhere")
    (world.data / "scotland").symlink_to(world.home / "elsewhere")
    crawl = world.home / "elsewhere/20200902_052453"
    (crawl / "link").symlink_to("/etc/hostname")
    assert not world.run().failed
    tar = files_of(world.objects()["scotland/2020/09/data.tar.lz4"])
    assert {b"content"} == {body for path, body in tar.items() if not path.endswith(".log")}
    assert [path.name for path in crawl.iterdir()] == ["link"]


@pytest.mark.slow
def test_collections_of_one_month_go_one_after_the_other(world: World) -> None:
    """The first waits for a file in use: the second, of the same month, does not overtake it; one of another month goes."""
    first = world.collection(1, {"a": b"1"}, at=SEPTEMBER)
    second = world.collection(2, {"a": b"22"}, at=SEPTEMBER + timedelta(hours=1))
    third = world.collection(3, {"a": b"333"}, at=OCTOBER)
    with (first / "a").open("ab"):
        assert not world.run().failed
        assert (first.exists(), second.exists(), third.exists()) == (True, True, False)
    assert not world.run().failed
    assert [reason for _, reason, _ in world.decisions().values()] == ["first", "same_period_larger", "first"]
