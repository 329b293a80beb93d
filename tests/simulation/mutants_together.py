"""Bugs of objects that carry several files: bundles and groups."""

from simulation.mutation import Edit
from simulation.points import ROUND, Mutant

TOGETHER = (
    Mutant(
        "what an ended process has sent is not looked for",
        (Edit("outhaul.engine.bundling:record_left_behind", "ports.ledger.bundles(place)", "()"),),
        ("bundle, and one more",),
    ),
    Mutant(
        "a bundle that is not to be seen yet is forgotten",
        (Edit("outhaul.engine.bundling:_record", "ports.clock.wall_ns() - begun_ns > _LOOKED_FOR_NS", "True"),),
        ("bundle, shown late",),
    ),
    Mutant(
        "a bundle is not written down before it is sent",
        (Edit(f"{ROUND}._send_packed", "self.ports.ledger.begin_bundle(self.place, packed.bundle)", "0"),),
        ("bundle, and one more",),
    ),
    Mutant(
        "a receipt points beside its file",
        (
            Edit(
                "outhaul.stages.bundle:_plain",
                "Within(0, start, len(data), 0)",
                "Within(0, 0, len(data), 0)",
            ),
        ),
        ("bundle",),
    ),
    Mutant(
        "a receipt has the digest of another file of its bundle",
        (Edit("outhaul.stages.bundle:proofs_of_members", "member.sha256", "bundle.members[0].sha256"),),
        ("bundle",),
    ),
    Mutant(
        "a bundle that was answered is taken for proved",
        (
            Edit(
                "outhaul.stages.bundle:send",
                "prove(sent, job.proof, store, wall_ns)",
                "prove(sent._replace(etag=sent.proving_etag), job.proof, store, wall_ns)",
            ),
        ),
        ("bundle",),
    ),
    Mutant(
        "what was begun alone travels with others",
        (Edit(f"{ROUND}._add", " and (not self._uploads.of(settled.sighting))", ""),),
        ("begun alone, then with another",),
    ),
    Mutant(
        "a group counts without its manifest",
        (
            Edit(
                "outhaul.engine.grouping:finish_group",
                "send_text(*beside(bundle, bundle.key), job, store, ports.clock.wall_ns())",
                "pass",
            ),
        ),
        ("group",),
    ),
)
