"""Where bugs are planted: the functions, the defences in them, and what a mutant is."""

from typing import NamedTuple

from simulation.mutation import Edit


class Mutant(NamedTuple):
    """A bug."""

    name: str
    edits: tuple[Edit, ...]
    scenarios: tuple[str, ...] = ()
    """Small scenarios that are tried first; then seeds."""
    masked_by: str = ""
    """The defence that hides it, and is removed with it."""


DISPOSE = "outhaul.stages.dispose:_let_go"
FINISH = "outhaul.stages.dispose:finish"
PACKAGE = "outhaul.stages.package:refuse_unfinished"
PROVE = "outhaul.stages.prove:_proved"
PROVED = "outhaul.stages.prove:prove"
PROTECTED = "outhaul.stages.prove:_refuse_unprotected"
CONFLICT = "outhaul.stages.upload:_settle_conflict"
SMALL = "outhaul.stages.upload:upload_small"
SAME = "outhaul.stages.upload:whole_at"
EQUAL = "outhaul.stages.upload:_equal"
SEAL = "outhaul.stages.upload:_Send.__call__"
SETTLE = "outhaul.stages.settle:settle"
OBSERVED = "outhaul.stages.settle:observed_quiet_ns"
RECOVER = "outhaul.engine.recovery:recover"
ROUND = "outhaul.engine.rounds:Round"
LEDGER = "outhaul.ledgers.sqlite"
DISK = "outhaul.testing.files:SimulatedFileSystem"

NO_IDENTITY = Edit(
    DISPOSE, "_same(same_generation(now, proved), 'another file has its name, or it was written to')", "pass"
)
_HASHED = "_same(_digest(file, leased) == sha256, 'its content differs from what was proved')"
NO_HASH_SMALL = Edit(DISPOSE, _HASHED, _HASHED.replace("_same(", "_same(proved.size <= CHUNK or "))
NO_HASH_LARGE = Edit(DISPOSE, _HASHED, _HASHED.replace("_same(", "_same(proved.size > CHUNK or "))
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
TRUST = Edit(PROVE, "_is_shown_by_etag(upload, rule)", "True")
TRUST_FOUND = Edit(
    PROVE,
    "_is_shown_by_etag(upload, rule)",
    "not upload.sent or (rule == 'auto' and upload.etag == upload.proving_etag)",
)
ANY_OBJECT = "Upload(package, package.key, package.md5.hex(), package.md5.hex(), '', False)"
NOTHING_KNOWN = "Upload(package, package.key, '', package.md5.hex(), '', False)"
