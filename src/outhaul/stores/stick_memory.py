"""What a device remembers of the packs that it has given away on sticks: one file for each, in its state directory.

It is written before the manifest is, so a receipt is believed only where it names a pack of this memory: drawn by chance for one
trip, and forgotten when its receipts are taken. No other machine's receipt, and no old one, fits. Where the memory is lost,
receipts are worth nothing, and files travel again: nothing is let go by what is not known.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple

from outhaul.model.errors import LedgerError
from outhaul.model.stick import Offer, is_id, offer_line, read_offer

_UNFINISHED = ".new"


class Trip(NamedTuple):
    """A pack that was given away."""

    pack: str
    stick: str
    since_ns: int
    """Wall clock; for people."""
    offers: tuple[Offer, ...]


class StickMemory:
    """The directory `sticks` of a state directory, which its caller holds.

    Raises:
        LedgerError: by every method, where the directory cannot be read or written.
    """

    def __init__(self, state: str) -> None:
        self._directory = os.path.join(state, "sticks")
        with self._told():
            if not os.path.isdir(self._directory):
                os.mkdir(self._directory, 0o700)
                _sync(state)
            self._folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.device = self._identity()

    def close(self) -> None:
        """Give back the directory."""
        os.close(self._folder)

    def trips(self) -> Iterator[Trip]:
        """Every pack that is away."""
        with self._told():
            names = sorted(os.listdir(self._folder))
        for name in names:
            if is_id(name) and (trip := self._read(name)) is not None:
                yield trip
            elif name.endswith(_UNFINISHED):
                self.forget(name)

    def remember(self, trip: Trip) -> None:
        """When this returns, it is on disk."""
        head = json.dumps({"stick": trip.stick, "since_ns": trip.since_ns}).encode() + b"\n"
        self._write(trip.pack, head + b"".join([offer_line(offer, b"") for offer in trip.offers]))

    def forget(self, pack: str) -> None:
        """Its receipts are taken, or it is known to be lost."""
        with self._told(), contextlib.suppress(FileNotFoundError):
            os.unlink(pack, dir_fd=self._folder)

    def _read(self, pack: str) -> Trip | None:
        with self._told():
            lines = self._bytes(pack).splitlines()
        try:
            head = json.loads(lines[0])
            stick, since_ns = str(head["stick"]), int(head["since_ns"])
        except (ValueError, LookupError, TypeError):
            return None
        offers = [found[0] for line in lines[1:] if (found := read_offer(line, b""))]
        return Trip(pack, stick, since_ns, tuple([offer for offer in offers if offer.pack == pack]))

    def _identity(self) -> str:
        with contextlib.suppress(FileNotFoundError), self._told():
            if is_id(found := self._bytes("device").decode("ascii", "replace").strip()):
                return found
        identity = secrets.token_hex(16)
        self._write("device", identity.encode() + b"\n")
        return identity

    def _bytes(self, name: str) -> bytes:
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder), "rb") as file:
            return file.read()

    def _write(self, name: str, text: bytes) -> None:
        with self._told():
            unfinished = name + _UNFINISHED
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(unfinished, flags, 0o600, dir_fd=self._folder), "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.rename(unfinished, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LedgerError(f"{self._directory}: {error.strerror}") from error


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def can_follow(trips: Iterable[Trip], *, astray: Set[str] = frozenset(), decided: Set[str] = frozenset()) -> list[Trip]:
    """Without the packages that wait for one which their stick has not (see `Offer.after`): no carrier will ever send them.

    Args:
        trips: With the packages that each stick has.
        astray: Places of packages that went to another key: what waits for these expects them under the first.
        decided: Places of packages that have a receipt: these stay.
    """
    left = list(trips)
    while True:
        there = {(trip.stick, offer.place) for trip in left for offer in trip.offers if offer.place not in astray}
        found: list[Trip] = []
        for trip in left:
            stay = [not one.after or one.place in decided or (trip.stick, one.after) in there for one in trip.offers]
            found.append(trip._replace(offers=tuple(itertools.compress(trip.offers, stay))))
        if found == left:
            return found
        left = found  # What goes now, others may have waited for.


def elsewhere(trips: Sequence[Trip], stick: str) -> list[Trip]:
    """Those that are on other sticks."""
    return can_follow(trip for trip in trips if trip.stick != stick)
