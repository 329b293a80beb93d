"""A worker that has another directory under the source's path, such as an empty mount point, does nothing, and is told."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.test_killed_alone import Dask
from kill.places import files
from outhaul.cluster.outbox import Outbox, Parcel
from outhaul.cluster.own import Keeping
from outhaul.cluster.plan import Batch
from outhaul.cluster.tasks import Setting, carry, look
from outhaul.host.landmarks import Landmark
from outhaul.model.job import Destination, Job
from servers.server import Server

_TOLD = "the source is not the directory there that it is here; mount it there, or stop that worker"


def test_nothing_is_looked_into_and_nothing_is_recorded(tmp_path: Path) -> None:
    """An empty directory would be a source in which all is done."""
    for name in ("here", "there", "home"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "here" / "file").write_bytes(b"of another directory")
    there = str(tmp_path / "there")
    job = Job("one", str(tmp_path / "here"), Destination(f"file://{there}", "file", "", "", there))
    other = Landmark("worker-0123456789abcdef", (tmp_path / "here").stat().st_ino)
    looked = look(job, [""], other)
    assert (looked.counted, looked.onward, looked.fault) == ([], [], _TOLD)
    keeping = Keeping("", Outbox("ab12ab12ab12", b"secret", str(tmp_path / "home")))
    done = carry(job, Batch(("",)), Setting(keeping, None, "token", other), Parcel(1, ()))
    assert (done.source_fault, done.tally.seen, done.links) == (_TOLD, 0, -1)
    assert [os.listdir(tmp_path / name) for name in ("here", "there", "home")] == [["file"], [], []]


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("with_another", [False, True])
@pytest.mark.parametrize("with_database", [False, True])
def test_a_machine_without_the_source_ends_the_run(
    tmp_path: Path, request: pytest.FixtureRequest, *, with_another: bool, with_database: bool
) -> None:
    """It is named, also where another one is well. Once it is gone, the next run carries what was left."""
    _need_mounts()
    source, there = tmp_path / "source", tmp_path / "there"
    there.mkdir()
    shared = ["--ledger", request.getfixturevalue("address")] if with_database else []
    for number in range(200):
        (source / f"d{number}").mkdir(parents=True)
        (source / f"d{number}" / "file").write_bytes(b"%d" % number)
    with Dask(tmp_path) as dask:
        bad = dask.start_worker("127.0.0.2", _with(f"mount -t tmpfs none {source}"))
        if with_another:
            dask.start_worker("127.0.0.1")
        dask.wait_for_workers(1 + with_another)
        command = [sys.executable, "-m", "outhaul", "move", str(source), f"file://{there}", "--on", dask.address]
        command += ["--state", str(tmp_path / "state"), *shared]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert (done.returncode, _TOLD in done.stderr) == (1, True), done.stdout + done.stderr
        assert f"{source}: worker on 127.0.0.2: {_TOLD}" in done.stderr
        assert len(list(files(source))) + len([path for path in files(there) if ".outhaul" not in path.parts]) == 200
        bad.send_signal(signal.SIGKILL)
        bad.wait()
        if not with_another:
            dask.start_worker("127.0.0.1")
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert list(files(source)) == [], done.stdout + done.stderr
    assert not (source / ".outhaul").exists()
    assert len([path for path in files(there) if ".outhaul" not in path.parts]) == 200


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_source_that_may_only_be_read_is_known_by_its_number(tmp_path: Path, address: str) -> None:
    """Nothing can be left there. A copy goes on, and another directory is none all the same."""
    _need_mounts()
    source, there = tmp_path / "source", tmp_path / "there"
    for path in (source, there):
        path.mkdir()
    (source / "file").write_bytes(b"content")
    read_only = _with(f"mount --bind {source} {source}; mount -o remount,ro,bind {source}")
    command = [*read_only, sys.executable, "-m", "outhaul", "copy", str(source), f"file://{there}"]
    command += ["--state", str(tmp_path / "state"), "--ledger", address, "--on"]
    with Dask(tmp_path) as dask:
        dask.start_worker("127.0.0.2", _with(f"mount -t tmpfs none {source}"))
        dask.wait_for_workers(1)
        bad = subprocess.run([*command, dask.address], capture_output=True, text=True, timeout=100, check=False)
    good = subprocess.run([*command, "local:1"], capture_output=True, text=True, timeout=100, check=False)
    assert (bad.returncode, _TOLD in bad.stderr, good.returncode) == (1, True, 0), bad.stderr + good.stderr
    assert (there / "file").read_bytes() == b"content"


def _need_mounts() -> None:
    if os.geteuid() or not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("nothing can be mounted here")


def _with(mounts: str) -> tuple[str, ...]:
    """What runs a command that sees other mounts than we do."""
    return "unshare", "-m", "sh", "-c", f'{mounts}; exec "$@"', "sh"


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_what_fails_on_one_machine_is_told_with_its_name(
    tmp_path: Path, moto_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many, it is the one without credentials that somebody has to look for."""
    for name, value in moto_server.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    source = tmp_path / "source"
    for number in range(40):
        (source / f"d{number}").mkdir(parents=True)
        (source / f"d{number}" / "file").write_bytes(b"%d" % number)
    command = [sys.executable, "-m", "outhaul", "move", str(source), f"s3://{moto_server.make_bucket()}/site"]
    command += ["--endpoint-url", moto_server.endpoint_url, "--state", str(tmp_path / "state")]
    with Dask(tmp_path) as dask:
        dask.start_worker("127.0.0.2", ("env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY"))
        dask.wait_for_workers(1)
        done = subprocess.run(
            [*command, "--on", dask.address], capture_output=True, text=True, timeout=100, check=False
        )
    assert done.returncode == 4, done.stdout + done.stderr
    assert "cannot be used: no AWS credentials found" in done.stderr
    assert done.stderr.startswith("move: worker on 127.0.0.2: s3://")
    assert len(list(files(source))) == 40
