"""What can go wrong, by what may help.

Adapters translate the errors of their libraries into these, once, at their edge, with the operands in the text.
The engine alone decides what follows (law L15); the front end alone turns them into sentences and exit codes.
"""

from __future__ import annotations

from typing import TypeVar

_Error = TypeVar("_Error", bound="OuthaulError")


class OuthaulError(Exception):
    """The root of all errors that outhaul raises on purpose. Its text is one line for a person."""


# --- the source -------------------------------------------------------------------------------------------------


class SourceError(OuthaulError):
    """Something about one file of the source; the others go on."""


class SourceVanished(SourceError):
    """The file is not there any more."""


class SourceChanged(SourceError):
    """The file is not the one that was seen, or changed while it was read. Not a failure: a new sighting."""


class GroupWaits(SourceError):
    """Another file of its group does not go."""


class SourceInUse(SourceError):
    """A process has the file open for writing."""


class WritersUnknown(SourceError):
    """Nobody can tell whether a process has the file open for writing, and it has not been watched long enough."""


class SourceUnreadable(SourceError):
    """The file cannot be opened or read."""


class OutOfMemory(SourceError):
    """There is too little memory for this one: for what compresses it, or for its parts. Others may go."""


class SourceNotRegular(SourceError):
    """A link, FIFO, socket or device stands under the name."""


class SourceShared(SourceError):
    """The file has several hard links and is not certain to belong here."""


class SourceStuck(SourceError):
    """The file cannot be taken out of its directory."""


class RemovalUnknown(SourceStuck):
    """The system has refused to remove the file, or has not said that it did."""


# --- the destination --------------------------------------------------------------------------------------------


class StoreError(OuthaulError):
    """Something about a destination."""


class Transient(StoreError):
    """May succeed when tried again: no answer, a dropped connection, 429, 5xx. What happened is unknown (L3)."""


class UploadGone(Transient):
    """The store knows nothing of a large upload that was begun: it is begun anew."""


class KeyBusy(Transient):
    """Another file of this process is on its way to the same key."""


class Interrupted(Transient):
    """The run was asked to end in the middle of an upload."""


class Denied(StoreError):
    """The credentials do not allow it. The destination cannot be used until somebody changes that."""


class Misconfigured(StoreError):
    """Wrong region, no such bucket, no credentials, not a store: wrong for every file."""


class AlreadyThere(StoreError):
    """An object of this key exists. Whether it is ours is to be found out by reading."""


class NotThere(StoreError):
    """There is no object of this key."""


class Missing(StoreError):
    """The store does not hold any more what it has shown to hold."""


class Refused(StoreError):
    """The store will never take this one object: its key or content does not suit it."""


class BeyondEnd(Refused):
    """The object ends before the bytes that were asked for begin. Adapters that read take it for no bytes."""


class Archived(Refused):
    """The object is in an archive class: it has to be asked for, and takes hours."""


class TooLarge(Refused):
    """What lies under the key is larger than what is looked for there may be."""


class KeyTooLong(Refused):
    """The key would be longer than stores take."""


class Unproved(StoreError):
    """The store cannot show that it holds the same bytes."""


class NotAsAsked(Unproved):
    """The store does not show the lock, or the encryption, that the job asks for."""


class OnItsWay(StoreError):
    """It is on a stick, and whether the store has it is not known yet. Not a failure: its receipt has to come back."""


class Conflict(StoreError):
    """Other bytes stand under every key that this content may have."""


class NoCopy(Conflict):
    """What stands under its key is the very file that is to be carried."""


# --- the way back -----------------------------------------------------------------------------------------------


class LandingError(OuthaulError):
    """Something about the place where a restored file is to be written."""


class InTheWay(LandingError):
    """A link, a directory or a special file stands in its place, or on the way to it."""


class Taken(LandingError):
    """A file of this name has appeared meanwhile."""


class NotWritten(LandingError):
    """The disk is full, failed, or may not be written."""


class NoRoom(NotWritten):
    """The disk is full, or takes no writes at all: the next file will fare no better."""


class NameRefused(LandingError):
    """No file here can have this name."""


class Damaged(OuthaulError):
    """What was read is not what was proved. It was not written."""


# --- the ledger and the configuration ---------------------------------------------------------------------------


class LedgerError(OuthaulError):
    """The ledger cannot be read or written: nothing may be let go."""


class AnotherInstance(OuthaulError):
    """Another outhaul works with this state directory."""


class InUse(AnotherInstance):
    """The state directory itself."""


class ConfigurationError(OuthaulError):
    """The configuration or command line is wrong. `problems` holds one line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NoStateDirectory(ConfigurationError, LedgerError):
    """What was named as the state directory cannot be one, until somebody names another or gives the right to it."""


def bare(error: _Error) -> _Error:
    """The same error, without where it was raised: to be kept or handed on.

    With that it would hold every frame on its way, and with them the bytes of a whole batch; where one of these frames holds the
    error in turn, until the collector of cycles comes by.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error
