"""Reach Dask: a cluster of this machine's processes, or a scheduler that runs elsewhere.

The processes of `local:4` speak TLS with a certificate made for this run: whoever reaches a scheduler may have it run anything,
and other users of the machine could. For a scheduler elsewhere, TLS is as Dask is configured (`DASK_DISTRIBUTED__COMM__TLS__...`,
or its files), with `dask+tls://`.
"""

from __future__ import annotations

import contextlib
import logging
import re
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import Any

from outhaul.model.errors import ConfigurationError

LOCAL, DASK, DASK_TLS = "local:", "dask://", "dask+tls://"
WORKERS_MAX = 256
_TLS = "distributed.comm.tls.ca-file, and client.cert and client.key beneath it"
_HOST_AND_PORT = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+(?:%[\w.-]+)?\]):([0-9]{1,5})")
"""A number of IPv6 is in brackets (RFC 3986, 3.2.2)."""


def where(text: str) -> str | int:
    """The address of a scheduler as Dask writes it, or how many processes of this machine.

    Raises:
        ConfigurationError: it is neither.
    """
    if text.startswith(LOCAL) and text[len(LOCAL) :].isdecimal() and 1 <= int(text[len(LOCAL) :]) <= WORKERS_MAX:
        return int(text[len(LOCAL) :])
    for ours, theirs in ((DASK, "tcp://"), (DASK_TLS, "tls://")):
        if text.startswith(ours) and (found := _HOST_AND_PORT.fullmatch(text[len(ours) :])) and int(found[1]) < 1 << 16:
            return f"{theirs}{found[0]}"
    shown = f" {text}" if text and "@" not in text else ""  # It may be a password.
    raise ConfigurationError(
        f"--on{shown}: write local:4 for four processes of this machine, or dask://host:8786 for a scheduler of Dask"
    )


@contextlib.contextmanager
def client(text: str) -> Iterator[Any]:
    """A client of it; what was started here has ended afterwards.

    Raises:
        ConfigurationError: Dask is not installed, or nothing answers.
    """
    there = where(text)
    try:
        import dask
        from distributed import Client, LocalCluster
        from distributed.security import Security
    except ImportError:
        raise ConfigurationError("--on needs Dask, which is not installed: pip install 'outhaul[dask]'") from None
    for name in ("distributed", "distributed.client"):  # Dask gives the second a level of its own; it logs tracebacks.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": 1000,
        "distributed.logging.distributed": "critical",
        "distributed.scheduler.http.routes": [],  # No page for others of this machine to look at.
        "distributed.worker.http.routes": [],
        "distributed.worker.profile.enabled": False,  # See `tasks._stop_profiling`.
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        if isinstance(there, int):
            try:
                security = Security.temporary()
            except ImportError:
                raise ConfigurationError(f"--on {text} needs cryptography: pip install 'outhaul[dask]'") from None
            with _interrupts_wait():
                cluster = LocalCluster(
                    n_workers=there, threads_per_worker=1, processes=True, host="127.0.0.1", protocol="tls://",
                    dashboard_address="127.0.0.1:0", security=security, silence_logs=logging.CRITICAL, memory_limit=0,
                    preload="outhaul.cluster.preload",
                )  # fmt: skip
            stack.enter_context(cluster)
            yield stack.enter_context(Client(cluster, security=security))
            return
        try:
            security = Security() if there.startswith("tls://") else None
            if security is not None and security.get_connection_args("client")["ssl_context"] is None:
                raise ConfigurationError(f"--on {text}: name the files for TLS to Dask: {_TLS}")
            found = Client(there, security=security, timeout=20)
        except (OSError, TimeoutError, ValueError) as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise ConfigurationError(f"--on {text}: no scheduler answers: {said}") from None
        yield stack.enter_context(found)


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """What is started meanwhile hears no interrupt, and this process hears it afterwards.

    A terminal's interrupt reaches a process that has only begun to import, too, where it would end in a traceback. Processes and
    threads have the signals blocked that whoever starts them has (pthread_sigmask(3)); so have those of Dask here, which start
    a worker again. What multiprocessing begins with is begun before: in the thread that does, it unblocks them (CPython,
    issue 127586).
    """
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
