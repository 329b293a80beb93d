"""Bugs of objects that carry several files: bundles and groups."""

from simulation.mutation import Edit
from simulation.points import ROUND, Mutant

TOGETHER = (
    Mutant(
        "what an ended process has sent is not looked for",
        (Edit("outhaul.engine.bundling:record_left_behind", "ports.ledger.bundles(place)", "()"),),
        ("bundle",),
    ),
    Mutant(
        "a bundle that is not to be seen yet is forgotten",
        (Edit("outhaul.engine.bundling:_record", "ports.clock.wall_ns() - begun_ns > _LOOKED_FOR_NS", "True"),),
        ("bundle",),
    ),
    Mutant(
        "a bundle is not written down before it is sent",
        (
            Edit(
                "outhaul.engine.bundling:send_bundle", "proof = send(", "ports.ledger.end_bundle(number); proof = send("
            ),
        ),
        ("bundle",),
    ),
    Mutant(
        "a receipt points beside its file",
        (
            Edit(
                "outhaul.stages.bundle:_packed",
                "place = Within(0, len(body) + start, len(one.data), 0)",
                "place = Within(0, len(body), len(one.data), 0)",
            ),
        ),
        ("bundle",),
    ),
    Mutant(
        "a receipt has the digest of another file of its bundle",
        (Edit("outhaul.stages.bundle:proofs_of_members", "sha256=member.sha256", "sha256=bundle.members[0].sha256"),),
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
    Mutant(
        "a group is written down when its manifest is sent",
        (
            Edit(
                f"{ROUND}._finish_group",
                "number = self.ports.ledger.begin_bundle(self.place, bundle)",
                "number = 1",
            ),
        ),
        ("group",),
    ),
    Mutant(
        "a file of a group that has changed since is not noticed",
        (
            Edit(
                "outhaul.stages.package:refuse_unfinished",
                "not same_generation(file.sighting, settled.sighting)",
                "False",
            ),
            Edit("outhaul.stages.group:GroupTar._stream", "not file.unchanged()", "False"),
            Edit(
                "outhaul.stages.group:GroupTar.unchanged",
                "not same_generation(file.sighting, settled.sighting)",
                "False",
            ),
        ),
        ("group, large", "group"),
    ),
)
