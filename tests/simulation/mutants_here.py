"""Bugs of the ledger, of letting go, of recovery, of settling and of accounting: what happens on this machine."""

from simulation import bugs
from simulation.mutation import Edit
from simulation.points import (
    DISK,
    DISPOSE,
    FINISH,
    LEDGER,
    NO_HASH_LARGE,
    NO_HASH_SMALL,
    NO_IS_FILE,
    NO_LEASE,
    NO_LEASE_HOLDS,
    NO_LOOK_ASIDE,
    OBSERVED,
    PACKAGE,
    RECOVER,
    ROUND,
    SETTLE,
    Mutant,
)

HERE = (
    # --- the ledger ---
    Mutant(
        "the ledger's commits are not synced",
        (
            Edit("outhaul.ledgers.opening:connect", "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"),
            Edit("outhaul.ledgers.opening:connect", "fetchone()[0] != 2", "fetchone()[0] != 0"),
        ),
        ("one file",),
    ),
    Mutant(
        "record returns before it commits",
        (Edit(f"{LEDGER}:SqliteLedger.record", instead=bugs.lazy_record),),
        ("one file",),
    ),
    Mutant("released before recorded", (Edit(f"{ROUND}._flush", instead=bugs.release_before_record),), ("one file",)),
    Mutant(
        "a failed ledger stops nobody",
        (Edit("outhaul.stages.record:record", instead=bugs.record_in_spite),),
        ("one file",),
    ),
    Mutant(
        "receipts of another endpoint count",
        (
            Edit(
                f"{LEDGER}:SqliteLedger.place",
                "endpoint = (to_bytes(job.source), job.destination.address, job.connection.endpoint_url)",
                "endpoint = (to_bytes(job.source), job.destination.address, '')",
            ),
        ),
        ("another endpoint",),
    ),
    # --- giving up ---
    Mutant(
        "given up without a word",
        (Edit(f"{LEDGER}:SqliteLedger._insert_tombstone", instead=lambda *_: 0),),
        ("a full disk",),
    ),
    Mutant(
        "given up though there is room",
        (
            Edit("outhaul.engine.room:Room._below", "wanted - space.free", "wanted + 30 - space.free"),
            Edit(
                "outhaul.engine.room:Room.shed",
                "self._job.shed_below - space.free",
                "self._job.shed_below + 30 - space.free",
            ),
        ),
        ("a disk that is nearly full",),
    ),
    Mutant(
        "what a jumped clock makes old is given up",
        (
            Edit(
                f"{ROUND.replace('rounds:Round', 'passes:Pass')}._close",
                "steady and self._found.kept_step(now)",
                "True",
            ),
        ),
        ("a full disk, jumped clock",),
    ),
    Mutant(
        "what is written to is given up",
        (
            Edit("outhaul.stages.shed:shed", "refuse_unfinished(tombstone.settled, file)", "pass"),
            Edit("outhaul.stages.shed:shed", "leased = file.take_lease()", "leased = False"),
        ),
        ("a full disk, written to",),
    ),
    Mutant(
        "a removal that is not answered is said to have stayed",
        (Edit("outhaul.stages.shed:shed", "raise RemovalUnknown(str(error))", "raise SourceStuck(str(error))"),),
        ("a full disk",),
    ),
    # --- letting go ---
    Mutant(
        "deleted by path",
        (
            Edit(
                DISPOSE,
                "aside = folder.take_aside(proved.name, receipt.number)",
                "from simulation.bugs import remove_by_path; return remove_by_path(folder, receipt)",
            ),
        ),
        ("one file",),
    ),
    Mutant("no look at what was taken aside", (NO_LOOK_ASIDE,), ("one file",)),
    Mutant("no look at the inode after the rename", (NO_IS_FILE,), ("one file",)),
    Mutant("no look at the lease before the unlink", (NO_LEASE_HOLDS,), ("one file", "coarse time stamps")),
    Mutant("no lease at the removal", (NO_LEASE,), ("one file",)),
    Mutant("a small file is not hashed again", (NO_HASH_SMALL,), ("small, coarse",)),
    Mutant("a large file is not hashed again", (NO_HASH_LARGE,), ("large, coarse",)),
    Mutant(
        "put back over whatever is there",
        (Edit(f"{DISK}.return_to", "name in folder.entries or entry not in private", "entry not in private"),),
        ("lost race",),
    ),
    Mutant(
        "taken aside over whatever is there",
        (Edit("outhaul.testing.files:SimulatedFolder.take_aside", "or entry in self._private", "or False"),),
        ("entry taken",),
    ),
    # --- recovery ---
    Mutant(
        "recovery unlinks everything",
        (
            Edit(
                RECOVER,
                "receipt = ledger.receipt(left.receipt)",
                "left.unlink(); yield ledger.receipt(left.receipt), Disposal(left.receipt, 'removed'); continue",
            ),
        ),
        ("interrupted, replaced",),
    ),
    Mutant(
        "recovery unlinks whatever has a receipt",
        (Edit(FINISH, "left.file.take_lease()", "left.unlink(); return 'removed'"),),
        ("interrupted, replaced",),
    ),
    Mutant(
        "recovery goes by number alone",
        (
            Edit(FINISH, "left.file.take_lease()", "left.unlink(); return 'removed'"),
            Edit(
                RECOVER,
                "_ours(receipt, job) and receipt.sighting.path == path and (outcome := finish(receipt, left, job.after))",
                "_ours(receipt, job) and (outcome := finish(receipt, left, job.after))",
            ),
        ),
        ("interrupted, replaced",),
    ),
    Mutant(
        "recovery does not hash",
        (Edit(FINISH, "left.file.digest() != receipt.sha256 or not left.file.lease_holds()", "False"),),
        ("interrupted, coarse",),
    ),
    Mutant(
        "recovery is left out",
        (
            Edit(
                "outhaul.engine.passes:Pass._recover",
                "for found in recover(tree, self.ports.ledger, self.job):",
                "for found in ():",
            ),
        ),
        ("interrupted removal",),
    ),
    Mutant(
        "recovery puts nothing back",
        (Edit("outhaul.engine.recovery:_back", "bool(path) and left.put_back(path)", "False"),),
        ("interrupted, replaced",),
    ),
    # --- settling ---
    Mutant(
        "the wall clock is always believed", (Edit(SETTLE, "if wall_clock_steady:", "if True:"),), ("jumped clock",)
    ),
    Mutant(
        "quiet time is measured on the wall clock",
        (Edit(OBSERVED, "now.boot_ns - past.since.boot_ns", "now.wall_ns - past.since.wall_ns"),),
        ("jumped clock",),
    ),
    Mutant(
        "quiet time counts across reboots",
        (
            Edit(OBSERVED, "past.since.boot_id != now.boot_id or ", ""),
            Edit(OBSERVED, "max(0, now.boot_ns - past.since.boot_ns)", "abs(now.boot_ns - past.since.boot_ns)"),
        ),
        ("rebooted",),
    ),
    Mutant(
        "what was seen of another generation counts",
        (Edit(OBSERVED, "or (not same_generation(past.sighting, sighting))", ""),),
        ("quiet",),
    ),
    Mutant(
        "a file that changed after the walk is carried at once",
        (Edit(PACKAGE, "not same_generation(file.sighting, settled.sighting)", "False"),),
        ("quiet",),
    ),
    Mutant(
        "where no writer can be seen nobody waits",
        (Edit(PACKAGE, "unwatched and settled.observed_ns < UNWATCHED_QUIET_NS", "False"),),
        ("writers unknown",),
    ),
    # --- accounting ---
    Mutant(
        "a file to be tried again is forgotten",
        (Edit(f"{ROUND}._take_carried", "self._again.append(settled)", "pass"),),
        ("one file",),
    ),
    Mutant(
        "a file to be tried again is forgotten, and not missed",
        (
            Edit(f"{ROUND}._take_carried", "self._again.append(settled)", "pass"),
            Edit(
                f"{ROUND}._account", "assert left == 0 or self.ports.stopped(), f'{left} files unaccounted for'", "pass"
            ),
            Edit(f"{ROUND}._account", "self.tally.put('interrupted', left)", "pass"),
        ),
        ("one file",),
    ),
    Mutant(
        "a fault counts as carried",
        (
            Edit(
                f"{ROUND}._set_back",
                "self._standings.set_back(settled.sighting, reason, str(error), attempts, alone=alone)",
                "self.tally.put('removed')",
            ),
        ),
        ("one file",),
    ),
    Mutant(
        "empty files are passed over",
        (
            Edit(
                "outhaul.stages.discover:_sort",
                "name = sighting.name",
                "name = sighting.name\nif not sighting.size:\n    continue",
            ),
        ),
        ("empty and odd",),
    ),
    Mutant(
        "a receipt of the same name will do",
        (
            Edit(
                "outhaul.engine.walking:Walk._sort",
                "receipt is not None and same_generation(receipt.sighting, sighting)",
                "receipt is not None",
            ),
        ),
        ("one file",),
    ),
    Mutant(
        "a directory that cannot be read is an empty one",
        (
            Edit(
                "outhaul.stages.discover:discover",
                "yield Found(directory, [], [Standing(directory, 'closed-directory', str(error))], {})",
                "pass",
            ),
        ),
        ("one file",),
    ),
)
