"""Bugs of sending and of proving: what happens at the store."""

from simulation.mutation import Edit
from simulation.points import ANY_OBJECT, CONFLICT, PROTECTED, PROVE, PROVED, SAME, SEAL, SMALL, TRUST, Mutant

THERE = (
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
    Mutant(
        "files of a batch have each other's digests",
        (Edit("outhaul.stages.package:digested", "digests.sha256(bodies)", "digests.sha256(bodies)[::-1]"),),
        ("two files",),
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
        "a large file may change while it is sent",
        (Edit(SEAL, "if not outgoing.at_end or not self._unchanged():", "if False:"),),
        ("large",),
    ),
    Mutant(
        "a large upload is begun and not written down",
        (
            Edit(
                "outhaul.engine.large:LargeUploads.began",
                "self._ledger.begin_upload(self._place, _plain(sighting), begun)",
                "pass",
            ),
        ),
        ("large",),
    ),
    Mutant(
        "parts are believed by their number, and any ETag",
        (
            Edit("outhaul.testing.network:Network._parts", "has.get(number) != body", "number not in has"),
            Edit("outhaul.stages.prove:_is_shown_by_etag", "upload.etag == upload.proving_etag", "upload.etag"),
        ),
        ("large, the upload of other bytes",),
    ),
    Mutant(
        "an upload that nobody needs any more is forgotten, and not abandoned",
        (Edit("outhaul.engine.large:LargeUploads.abandon", "store.abandon(begun)", "pass"),),
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
            Edit("outhaul.stages.prove:_is_shown_by_etag", "upload.etag == upload.proving_etag", "upload.etag"),
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
                "_is_shown_by_etag(upload, rule)",
                "store.head(upload.key).length == upload.package.length",
            ),
        ),
        ("opaque etag",),
    ),
    Mutant(
        "no checksum is as good as the right one",
        (
            Edit(
                "outhaul.stages.prove:_is_kept",
                "stored == upload.package.sha256",
                "stored in (None, upload.package.sha256)",
            ),
        ),
        ("opaque etag",),
    ),
    Mutant(
        "a lock is asked for, and not looked for",
        (Edit(PROVED, "not upload.shown", "False"),),
        ("a store that keeps no lock",),
    ),
    Mutant(
        "a lock that is not shown is one", (Edit(PROTECTED, "if lack:", "if False:"),), ("a store that keeps no lock",)
    ),
    Mutant(
        "what may not be looked at is locked",
        (Edit(PROTECTED, "raise NotAsAsked(f'it may not be looked at: {error}') from error", "return"),),
        ("a store that shows no lock",),
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
)
