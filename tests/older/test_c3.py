"""C3, run as its users run it; and each fault that it had, with outhaul keeping the file.

The names of the tests of the second part are those of `reference/legacy-formats`, section 5.4.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from older.here import Here
from older.old_command import OldCommand
from outhaul.ledgers.opening import lock
from servers.server import Server
from servers.start import rclone

CONFIGURATION = """
input:
  path: {home}/photos
  file-extensions:
    - .jpg
    - .png
output:
  path: {home}/restored
target:
  {caps}
  provider:
    aws:
      region: us-east-1
      bucket-name: {bucket}
      {storage}
job:
  job-description: photos of the day
  runtime:
    at:
      - second: 10
      - minute: 30
      - hour: 3
"""


def write_configuration(home: Path, bucket: str, caps: str = "", storage: str = "") -> None:
    """The file that C3 looks for where it is started."""
    (home / "config.yaml").write_text(CONFIGURATION.format(home=home, bucket=bucket, caps=caps, storage=storage))


class Backup(Here):
    """C3 with its directories and configuration."""

    def __init__(self, *arguments: object) -> None:
        super().__init__("c3", *arguments)  # type: ignore[arg-type]
        self.photos, self.restored = self.home / "photos", self.home / "restored"
        self.photos.mkdir()
        self.configure()

    def configure(self, **settings: str) -> None:
        """Write the configuration, with caps or a storage class."""
        write_configuration(self.home, self.bucket, **settings)

    def write(self, name: str, content: bytes = b"content", modified: int = 0) -> Path:
        """A finished file, with a modification time of its own."""
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if modified:
            os.utime(path, (modified, modified))
        return path

    def fetched(self) -> dict[str, bytes]:
        """What is in the directory for downloads."""
        return {
            str(path.relative_to(self.restored)): path.read_bytes()
            for path in self.restored.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def old(
    tmp_path: Path, moto_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Backup:
    """The command, ready to run, with files that are old enough."""
    return Backup(tmp_path, moto_server, monkeypatch, capsys)


# --- as it was meant -----------------------------------------------------------------------------------------------


def test_files_of_these_extensions_in_the_directory_itself(old: Backup) -> None:
    """Case counts, what lies beneath does not go, and the storage class is what either key says."""
    old.configure(storage="storage-policy: STANDARD_IA")
    for name in ("a.jpg", "b.png", "c.JPG", "d.txt", "deep/e.jpg"):
        old.write(name)
    assert old("-n", "--once").code == 0
    assert sorted(old.stored()) == ["a.jpg", "b.png"]
    with old.server.client() as client:
        found = client.head(old.bucket, "a.jpg")
    assert found is not None and found.headers["x-amz-storage-class"] == "STANDARD_IA"


def test_the_cap_of_a_pass_takes_the_oldest_first(old: Backup) -> None:
    """The others go with the next passes."""
    old.configure(caps="max-uploaded-file: 2")
    for name, modified in (("new.jpg", 3_000), ("old.jpg", 1_000), ("middle.jpg", 2_000)):
        old.write(name, modified=modified)
    assert old("-n", "--once").code == 0
    assert sorted(old.stored()) == ["middle.jpg", "old.jpg"]
    assert old("-n", "--once").code == 0
    assert len(old.stored()) == 3


def test_the_cap_of_a_download(old: Backup) -> None:
    """The next one goes on; the line names the key of this configuration."""
    old.configure(caps="max-download-file: 2")
    for name in ("a", "b", "c"):
        old.put(name, name.encode())
    said = old("-d")
    assert len(old.fetched()) == 2
    assert "stopped at target.max-download-file" in said.err
    assert (old("-d").code, old.fetched()) == (0, {"a": b"a", "b": b"b", "c": b"c"})


def test_neither_upload_nor_download(old: Backup) -> None:
    """Help, and exit code 2; -n wins where both are there, as before."""
    said = old()
    assert said.code == 2
    assert "--download" in said.err
    old.write("a.jpg")
    old.put("b.jpg", b"b")
    assert old("-n", "-d", "--once").code == 0
    assert "a.jpg" in old.stored()
    assert not old.restored.exists()


def test_a_configuration_elsewhere_and_a_wrong_one(old: Backup) -> None:
    """-f names it; what is wrong is told by line and key, with exit code 2."""
    (old.home / "config.yaml").rename(old.home / "other.yml")
    old.write("a.jpg")
    assert old("-n", "--once").code == 2
    assert old("-n", "--once", "-f", "other.yml").code == 0
    (old.home / "other.yml").write_text((old.home / "other.yml").read_text().replace("hour: 3", "hour: 24"))
    said = old("-n", "--config-file", "other.yml")
    assert said[::2] == (2, "c3: other.yml:22: job.runtime.at[2].hour: expected a number from 0 to 23, not 24\n")
    old.configure()
    without = (old.home / "config.yaml").read_text().replace(f"output:\n  path: {old.home}/restored\n", "")
    (old.home / "config.yaml").write_text(without)
    assert old("-n", "--once").code == 0
    said = old("-d", "-f", "config.yaml")
    assert said[::2] == (2, "c3: config.yaml:2: output.path: is missing; write path: /home/pi/restored\n")


def test_outhaul_runs_and_translates_the_same(old: Backup) -> None:
    """`outhaul run` makes one pass of either form; the daily time is there as a line for cron."""
    old.write("a.jpg", b"a")
    native = old.outhaul("translate", "config.yaml")
    assert "\n#     30 3 * * * outhaul run CONFIG\n" in native.out
    (old.home / "outhaul.toml").write_text(native.out.replace('quiet = "5s"', 'quiet = "0"'))
    assert old.outhaul("run", "outhaul.toml", "--state", str(old.state)).code == 0
    assert old.stored() == {"a.jpg": b"a"}
    again = old.outhaul("run", "config.yaml", "--state", str(old.state))
    assert again.code == 0
    assert "1 of these carried before" in again.err


@pytest.mark.slow
def test_it_stays_once_only_and_ends_cleanly(tmp_path: Path, moto_server: Server) -> None:
    """It says when it runs next; a second one exits with 3; SIGTERM ends it with the code of its last pass.

    Started by nohup(1), it goes on when the terminal is closed.
    """
    real = OldCommand("c3", tmp_path, moto_server, moto_server.make_bucket())
    (tmp_path / "photos").mkdir()
    write_configuration(tmp_path, real.bucket)
    command = [*real.arguments, "-n", "--state", "state"]
    with subprocess.Popen(
        ["nohup", *command],
        cwd=tmp_path, env=real.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said = [process.stderr.readline(), process.stderr.readline()]
        assert re.fullmatch(r"c3: next run \d{4}-\d\d-\d\d 03:30:10; .*--once.*\n", said[1])
        process.send_signal(signal.SIGHUP)
        second = real("-n", "--state", "state")
        assert (second.code, second.err[4:27]) == (3, "another c3 -n stays for")
        assert real("-n", "--once", "--state", "state").code == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


# --- the hazards ----------------------------------------------------------------------------------------------------


def test_l1_files_are_really_sent(old: Backup) -> None:
    """Their bytes are in the bucket, with a receipt, and the sources stay; where nothing arrives, that is told."""
    path = old.write("a.jpg", b"a photo")
    assert (old("-n", "--once", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="").code, old.stored()) == (4, {})
    assert old.receipts() == []
    assert (old("-n", "--once").code, old.stored()) == (0, {"a.jpg": b"a photo"})
    assert (old.receipts(), path.read_bytes()) == (["a.jpg"], b"a photo")


def test_l2_a_file_with_an_old_date_is_not_missed(old: Backup) -> None:
    """One that arrives later with an earlier date than the last, or the same."""
    old.write("last.jpg", modified=2_000_000)
    assert old("-n", "--once").code == 0
    old.write("earlier.jpg", modified=1_000_000)
    old.write("same.jpg", modified=2_000_000)
    assert old("-n", "--once").code == 0
    assert sorted(old.stored()) == ["earlier.jpg", "last.jpg", "same.jpg"]


def test_l3_a_name_that_is_used_again_takes_nothing_away(old: Backup) -> None:
    """Both contents are there: the second under a second key."""
    path = old.write("a.jpg", b"one")
    assert old("-n", "--once").code == 0
    path.unlink()
    old.write("a.jpg", b"two")
    assert old("-n", "--once").code == 0
    assert old.stored()["a.jpg"] == b"one"
    assert sorted(old.stored().values()) == [b"one", b"two"]


def test_l4_a_download_stays_in_its_directory(old: Backup) -> None:
    """Keys that lead out of it, or through a link, are told and left; files that are there stay as they are."""
    outside = old.home / "outside"
    outside.mkdir()
    old.restored.mkdir()
    (old.restored / "mine.jpg").write_bytes(b"mine")
    (old.restored / "link").symlink_to(outside)
    for key in ("../escaped.jpg", "mine.jpg", "link/x.jpg", "good.jpg", "2026/11/deep.jpg"):
        old.put(key, b"theirs")
    said = old("-d")
    assert said.code == 1
    assert old.fetched() == {"mine.jpg": b"mine", "good.jpg": b"theirs", "2026/11/deep.jpg": b"theirs"}
    assert (list(outside.iterdir()), (old.home / "escaped.jpg").exists()) == ([], False)
    for key in ("../escaped.jpg", "mine.jpg", "link/x.jpg"):
        assert key in said.err


def test_l4_a_download_into_the_source_of_another_job_is_refused(old: Backup) -> None:
    """It would carry the files away again. Into its own source it is done: those files stay."""
    source = old.home / "source"
    source.mkdir()
    (source / "x").write_bytes(b"x")
    assert old.outhaul("move", str(source), str(old.home / "target"), "--state", str(old.state)).code == 0
    old.put("a.jpg", b"a")
    (old.home / "restored").symlink_to(source)
    said = old("-d")
    assert (said.code, (source / "a.jpg").exists()) == (2, False)
    assert "output.path" in said.err and "--to" not in said.err
    old.restored.unlink()
    old.restored.symlink_to(old.photos)
    assert (old("-d").code, (old.photos / "a.jpg").read_bytes()) == (0, b"a")


def test_k1_an_empty_bucket_is_no_fault(old: Backup) -> None:
    """There is nothing to fetch."""
    assert (old("-d").code, old.fetched()) == (0, {})


@pytest.mark.slow
def test_k1_more_than_a_thousand_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second page of the listing is asked for."""
    with rclone(tmp_path / "served") as server:
        old = Backup(tmp_path, server, monkeypatch, capsys)
        for number in range(1_003):
            (tmp_path / "served" / old.bucket / f"{number}.jpg").write_bytes(b"%d" % number)
        assert old("-d").code == 0
    assert {f"{number}.jpg": b"%d" % number for number in range(1_003)} == old.fetched()


def test_k2_a_directory_with_such_a_name_counts_for_nothing(old: Backup) -> None:
    """Neither in the cap, nor as the last that was sent."""
    old.configure(caps="max-uploaded-file: 1")
    (old.photos / "newest.jpg").mkdir()
    old.write("newest.jpg/within.jpg")
    old.write("a.jpg", modified=1_000)
    assert (old("-n", "--once").code, sorted(old.stored())) == (0, ["a.jpg"])


def test_k3_the_date_of_the_last_upload_is_not_believed(old: Backup) -> None:
    """The file is left as it is, whatever is in it; that is said once for each configuration."""
    for content in (b'{"upload-date": 99999999999.0}', b'{"upload-da'):
        (old.home / "last-upload.json").write_bytes(content)
        old.write(f"{len(content)}.jpg")
        said = old("-n", "--once")
        assert said.code == 0
        assert (len(content) == 30) == ("last-upload.json is not used" in said.err)
        assert content == (old.home / "last-upload.json").read_bytes()
    assert len(old.stored()) == 2
    (old.home / "second.yaml").write_text((old.home / "config.yaml").read_text().replace("/photos", "/pictures"))
    (old.home / "pictures").mkdir()
    assert "last-upload.json is not used" in old("-n", "--once", "-f", "second.yaml").err


def test_two_configurations_stay_side_by_side(old: Backup) -> None:
    """Each has a lock of its own; a pass of one waits for that of the other, or with --once exits with 3."""
    old.write("a.jpg")
    held = lock(str(old.state))
    try:
        assert old("-n", "--once").code == 3
    finally:
        os.close(held)
    assert old("-n", "--once").code == 0
