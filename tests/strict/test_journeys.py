"""outhaul against each fault of a write: nothing is lost, the user reads what to do, and the next run carries the rest.

Each case is a row: what the server does, what the first run comes to, what it says (`rows.py`). After it the server is mended,
and a second run must carry everything. After each run an account is made of source and bucket that shares nothing with outhaul.
"""

import pytest

from strict.faults import ALWAYS, Kind
from strict.journeys import Journey
from strict.rows import ALL, ANY, HTML, KMS, OLD, OPAQUE, PROBE, Row, always, error, held, one, travel, useless

PUT = "PutObject"
SELF = {"Location": "{endpoint}/the-bucket/site/in/b/c%20d.bin"}

ONCE = [
    Row("500", error(PUT, "InternalError")),
    Row("503 slow down, without Retry-After", error(PUT, "SlowDown")),
    Row("503 unavailable", error(PUT, "ServiceUnavailable")),
    Row("429", error(PUT, "TooManyRequests", status=429)),
    Row("400 request timeout", error(PUT, "RequestTimeout")),
    Row("502 of a proxy", error(PUT, "", status=502, body=HTML)),
    Row("504 of a proxy", error(PUT, "", status=504, body=b"")),
    Row("408", error(PUT, "", status=408, body=b"")),
    Row("400 bad digest", error(PUT, "BadDigest")),
    Row("400 altered payload", error(PUT, "XAmzContentSHA256Mismatch")),
    Row("409 conflict of two conditions", error(PUT, "ConditionalRequestConflict")),
    Row("412 and nothing there", error(PUT, "PreconditionFailed")),
    Row("closed before", one(PUT, Kind.CLOSE)),
    Row("closed after", one(PUT, Kind.LOST)),
    Row("closed in the answer", one(PUT, Kind.HALF)),
    Row("reset after", one(PUT, Kind.RESET)),
    Row("all of them reset", one(PUT, Kind.RESET, key=ALL, times=3)),
    Row("all of them slowed down, twice", always(PUT, "SlowDown", times=6)),
    Row("never answered, not done", one(PUT, Kind.STALL)),
    Row("never answered, done", one(PUT, Kind.STALL, effect=True)),
    Row("answered byte by byte", one(PUT, Kind.TRICKLE)),
    Row("200 with an error, not done", one(PUT, Kind.SAYS)),
    Row("200 with an error, done", one(PUT, Kind.SAYS, effect=True)),
    Row("seen later", one(PUT, Kind.DELAYED)),
    Row("redirected to itself", error(PUT, "TemporaryRedirect", headers=SELF)),
    Row("500, no conditions", error(PUT, "InternalError", times=2), OLD),
    Row("closed after, no conditions", one(PUT, Kind.LOST), OLD),
    Row("the probe: 500", error(PUT, "InternalError", key=PROBE)),
    Row("the probe: 503", error(PUT, "SlowDown", key=PROBE)),
    Row("the probe: reset", one(PUT, Kind.RESET, key=PROBE)),
]  # fmt: skip


@pytest.mark.parametrize("row", ONCE, ids=lambda row: row.name)
def test_one_put_goes_wrong_once(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """What may be better the next time is tried again in the same run, and everything is carried (L3, L15)."""
    travel(row, journey, capsys)


ELSEWHERE = {"x-amz-bucket-region": "ap-south-1"}
HERE = {"x-amz-bucket-region": "eu-north-1"}
FOREVER = [
    useless("503 slow down", always(PUT, "SlowDown"), "SlowDown"),
    useless("503 unavailable", always(PUT, "ServiceUnavailable"), "ServiceUnavailable"),
    useless("500", always(PUT, "InternalError"), "500"),
    useless("501", always(PUT, "NotImplemented"), "NotImplemented"),
    useless("507 full", always(PUT, "", status=507, body=b""), "507"),
    useless("closed", one(PUT, Kind.CLOSE, key=ALL, times=ALWAYS), "closed"),
    useless("403 denied", always(PUT, "AccessDenied"), "s3:PutObject"),
    useless("403 quota", always(PUT, "QuotaExceeded"), "full"),
    useless("403 unknown key", always(PUT, "InvalidAccessKeyId"), "correct the access key"),
    useless("403 wrong secret", always(PUT, "SignatureDoesNotMatch"), "correct the secret key"),
    useless("400 expired token", always(PUT, "ExpiredToken"), "renew the credentials"),
    useless("400 expired, and the region is told", always(PUT, "ExpiredToken", headers=HERE), "renew the credentials"),
    useless("400 invalid token", always(PUT, "InvalidToken"), "renew the session token"),
    useless("403 skewed for ever", always(PUT, "RequestTimeTooSkewed"), "clock"),
    useless("404 no bucket", always(PUT, "NoSuchBucket"), "make the bucket"),
    useless("301 elsewhere", always(PUT, "PermanentRedirect", headers=ELSEWHERE), "region", "ap-south-1"),
    useless("301 to nowhere", always(PUT, "PermanentRedirect"), "region"),
    useless("307 in a circle", always(PUT, "TemporaryRedirect", headers=SELF), "correct the region, or endpoint-url"),
    useless("400 another region", always(PUT, "AuthorizationHeaderMalformed", message="expecting 'sa-east-1'"), "sa-east-1"),
]  # fmt: skip


@pytest.mark.parametrize("row", FOREVER, ids=lambda row: row.name)
def test_a_destination_that_fails_after_its_probe(
    row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4, a line that names the destination and what to change, and every file stays (hazards 46 to 50, 68)."""
    travel(row, journey, capsys)


AT_FIRST = [
    useless("500", always(PUT, "InternalError", key=PROBE), "500"),
    useless("503", always(PUT, "SlowDown", key=PROBE), "SlowDown"),
    useless("denied", always(PUT, "AccessDenied", key=PROBE), "s3:PutObject"),
    useless("501 for the condition", always(PUT, "NotImplemented", key=PROBE), "NotImplemented"),
    useless("seen later", one(PUT, Kind.DELAYED, key=PROBE, requests=1), proof="read-back"),
    useless("read back 503", error("GetObject", "SlowDown", key=PROBE, times=ALWAYS), "SlowDown", proof="read-back"),
    useless("read back denied", error("GetObject", "AccessDenied", key=PROBE, times=2), "s3:GetObject", proof="read-back"),
    useless("read back with another bit", one("GetObject", Kind.BENT, key=PROBE), "not what is read back"),
    useless("a captive portal", one("*", Kind.SAYS, key=ANY, times=ALWAYS, body=HTML)),
    useless("200 and nothing more", one("*", Kind.SAYS, key=ANY, times=ALWAYS, body=b"")),
    useless("nothing is shown", always("GetObject", "AccessDenied", key=ANY), "s3:GetObject", manners=OPAQUE),
    # A wrong clock is made up for in signing small writes; where more is needed, it is named.
    useless("a clock 20 minutes ahead, read back", (), "clock", manners={"clock_offset_seconds": 1200.0}, proof="read-back"),
    useless("a clock 20 minutes ahead, opaque ETag", (), "clock", manners={"clock_offset_seconds": 1200.0} | OPAQUE),
    useless("a clock 20 minutes ahead, no conditions", (), "clock", manners={"clock_offset_seconds": 1200.0} | OLD),
]  # fmt: skip


@pytest.mark.parametrize("row", AT_FIRST, ids=lambda row: row.name)
def test_a_destination_that_fails_its_probe(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """No file goes where no proof can be had; once that is mended, the next run carries them (hazards 4.3, 58)."""
    travel(row, journey, capsys)


NAME = "in/b/c d.bin"
GONE = (NAME, "could not show", "no such object")
POISON = [
    held("400 key too long for this store", always(PUT, "KeyTooLongError", key=NAME), NAME, "refuses", "KeyTooLongError"),
    held("400 too large", always(PUT, "EntityTooLarge", key=NAME), NAME, "refuses", "EntityTooLarge"),
    held("400 of no known kind", always(PUT, "InvalidRequest", key=NAME), NAME, "The store's own words"),
    held("405", always(PUT, "MethodNotAllowed", key=NAME), NAME, "405"),
    held("200 without a word", one(PUT, Kind.SAYS, body=b""), *GONE),
    held("200 with a web page", one(PUT, Kind.SAYS, body=HTML), *GONE),
    held("500 again and again", always(PUT, "InternalError", key=NAME), NAME, "500", exit_code=0),
    held("404 of a proxy", always(PUT, "", status=404, body=HTML, key=NAME), NAME, "404", exit_code=0),
]  # fmt: skip


@pytest.mark.parametrize("row", POISON, ids=lambda row: row.name)
def test_one_file_that_cannot_go(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named with the reason and stays; the others are carried (L9)."""
    travel(row, journey, capsys)


DIFFERS = (NAME, "could not show", "differs from what was sent")
OTHERS = (NAME, "could not show", "of other bytes")
ECHO = {"etag": "opaque", "checksums": "echoed"}
BARE = {"etag": "none", "checksums": "ignored"}
LIES = [
    # Beyond auto: a store that tells the MD5 of what was sent, and holds something else. Reading back catches it.
    held("nothing stored", one(PUT, Kind.NOT_STORED), *GONE, proof="read-back"),
    held("truncated, right ETag", one(PUT, Kind.TRUNCATED), *DIFFERS, proof="read-back"),
    held("one bit, right ETag", one(PUT, Kind.FLIPPED), *DIFFERS, proof="read-back"),
    held("replaced at once", one(PUT, Kind.OVERWRITTEN), *DIFFERS, proof="read-back"),
    held("seen later", one(PUT, Kind.DELAYED), *GONE, proof="read-back"),
    # Within auto: ETag or checksum are of what is stored, or there is neither, and it reads back.
    held("truncated, its own ETag", one(PUT, Kind.TRUNCATED, etag="stored"), *OTHERS),
    held("one bit, its own ETag", one(PUT, Kind.FLIPPED, etag="stored"), *OTHERS),
    held("one bit, its own ETag, no conditions", one(PUT, Kind.FLIPPED, etag="stored"), *OTHERS, manners=OLD),
    held("nothing stored, opaque ETag", one(PUT, Kind.NOT_STORED), *GONE, manners=KMS),
    held("one bit, its own checksum", one(PUT, Kind.FLIPPED, etag="stored"), *DIFFERS, manners=KMS),
    held("one bit, no evidence", one(PUT, Kind.FLIPPED), *DIFFERS, manners=OPAQUE),
    held("truncated, no evidence", one(PUT, Kind.TRUNCATED), *DIFFERS, manners=OPAQUE),
    held("one bit, no ETag", one(PUT, Kind.FLIPPED), *DIFFERS, manners=BARE),
    held("one bit, the checksum an echo", one(PUT, Kind.FLIPPED), *DIFFERS, manners=ECHO),
    held("stored: one bit, the checksum an echo", one(PUT, Kind.FLIPPED), *DIFFERS, manners=ECHO, proof="stored"),
    held("stored: one bit, its own checksum", one(PUT, Kind.FLIPPED, etag="stored"), *DIFFERS, proof="stored"),
]  # fmt: skip


@pytest.mark.parametrize("row", LIES, ids=lambda row: row.name)
def test_a_store_that_lies(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """The file whose bytes are not held stays, is named, and goes with the next run (L4; hazards 54 to 57, 69 to 74)."""
    travel(row, journey, capsys)


AHEAD = {"clock_offset_seconds": 1200.0}
HONEST = [
    Row("opaque ETag and stored checksum", manners=KMS),
    Row("opaque ETag and no checksum", manners=OPAQUE),
    Row("opaque ETag and echoed checksum", manners=ECHO),
    Row("no ETag", manners=BARE),
    Row("an ETag that echoes Content-MD5", manners={"etag": "echo"}),
    Row("no conditions", manners=OLD),
    Row("nothing checked", manners={"checks_payload": False, "checks_content_md5": False, "checks_owner": False}),
    Row("unpacks what is encoded", manners={"decompresses": True}),
    Row("a clock 20 minutes ahead", manners=AHEAD),
    Row("a clock 20 minutes behind", manners={"clock_offset_seconds": -1200.0}),
    Row("a clock 3 years ahead", manners={"clock_offset_seconds": 3 * 366 * 86400.0}),
]  # fmt: skip


@pytest.mark.parametrize("row", HONEST, ids=lambda row: row.name)
def test_other_manners_are_no_faults(row: Row, journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that holds what it is given is used, whatever it answers (hazards 49, 55, 63)."""
    travel(row, journey, capsys)
