"""The numbers that a driver gives to its workers for what they ship, remembered over runs.

With them all segments are found again without leave to list a bucket, also by the next run of a driver that was killed: those of
numbers that were given out, and are not known to be merged. They are given out in blocks, each of which is on disk first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets

from outhaul.cluster.outbox import Outbox
from outhaul.ledgers.small_tables import read, write
from outhaul.model.errors import LedgerError
from outhaul.model.job import Job

_BLOCK = 256
FOLDER = "workers"


class Numbers:
    """Those of one job.

    Args:
        state: The state directory of the driver, which is held.
        job: With its endpoint.
        home: See `Outbox`.

    Raises:
        LedgerError: they cannot be kept.
    """

    def __init__(self, state: str, job: Job, home: str) -> None:
        of = f"{job.source}\0{job.destination.address}\0{job.connection.endpoint_url}"
        name = hashlib.sha256(of.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._path = os.path.join(state, FOLDER, f"{name}.json")
        found = read(self._path) or {}
        self.open: set[int] = set()
        """Numbers that were given out, and of which not all segments are known to be merged."""
        self.is_new = not found
        """Whether no run before this one has left anything."""
        try:
            secret, self._run = bytes.fromhex(found["secret"]), str(found["run"])
            self._reserved, merged = int(found["given"]), int(found["merged"])
            self.open.update(range(merged + 1, self._reserved + 1))
        except (LookupError, ValueError, TypeError):
            secret, self._run, self._reserved = secrets.token_bytes(32), secrets.token_hex(6), 0
        self._given = self._reserved
        self.outbox = Outbox(self._run, secret, home)
        self._keep()

    def next(self) -> int:
        """Another one. Raises LedgerError."""
        self._given += 1
        self.open.add(self._given)
        if self._given > self._reserved:
            self._reserved = self._given + _BLOCK - 1
            self._keep()
        return self._given

    def close(self) -> None:
        """Remember which are open. What cannot be remembered is merged once more."""
        with contextlib.suppress(LedgerError):
            self._reserved = self._given
            self._keep()

    def _keep(self) -> None:
        merged = min(self.open, default=self._given + 1) - 1
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            told = {"run": self._run, "secret": self.outbox.secret.hex(), "given": self._reserved, "merged": merged}
            write(self._path, told)
        except OSError as error:
            raise LedgerError(f"{self._path}: {error.strerror}") from error
