"""Processes of this machine that share the work: they start whatever else runs here."""

import contextlib
import socket
import subprocess
import sys

import pytest

_START = """
import urllib.error
import urllib.request
from outhaul.cluster.launching import client
if __name__ == "__main__":
    with client("local:1") as dask:
        told = dask.scheduler_info()
        print(len(told["workers"]))
        for path in ("info/main/workers.html", "json/counts.json", "metrics"):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{told['services']['dashboard']}/{path}")
            except urllib.error.HTTPError as error:
                print(error.code)
"""


@pytest.mark.slow
def test_nothing_is_told_by_http() -> None:
    """Where the port of Dask's own pages is taken, that is no reason for a warning; and other users find nothing there."""
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # Somebody has it already: as good.
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        done = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n404\n404\n404\n", "")


_PROFILED = """
from outhaul.cluster.launching import client
def profiled(dask_worker):
    return "profile" in dask_worker.periodic_callbacks
if __name__ == "__main__":
    with client("local:1") as dask:
        print(list(dask.run(profiled).values()))
"""


@pytest.mark.slow
def test_no_thread_is_looked_at() -> None:
    """Dask's profiler can lock a worker up for ever (CPython, issue 106883): a run would not come to its end."""
    done = subprocess.run([sys.executable, "-c", _PROFILED], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "[False]\n"), done.stderr
