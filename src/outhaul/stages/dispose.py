"""Let go of a source. The two lines of outhaul that remove a user's file are in this module, and are the same line.

It is reached only with a `Receipt`: the store has shown that it holds these bytes, and that is on disk. What is left to
make sure of is that the file in the directory is still that file, and that nobody is writing to it (law L6).
"""

from __future__ import annotations

import hashlib

from outhaul.model.errors import SourceChanged, SourceStuck
from outhaul.model.evidence import Disposal, Receipt, same_generation
from outhaul.ports import Folder, LeftAside

HASH_UNDER_LEASE_MAX = 1 << 20
"""Bytes. Hashing this much takes under a millisecond; a larger file is hashed before its lease, so as to hold up no writer
for longer (L8). A change in between shows in its change time."""


def dispose(receipt: Receipt, folder: Folder) -> Disposal:
    """Remove the source of a receipt, or leave everything as it was.

    Raises:
        SourceVanished: it is gone already.
        SourceInUse: a process has it open for writing.
        SourceChanged: it is not the file of the receipt any more: a new sighting.
        SourceStuck: it cannot be taken out of its directory.
    """
    proved = receipt.sighting
    with folder.open(proved.name) as file:
        _same(same_generation(file.sighting, proved), "another file has its name, or it was written to")
        if proved.size > HASH_UNDER_LEASE_MAX:
            _same(file.digest() == receipt.sha256, "its content differs from what was proved")
        leased = file.take_lease()
        if proved.size <= HASH_UNDER_LEASE_MAX:
            content = file.pread(proved.size, 0)
            _same(hashlib.sha256(content).digest() == receipt.sha256, "its content differs from what was proved")
        _same(file.unchanged(), "it was written to")
        aside = folder.take_aside(proved.name, receipt.number)
        if not aside.is_file(proved) or (leased and not file.lease_holds()):
            return _undo(aside.put_back())
        aside.unlink()  # The file that was proved, in a directory that is ours alone, with no writer: it may go.
    return Disposal(receipt.number, "removed")


def finish(receipt: Receipt, left: LeftAside) -> bool:
    """Finish a removal that was interrupted after its rename; False where the file is not the one of the receipt.

    The rename changed the change time, so the inode, its length and its whole content are compared.

    Raises:
        SourceInUse: a process has it open for writing.
    """
    if left.file is None:
        return False
    proved, now = receipt.sighting, left.file.sighting
    left.file.take_lease()
    if (now.inode, now.size, now.mtime_ns) != (proved.inode, proved.size, proved.mtime_ns):
        return False
    if left.file.digest() != receipt.sha256 or not left.file.lease_holds():
        return False
    left.unlink()  # As above: the file that was proved, in a directory that is ours alone, with no writer.
    return True


def _same(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise SourceChanged(otherwise)


def _undo(put_back: bool) -> Disposal:
    if put_back:
        raise SourceChanged("it was replaced, or opened for writing, at the last moment")
    raise SourceStuck(
        "it was replaced at the last moment, and again while it was being put back; it is in the private directory"
    )
