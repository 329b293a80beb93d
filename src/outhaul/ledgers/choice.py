"""Which ledger a state directory has: a file of its own, or a database that it shares with others.

It remembers which database, so that `status` and its kin find it; and it has one ledger, never now this and now that: a file
would seem never to have been carried.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from outhaul.ledgers.damage import FILE_NAME
from outhaul.ledgers.opening import lock
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import ConfigurationError, LedgerError

if TYPE_CHECKING:
    from outhaul.ledgers.postgres import PostgresLedger

ADDRESS_NAME = "ledger.address"


def address_of(state: str) -> str:
    """The database that the ledger of a state directory is in; '' where it is a file, or there is none.

    Raises:
        LedgerError: that cannot be told.
    """
    try:
        with open(os.path.join(state, ADDRESS_NAME), encoding="utf-8") as file:
            return file.read().strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeError) as error:
        raise LedgerError(f"{state}: what is noted of the ledger cannot be read: {error}") from error


def open_ledger(
    state: str, wall_ns: Callable[[], int], owner: str = "", address: str = ""
) -> SqliteLedger | PostgresLedger:
    """The ledger of a state directory.

    Args:
        state: The directory; it is made where it is missing.
        wall_ns: The wall clock.
        owner: What this process is called among others that share a database; '' where it is alone.
        address: Of the database; '' for a file.

    Raises:
        ConfigurationError: its ledger is elsewhere.
        AnotherInstance, LedgerError: it cannot be had.
    """
    known = address_of(state)
    if known and known != address:
        said = f"not {address}" if address else f'write ledger = "{known}" above the jobs, or --ledger {known}'
        raise ConfigurationError(f"{state}: its ledger is in {known}; {said}, or use another --state")
    if not address:
        return SqliteLedger(state, wall_ns)
    if os.path.exists(os.path.join(state, FILE_NAME)):
        raise ConfigurationError(f"{state}: it has a ledger of its own, {FILE_NAME}; use another --state for {address}")
    from outhaul.ledgers.postgres import PostgresLedger

    held = lock(state)
    try:
        ledger = PostgresLedger(address, wall_ns, owner, socket.gethostname(), held)
    except BaseException:
        os.close(held)
        raise
    try:
        _note_address(state, address)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _note_address(state: str, address: str) -> None:
    """Remember where the ledger is. The directory is there, and held."""
    path = os.path.join(state, ADDRESS_NAME)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(f"{address}\n")
    except FileExistsError:
        return
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from error
