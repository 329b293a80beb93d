"""outhaul with a large file, which goes in parts: whatever happens to one of them, or to all, it is whole in one place."""

from typing import Any

import pytest

from strict.faults import Kind
from strict.journeys import LARGE, Journey
from strict.rows import HTML, OLD, OPAQUE, Row, error, held, one, travel, useless

pytestmark = pytest.mark.slow

CREATE, PART, COMPLETE = "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"
WHOLE: dict[str, Any] = {"key": "site/in/large"}
SECOND: dict[str, Any] = WHOLE | {"nth": 2}
GONE = ("large.bin", "no such object")
DIFFERS = ("large.bin", "differs from what was sent")
CUTS = (Kind.CLOSE, Kind.LOST, Kind.RESET, Kind.HALF)
BODIES = {"an error": None, "nothing": b"", "a web page": HTML, "white space": b" \n \n"}

COMPLETION = (
    "InternalError",
    "SlowDown",
    "ConditionalRequestConflict",
    "PreconditionFailed",
    "InvalidPart",
    "NoSuchUpload",
)

ROWS = [
    Row("as it should be"),
    Row("read back", proof="read-back"),
    Row("stored", proof="stored"),
    Row("opaque ETag", manners=OPAQUE),
    Row("no conditions", manners=OLD),
    useless("no ETag of a part", (), "200 without ETag", left=1, manners={"etag": "none", "checksums": "ignored"}),
    *[Row(f"create: {code}", error(CREATE, code, **WHOLE, times=2)) for code in ("InternalError", "SlowDown")],
    *[Row(f"create: {kind.name}", one(CREATE, kind, **WHOLE, times=2)) for kind in (Kind.CLOSE, Kind.STALL)],
    *[Row(f"create: 200 and {said}", one(CREATE, Kind.SAYS, **WHOLE, body=body, times=2)) for said, body in BODIES.items()],
    useless("create: denied", error(CREATE, "AccessDenied", **WHOLE), "s3:PutObject", left=1),
    *[Row(f"part: {code}", error(PART, code, **SECOND, times=2))
      for code in ("InternalError", "SlowDown", "RequestTimeout", "BadDigest", "XAmzContentSHA256Mismatch", "NoSuchUpload")],
    *[Row(f"part: {kind.name}", one(PART, kind, **SECOND, times=2)) for kind in (*CUTS, Kind.STALL)],
    *[Row(f"part: 200 and {said}", one(PART, Kind.SAYS, **SECOND, body=body)) for said, body in BODIES.items()],
    # The ETag of the part tells it at once, before any object of these bytes has come to be.
    Row("part: truncated", one(PART, Kind.TRUNCATED, **SECOND, etag="stored")),
    Row("part: one bit", one(PART, Kind.FLIPPED, **SECOND, etag="stored")),
    Row("part: one bit, twice", one(PART, Kind.FLIPPED, **SECOND, etag="stored", times=2)),
    held("part: one bit, right ETag", one(PART, Kind.FLIPPED, **SECOND), *DIFFERS, proof="read-back"),
    Row("part: one bit, the ETag an echo", one(PART, Kind.FLIPPED, **SECOND, etag="stored"), manners={"etag": "echo"}),
    Row("part: denied once, and then not where its payload is signed", error(PART, "AccessDenied", **SECOND)),
    # Three parts without a signed payload, and then one with: whichever it is.
    useless("part: denied", error(PART, "AccessDenied", **SECOND, times=4), "s3:PutObject", left=1),
    *[Row(f"complete: {code}", error(COMPLETE, code, **WHOLE, times=2)) for code in COMPLETION],
    *[Row(f"complete: {kind.name}", one(COMPLETE, kind, **WHOLE)) for kind in (*CUTS, Kind.STALL)],
    *[Row(f"complete: {kind.name}, and again 200", one(COMPLETE, kind, **WHOLE), {"completes_again": True}) for kind in CUTS],
    Row("complete: never answered, done", one(COMPLETE, Kind.STALL, **WHOLE, effect=True)),
    *[Row(f"complete: 200 and {said}, done: {done}", one(COMPLETE, Kind.SAYS, **WHOLE, body=body, effect=done))
      for said, body in BODIES.items() for done in (False, True)],
    held("complete: nothing stored", one(COMPLETE, Kind.NOT_STORED, **WHOLE), *GONE, proof="read-back"),
    held("complete: one bit", one(COMPLETE, Kind.FLIPPED, **WHOLE, etag="stored"), *DIFFERS),
    held("complete: replaced at once", one(COMPLETE, Kind.OVERWRITTEN, **WHOLE), *DIFFERS, proof="read-back"),
    held("complete: seen later", one(COMPLETE, Kind.DELAYED, **WHOLE), *GONE, proof="read-back"),
    Row("looking: 500", error("HeadObject", "InternalError", **WHOLE, times=2)),
    Row("looking: denied", error("HeadObject", "AccessDenied", **WHOLE)),
    useless("looking: denied, no conditions", error("HeadObject", "AccessDenied", **WHOLE), "s3:GetObject", left=1, manners=OLD),
    Row("read back: breaks off", one("GetObject", Kind.CUT, **WHOLE), proof="read-back"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_large_file(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """Carried in the same run where trying again helps, else held or waiting and carried by the next (hazards 52, 59, 60)."""
    journey.files = dict(LARGE)
    journey.server.behaviour.part_bytes_min = 1
    travel(row, journey, capsys)
