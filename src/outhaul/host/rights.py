"""What a run would be refused on this machine, found out without trying it: `check` leaves nothing behind.

A real try would make a directory, or a file that a job carries away, and change the times of what is there. So the kernel is
asked, access(2), as the user and with the capabilities that this process has. It knows of modes, access lists and file systems
that are read-only. It does not tell of quotas, or of a sticky directory with files of others: those a run tells of.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

from outhaul.model.job import Job

_BY_CAPABILITIES = os.access in os.supports_effective_ids
_FOLDERS_TRIED = 100
_ENTRIES_LOOKED_AT = 1000
"""Of each: a directory may hold millions, and one file of them is enough."""
_PRIVATE_NAME = ".outhaul"


def faults(job: Job, state: str, ledger: str) -> Iterator[str]:
    """What would stop a run of a job whose source can be read, one line each.

    Args:
        job: Whose.
        state: The state directory; it need not exist.
        ledger: Name of the ledger's file in there.
    """
    if job.after != "keep" or job.delete_after_ns:
        locked = next((path for path in _to_be_written(job.source, state) if not _may_write(path)), "")
        if locked:
            yield (
                f"source: files cannot be removed: {_who()} may not write in {locked}{_read_only(locked)}; allow it, "
                'or write after = "keep"'
            )
    if job.archive and (wrong := _directory(job.archive, os.path.dirname(job.archive))):
        yield f"archive: {wrong}"
    if wrong := _directory(state, _there(state)):
        yield f"state: {wrong}; --state DIR names another"
    elif os.path.exists(found := os.path.join(state, ledger)) and not os.access(found, os.W_OK, **_AS_WE_ARE):
        yield f"state: {found} cannot be written by {_who()}; make it the owner, or use --state DIR for another"


def _to_be_written(source: str, state: str) -> Iterator[str]:
    """Directories of a source in which a run writes: those with files, as far as they are looked for.

    The source itself is one where a file that is let go of is taken aside in there, and where it has nothing but room for files.
    """
    inside = _device(_there(state)) != _device(source)
    folders = [source]
    for path in folders:  # It grows meanwhile.
        try:
            with os.scandir(path) as entries:
                some = islice(entries, _ENTRIES_LOOKED_AT)
                found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in some]
        except OSError:
            continue  # The run tells of it.
        beneath = [entry for entry, is_folder in found if is_folder and os.path.basename(entry) != _PRIVATE_NAME]
        aside = path == source and inside and not os.path.lexists(os.path.join(path, _PRIVATE_NAME))
        if len(beneath) < len(found) or (path == source and not beneath) or aside:
            yield path
        folders.extend(beneath[: max(0, _FOLDERS_TRIED - len(folders))])


def _directory(path: str, outer: str) -> str:
    """What is wrong with a directory that is written to, or made in `outer`."""
    if os.path.lexists(path):
        return "" if _may_write(path) else f"{path} cannot be written by {_who()}{_read_only(path)}"
    return "" if _may_write(outer) else f"{path} cannot be made: {_who()} may not write in {outer}{_read_only(outer)}"


def _there(path: str) -> str:
    """The nearest directory above that exists, or the path itself."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


_AS_WE_ARE = {"effective_ids": True} if _BY_CAPABILITIES else {}


def _may_write(path: str) -> bool:
    return os.access(path, os.W_OK | os.X_OK, **_AS_WE_ARE)


def _read_only(path: str) -> str:
    try:
        return ", which is on a read-only file system" if os.statvfs(path).f_flag & os.ST_RDONLY else ""
    except OSError:
        return ""


def _device(path: str) -> int:
    try:
        return os.stat(path).st_dev
    except OSError:
        return -1


def _who() -> str:
    return f"user {os.geteuid()}"
