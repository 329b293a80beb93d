"""Every way in which Kingfisher Archive lost, mixed up or left files (named as in its list), and what outhaul does instead."""

import hashlib
import json
import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from kingfisher.world import OCTOBER, SEPTEMBER, World, complete_pairs, files_of
from outhaul.kingfisher.local import measure

pytestmark = pytest.mark.slow

FIRST = "scotland/2020/09/"


def older_metadata(world: World, directory: Path, **more: object) -> bytes:
    """What the older program wrote of a data directory."""
    measured = measure(str(directory))
    assert measured is not None
    told = {"database_id": 1, "data_md5": measured.md5, "data_size": measured.disk_bytes, "errors_count": 0}
    return json.dumps({**told, "scrapy_log_file_found": True, **more}, indent=2).encode()


def older_memory(world: World, number: int, state: str) -> None:
    """The file of the older program, with one decision."""
    with sqlite3.connect(world.memory) as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS collections (collection_id INTEGER PRIMARY KEY NOT NULL, state TEXT NOT NULL)"
        )
        database.execute("REPLACE INTO collections VALUES (?, ?)", (number, state))
    database.close()


@pytest.mark.slow
def test_l1_metadata_without_data_is_no_archive(world: World) -> None:
    """A crash between two copies left metadata alone, and the older program never archived the data. It is archived now."""
    directory = world.collection(1)
    world.put(f"{FIRST}metadata.json", older_metadata(world, directory))
    older_memory(world, 1, "DO NOT ARCHIVE")
    assert not world.run().failed
    assert [f"{FIRST}metadata.json"] == complete_pairs(world.objects())
    assert not directory.exists()


@pytest.mark.slow
def test_l1_metadata_beside_other_data_is_no_archive(world: World) -> None:
    """The same crash where there was data of an earlier crawl: metadata of the one, data of the other; both are kept."""
    directory = world.collection(1, {"a": b"content"})
    world.put(f"{FIRST}data.tar.lz4", b"data of an earlier crawl")
    _wait_for_another_second(world)
    world.put(f"{FIRST}metadata.json", older_metadata(world, directory))
    assert not world.run().failed
    assert world.decisions() == {1: ("ARCHIVED", "untold", False)}
    assert b"data of an earlier crawl" in world.objects().values()
    assert b"content" in files_of(world.objects()[f"{FIRST}data.tar.lz4"]).values()


def _wait_for_another_second(world: World) -> None:
    import time

    time.sleep(1.1)  # The store tells times in seconds.


def test_l1_a_crash_before_the_metadata_loses_nothing(world: World) -> None:
    """Data is first and metadata last: the next run sees no archive, and goes on."""

    class Killed(BaseException):
        pass

    def step(name: str) -> None:
        if name == "carry metadata":
            raise Killed

    directory = world.collection(1)
    with pytest.raises(Killed):
        world.run(step)
    assert complete_pairs(world.objects()) == []
    assert directory.exists()
    world.run()
    assert world.decisions() == {1: ("ARCHIVED", "first", False)}


@pytest.mark.slow
def test_l2_a_better_archive_destroys_none(world: World) -> None:
    """More bytes take the first place of the month; what was there, and nowhere else, is kept beside it."""
    world.collection(1, {"a": b"first"}, at=SEPTEMBER - timedelta(hours=1))
    world.run()
    world.collection(2, {"b": b"second, and larger"})
    world.run()
    objects = world.objects()
    kept = [body for key, body in objects.items() if key.startswith(f"{FIRST}data~")]
    assert [[body for path, body in files_of(tar).items() if path.endswith("/a")] for tar in kept] == [[b"first"]]
    assert len(complete_pairs(objects)) == 2


@pytest.mark.slow
def test_l3_what_is_away_for_a_moment_is_not_given_up(world: World) -> None:
    """A data directory that is not mounted, an empty one, a log that has not come to its end: each waits."""
    directory = world.collection(1)
    away = directory.rename(directory.with_name("away"))
    assert not world.run().failed
    directory.mkdir()
    assert not world.run().failed
    directory.rmdir()
    away.rename(directory)
    log = world.write_log("killed", SEPTEMBER, "scotland", "1")
    assert not world.run().failed
    log.unlink()
    assert not world.run().failed
    scrapyd = world.data.rename(world.data.with_name("unmounted"))
    assert not world.run().failed
    scrapyd.rename(world.data)
    assert (world.decisions(), world.objects()) == ({}, {})
    world.write_log("finished", SEPTEMBER, "scotland", "1")
    assert not world.run().failed
    assert world.decisions() == {1: ("ARCHIVED", "first", False)}


@pytest.mark.slow
@pytest.mark.parametrize(("there", "state"), [(True, "ARCHIVED"), (False, "DO NOT ARCHIVE")])
def test_l3_what_the_older_program_gave_up_is_looked_at_again(world: World, there: bool, state: str) -> None:
    """Its DO NOT ARCHIVE may be of a moment; while there are files it is decided anew, with a reason."""
    world.collection(1, None if there else {})
    older_memory(world, 1, "DO NOT ARCHIVE")
    assert not world.run().failed
    assert state == world.decisions()[1][0]


@pytest.mark.slow
def test_what_the_older_program_archived_stays_archived(world: World) -> None:
    """ARCHIVED is final: what has come to that directory since is not touched."""
    directory = world.collection(1)
    older_memory(world, 1, "ARCHIVED")
    assert not world.run().failed
    assert (world.objects(), directory.exists()) == ({}, True)


def test_l4_a_file_that_comes_late_stays(world: World) -> None:
    """Between the archive and the removal a file comes: nothing of the directory goes, and it is looked at again."""
    directory = world.collection(1, {"a": b"a" * 100})

    def step(name: str) -> None:
        if name == "let go":
            (directory / "late").write_bytes(b"late" * 100)

    assert world.run(step).failed == 1
    assert [(directory / name).read_bytes() for name in ("a", "late")] == [b"a" * 100, b"late" * 100]
    assert world.decisions() == {}
    assert not world.run().failed
    assert world.decisions() == {1: ("ARCHIVED", "same_period_larger", False)}
    assert {b"a" * 100, b"late" * 100} <= set(files_of(world.objects()[f"{FIRST}data.tar.lz4"]).values())
    assert not directory.exists()


@pytest.mark.slow
def test_l4_a_file_that_changes_stays(world: World) -> None:
    """A file that is written to after it was proved is another file, however long it is."""
    directory = world.collection(1, {"a": b"one"})

    def step(name: str) -> None:
        if name == "let go":
            (directory / "a").write_bytes(b"two")

    world.run(step)
    assert (directory / "a").read_bytes() == b"two"


@pytest.mark.slow
def test_l4_a_file_in_use_waits(world: World) -> None:
    """Somebody writes to a file of the crawl: the collection waits, and that is no failure."""
    directory = world.collection(1)
    with (directory / "0/file.json").open("ab"):
        assert not world.run().failed
        assert (world.decisions(), world.objects()) == ({}, {})
    assert not world.run().failed
    assert not directory.exists()


def test_l5_the_name_of_a_source_is_data(world: World) -> None:
    """No shell sees it: a space, a quote, a pattern or a command in it removes and runs nothing else."""
    for name in ("scot", "land", "x"):
        (world.data / name).mkdir()
        (world.data / name / "bystander").write_text("stays")
    names = ["scot land", "$(touch trap)", "a;touch trap", "it's", "*", "[x]", "{name}", "-rf"]
    for number, name in enumerate(names, 1):
        world.collection(number, {"a": b"of " + name.encode()}, source=name)
    assert not world.run().failed
    assert [("ARCHIVED", "first", False)] * len(names) == list(world.decisions().values())
    assert [path.read_text() for path in world.data.glob("*/bystander")] == ["stays"] * 3
    assert not list(world.home.rglob("trap"))
    tars = {key.partition("/")[0]: files_of(body) for key, body in world.objects().items() if key.endswith(".lz4")}
    assert {name: b"of " + name.encode() for name in names} == {
        name: next(body for path, body in files.items() if path.endswith("/a")) for name, files in tars.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a/../../b", ""])
def test_l5_a_source_that_is_no_name_leads_nowhere(world: World, name: str) -> None:
    """It is told, and the others go on."""
    world.collection(2)
    with world.postgres.connect(world.database) as connection:
        connection.execute("INSERT INTO collection VALUES (1, %s, now(), false, now())", (name,))
    ran = world()
    assert (ran.code, world.decisions()) == (1, {2: ("ARCHIVED", "first", False)})
    assert "Collection 1 failed: its source_id is" in ran.err


@pytest.mark.slow
def test_l6_a_crawl_without_its_log_waits(world: World) -> None:
    """The older program took one without a log for complete: part of a crawl took the place of a whole one."""
    directory = world.collection(1, log=None)
    world.write_log("finished", OCTOBER, "scotland", "of another crawl")
    assert not world.run().failed
    assert (world.decisions(), world.objects(), directory.exists()) == ({}, {}, True)


@pytest.mark.slow
def test_l7_other_names_are_another_crawl(world: World) -> None:
    """Files that were renamed or moved are not the same, though their contents are."""
    world.collection(1, {"a": b"content"}, at=SEPTEMBER)
    world.run()
    world.collection(2, {"moved/b": b"content"}, at=OCTOBER)
    world.run()
    assert world.decisions()[2] == ("ARCHIVED", "new_period_clean", False)
    world.collection(3, {"moved/b": b"content"}, at=OCTOBER + timedelta(days=1))
    world.run()
    assert world.decisions()[3] == ("DO NOT ARCHIVE", "same", False)


@pytest.mark.slow
def test_l7_directories_do_not_make_a_crawl_larger(world: World) -> None:
    """The same bytes in more directories are not more bytes."""
    world.collection(1, {"a": b"1234"}, at=SEPTEMBER - timedelta(hours=1))
    world.run()
    world.collection(2, {f"{n}/{n}": b"1" for n in range(4)})
    world.run()
    assert world.decisions()[2] == ("DO NOT ARCHIVE", "same_period_not_larger", False)


@pytest.mark.slow
def test_k1_a_log_that_is_none_stops_nothing(world: World) -> None:
    """Empty, foreign and unfinished logs beside the others are passed over; so is what cannot be read, and that is told."""
    (world.logs / "scotland").mkdir()
    for name, content in {"0": b"", "1a": b"\xff\x00 no log", "1b": b"{" * 100_000, "1c": b"N/A\n"}.items():
        (world.logs / "scotland" / f"{name}.log").write_bytes(content)
    (world.logs / "scotland/1d.log").symlink_to("/dev/zero")
    os.mkfifo(world.logs / "scotland/1e.log")
    world.collection(1)
    world.collection(2, source="wales", at=OCTOBER)
    ran = world()
    assert world.decisions() == {1: ("ARCHIVED", "first", False), 2: ("ARCHIVED", "first", False)}
    assert (ran.code, ran.err.count("cannot be read")) == (1, 2)


@pytest.mark.slow
def test_k2_one_collection_that_fails_stops_no_other(world: World) -> None:
    """The bucket refuses the first, whose key is too long for it; the second is archived. The exit code tells."""
    name = "s" * 250
    first = world.collection(1, source=name)
    long = "/".join(["d" * 250] * 3)
    (first / long).mkdir(parents=True)
    (first / long / "file").write_bytes(b"x")
    first_log = world.logs / name / "1.log"
    first_log.chmod(0o600)
    second = world.collection(2, source="wales")
    with world.postgres.connect(world.database) as connection:  # A row of which nothing can be made comes before both.
        connection.execute("INSERT INTO collection VALUES (0, '..', now(), false, now())")
    ran = world.run()
    assert (ran.failed, ran.destination_failed) == (1, False)
    assert world.decisions()[2] == ("ARCHIVED", "first", False)
    assert not second.exists()


@pytest.mark.slow
def test_k2_a_bucket_that_refuses_one_stops_no_other(world: World) -> None:
    """The place of the first is taken by what cannot be moved; the second is archived."""
    first = world.collection(1)
    world.put(f"{FIRST}data.tar.lz4", b"in the way")
    mark = hashlib.sha256(f"{hashlib.md5(b'in the way').hexdigest()} 10".encode()).hexdigest()[:16]
    world.put(f"{FIRST}data~{mark}.tar.lz4", b"other bytes")
    second = world.collection(2, source="wales")
    ran = world.run()
    assert ran.failed == 1
    assert (first.exists(), second.exists()) == (True, False)
    assert {b"in the way", b"other bytes"} <= set(world.objects().values())


@pytest.mark.slow
def test_k3_nothing_is_left_behind(world: World, tmp_path: Path) -> None:
    """No temporary file, no staging object: neither when all goes well nor when nothing does."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    world.collection(1)
    assert world(TMPDIR=str(scratch)).code == 0
    world.collection(2, at=OCTOBER)
    assert world(TMPDIR=str(scratch), AWS_ENDPOINT_URL="http://127.0.0.1:9").code != 0
    assert list(scratch.iterdir()) == []
    assert list((world.state / "metadata").iterdir()) == []
    assert {"scotland"} == {key.partition("/")[0] for key in world.objects()}


@pytest.mark.slow
def test_k4_what_is_not_archived_stays_and_is_told(world: World) -> None:
    """It is on this disk alone: it is not removed, and the log says how much that is."""
    directory = world.collection(1, {"a": b"x" * 100}, log="sample")
    _log_to_stdout(world)
    ran = world()
    assert directory.exists()
    assert world.decisions() == {1: ("DO NOT ARCHIVE", "not_complete", False)}
    assert "Collection 1: the crawl was one of a part of the data (sample)" in ran.out
    assert "1 collections were not archived, and stay where they are" in ran.out


def _log_to_stdout(world: World) -> None:
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
    logger = {"level": "INFO", "handlers": ["c"], "propagate": False}
    told = {"version": 1, "handlers": {"c": handler}, "loggers": {"ocdskingfisher": logger}}
    (world.config.parent / "logging.json").write_text(json.dumps(told))


@pytest.mark.slow
def test_k5_every_month_is_seen(world: World) -> None:
    """More than a thousand objects of a source, and some that are no archives: the newest month is found."""
    with world.client() as client:
        for year in range(1760, 2020):
            for name in ("data.tar.lz4", "metadata.json", "x", "y"):
                client.put(world.bucket, f"scotland/{year}/01/{name}", b"{}")
    for stray in (
        "scotland/stray",
        "scotland/a/b/metadata.json",
        "scotland/2020/13/metadata.json",
        "scotland2/2020/08/x",
    ):
        world.put(stray, b"stray")
    newest = json.dumps({"bytes": 10**9, "errors_count": 0}).encode()
    world.put("scotland/2020/08/data.tar.lz4", b"data")
    world.put("scotland/2020/08/metadata.json", newest)
    world.collection(1)
    assert not world.run().failed
    assert world.decisions() == {1: ("DO NOT ARCHIVE", "not_distinct", False)}


@pytest.mark.slow
@pytest.mark.parametrize("last", ["write down", "let go", "let gone"])
def test_k6_a_crash_around_the_removal_is_ended(world: World, last: str) -> None:
    """Whether it is written down already or not, the next run removes data and log, and the label is right."""

    class Killed(BaseException):
        pass

    def step(name: str) -> None:
        if name == last:
            raise Killed

    directory = world.collection(1)
    with pytest.raises(Killed):
        world.run(step)
    assert directory.exists() == (last != "let gone")
    before = world.objects()
    world.run()
    assert {1: ("ARCHIVED", "own" if last == "write down" else "first", False)} == world.decisions()
    assert [path for path in world.home.joinpath("scrapyd").rglob("*") if path.is_file()] == []
    assert before == world.objects()


@pytest.mark.slow
def test_d_nothing_is_sent_twice(world: World) -> None:
    """What was proved before a crash is not sent again: the objects are the same ones afterwards."""

    class Killed(BaseException):
        pass

    def step(name: str) -> None:
        if name == "carry metadata":
            raise Killed

    world.collection(1)
    with pytest.raises(Killed):
        world.run(step)
    with world.client() as client:
        before = client.head(world.bucket, f"{FIRST}data.tar.lz4")
    _wait_for_another_second(world)
    world.run()
    with world.client() as client:
        after = client.head(world.bucket, f"{FIRST}data.tar.lz4")
    assert before is not None
    assert after is not None
    assert before.headers["last-modified"] == after.headers["last-modified"]
