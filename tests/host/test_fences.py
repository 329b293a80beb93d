"""Of workers on one source each has other batches, and only while their driver is there."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from outhaul.host import fences
from outhaul.host.fences import DriverFence, NoLocks, batch
from outhaul.host.local_disk import made_beneath, network_kind
from outhaul.model.errors import AnotherInstance, ConfigurationError

_HOLD = """
import sys
from outhaul.host.fences import batch
with batch(sys.argv[1], "ab") as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""


def test_a_batch_is_one_workers(tmp_path: Path) -> None:
    """Until that one has died; other batches are free meanwhile."""
    with closing(DriverFence(str(tmp_path), keep=False)):
        command = [sys.executable, "-c", _HOLD, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "True\n"
            with batch(str(tmp_path), "ab") as is_ours, batch(str(tmp_path), "ac") as is_free:
                assert (is_ours, is_free) == (False, True)
            other.kill()
            other.wait()
            with batch(str(tmp_path), "ab") as is_ours:
                assert is_ours
    assert os.listdir(tmp_path) == []


def test_there_is_one_driver(tmp_path: Path) -> None:
    """And the file with the locks goes with it, but not while a worker has a batch."""
    with closing(DriverFence(str(tmp_path), keep=True)), pytest.raises(AnotherInstance, match="another outhaul --on"):
        DriverFence(str(tmp_path), keep=True)
    assert os.listdir(tmp_path / ".outhaul") == []
    fence = DriverFence(str(tmp_path), keep=True)
    with batch(str(tmp_path), "ab"):
        fence.close()
        assert os.listdir(tmp_path / ".outhaul") == ["batches.lock"]


def test_a_worker_that_does_not_see_the_lock_of_its_driver_takes_nothing(tmp_path: Path) -> None:
    """Its locks would exclude nobody elsewhere."""
    with pytest.raises(NoLocks, match="--ledger postgresql://"), batch(str(tmp_path), "ab"):
        pass


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line that says what to do."""

    def refuse(*_: object) -> bool:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fences, "_set", refuse)
    with pytest.raises(NoLocks, match=r"no locks .*--ledger postgresql://host/database"):
        DriverFence(str(tmp_path), keep=False)


def test_a_ledger_of_a_worker_lies_on_a_disk_of_its_machine(tmp_path: Path) -> None:
    """In a directory that nobody else may write to, and on no network."""
    mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:42 / /home rw shared:1 - nfs4 server:/home rw\n"
    mounts += "3 1 0:43 / /mnt rw - fuse.mfs mfs#master:9421 rw\n4 1 0:44 / /host rw - virtiofs home rw\n"
    found = [network_kind(device, mounts) for device in ("0:42", "0:43", "0:44", "8:1", "9:9")]
    assert found == ["nfs4", "fuse.mfs", "virtiofs", "", ""]
    made = made_beneath(str(tmp_path / "workers"), "run", "worker")
    assert os.stat(made).st_mode & 0o777 == 0o700
    (tmp_path / "workers").chmod(0o777)
    with pytest.raises(ConfigurationError, match="nobody else may write there"):
        made_beneath(str(tmp_path / "workers"), "run")
