"""The numbers that a driver gives to its workers for what they ship, remembered over runs.

With them all segments are found again without leave to list a bucket, also by the next run of a driver that was killed: those of
numbers that were given out, and are not known to be merged. They are given out in blocks, each of which is on disk first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable

from outhaul.cluster.outbox import Outbox
from outhaul.ledgers.small_tables import read_strictly, write
from outhaul.model.errors import LedgerError
from outhaul.model.job import Job

_BLOCK = 256
_SPANS_MAX = 1000
"""Spans of open numbers that are written one by one; of more, what lies between counts as open: it is only read again."""
FOLDER = "workers"


class Numbers:
    """Those of one job.

    Args:
        state: The state directory of the driver, which is held.
        job: With its endpoint.
        home: See `Outbox`.

    Raises:
        LedgerError: they cannot be kept, or those of earlier runs cannot be read: without them, receipts would be lost.
    """

    def __init__(self, state: str, job: Job, home: str) -> None:
        of = f"{job.source}\0{job.destination.address}\0{job.connection.endpoint_url}"
        name = hashlib.sha256(of.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._path = os.path.join(state, FOLDER, f"{name}.json")
        try:
            found = read_strictly(self._path)
        except OSError as error:
            raise LedgerError(f"{self._path}: {error.strerror}") from error
        except ValueError as error:
            raise _damaged(self._path) from error
        self.open: set[int] = set()
        """Numbers that were given out, and of which not all segments are known to be merged."""
        self.unused: list[int] = []
        """Of those: nothing was written under them, and nobody has them."""
        self.machines: dict[str, bool] = {}
        """Where a worker may be, or its ledger, that had an open number; and whether a person was told in an earlier run."""
        self.is_new = found is None
        """Whether no run before this one has left anything."""
        if found is None:
            secret, self._run, self._reserved = secrets.token_bytes(32), secrets.token_hex(6), 0
        else:
            try:
                secret, self._run, self._reserved = (
                    bytes.fromhex(found["secret"]),
                    str(found["run"]),
                    int(found["given"]),
                )
                for first, last in found["open"]:
                    self.open.update(range(int(first), int(last) + 1))
                self.machines.update({str(machine): bool(told) for machine, told in found["machines"].items()})
            except (LookupError, ValueError, TypeError, AttributeError) as error:
                raise _damaged(self._path) from error
        self._given = self._reserved
        self.outbox = Outbox(self._run, secret, home)
        self._keep()

    def next(self) -> int:
        """Another one, or one that was of no use. Raises LedgerError."""
        if self.unused:
            return self.unused.pop()
        self._given += 1
        self.open.add(self._given)
        if self._given > self._reserved:
            self._reserved = self._given + _BLOCK - 1
            self._keep()
        return self._given

    def met(self, machines: Iterable[str]) -> None:
        """Numbers may be there from now on: that is on disk when this returns. Raises LedgerError."""
        if new := set(machines) - self.machines.keys():
            self.machines.update(dict.fromkeys(new, False))
            self._keep()

    def close(self) -> None:
        """Remember which are open. What cannot be remembered is merged once more."""
        with contextlib.suppress(LedgerError):
            self._reserved = self._given
            self._keep()

    def _keep(self) -> None:
        spans = _spans([*self.open, *range(self._given + 1, self._reserved + 1)])
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            told = {"run": self._run, "secret": self.outbox.secret.hex(), "given": self._reserved}
            write(self._path, told | {"open": spans, "machines": self.machines})
        except OSError as error:
            raise LedgerError(f"{self._path}: {error.strerror}") from error


def _spans(numbers: list[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1] = spans[-1][0], number
        else:
            spans.append((number, number))
    return spans if len(spans) <= _SPANS_MAX else [(spans[0][0], spans[-1][1])]


def _damaged(path: str) -> LedgerError:
    return LedgerError(
        f"{path} is damaged, and tells where workers have shipped receipts: put it back as it was; "
        "or remove it, then what was not merged stays in the bucket unread"
    )
