"""Who begins a batch has said so before; and begins none where its machine would not be remembered."""

import contextlib
import os
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from outhaul.cluster.begun import Begun, machine_of, say
from outhaul.cluster.outbox import Outbox, Parcel
from outhaul.cluster.own import Keeping
from outhaul.cluster.plan import Batch
from outhaul.cluster.tasks import Setting, carry
from outhaul.host.landmarks import Landmark
from outhaul.model.job import Destination, Job


@pytest.mark.parametrize(
    ("worker", "machine"),
    [("tls://10.0.0.7:4711", "10.0.0.7"), ("tcp://node-1.lab:99", "node-1.lab"), ("tcp://[fe80::1]:99", "[fe80::1]")],
)
def test_a_machine_is_what_an_address_has_without_its_port(worker: str, machine: str) -> None:
    """Workers of one machine have other ports."""
    assert machine_of(worker) == machine


def test_what_is_said_is_heard_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a worker that dies right after; and where nobody asks any more, the scheduler keeps nothing of it."""
    monkeypatch.chdir(tmp_path)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as there:
        begun = Begun(there, "token")
        ended = there.submit(_say_and_die_once, str(tmp_path / "died")).result(timeout=60)
        heard, again = begun.heard(), begun.heard()
        begun.close()
        with contextlib.closing(Begun(there, "other")):
            pass
        there.submit(say, "other", 3, "tcp://late:1").result(timeout=60)
        kept = there.run_on_scheduler(_queues)
    assert heard == [(7, (tmp_path / "died").read_text()), (7, ended)]
    assert (again, "outhaul-begun-other" in kept) == ([], False)


def test_a_machine_that_is_not_written_down_begins_nothing(tmp_path: Path) -> None:
    """Should it be lost, and the driver with it, nobody would know that receipts may be there."""
    for name in ("here", "there", "home"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "here" / "file").write_bytes(b"content")
    there = str(tmp_path / "there")
    job = Job("one", str(tmp_path / "here"), Destination(f"file://{there}", "file", "", "", there))
    keeping = Keeping("", Outbox("ab12ab12ab12", b"secret", str(tmp_path / "home")))
    setting = Setting(keeping, None, "token", Landmark("", (tmp_path / "here").stat().st_ino))
    done = carry(job, Batch(("",)), setting, Parcel(1, (), machines=frozenset({"10.0.0.1"})))
    assert (done.is_busy, done.links, done.tally.seen) == (True, 0, 0)
    assert [(tmp_path / "here" / "file").exists(), *(tmp_path / "there").iterdir()] == [True]


def _say_and_die_once(mark: str) -> str:
    worker = f"tcp://{os.getpid()}:1"
    say("token", 7, worker)
    if not os.path.exists(mark):
        Path(mark).write_text(worker)
        os._exit(1)
    return worker


def _queues(dask_scheduler: object) -> list[str]:
    return list(dask_scheduler.extensions["queues"].queues)  # type: ignore[attr-defined]
