"""Let go of a source. The two lines of outhaul that remove a user's file are in this module, and are the same line.

What a job archives goes there instead, and leaves the archive by the same way when its time is over (`expire`).

It is reached only with a `Receipt`: the store has shown that it holds these bytes, and that is on disk. What is left to
make sure of is that the file in the directory is still that file, and that nobody is writing to it (law L6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from outhaul.model.errors import OuthaulError, SourceChanged, SourceError, SourceInUse, SourceStuck, SourceVanished
from outhaul.model.evidence import Disposal, Receipt, Sighting, same_generation
from outhaul.model.job import After
from outhaul.model.keys import second_key
from outhaul.ports import Aside, Codec, Folder, LeftAside, OpenFile

CHUNK = 1 << 20
"""Bytes. Hashing this much takes milliseconds at most; after each it is asked whether somebody waits to write, who then does not
wait any longer (L8). To hash a large file before its lease would hold up nobody, and rely on its change time for what is
written meanwhile: that is in whole seconds on some file systems, and tmpfs does not change it for a mapping."""


def dispose(receipt: Receipt, folder: Folder, after: After, *, linked: bool = False) -> Disposal:
    """Remove the source of a receipt, or move it to the archive, or leave everything as it was.

    Args:
        receipt: Shows that the store has it.
        folder: Its directory.
        after: What becomes of it.
        linked: Another of its names has just gone from here, and that has set its change time (unlink(2)). That the file is
            the one that was proved then has to show under a lease, by its content.

    Raises:
        SourceVanished: it is gone already.
        SourceInUse: a process has it open for writing.
        SourceChanged: it is not the file of the receipt any more: a new sighting.
        SourceStuck: it cannot be taken out of its directory.
    """
    return _let_go(receipt, receipt.sighting, receipt.sha256, folder, after, linked)


def _let_go(receipt: Receipt, proved: Sighting, sha256: bytes, folder: Folder, after: After, linked: bool) -> Disposal:
    """`proved` is the file to let go of, as it was seen; that it has this digest is looked at here."""
    with folder.open(proved.name) as file:
        now = file.sighting._replace(ctime_ns=proved.ctime_ns) if linked else file.sighting
        _same(same_generation(now, proved), "another file has its name, or it was written to")
        leased = file.take_lease()
        _same(leased or not linked, "another of its names has gone, and nobody can tell who writes to it")
        _same(_digest(file, leased) == sha256, "its content differs from what was proved")
        _same(file.unchanged(), "it was written to")
        aside = folder.take_aside(proved.name, receipt.number)
        if not aside.is_file(proved) or (leased and not file.lease_holds()):
            return _undo(aside.put_back())
        if after != "archive":
            aside.unlink()  # The file that was proved, in a directory that is ours alone, with no writer: it may go.
            return Disposal(receipt.number, "removed")
    return _archive(receipt, aside)  # Its lease has ended: what is durable takes longer than a writer may be held up.


def expire(receipt: Receipt, folder: Folder, name: str, codec: Codec | None) -> Disposal:
    """Remove the file of a receipt from the archive; what has other bytes, by whoever's hand, stays.

    Args:
        receipt: Of a source that was archived.
        folder: Its directory in the archive.
        name: Its name there, or the first part of it (`keys.second_key`).
        codec: What it is compressed by there; None where it is as it was.

    Raises:
        SourceError: as `dispose`.
    """
    for there in (name, second_key(name, receipt.sha256)):
        try:
            with folder.open(there) as file:
                found = file.sighting
                sha256 = receipt.sha256 if codec is None else _compressed(receipt, file, codec)
            _let_go(receipt, found, sha256, folder, "delete", linked=False)
            return Disposal(receipt.number, "expired")
        except SourceVanished:
            continue
        except SourceChanged:
            if there != name:
                raise
    return Disposal(receipt.number, "gone")


def _compressed(receipt: Receipt, file: OpenFile, codec: Codec) -> bytes:
    """The digest of a compressed file that holds the bytes of this receipt."""
    stored, plain = hashlib.sha256(), hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        for offset in range(0, file.sighting.size, CHUNK):
            data = file.pread(min(CHUNK, file.sighting.size - offset), offset)
            stored.update(data)
            yield data

    try:
        for data in codec.decode(chunks(), receipt.sighting.size):
            plain.update(data)
    except SourceError:
        raise
    except OuthaulError as error:
        raise SourceChanged(f"its content differs from what was proved: {error}") from error
    _same(plain.digest() == receipt.sha256, "its content differs from what was proved")
    return stored.digest()


def finish(receipt: Receipt, left: LeftAside, after: After) -> str:
    """Finish a removal that was interrupted after its rename; '' where the file is not the one of the receipt.

    The rename changed the change time, so the inode, its length and its whole content are compared.

    Returns:
        The outcome for its `Disposal`.

    Raises:
        SourceInUse: a process has it open for writing.
        SourceStuck: it cannot be moved to the archive.
    """
    if left.file is None:
        return ""
    proved, now = receipt.sighting, left.file.sighting
    left.file.take_lease()
    if (now.inode, now.size, now.mtime_ns) != (proved.inode, proved.size, proved.mtime_ns):
        return ""
    if left.file.digest() != receipt.sha256 or not left.file.lease_holds():
        return ""
    if after == "archive":
        left.archive(proved.path, receipt.sha256)
        return "archived"
    left.unlink()  # As above: the file that was proved, in a directory that is ours alone, with no writer.
    return "removed"


def _archive(receipt: Receipt, aside: Aside) -> Disposal:
    try:
        aside.archive(receipt.sha256)
    except SourceStuck as error:
        if aside.put_back():
            raise
        raise SourceStuck(f"{error}; and its place was taken: it is in the private directory") from error
    return Disposal(receipt.number, "archived")


def _digest(file: OpenFile, leased: bool) -> bytes:
    """Of the whole file. Raises `SourceInUse` where somebody has come who wants to write to it."""
    digest, size = hashlib.sha256(), file.sighting.size
    for offset in range(0, size, CHUNK):
        digest.update(file.pread(min(CHUNK, size - offset), offset))
        if leased and size > CHUNK and not file.lease_holds():
            raise SourceInUse("a process waits to write to it")
    return digest.digest()


def _same(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise SourceChanged(otherwise)


def _undo(put_back: bool) -> Disposal:
    if put_back:
        raise SourceChanged("it was replaced, or opened for writing, at the last moment")
    raise SourceStuck(
        "it was replaced at the last moment, and again while it was being put back; it is in the private directory"
    )
