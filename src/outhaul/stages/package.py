"""Make what will be sent.

A small file is read whole into memory, and digested. A large one is not read here: it is read once, as it is sent, and
that reading is what is digested and proved (`stages/upload.py`). Whatever changes in between is noticed there, or at the
removal, and is then a new sighting, never a loss.
"""

from __future__ import annotations

import hashlib

from outhaul.model.errors import KeyTooLong, SourceChanged, WritersUnknown
from outhaul.model.evidence import Package, Settled, same_generation
from outhaul.model.job import Job
from outhaul.model.keys import KEY_BYTES_MAX, object_key
from outhaul.ports import OpenFile

UNWATCHED_QUIET_NS = 60 * 10**9
"""Where nobody can tell whether a file is open for writing: how long outhaul must itself have seen it unchanged."""


def package(job: Job, settled: Settled, file: OpenFile, small_max: int) -> Package:
    """The package of a settled file that has just been opened.

    Raises:
        SourceInUse: a process has it open for writing.
        WritersUnknown: nobody can tell, and it has not been watched for long enough.
        SourceChanged: it is not the file that was settled, or it changed while it was read.
        KeyTooLong: its key would be too long.
    """
    sighting = file.sighting
    unwatched = not file.check_writers()  # First: that somebody writes says more than that something has changed.
    if not same_generation(sighting, settled.sighting):
        raise SourceChanged("it changed between the look at its directory and its opening")
    key = object_key(job.destination.prefix, sighting.path)
    if len(key) * 4 > KEY_BYTES_MAX and len(key.encode()) > KEY_BYTES_MAX:
        raise KeyTooLong(f"its key has {len(key.encode())} bytes, and a store takes at most {KEY_BYTES_MAX}")
    if unwatched and settled.observed_ns < UNWATCHED_QUIET_NS:
        raise WritersUnknown(
            f"outhaul has seen it unchanged for {settled.observed_ns // 10**9} s of {UNWATCHED_QUIET_NS // 10**9} s"
        )
    if sighting.size <= small_max:
        body = file.pread(sighting.size, 0)
        sha256 = hashlib.sha256(body).digest()
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
    else:
        body, sha256, md5 = None, b"", b""
    if not file.unchanged():
        raise SourceChanged("it changed while it was read")
    return Package(sighting, key, sighting.size, sha256, md5, body, file)
