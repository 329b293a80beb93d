"""A worker says that it begins a batch before it does: a machine that is lost a moment later is known to have had it.

It is said through the scheduler, which has it when `say` returns. So whoever hears of the end of a batch, and asks then, has
heard of all who began it.
"""

from __future__ import annotations

from typing import Any


class Begun:
    """What workers have said; one for each job of a run.

    Args:
        there: A client of Dask.
        token: As the workers know it, see `tasks.Setting`.
    """

    def __init__(self, there: Any, token: str) -> None:
        from distributed import Queue

        self._said = Queue(_name(token), client=there)

    def heard(self) -> list[tuple[int, str]]:
        """Numbers of batches, and the address of the worker that began each, since the last call. Raises OSError."""
        try:
            return [(number, worker) for number, worker in self._said.get(batch=True)]
        except KeyError as error:
            raise OSError("the scheduler has begun anew, and knows of nothing") from error

    def close(self) -> None:
        """Nobody asks any more."""
        self._said.close()


def say(token: str, number: int, worker: str) -> None:
    """Called by a worker, in a task. Raises OSError: nobody has it."""
    from distributed import Queue

    said = Queue(_name(token))
    try:
        said.put([number, worker])
    finally:
        said.close()


def machine_of(worker: str) -> str:
    """Its name or number, of the address of a worker such as 'tls://10.0.0.7:4711'."""
    return worker.rpartition("/")[2].rpartition(":")[0]


def _name(token: str) -> str:
    return f"outhaul-begun-{token}"
