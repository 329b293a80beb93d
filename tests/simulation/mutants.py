"""Planted protocol bugs, each of which the simulation must find; and which defence hides which bug.

A mutant with `masked_by` does no harm while that defence stands: it is killed with the defence removed as well.
"""

from typing import NamedTuple

from simulation import bugs
from simulation.mutation import Edit


class Mutant(NamedTuple):
    """A bug."""

    name: str
    edits: tuple[Edit, ...]
    scenarios: tuple[str, ...] = ()
    """Small scenarios that are tried first; then seeds."""
    masked_by: str = ""
    """The defence that hides it, and is removed with it."""


DISPOSE = "outhaul.stages.dispose:dispose"
FINISH = "outhaul.stages.dispose:finish"
PACKAGE = "outhaul.stages.package:package"
PROVE = "outhaul.stages.prove:prove"
CONFLICT = "outhaul.stages.upload:_settle_conflict"
SMALL = "outhaul.stages.upload:upload_small"
SAME = "outhaul.stages.upload:_same"
EQUAL = "outhaul.stages.upload:_equal"
CREATE = "outhaul.stages.upload:_create"
SETTLE = "outhaul.stages.settle:settle"
OBSERVED = "outhaul.stages.settle:observed_quiet_ns"
RECOVER = "outhaul.engine.recovery:recover"
ROUND = "outhaul.engine.rounds:Round"
LEDGER = "outhaul.ledgers.sqlite"
DISK = "outhaul.testing.files:SimulatedFileSystem"

NO_IDENTITY = Edit(
    DISPOSE, "_same(same_generation(file.sighting, proved), 'another file has its name, or it was written to')", "pass"
)
NO_HASH_SMALL = Edit(
    DISPOSE,
    "_same(hashlib.sha256(content).digest() == receipt.sha256, 'its content differs from what was proved')",
    "pass",
)
NO_HASH_LARGE = Edit(
    DISPOSE, "_same(file.digest() == receipt.sha256, 'its content differs from what was proved')", "pass"
)
NO_LEASE = Edit(DISPOSE, "leased = file.take_lease()", "leased = False")
NOT_UNCHANGED = Edit(DISPOSE, "_same(file.unchanged(), 'it was written to')", "pass")
NO_IS_FILE = Edit(
    DISPOSE, "not aside.is_file(proved) or (leased and (not file.lease_holds()))", "leased and not file.lease_holds()"
)
NO_LEASE_HOLDS = Edit(
    DISPOSE, "not aside.is_file(proved) or (leased and (not file.lease_holds()))", "not aside.is_file(proved)"
)
NO_LOOK_ASIDE = Edit(DISPOSE, "not aside.is_file(proved) or (leased and (not file.lease_holds()))", "False")
NO_WRITERS = Edit(PACKAGE, "unwatched = not file.check_writers()", "unwatched = False")
TRUST = Edit(PROVE, "rule == 'auto' and upload.proving_etag and (upload.etag == upload.proving_etag)", "True")
TRUST_FOUND = Edit(
    PROVE,
    "rule == 'auto' and upload.proving_etag and (upload.etag == upload.proving_etag)",
    "not upload.sent or (rule == 'auto' and upload.etag == upload.proving_etag)",
)
ANY_OBJECT = "Upload(package, package.key, package.md5.hex(), package.md5.hex(), '', False)"
NOTHING_KNOWN = "Upload(package, package.key, '', package.md5.hex(), '', False)"

MUTANTS = (
    # --- the ledger ---
    Mutant(
        "the ledger's commits are not synced",
        (
            Edit(f"{LEDGER}:connect", "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"),
            Edit(f"{LEDGER}:connect", "fetchone()[0] != 2", "fetchone()[0] != 0"),
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
        (
            Edit(
                f"{DISK}.return_to", "name in folder.entries or entry not in self.private", "entry not in self.private"
            ),
        ),
        ("lost race",),
    ),
    Mutant(
        "taken aside over whatever is there",
        (Edit("outhaul.testing.files:SimulatedFolder.take_aside", "or entry in self._files.private", "or False"),),
        ("entry taken",),
    ),
    # --- recovery ---
    Mutant(
        "recovery unlinks everything",
        (
            Edit(
                RECOVER,
                "receipt = ledger.receipt(left.receipt)",
                "left.unlink(); yield Disposal(left.receipt, 'removed'); continue",
            ),
        ),
        ("interrupted, replaced",),
    ),
    Mutant(
        "recovery unlinks whatever has a receipt",
        (Edit(FINISH, "left.file.take_lease()", "left.unlink(); return True"),),
        ("interrupted, replaced",),
    ),
    Mutant(
        "recovery goes by number alone",
        (
            Edit(FINISH, "left.file.take_lease()", "left.unlink(); return True"),
            Edit(
                RECOVER,
                "receipt is not None and receipt.sighting.path == path and finish(receipt, left)",
                "receipt is not None and finish(receipt, left)",
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
        (Edit(f"{ROUND}._recover", "for found in recover(tree, self.ports.ledger):", "for found in ():"),),
        ("interrupted removal",),
    ),
    Mutant(
        "recovery puts nothing back",
        (Edit("outhaul.engine.recovery:_back", "bool(path) and left.put_back(path)", "False"),),
        ("interrupted, replaced",),
    ),
    # --- sending ---
    Mutant(
        "no If-None-Match",
        (
            Edit("outhaul.testing.network:Network._look", "replace or self.store.create_only", "True"),
            Edit("outhaul.testing.network:Network._look", "return replace", "return True"),
        ),
        ("conflict",),
    ),
    Mutant(
        "412 means done",
        (Edit(CONFLICT, "if rule == 'hold':", f"return {ANY_OBJECT}\nif rule == 'hold':"),),
        ("conflict",),
    ),
    Mutant(
        "409, a time-out and 5xx mean done",
        (Edit(SMALL, "uploads.append((outcome, took_ns))", f"uploads.append(({ANY_OBJECT}, took_ns))"),),
        ("one file",),
    ),
    Mutant("other bytes are replaced", (Edit(CONFLICT, "rule == 'replace'", "True"),), ("conflict",)),
    Mutant(
        "the second key has no digest",
        (Edit(CONFLICT, "key = second_key(package.key, package.sha256)", "key = package.key + '~2'"),),
        ("conflict",),
    ),
    Mutant(
        "what is found is taken at its own word",
        (
            Edit(SAME, "held.length != package.length or not _equal(", "False and len("),
            Edit(
                SAME,
                "Upload(package, key, held.etag, package.md5.hex(), held.version, False)",
                "Upload(package, key, held.etag, held.etag, held.version, False)",
            ),
        ),
        ("conflict",),
    ),
    Mutant(
        "a large file is not digested as it is sent",
        (Edit(CREATE, "source.digest() != package.sha256", "False"),),
        ("large",),
    ),
    Mutant(
        "a file's directory is not in its key",
        (Edit("outhaul.model.keys:object_key", "escape(path)", 'escape(path.rpartition("/")[2])'),),
        ("two files",),
    ),
    Mutant("'%' is not escaped", (Edit("outhaul.model.keys:escape", "_PLAIN(path)", "'%' in path or _PLAIN(path)"),)),
    # --- proving ---
    Mutant("a 200 is proof enough", (TRUST,), ("opaque etag",)),
    Mutant(
        "any ETag is proof enough",
        (
            Edit(PROVE, "upload.etag == upload.proving_etag", "upload.etag"),
            Edit(PROVE, "other and upload.sent", "False"),
        ),
        ("one file",),
        "that an MD5 of other bytes is evidence against",
    ),
    Mutant(
        "the length is proof enough",
        (
            Edit(
                PROVE,
                "rule == 'auto' and upload.proving_etag and (upload.etag == upload.proving_etag)",
                "store.head(upload.key).length == upload.package.length",
            ),
        ),
        ("opaque etag",),
    ),
    Mutant(
        "no checksum is as good as the right one",
        (
            Edit(
                PROVE,
                "store.stored_sha256(upload.key, upload.version) == upload.package.sha256",
                "store.stored_sha256(upload.key, upload.version) in (None, upload.package.sha256)",
            ),
        ),
        ("opaque etag",),
    ),
    Mutant(
        "a read-back looks at the length",
        (
            Edit(
                "outhaul.stages.prove:_read_back",
                "digest.digest() != upload.package.sha256",
                "length != upload.package.length",
            ),
        ),
        ("opaque etag",),
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
        (Edit(PACKAGE, "not same_generation(sighting, settled.sighting)", "False"),),
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
                f"{ROUND}._drain", "assert left == 0 or self.ports.stopped(), f'{left} files unaccounted for'", "pass"
            ),
            Edit(f"{ROUND}._drain", "self.tally.put('interrupted', left)", "pass"),
        ),
        ("one file",),
        "the engine's own assertion",
    ),
    Mutant(
        "a fault counts as carried",
        (
            Edit(
                f"{ROUND}._set_back",
                "self._remember(settled.sighting, reason, str(error), attempts)",
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
                f"{ROUND}._sort",
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
    # --- what hides behind another defence ---
    Mutant("no identity", (NO_IDENTITY, NO_IS_FILE), ("one file",), "the look at the inode after the rename"),
    Mutant(
        "no look whether it was written to",
        (NOT_UNCHANGED, NO_IS_FILE),
        ("large",),
        "the look at the inode after the rename",
    ),
    Mutant("no look for writers before reading", (NO_WRITERS, NO_LEASE), ("one file",), "the lease at the removal"),
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
