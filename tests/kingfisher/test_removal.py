"""Removal by another user: a process of that user does it, by the same rules, and without a shell."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kingfisher.world import SEPTEMBER, World
from outhaul.frontends.older.kingfisher_archive import LogMonitor
from outhaul.kingfisher.collection import Collection
from outhaul.kingfisher.moving import Failed, Mover, Parcel, parcel_of
from outhaul.kingfisher.removal import user_for
from outhaul.ledgers.queries import ReceiptRow

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """The process ends here."""


def archived(world: World) -> tuple[Path, Parcel]:
    """A collection that is archived, and yet to be let go."""

    def step(name: str) -> None:
        if name == "let go":
            raise Killed

    directory = world.collection(1, {"a b/$(touch trap)": b"content", "c": b"c" * 100})
    with pytest.raises(Killed):
        world.run(step)
    parcel = parcel_of(Collection(1, "scotland", SEPTEMBER), str(world.data), str(world.logs), "1.log")
    return directory, parcel


def fake_sudo(world: World, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A `sudo` on PATH that writes down how it is called, and then does as the script says; its log."""
    programs = world.home / "bin"
    programs.mkdir()
    log = world.home / "sudo.log"
    sudo = programs / "sudo"
    sudo.write_text(f'#!/bin/sh\necho "$*" >> "{log}"\nuser=$3; shift 4\n{script}\n')
    sudo.chmod(0o755)
    world.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", world.environ["PATH"])
    return log


def let_go_as(world: World, user: str, parcel: Parcel) -> None:
    """Have another user remove what is archived."""
    Mover(world.bucket, str(world.state), LogMonitor(), lambda: False).let_go_as(user, parcel)


def files(world: World) -> list[str]:
    """What is left of data and logs."""
    return sorted(path.name for path in world.home.joinpath("scrapyd").rglob("*") if path.is_file())


def test_data_and_log_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other user's process is told the receipts, and the files go, with their directories."""
    directory, parcel = archived(world)
    log = fake_sudo(world, monkeypatch, 'exec "$@"')
    let_go_as(world, "ocdskfs", parcel)
    expected = f"-n -u ocdskfs -- {sys.executable} -m outhaul.frontends.older.kingfisher_archive release\n"
    assert expected == log.read_text()
    assert (files(world), directory.exists()) == ([], False)
    assert [world.data / "scotland"] == list(world.data.iterdir())
    assert list((world.data / "scotland").iterdir()) == []
    let_go_as(world, "ocdskfs", parcel)


def test_what_has_changed_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file is another one: nothing of the collection goes, its log neither."""
    directory, parcel = archived(world)
    fake_sudo(world, monkeypatch, 'exec "$@"')
    (directory / "c").write_bytes(b"d" * 100)
    with pytest.raises(Failed, match="20200902_052453/c: another file has its name, or it was written to"):
        let_go_as(world, "ocdskfs", parcel)
    assert files(world) == ["$(touch trap)", "1.log", "c"]
    assert world.run().failed + world.run().failed == 1


def test_a_file_that_is_written_to_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever removes asks the kernel whether anybody writes."""
    directory, parcel = archived(world)
    fake_sudo(world, monkeypatch, 'exec "$@"')
    with (directory / "c").open("ab"), pytest.raises(Failed):
        let_go_as(world, "ocdskfs", parcel)
    assert files(world) == ["$(touch trap)", "1.log", "c"]


def test_sudo_that_refuses(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in one line with what to do, and everything stays."""
    _, parcel = archived(world)
    fake_sudo(world, monkeypatch, 'echo "sudo: a password is required" >&2; exit 1')
    with pytest.raises(
        Failed, match="user ocdskfs cannot remove it: sudo: a password is required; allow it in sudoers"
    ):
        let_go_as(world, "ocdskfs", parcel)
    assert len(files(world)) == 3
    monkeypatch.setenv("PATH", str(world.home))
    with pytest.raises(Failed, match="sudo cannot be run: No such file"):
        let_go_as(world, "ocdskfs", parcel)


def test_what_a_killed_removal_left_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is aside when that process is killed has a receipt, and goes with the next; another goes back."""
    directory, parcel = archived(world)
    numbers = {row.path: row.number for row in _receipts(world, parcel)}
    aside = directory.parent / ".outhaul"
    aside.mkdir(mode=0o700)
    path = "data/scotland/20200902_052453/c"
    (directory / "c").rename(aside / f"{numbers[path]}-20200902_052453%2Fc")
    stranger = aside / "999999-20200902_052453%2Fstranger"
    stranger.write_bytes(b"not ours")
    fake_sudo(world, monkeypatch, 'exec "$@"')
    let_go_as(world, "ocdskfs", parcel)
    assert files(world) == ["stranger"]
    assert not aside.exists()


def _receipts(world: World, parcel: Parcel) -> list[ReceiptRow]:
    mover = Mover(world.bucket, str(world.state), LogMonitor(), lambda: False)
    return list(mover.receipts(parcel, mover.group(parcel), "data.tar.lz4").values())


@pytest.mark.skipif(os.geteuid() != 0, reason="changes to another user, which takes root")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed")
def test_as_another_user_indeed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of nobody are removed by a process of nobody, which may neither read the ledger nor the credentials."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", "import outhaul"]
    if subprocess.run(nobody, cwd="/", capture_output=True, check=False).returncode:
        pytest.skip("nobody may not read this program: it lies in a directory that is closed to others")
    for directory in (world.home, *world.home.parents):
        if directory.stat().st_uid == os.geteuid() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    world.state.mkdir(mode=0o700)
    (world.data / "scotland").mkdir()
    (world.logs / "scotland").mkdir()
    world.collection(2)
    for path in [world.data, world.logs, *world.home.joinpath("scrapyd").rglob("*")]:
        os.chown(path, 65534, 65534)
    log = fake_sudo(world, monkeypatch, 'exec setpriv --reuid="$user" --regid=65534 --clear-groups "$@"')
    directory = world.data / "scotland" / f"{SEPTEMBER:%Y%m%d_%H%M%S}"

    def step(name: str) -> None:
        if name == "let go":
            raise Killed

    with pytest.raises(Killed):
        world.run(step)
    (world.data / "scotland").chmod(0o755)
    parcel = parcel_of(Collection(2, "scotland", SEPTEMBER), str(world.data), str(world.logs), "2.log")
    let_go_as(world, "nobody", parcel)
    assert "-u nobody" in log.read_text()
    assert (files(world), directory.exists()) == ([], False)


def without_override(command: list[str]) -> list[str]:
    """A command as a user for whom permissions count, root or not."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--", *command]


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed"
)
def test_the_command_asks_another_user_where_it_has_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories that are not ours to change: the user of DELETE_AS removes what is in them. Without one it is told."""
    directory = world.collection(1)
    closed = [directory, directory / "0", directory.parent, world.logs / "scotland"]
    world.configure(DELETE_AS="ocdskfs")
    words = " ".join(f'"{path}"' for path in closed)
    log = fake_sudo(world, monkeypatch, f'chmod u+w {words}; exec "$@"')
    for path in closed:
        path.chmod(0o555)
    command = [
        sys.executable,
        "-m",
        "outhaul.frontends.older.kingfisher_archive",
        "archive",
        "--state",
        str(world.state),
    ]
    (world.home / "sudo.off").touch()
    done = subprocess.run(
        without_override(command), env=world.environ, capture_output=True, text=True, check=False, cwd=world.home
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "-u ocdskfs" in log.read_text()
    assert world.decisions() == {1: ("ARCHIVED", "first", False)}
    assert files(world) == []


def test_who_removes(tmp_path: Path) -> None:
    """We, where we may."""
    assert user_for([str(tmp_path), str(tmp_path / "missing")], "somebody") == ""


def test_what_is_told_has_to_be_receipts(world: World) -> None:
    """Anything else is refused, and removes nothing."""
    bystander = world.home / "bystander"
    bystander.write_text("stays")
    seen = bystander.stat()
    sighting = {
        "directory": "", "name": "bystander", "device": seen.st_dev, "inode": seen.st_ino, "size": seen.st_size,
        "mtime_ns": seen.st_mtime_ns, "ctime_ns": seen.st_ctime_ns, "birth_ns": 0,
    }  # fmt: skip
    head = {"source": str(world.home), "directory": ""}
    wrong = {"number": 1, "sha256": "00" * 32, "sighting": sighting}
    for lines in (
        ["x"],
        ["{}"],
        ["[]"],
        [json.dumps({**wrong, "sighting": {}})],
        [json.dumps(head), json.dumps(wrong)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "outhaul.frontends.older.kingfisher_archive", "release"],
            input="\n".join(lines), text=True, capture_output=True, check=False, env=world.environ,
        )  # fmt: skip
        assert done.returncode != 0, lines
        assert "Traceback" not in done.stderr
    assert bystander.read_text() == "stays"
    assert stat.S_ISREG(bystander.stat().st_mode)
