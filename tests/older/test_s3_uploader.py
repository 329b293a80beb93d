"""s3-uploader, run as its users run it; and each fault that it had, with outhaul keeping the file.

The names of the tests of the second part are those of `reference/legacy-formats`, section 2.4.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from older.here import Here
from older.old_command import OldCommand
from older.relay import relay
from outhaul.ledgers.opening import lock
from servers.server import Server

MORNING = "kitchen/2026/11/20/03/46-temperature.dat"
NIGHT = "cellar/2026/11/20/04/12-temperature.dat"


class Uploader(Here):
    """s3-uploader with its directory and configuration."""

    def __init__(self, *arguments: object) -> None:
        super().__init__("s3_uploader", *arguments)  # type: ignore[arg-type]
        self.base = self.home / "base"
        self.base.mkdir()
        self.configure()

    def configure(self, **more: str) -> None:
        """Write the configuration."""
        (self.home / "config.json").write_text(
            json.dumps({"base_dir": str(self.base), "s3_bucket": self.bucket} | more)
        )

    def write(self, name: str, content: bytes = b"content") -> Path:
        """A finished file."""
        path = self.base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def files(self) -> list[str]:
        """What is beneath base_dir."""
        return sorted(str(path.relative_to(self.base)) for path in self.base.rglob("*") if not path.is_dir())


@pytest.fixture
def old(
    tmp_path: Path, moto_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Uploader:
    """The command, ready to run, with files that are old enough."""
    return Uploader(tmp_path, moto_server, monkeypatch, capsys)


# --- as before ------------------------------------------------------------------------------------------------------


def test_files_are_uploaded_logged_and_removed(old: Uploader) -> None:
    """Keys are the paths below base_dir, the log has the lines of before, the rest stays; `outhaul ls` lists them."""
    old.write(MORNING, b"21.5")
    old.write("kitchen/notes.txt")
    said = old("config.json")
    assert (said.code, old.stored(), old.files()) == (0, {MORNING: b"21.5"}, ["kitchen/notes.txt"])
    line = re.escape(f" -   INFO - {old.base}/{MORNING} has been uploaded to {old.bucket}.")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}" + line + "\n", said.err)
    assert old.receipts() == [MORNING]


def test_paths_in_the_log_are_as_base_dir_is_written(old: Uploader) -> None:
    """Relative to where it is started, and through a link."""
    (old.home / "link").symlink_to(old.base)
    old.configure(base_dir="./link/")
    old.write(MORNING)
    assert f" - link/{MORNING} has been uploaded" in old("config.json").err


def test_what_cannot_be_uploaded_is_logged_and_stays(old: Uploader) -> None:
    """The line of before, at level WARNING; the exit code tells, too."""
    path = old.write(MORNING)
    old.configure(s3_bucket="not-there")
    said = old("config.json")
    assert (said.code, path.exists()) == (4, True)
    assert f" - WARNING - Failed to upload {path} to not-there/{MORNING}: " in said.err


def test_empty_directories_of_a_date_are_removed(old: Uploader) -> None:
    """A day after the last file of each; those of a place, others, and base_dir stay."""
    for name in ("kitchen/2026/11/20/03", "kitchen/2026/11/21", "kitchen/spare", "empty"):
        (old.base / name).mkdir(parents=True)
    old.write("kitchen/2026/11/21/04/x.txt")
    assert old("config.json").code == 0
    assert (old.base / "kitchen/2026/11/20/03").exists()
    old.be_ahead(90_000)
    assert old("config.json").code == 0
    found = {str(path.relative_to(old.base)) for path in old.base.rglob("*") if path.is_dir()}
    assert {
        "kitchen", "kitchen/2026", "kitchen/2026/11", "kitchen/2026/11/21", "kitchen/2026/11/21/04", "kitchen/spare", "empty",
    } == found  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{}", "names neither base_dir nor s3_bucket"),
        ('{"s3_bucket": "bucket"}', "config.json:1: base_dir: is missing; write base_dir: /home/pi/data"),
        ("nonsense", "config.json:1: is not JSON"),
    ],
)
def test_a_wrong_configuration_is_one_line(old: Uploader, content: str, expected: str) -> None:
    """And exit code 2; before, a traceback."""
    (old.home / "config.json").write_text(content)
    said = old("config.json")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert expected in said.err


def test_a_base_dir_that_is_not_there_is_told(old: Uploader) -> None:
    """Exit code 1; before, 0 and not a word."""
    old.configure(base_dir="/nowhere/at/all")
    said = old("config.json")
    assert said.code == 1
    assert "/nowhere/at/all" in said.err


def test_outhaul_runs_and_translates_the_same(old: Uploader) -> None:
    """`outhaul run` of the native form does what the command does with the configuration of before."""
    native = old.outhaul("translate", "config.json")
    assert native.code == 0
    (old.home / "outhaul.toml").write_text(native.out.replace('quiet = "5s"', 'quiet = "0"'))
    old.write(MORNING, b"21.5")
    assert old.outhaul("run", "outhaul.toml", "--state", str(old.state)).code == 0
    assert (old.stored(), old.files()) == ({MORNING: b"21.5"}, [])
    assert old.outhaul("run", "config.json", "--state", str(old.state)).code == 0


@pytest.mark.slow
def test_the_real_command(tmp_path: Path, moto_server: Server) -> None:
    """A process of its own, real time: at first the file waits, five seconds later it goes."""
    real = OldCommand("s3_uploader", tmp_path, moto_server, moto_server.make_bucket())
    path = tmp_path / "base" / MORNING
    path.parent.mkdir(parents=True)
    path.write_bytes(b"21.5")
    (tmp_path / "c.json").write_text(json.dumps({"base_dir": "base", "s3_bucket": real.bucket}))
    assert (real("c.json", "--state", "state").code, path.exists()) == (0, True)
    time.sleep(5.1)
    assert (real("c.json", "--state", "state").code, path.exists()) == (0, False)
    assert real.stored() == {MORNING: b"21.5"}
    help_ = real("--help")
    assert (help_.code, real().code) == (0, 2)
    assert "CONFIG_FILE" in help_.out


# --- the hazards ----------------------------------------------------------------------------------------------------


def test_t_l1_a_file_that_is_being_written_waits(old: Uploader) -> None:
    """One that is open, however old, and one that was written a moment ago; it goes whole."""
    path = old.write(MORNING, b"half")
    with path.open("ab") as writer:
        assert (old("config.json").code, old.stored()) == (0, {})
        writer.write(b" and half")
    old.be_ahead(0)
    assert (old("config.json").code, old.stored(), path.read_bytes()) == (0, {}, b"half and half")
    old.be_ahead(60)
    assert (old("config.json").code, old.stored(), old.files()) == (0, {MORNING: b"half and half"}, [])


def test_l2_what_is_appended_between_upload_and_removal_stays(old: Uploader) -> None:
    """It is appended the moment the log says that the file has been uploaded; the next run sends the whole."""
    path = old.write(MORNING, b"one")
    old.write(NIGHT)
    with at_log_line(f"{MORNING} has been uploaded", lambda: path.write_bytes(b"one, two")):
        old("config.json")
    assert old.files() == [MORNING]
    assert path.read_bytes() == b"one, two"
    assert (old("config.json").code, old.files()) == (0, [])
    assert {b"one", b"one, two", b"content"} == set(old.stored().values())


def test_l3_equal_ends_of_paths_are_two_objects(old: Uploader) -> None:
    """Files whose last six parts are the same are kept apart by the whole path."""
    old.write(MORNING, b"one")
    old.write(f"a/b/{MORNING}", b"two")
    assert old("config.json").code == 0
    assert ({MORNING: b"one", f"a/b/{MORNING}": b"two"}, []) == (old.stored(), old.files())


def test_l4_a_file_that_the_store_refuses_stays(old: Uploader) -> None:
    """A refusal is no upload, whichever way it is told; the others go."""
    old.write(MORNING)
    old.write(NIGHT)
    with relay(old.server, {"46-temperature": 400}) as refusing:
        said = old("config.json", AWS_ENDPOINT_URL=refusing.endpoint_url)
    assert (said.code, old.files(), list(old.stored())) == (1, [MORNING], [NIGHT])
    assert f"Failed to upload {old.base}/{MORNING} to " in said.err


def test_k1_keys_hold_no_directories_of_this_machine(old: Uploader) -> None:
    """A file that lies less deep has a shorter key, one that lies deeper a longer one."""
    old.write("top.dat")
    old.write(f"house/floor/{MORNING}")
    assert old("config.json").code == 0
    assert sorted(old.stored()) == ["house/floor/" + MORNING, "top.dat"]


def test_k2_a_symbolic_link_is_left_alone(old: Uploader) -> None:
    """Neither what it leads to is sent, nor is the link removed."""
    secret = old.home / "secret"
    secret.write_bytes(b"secret")
    (old.base / "link.dat").symlink_to(secret)
    assert old("config.json").code == 0
    assert (old.stored(), old.files(), secret.read_bytes()) == ({}, ["link.dat"], b"secret")


@pytest.mark.slow
def test_d1_a_fault_of_one_file_stops_no_other(old: Uploader) -> None:
    """The network fails in the middle: what has arrived is removed, and is not sent again."""
    for number in range(5):
        old.write(f"{number}.dat", b"%d" % number)
    with relay(old.server, {"/2.dat": 0}) as failing:
        said = old("config.json", AWS_ENDPOINT_URL=failing.endpoint_url)
    assert old.files() == ["2.dat"]
    assert f"Failed to upload {old.base}/2.dat to " in said.err
    again = old("config.json")
    assert (again.code, old.files(), len(old.stored())) == (0, [], 5)
    assert again.err.count("has been uploaded") == 1


def test_d1_a_second_run_beside_it_does_nothing(old: Uploader) -> None:
    """It says so, and exits with 3."""
    old.write(MORNING)
    held = lock(str(old.state))
    try:
        said = old("config.json")
    finally:
        os.close(held)
    assert (said.code, old.files(), old.stored()) == (3, [MORNING], {})
    assert "another outhaul" in said.err


def test_d2_what_arrived_before_a_crash_is_not_sent_again(old: Uploader) -> None:
    """The object is compared, and stays the one that it was; the file goes."""
    old.write(MORNING, b"21.5")
    old.put(MORNING, b"21.5", {"x-amz-meta-first": "yes"})
    assert (old("config.json").code, old.files()) == (0, [])
    with old.server.client() as client:
        found = client.head(old.bucket, MORNING)
    assert found is not None and found.headers["x-amz-meta-first"] == "yes"
    assert len(old.stored()) == 1


def test_k3_wrong_credentials_are_no_success(
    tmp_path: Path, rclone_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4, and the file stays; no key of an example stands in for one that is missing."""
    old = Uploader(tmp_path, rclone_server, monkeypatch, capsys)
    path = old.write(MORNING)
    wrong = old("config.json", AWS_SECRET_ACCESS_KEY="wrong")
    assert (wrong.code, path.exists()) == (4, True)
    assert "Failed to upload" in wrong.err
    none = old("config.json", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert (none.code, path.exists()) == (4, True)
    assert "no AWS credentials found" in none.err
    assert old.stored() == {}


@contextmanager
def at_log_line(text: str, then: Callable[[], object]) -> Iterator[None]:
    """Do something the moment that a line is logged."""

    def seen(record: logging.LogRecord) -> bool:
        if text in record.getMessage():
            then()
        return True

    root = logging.getLogger()
    root.addFilter(seen)
    try:
        yield
    finally:
        root.removeFilter(seen)
