"""archive-upload, run as its users run it; and each fault that it had, with outhaul keeping the file.

The names of the tests of the second part are those of `reference/legacy-formats`, section 1.4.
"""

from __future__ import annotations

import bz2
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from older.here import Here
from older.old_command import OldCommand, Said
from outhaul.ledgers.sqlite import SqliteLedger
from servers.server import Server

DAY = 86_400


class Archiver(Here):
    """archive-upload with one directory, its archive, and a configuration."""

    def __init__(self, *arguments: object) -> None:
        super().__init__("archive_upload", *arguments)  # type: ignore[arg-type]
        self.data, self.archive = self.home / "data", self.home / "archive"
        self.old = self.home / ".archive-upload"
        self.data.mkdir()
        self.archive.mkdir()
        self.configure()

    def configure(
        self, patterns: str = "[{pattern: '*.csv', finished-secs: 0}]", more: str = "", **settings: str
    ) -> None:
        """Write the configuration; `settings` replace those of the directory, `more` stands above."""
        entry = {
            "directory": str(self.data), "file-patterns": patterns, "archive-dir": str(self.archive),
            "bucket-and-key": f"{self.bucket}/base/site",
        } | {name.replace("_", "-"): value for name, value in settings.items()}  # fmt: skip
        lines = "\n    ".join(f"{key}: {value}" for key, value in entry.items())
        (self.home / "config.yaml").write_text(f"{more}\ndirectories:\n  - {lines}\n")

    def run(self, **more: str) -> Said:
        """One run from cron."""
        return self("config.yaml", **more)

    def write(self, name: str, content: bytes = b"content") -> Path:
        """A finished file."""
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def left(self, entries: object = ()) -> None:
        """What the older program left in the home directory."""
        self.old.mkdir(exist_ok=True)
        (self.old / "upload_pending.pkl").write_bytes(entries if isinstance(entries, bytes) else pickle.dumps(entries))

    def copy(self, name: str, content: bytes) -> Path:
        """A copy in the archive, as the older program made it."""
        path = self.archive / name
        path.write_bytes(bz2.compress(content))
        return path

    def plain(self) -> dict[str, bytes]:
        """What the bucket holds, decompressed."""
        return {key: bz2.decompress(body) for key, body in self.stored().items()}

    def copies(self) -> dict[str, bytes]:
        """What the archive holds, decompressed."""
        return {path.name: bz2.decompress(path.read_bytes()) for path in self.archive.iterdir() if path.is_file()}

    def log(self) -> str:
        """The log file."""
        return (self.old / "log" / "archive-upload.log").read_text()


@pytest.fixture
def old(
    tmp_path: Path, moto_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Archiver:
    """The command, ready to run, with files that are old enough."""
    return Archiver(tmp_path, moto_server, monkeypatch, capsys)


# --- as before ------------------------------------------------------------------------------------------------------


def test_files_are_archived_uploaded_and_logged(old: Archiver) -> None:
    """A .bz2 in the archive and under bucket/base/name.bz2, the source gone, and the lines of before in the log."""
    source = old.write("a.csv", b"1;2")
    old.write("b.txt")
    said = old.run()
    assert (said.code, old.plain(), old.copies()) == (0, {"base/site/a.csv.bz2": b"1;2"}, {"a.csv.bz2": b"1;2"})
    assert old.stored()["base/site/a.csv.bz2"] == (old.archive / "a.csv.bz2").read_bytes()
    assert [path.name for path in old.data.iterdir()] == ["b.txt"]
    lines = [line.partition(" - ")[2] for line in old.log().splitlines()]
    assert lines == [
        "INFO - archive_upload - Script start.",
        f"INFO - archive_upload - Uploaded {old.archive}/a.csv.bz2",
        f"INFO - archive_upload - Archived {source}",
    ]
    assert said.err.replace(",", ".").count("INFO - archive_upload") == 3


def test_several_directories_patterns_and_times(old: Archiver) -> None:
    """A pattern is of the directory itself unless it has **; each has its own finished-secs, 5 where it says nothing."""
    other = old.home / "other"
    other.mkdir()
    old.be_ahead(0)
    old.write("now.csv")
    old.write("now.log")
    old.write("deep/down.csv")
    old.write("deep/down.dat", b"deep")
    (other / "x.bin").write_bytes(b"x")
    old.configure("[{pattern: '*.csv', finished-secs: 0.0}, {pattern: '*.log', finished-secs: 3600}, "
                  "{pattern: '**/*.dat', finished-secs: 0}]")  # fmt: skip
    with (old.home / "config.yaml").open("a") as config:
        config.write(f"  - directory: {other}\n    file-patterns: [{{pattern: '*'}}]\n    archive-dir: {old.archive}\n"
                     f"    bucket-and-key: {old.bucket}/other\n")  # fmt: skip
    assert old.run().code == 0
    assert set(old.stored()) == {"base/site/now.csv.bz2", "base/site/down.dat.bz2"}
    old.be_ahead(6)
    assert old.run().code == 0
    assert "other/x.bin.bz2" in old.stored()
    assert (old.data / "now.log").exists()
    assert (old.data / "deep" / "down.csv").exists()


@pytest.mark.slow
def test_what_cannot_be_uploaded_is_tried_at_each_run(old: Archiver) -> None:
    """Until it arrives, the file stays where it is; the exit code tells."""
    source = old.write("a.csv")
    said = old.run(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (said.code, source.exists(), old.copies()) == (4, True, {})
    assert f"Error attempting to upload {source}" in old.log()
    assert (old.run().code, source.exists()) == (0, False)


def test_the_log_rotates_where_it_is_wanted(old: Archiver) -> None:
    """log-file-dir is made, with its parents; 200,000 bytes, and log-level decides what is in it."""
    where = old.home / "x" / "log"
    old.configure(more=f"log-file-dir: {where}\nlog-level: WARNING")
    old.write("a.csv")
    assert old.run().code == 0
    assert (where / "archive-upload.log").read_text() == ""
    (where / "archive-upload.log").write_bytes(b"x" * 200_001)
    old.configure(more=f"log-file-dir: {where}\nlog-level: info")
    assert old.run().code == 0
    assert sorted(path.name for path in where.iterdir()) == ["archive-upload.log", "archive-upload.log.1"]


def test_the_list_of_what_was_pending_is_taken_over_once(old: Archiver) -> None:
    """What it names is sent, stays as long as the archive keeps its own, and the list is put away."""
    old.configure(delete_after="30")
    elsewhere = old.home / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "z.bz2").write_bytes(bz2.compress(b"z"))
    pending = old.copy("a.csv.bz2", b"a")
    old.left(
        [(str(pending), f"{old.bucket}/base/site/a.csv.bz2"), (str(elsewhere / "z.bz2"), f"{old.bucket}/was/z.bz2")]
    )
    assert old.run().code == 0
    assert old.plain() == {"base/site/a.csv.bz2": b"a", "was/z.bz2": b"z"}
    assert pending.exists()
    assert [path.name for path in old.old.glob("*.pkl*")] == ["upload_pending.pkl.taken-over"]
    assert old.run().code == 0
    assert len(old.stored()) == 2


def test_copies_of_several_directories_in_one_archive(old: Archiver) -> None:
    """Each goes where the list says; one that it does not name goes by its pattern."""
    other = old.home / "other"
    other.mkdir()
    with (old.home / "config.yaml").open("a") as config:
        config.write(f"  - directory: {other}\n    file-patterns: [{{pattern: '*.txt'}}]\n    archive-dir: {old.archive}\n"
                     f"    bucket-and-key: {old.bucket}/two\n")  # fmt: skip
    names = {"one.csv": "base/site", "two.txt": "two", "lost.txt": "two", "odd.csv": "two"}
    for name in names:
        old.copy(f"{name}.bz2", name.encode())
    old.left(
        [
            (str(old.archive / f"{name}.bz2"), f"{old.bucket}/{names[name]}/{name}.bz2")
            for name in names
            if name != "lost.txt"
        ]
    )
    assert old.run().code == 0
    assert old.plain() == {f"{place}/{name}.bz2": name.encode() for name, place in names.items()}


@pytest.mark.slow
def test_the_list_is_kept_until_all_of_it_has_arrived(old: Archiver) -> None:
    """A copy that waits, or a store that does not answer, and nothing is forgotten."""
    pending = old.copy("a.csv.bz2", b"a")
    old.left([(str(pending), f"{old.bucket}/base/site/a.csv.bz2")])
    assert old.run(AWS_ENDPOINT_URL="http://127.0.0.1:9").code == 4
    with pending.open("ab"):
        assert old.run().code == 0
    assert ((old.old / "upload_pending.pkl").exists(), old.stored()) == (True, {})
    assert old.run().code == 0
    assert ((old.old / "upload_pending.pkl").exists(), old.plain()) == (False, {"base/site/a.csv.bz2": b"a"})


def test_outhaul_runs_and_translates_the_same_file(old: Archiver) -> None:
    """`outhaul run` knows it by its content, and what `translate` prints does the same."""
    old.write("a.csv", b"a")
    old.left([(str(old.copy("p.csv.bz2", b"p")), f"{old.bucket}/base/site/p.csv.bz2")])
    assert old.outhaul("run", "config.yaml", "--state", str(old.state)).code == 0
    translated = old.outhaul("translate", "config.yaml")
    (old.home / "outhaul.toml").write_text(translated.out)
    old.write("b.csv", b"b")
    assert old.outhaul("run", "outhaul.toml", "--state", str(old.state)).code == 0
    assert old.plain() == {f"base/site/{name}.csv.bz2": name.encode() for name in "abp"}
    assert old.copies() == {f"{name}.csv.bz2": name.encode() for name in "abp"}
    assert (translated.code, translated.err) == (0, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "archive-upload: config.yaml is no configuration of archive-upload: it lists no directories"),
        ("directories: 5", "archive-upload: config.yaml:1: directories: expected a list, not 5; it lists what is to be carried"),
        ("log-level: LOUD\ndirectories: []",
         'archive-upload: config.yaml:1: log-level: expected DEBUG, INFO, WARNING, ERROR or CRITICAL, not "LOUD"'),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_one_line(old: Archiver, text: str, expected: str) -> None:
    """With file, line and key; nothing is touched."""
    (old.home / "config.yaml").write_text(text)
    said = old.run()
    assert (said.code, said.err.strip()) == (2, expected)


def test_usage(old: Archiver) -> None:
    """Without an argument, and with --help."""
    command = OldCommand("archive_upload", old.home, old.server, old.bucket)
    assert command().code == 2
    assert "CONFIG.yaml" in command("--help").out


# --- each fault -----------------------------------------------------------------------------------------------------


def test_l1_the_same_name_again_takes_no_other_files_place(old: Archiver) -> None:
    """A log that is made anew each day under one name: every content is kept, in the bucket and in the archive."""
    for day in (b"monday", b"tuesday", b"wednesday"):
        old.write("log.csv", day)
        assert old.run().code == 0
    assert sorted(old.plain().values()) == sorted(old.copies().values()) == [b"monday", b"tuesday", b"wednesday"]
    assert old.plain()["base/site/log.csv.bz2"] == b"monday"


def test_l2_files_of_one_name_in_several_directories_are_all_kept(old: Archiver) -> None:
    """`**`, and two directories with one archive and one destination."""
    other = old.home / "other"
    other.mkdir()
    old.configure("[{pattern: '**/*.csv', finished-secs: 0}]")
    with (old.home / "config.yaml").open("a") as config:
        config.write(f"  - directory: {other}\n    file-patterns: [{{pattern: '*.csv', finished-secs: 0}}]\n"
                     f"    archive-dir: {old.archive}\n    bucket-and-key: {old.bucket}/base/site\n")  # fmt: skip
    old.write("a/x.csv", b"1")
    old.write("b/x.csv", b"2")
    (other / "x.csv").write_bytes(b"3")
    assert old.run().code == 0
    assert sorted(old.plain().values()) == sorted(old.copies().values()) == [b"1", b"2", b"3"]


def test_l3_what_is_written_through_an_open_descriptor_is_not_lost(old: Archiver) -> None:
    """A file that somebody has open waits, and goes with all that was written."""
    path = old.write("a.csv", b"one ")
    with path.open("ab") as producer:
        assert old.run().code == 0
        producer.write(b"two")
    assert old.stored() == {}
    assert old.run().code == 0
    assert old.plain() == {"base/site/a.csv.bz2": b"one two"}


def test_l4_a_kill_leaves_no_orphan(old: Archiver) -> None:
    """Killed while it sends, nothing has gone; and orphans of the older program, which no list knows, are sent."""
    old.left()
    old.copy("orphan.csv.bz2", b"orphan")
    sources = [old.write(f"{number}.csv", b"%d" % number) for number in range(40)]
    run = subprocess.Popen([*old.arguments, "config.yaml", "--state", str(old.state)], cwd=old.home, env=old.environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 30
    while not old.stored() and time.monotonic() < deadline:
        time.sleep(0.001)
    run.send_signal(signal.SIGKILL)
    run.wait()
    there = {f"base/site/{path.name}.bz2": path for path in sources}
    assert [key for key, path in there.items() if not path.exists() and key not in old.stored()] == []
    assert old.run().code == 0
    assert set(old.plain()) == set(there) | {"base/site/orphan.csv.bz2"}
    assert set(old.copies()) == {f"{number}.csv.bz2" for number in range(40)} | {"orphan.csv.bz2"}


def test_l5_overlapping_runs_do_not_disturb_one_another(old: Archiver) -> None:
    """The second ends at once and says so; what it would have carried goes with the next."""
    old.write("a.csv")
    ledger = SqliteLedger(str(old.state), time.time_ns)
    try:
        said = old.run()
    finally:
        ledger.close()
    assert (said.code, (old.data / "a.csv").exists()) == (3, True)
    assert old.run().code == 0
    assert set(old.plain()) == {"base/site/a.csv.bz2"}


def test_l6_delete_after_removes_nothing_of_the_users(old: Archiver) -> None:
    """Only copies that outhaul made or has taken over leave the archive."""
    old.configure(delete_after="1")
    old.run()
    mine = old.copy("mine.bz2", b"mine")
    os.utime(mine, (0, 0))
    old.write("a.csv")
    assert old.run().code == 0
    assert set(old.copies()) == {"mine.bz2", "a.csv.bz2"}


def test_l7_no_time_stamp_decides(old: Archiver) -> None:
    """A future one does not hold a file up; an old one on a file that is still being copied does not send it."""
    future, copied = old.write("future.csv"), old.write("copied.csv", b"part")
    os.utime(future, (time.time() + DAY, time.time() + DAY))
    with copied.open("ab") as producer:
        os.utime(copied, (0, 0))
        old.configure("[{pattern: '*.csv', finished-secs: 1}]")
        assert old.run().code == 0
        producer.write(b" and the rest")
    assert set(old.plain()) == {"base/site/future.csv.bz2"}
    assert old.run().code == 0
    assert old.plain()["base/site/copied.csv.bz2"] == b"part and the rest"


def test_l8_a_copy_is_whole_before_its_source_goes(old: Archiver) -> None:
    """What stands under the name of a copy and is none is not taken for one; the receipt names the evidence."""
    (old.archive / "a.csv.bz2").write_bytes(b"BZh9 cut short")
    old.write("a.csv", b"a")
    assert old.run().code == 0
    copies = [path.read_bytes() for path in old.archive.iterdir()]
    assert sorted(copies)[0] == b"BZh9 cut short"
    assert bz2.decompress(sorted(copies)[1]) == b"a"
    assert "etag" in old.outhaul("ls", "--state", str(old.state)).out


def test_t1_a_part_of_a_copy_is_not_uploaded(old: Archiver) -> None:
    """A crash while it compressed left a part and the source: the source is what is sent."""
    old.write("a.csv", b"all of it")
    (old.archive / "a.csv.bz2").write_bytes(bz2.compress(b"all of it")[:20])
    old.left([(str(old.archive / "a.csv.bz2"), f"{old.bucket}/base/site/a.csv.bz2")])
    said = old.run()
    assert (said.code, old.plain()) == (0, {"base/site/a.csv.bz2": b"all of it"})
    assert "a.csv.bz2 is left alone: it may be a part, as its source is still there" in said.err


def test_k1_a_directory_that_matches_makes_no_copy(old: Archiver) -> None:
    """It is no file; nothing bogus appears."""
    (old.data / "x.csv").mkdir()
    assert (old.run().code, old.copies(), old.stored()) == (0, {}, {})


def test_k2_names_with_question_marks_and_hashes(old: Archiver) -> None:
    """Each is a key of its own."""
    names = ["q?x#y.csv", "q?z.csv", "q#z.csv", "q;z.csv", "q%z.csv", "ü.csv"]
    for name in names:
        old.write(name, name.encode())
    assert old.run().code == 0
    assert sorted(old.plain().values()) == sorted(name.encode() for name in names)
    assert "base/site/q?x#y.csv.bz2" in old.plain()


def test_k3_a_wrong_destination_is_not_frozen(old: Archiver) -> None:
    """s3:// is understood; and what the list says of an archive yields to the configuration."""
    pending = old.copy("a.csv.bz2", b"a")
    old.left([(str(pending), "s3:/wrong/a.csv.bz2")])
    old.configure(bucket_and_key=f"s3://{old.bucket}/base")
    old.write("b.csv", b"b")
    assert old.run().code == 0
    assert old.plain() == {"base/a.csv.bz2": b"a", "base/b.csv.bz2": b"b"}


class _Runs:
    """What an attacker would put in the list."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"not a pickle", pickle.dumps({"a": 1}), pickle.dumps([("a", 1)]), None]
)
def test_k4_a_damaged_list_stops_nothing(old: Archiver, data: bytes | None) -> None:
    """It is told, nothing in it is run, and every copy in the archive is looked at instead."""
    trap = old.home / "trap"
    old.left(pickle.dumps([_Runs(trap)]) if data is None else data)
    old.copy("a.csv.bz2", b"a")
    old.write("b.csv", b"b")
    said = old.run()
    assert (said.code, trap.exists()) == (0, False)
    assert "upload_pending.pkl cannot be read (" in said.err
    assert old.plain() == {"base/site/a.csv.bz2": b"a", "base/site/b.csv.bz2": b"b"}


def test_k5_one_directory_that_is_missing_stops_no_other(old: Archiver) -> None:
    """Nor an archive that cannot be used: their files wait, the others go, and the exit code tells."""
    blocked = old.home / "blocked"
    blocked.write_text("no directory")
    config = (old.home / "config.yaml").read_text()
    missing = config.replace(str(old.data), str(old.home / "missing")).partition("directories:\n")[2]
    other = old.home / "other"
    other.mkdir()
    (other / "o.csv").write_bytes(b"o")
    unusable = (
        config.replace(str(old.data), str(other)).replace(str(old.archive), str(blocked)).partition("directories:\n")[2]
    )
    (old.home / "config.yaml").write_text("directories:\n" + missing + unusable + config.partition("directories:\n")[2])
    old.write("a.csv", b"a")
    said = old.run()
    assert (said.code, (other / "o.csv").exists()) == (1, True)
    assert old.plain()["base/site/a.csv.bz2"] == b"a"
    assert "missing" in said.err


def test_k6_a_copy_that_is_gone_is_told_and_nothing_else(old: Archiver) -> None:
    """It does not exist, so it is not uploaded."""
    old.left([(str(old.archive / "gone.bz2"), f"{old.bucket}/base/site/gone.bz2")])
    said = old.run()
    assert (said.code, old.stored()) == (0, {})
    assert "gone.bz2 does not exist, so will not be uploaded." in said.err
    assert "Error" not in said.err


def test_k7_an_archive_in_the_directory_itself_is_not_compressed_again(old: Archiver) -> None:
    """`*`, and archive-dir is the directory: copies stay what they are."""
    old.configure("[{pattern: '*', finished-secs: 0}]", archive_dir=str(old.data))
    old.write("a.csv", b"a")
    for _ in range(3):
        assert old.run().code == 0
    assert old.plain() == {"base/site/a.csv.bz2": b"a"}
    assert [path.name for path in old.data.iterdir() if path.is_file()] == ["a.csv.bz2"]


@pytest.mark.slow
def test_k8_a_large_file_takes_no_more_memory(old: Archiver) -> None:
    """400 MB are compressed, sent and archived in under 150 MB."""
    with old.write("a.csv", b"").open("wb") as file:
        file.truncate(400 << 20)
    # Started by a small process: what a large one, as this, had in memory counts for those it starts (getrusage(2)).
    program = (
        "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; "
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", program, *old.arguments, "config.yaml", "--state", str(old.state)]
    done = subprocess.run(
        command, cwd=old.home, env=old.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    code, kilobytes = map(int, done.stdout.split())
    assert (code, (old.data / "a.csv").exists()) == (0, False)
    assert kilobytes < 150 << 10


def test_k9_two_configurations_share_a_ledger_without_harm(old: Archiver) -> None:
    """Each knows its own files."""
    old.write("a.csv", b"a")
    assert old.run().code == 0
    second = old.home / "second"
    second.mkdir()
    (second / "a.csv").write_bytes(b"b")
    config = (old.home / "config.yaml").read_text()
    (old.home / "config.yaml").write_text(config.replace(str(old.data), str(second)).replace("base/site", "base/two"))
    assert old.run().code == 0
    assert old.plain() == {"base/site/a.csv.bz2": b"a", "base/two/a.csv.bz2": b"b"}


def test_k10_no_secret_is_logged_and_no_link_is_followed(old: Archiver) -> None:
    """At DEBUG too; the link and what it leads to stay."""
    secret = old.home / "secret"
    secret.write_bytes(b"secret")
    (old.data / "link.csv").symlink_to(secret)
    old.write("a.csv", b"a")
    old.configure(more="log-level: DEBUG")
    said = old.run(AWS_SESSION_TOKEN="TOKENTOKENTOKEN")
    assert (said.code, set(old.plain()), (old.data / "link.csv").is_symlink()) == (0, {"base/site/a.csv.bz2"}, True)
    text = old.log() + said.err
    assert [
        word for word in ("TOKENTOKENTOKEN", "Authorization", "Signature", old.server.secret_key) if word in text
    ] == []


def test_d1_what_had_arrived_is_found_there(old: Archiver) -> None:
    """A ledger that is lost costs a look at the object, not another one."""
    old.write("a.csv", b"a")
    with old.server.client() as client:
        client.put(old.bucket, "base/site/a.csv.bz2", bz2.compress(b"a"))
    assert old.run().code == 0
    assert old.plain() == {"base/site/a.csv.bz2": b"a"}
