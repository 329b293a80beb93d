"""Bugs that hide behind another defence, each with that defence removed."""

from simulation.mutation import Edit
from simulation.points import (
    CONFLICT,
    EQUAL,
    FINISH,
    NO_IDENTITY,
    NO_IS_FILE,
    NO_WRITERS,
    NOT_UNCHANGED,
    NOTHING_KNOWN,
    SMALL,
    TRUST_FOUND,
    Mutant,
)

HIDDEN = (
    # --- what hides behind another defence ---
    Mutant(
        "no identity",
        (NO_IDENTITY, NO_IS_FILE),
        ("appended before the removal",),
        "the look at the inode after the rename",
    ),
    Mutant(
        "no look whether it was written to",
        (NOT_UNCHANGED, NO_IS_FILE),
        ("appended before the lease",),
        "the look at the inode after the rename",
    ),
    Mutant("no look for writers before reading", (NO_WRITERS,)),
    Mutant(
        "412 means done, to be proved",
        (
            Edit(
                CONFLICT,
                "if rule == 'hold':",
                f"return {NOTHING_KNOWN}\nif rule == 'hold':",
            ),
            TRUST_FOUND,
        ),
        ("conflict",),
        "the proof",
    ),
    Mutant(
        "409 means done, to be proved",
        (Edit(SMALL, "uploads.append((outcome, took_ns))", f"uploads.append(({NOTHING_KNOWN}, took_ns))"), TRUST_FOUND),
        ("one file",),
        "the proof",
    ),
    Mutant(
        "what is found is not compared",
        (Edit(EQUAL, "held.etag == package.md5.hex()", "True"), TRUST_FOUND),
        ("conflict, as long",),
        "the proof",
    ),
    Mutant(
        "recovery does not compare the inode",
        (
            Edit(
                FINISH, "(now.inode, now.size, now.mtime_ns) != (proved.inode, proved.size, proved.mtime_ns)", "False"
            ),
            Edit(FINISH, "left.file.digest() != receipt.sha256 or not left.file.lease_holds()", "False"),
        ),
        ("interrupted, replaced",),
        "the hash in recovery",
    ),
)
