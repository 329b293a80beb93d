"""Every state a file can be in at the end of a run, and every reason, as one literal table.

The summary of a run, `outhaul status`, `outhaul why` and the exit code are all derived from here. A file is in
exactly one state, so that the states add up to the number of files seen.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a file stands."""

    CARRIED = "carried"
    """It has a receipt, and what the job says has been done with the source."""
    WAITING = "waiting"
    """It will go by itself: outhaul looks again at the next run."""
    HELD = "held"
    """It cannot go on without a person or a change. Exit code 1."""
    GIVEN_UP = "given-up"
    """It was never carried, and outhaul has removed it: the disk was full, and the job says so. Exit code 1."""
    IGNORED = "ignored"
    """The job does not ask for it, or it is not a regular file."""
    VANISHED = "vanished"
    """It was gone before it could be opened; outhaul did not remove it."""


class Reason(NamedTuple):
    """Why a file is in its state, in words, and what a person can do about it."""

    state: State
    meaning: str
    advice: str


_AGAIN = "The next run tries again; a watch within five minutes, and when the network comes back."
REASONS: dict[str, Reason] = {
    # carried
    "removed": Reason(State.CARRIED, "carried, proved, and removed from the source", ""),
    "archived": Reason(State.CARRIED, "carried, proved, and moved to the archive", ""),
    "kept": Reason(State.CARRIED, "carried and proved; the source stays", ""),
    "gone": Reason(State.CARRIED, "carried and proved; somebody else removed the source", ""),
    "unchanged": Reason(State.CARRIED, "carried before, and not changed since", ""),
    # waiting
    "quiet": Reason(State.WAITING, "changed too short a time ago", "It goes when it has been left alone long enough."),
    "in-use": Reason(
        State.WAITING,
        "open for writing by another process",
        "It goes when that process closes it. `fuser -v FILE` names the process.",
    ),
    "writers-unknown": Reason(
        State.WAITING,
        "cannot tell whether a process has it open for writing",
        "The kernel answers this for your own files, or to root, on local file systems. Without that answer the file "
        "goes after outhaul has itself seen it unchanged for 60 seconds: run again, or run as the owner of the file.",
    ),
    "unmarked": Reason(
        State.WAITING, "the file that marks it as finished is not there yet", "It goes when its marker appears."
    ),
    "newest": Reason(
        State.WAITING, "is among the newest of its directory", "It goes when a newer one comes, or after newest-limit."
    ),
    "group": Reason(
        State.WAITING,
        "waits for the other files of its group",
        "All of a group go together. The text after it, or another of its files, says what is missing.",
    ),
    "bundle": Reason(
        State.WAITING,
        "waits for others, to travel with them in a bundle",
        "It goes when there are enough, or when bundle.wait is over.",
    ),
    "begun": Reason(
        State.WAITING, "its upload has begun", "After an interruption it goes on from what the store has of it."
    ),
    "large": Reason(
        State.WAITING,
        "waits for large files of its job that are under way",
        "It goes when they have arrived, or as soon as there is a place for it.",
    ),
    "limit": Reason(
        State.WAITING,
        "is more than a run may carry",
        "A later run carries it: a run carries up to max-files and max-bytes.",
    ),
    "day-limit": Reason(
        State.WAITING,
        "is more than may be sent today",
        "It goes when the next day begins, in the time zone of the job; one that is larger than max-bytes-per-day goes "
        "alone, as the first of a day.",
    ),
    "month-limit": Reason(
        State.WAITING,
        "is more than may be sent this month",
        "It goes when the next month begins, in the time zone of the job; one that is larger than max-bytes-per-month goes "
        "alone, as the first of a month.",
    ),
    "quiet-hours": Reason(
        State.WAITING, "is ready in the quiet hours of its job", "It goes when they are over: quiet-hours."
    ),
    "paused": Reason(State.WAITING, "its job is paused", "It goes when the pause is over, or with `outhaul resume`."),
    "changed": Reason(State.WAITING, "changed while it was being carried", "It is carried anew when it has settled."),
    "missing": Reason(
        State.WAITING,
        "was carried, and the store does not hold it any more",
        "The next run carries it anew. `outhaul audit` looks whether others are missing.",
    ),
    "on-its-way": Reason(
        State.WAITING,
        "travelling on a stick",
        "`outhaul carry` sends it from another machine, and `outhaul export --to` takes the receipt. `run` sends it, too.",
    ),
    "retry": Reason(State.WAITING, "the destination did not answer as it should", _AGAIN),
    "destination": Reason(
        State.WAITING,
        "its destination cannot be used at present",
        f"`outhaul check` tells what is wrong with it. {_AGAIN}",
    ),
    "interrupted": Reason(State.WAITING, "the run was interrupted before its turn", "The next run goes on."),
    "planned": Reason(State.WAITING, "would be carried now (this was a dry run)", "Run without --dry-run."),
    # held
    "unreadable": Reason(
        State.HELD, "cannot be opened or read", "Give outhaul's user read permission, or look at the disk."
    ),
    "memory": Reason(
        State.HELD,
        "there is not enough memory for it",
        "Allow outhaul more (MemoryMax, ulimit), or compress at a lower level. It stops no other.",
    ),
    "name-too-long": Reason(
        State.HELD,
        "its key would be longer than the store allows (1,024 bytes)",
        "Shorten the path or the prefix of the destination.",
    ),
    "refused": Reason(State.HELD, "the store refuses this object", "The text after it is the store's own reason."),
    "failing": Reason(
        State.HELD,
        "has failed at every one of many attempts, while the destination takes others",
        "The text after it is the store's own reason. It is tried again at each run, and stops no other.",
    ),
    "conflict": Reason(
        State.HELD,
        "other bytes stand under its key in the store",
        "Look at that object; remove or rename it, send this job to another prefix, or let on-conflict be keep-both.",
    ),
    "no-copy": Reason(
        State.HELD,
        "what stands under its key is this very file, and no copy of it",
        "A link or a mount leads from the destination to the source. Take it away, or send this job elsewhere.",
    ),
    "unproved": Reason(
        State.HELD,
        "the store took it, but could not show that it holds the same bytes",
        "`outhaul check` shows what the store can prove. Allow reading (s3:GetObject), or use another store.",
    ),
    "not-as-asked": Reason(
        State.HELD,
        "the store took it, and does not show the lock or the encryption that the job asks for",
        "Allow outhaul to see it (`outhaul policy` tells), or use a store that does it. Where the object was there before "
        "without it, give it what is missing, or remove it.",
    ),
    "not-removed": Reason(
        State.HELD,
        "carried and proved, but the source cannot be removed",
        'Let outhaul\'s user write in its directory, or set after = "keep". It will not be sent again.',
    ),
    "put-aside": Reason(
        State.HELD,
        "found in outhaul's private directory, and its place in the source is taken",
        "Both files are whole. Move the one in the source, or take the other out of the private directory.",
    ),
    "hard-link": Reason(
        State.HELD,
        "has several hard links, and its owner does not own the directory",
        "Run outhaul as the owner of the files, or remove the other link.",
    ),
    "closed-directory": Reason(
        State.HELD, "is a directory that cannot be read", "Give outhaul's user permission to read and enter it."
    ),
    # given up
    "shed": Reason(
        State.GIVEN_UP, "removed without having been carried: the disk was full", "`outhaul ls --given-up` names them."
    ),
    # ignored
    "excluded": Reason(State.IGNORED, "excluded by a pattern", ""),
    "not-included": Reason(State.IGNORED, "matches no include pattern", ""),
    "marker": Reason(State.IGNORED, "marks another file as finished; it goes after that file", ""),
    "symlink": Reason(State.IGNORED, "is a symbolic link, and links are never followed", ""),
    "fifo": Reason(State.IGNORED, "is a FIFO", ""),
    "socket": Reason(State.IGNORED, "is a socket", ""),
    "device": Reason(State.IGNORED, "is a device", ""),
    "mount": Reason(State.IGNORED, "is on another file system", "Give that file system a job of its own."),
    # vanished
    "vanished": Reason(State.VANISHED, "was gone before it could be opened", ""),
}


class Standing(NamedTuple):
    """That one file stands where it stands: what a stage answers when a file does not go on."""

    path: str
    reason: str
    """A key of `REASONS`."""
    detail: str = ""
    """Particulars for a person: the error, the time still to wait."""

    @property
    def state(self) -> State:
        """The state that the reason stands for."""
        return REASONS[self.reason].state
