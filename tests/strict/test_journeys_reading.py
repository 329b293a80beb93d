"""outhaul against each fault of a read: what could not be read is not proved, and nothing is lost (hazards 69 to 76)."""

import pytest

from strict.faults import Kind
from strict.journeys import Journey
from strict.rows import ALL, ANY, HTML, KMS, OLD, Row, always, error, held, one, travel, useless

pytestmark = pytest.mark.slow

GET, HEAD, LIST = "GetObject", "HeadObject", "ListObjectsV2"
NAME = "in/b/c d.bin"
GONE = (NAME, "could not show", "no such object")
DIFFERS = (NAME, "could not show", "differs from what was sent")
PAGE = {"ETag": '"x"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
SHA256 = "x-amz-checksum-sha256"

READ_BACK = [
    Row("breaks off", one(GET, Kind.CUT)),
    Row("is reset", one(GET, Kind.RESET)),
    Row("is closed", one(GET, Kind.CLOSE)),
    Row("is never answered", one(GET, Kind.STALL)),
    Row("500", error(GET, "InternalError")),
    Row("503", error(GET, "SlowDown", times=2)),
    Row("502 of a proxy", error(GET, "", status=502, body=HTML, times=2)),
    held("404 once", error(GET, "NoSuchKey"), *GONE),
    held("a wrong bit", one(GET, Kind.BENT), *DIFFERS),
    held("a web page", one(GET, Kind.SAYS, body=HTML, headers=PAGE), *DIFFERS),
    held("denied", always(GET, "AccessDenied", key=ALL), "s3:GetObject", left=3),
    held("archive class", error(GET, "InvalidObjectState"), NAME, "archive class"),
]  # fmt: skip


@pytest.mark.parametrize("row", READ_BACK, ids=lambda row: row.name)
def test_the_read_back_goes_wrong(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """What may be better is read again; what differs, or may not be read, holds its file."""
    travel(Row(row.name, row.faults, row.manners, "read-back", row.exit_code, row.left, row.says), journey, capsys)


STORED = [
    Row("500", error(HEAD, "InternalError")),
    Row("503 and again", error(HEAD, "SlowDown", times=3)),
    Row("closed", one(HEAD, Kind.CLOSE)),
    Row("never answered", one(HEAD, Kind.STALL)),
    held("404", error(HEAD, "NoSuchKey"), *GONE),
    held("denied", error(HEAD, "AccessDenied"), NAME, "s3:GetObject"),
    Row("a broken checksum", one(HEAD, Kind.HEADERS, headers={SHA256: "no base64!"})),
    Row("a short checksum", one(HEAD, Kind.HEADERS, headers={SHA256: "AAAA"})),
    Row("a composite checksum", one(HEAD, Kind.HEADERS, headers={"x-amz-checksum-type": "COMPOSITE"})),
    Row("another's checksum", one(HEAD, Kind.HEADERS, headers={SHA256: "A" * 43 + "="})),
]  # fmt: skip


@pytest.mark.parametrize("row", STORED, ids=lambda row: row.name)
def test_asking_for_the_checksum_goes_wrong(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """On a store whose ETag is no MD5: a checksum that cannot be had is no proof, and no harm either."""
    travel(Row(row.name, row.faults, KMS, row.proof, row.exit_code, row.left, row.says), journey, capsys)


LISTED = [
    Row("500", error(LIST, "InternalError", key=ANY, times=3)),
    Row("500 of the second directory", error(LIST, "InternalError", key=ANY, nth=2, times=2)),
    Row("closed", one(LIST, Kind.CLOSE, key=ANY, times=3)),
    Row("cut", one(LIST, Kind.CUT, key=ANY, times=3)),
    Row("never answered", one(LIST, Kind.STALL, key=ANY)),
    Row("a web page", one(LIST, Kind.SAYS, key=ANY, times=3, body=HTML)),
    useless("denied", always(LIST, "AccessDenied", key=ANY), "s3:ListBucket"),
    useless("404", always(LIST, "NoSuchKey", key=ANY), "there is no such bucket there: correct its name, or the endpoint"),
]  # fmt: skip


@pytest.mark.parametrize("row", LISTED, ids=lambda row: row.name)
def test_looking_before_writing_goes_wrong(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """On a store that does not obey If-None-Match, outhaul looks first; without a look nothing is written."""
    travel(Row(row.name, row.faults, OLD, row.proof, row.exit_code, row.left, row.says), journey, capsys)
