"""What a HEAD shows of the settings that protect an object, and when that is not enough."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outhaul.model.object_settings import NO_SETTINGS, Lock, ObjectSettings
from outhaul.stores.s3_shown import lacking, telling

DAY_NS = 86_400 * 10**9
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATE = {"HTTPHeaders": {"date": "Sun, 22 Nov 2026 12:00:00 GMT"}}
GOVERNANCE, COMPLIANCE = Lock("governance", 30 * DAY_NS), Lock("compliance", 30 * DAY_NS)


def days(number: float) -> datetime:
    """So many days from now."""
    return NOW + timedelta(days=number)


def locked(mode: str = "GOVERNANCE", until: float = 30, made: float = 0, etag: str = '"e"') -> dict[str, Any]:
    """What the store says of an object."""
    return {
        "ObjectLockMode": mode, "ObjectLockRetainUntilDate": days(until), "LastModified": days(made), "ETag": etag,
        "ResponseMetadata": DATE,
    }  # fmt: skip


IN_PARTS = '"0-2"'
SHOWN: list[tuple[Lock, dict[str, Any]]] = [
    (Lock(), {}),
    (GOVERNANCE, locked()),
    (GOVERNANCE, locked("COMPLIANCE")),
    (COMPLIANCE, locked("COMPLIANCE")),
    (GOVERNANCE, locked(until=29.1)),  # It waited for leave to be sent.
    (GOVERNANCE, locked(until=1, made=-29)),  # Sent by a run that ended before its answer.
    (GOVERNANCE, locked(until=-1, made=-31)),  # Sent as asked, and it took longer than that to find out.
    (GOVERNANCE, locked(until=0.1, etag=IN_PARTS)),  # It was under way for long.
    (GOVERNANCE, locked(until=-1, made=-31, etag=IN_PARTS)),
    (Lock(legal_hold=True), {"ObjectLockLegalHoldStatus": "ON"}),
]
NOT_SHOWN: list[tuple[Lock, dict[str, Any], str]] = [
    (GOVERNANCE, {}, "allow s3:GetObjectRetention"),
    (COMPLIANCE, locked(), "its lock is governance, and not compliance"),
    (GOVERNANCE, locked(until=28.9), "until 2026-12-21T09:36:00Z, which is not 30 days after it was made"),
    (GOVERNANCE, locked(until=1), "until 2026-11-23T12:00:00Z, which"),
    (GOVERNANCE, locked(until=-1, made=-20), "until 2026-11-21T12:00:00Z, which"),
    (GOVERNANCE, locked(until=-1, etag=IN_PARTS), "until 2026-11-21T12:00:00Z, which"),
    (GOVERNANCE, {"ObjectLockMode": "GOVERNANCE"}, "does not say until when"),
    (GOVERNANCE._replace(legal_hold=True), locked(), "allow s3:GetObjectLegalHold"),
    (Lock(legal_hold=True), {"ObjectLockLegalHoldStatus": "OFF"}, "shows no legal hold"),
]


@pytest.mark.parametrize(("lock", "answer"), SHOWN)
def test_a_lock_as_asked(lock: Lock, answer: dict[str, Any]) -> None:
    """Of the mode, or a stronger one, for as long as the job says, counted from the upload, less a day."""
    assert lacking(ObjectSettings(lock=lock), answer, customer_key=False) == ""


@pytest.mark.parametrize(("lock", "answer", "said"), NOT_SHOWN)
def test_a_lock_that_is_none(lock: Lock, answer: dict[str, Any], said: str) -> None:
    """One line says what is missing."""
    assert said in lacking(ObjectSettings(lock=lock), answer, customer_key=False)


def test_without_a_date_our_clock_tells_whether_a_lock_is_over() -> None:
    """A store that tells no time is no reason to believe in a lock of last year."""
    for until, enough in ((-400, False), (9**5, True)):
        answer = locked(until=until, made=9**6, etag=IN_PARTS) | {"ResponseMetadata": {}}
        assert enough == (lacking(ObjectSettings(lock=GOVERNANCE), answer, customer_key=False) == "")


ENCRYPTED = [
    ("AES256", "AES256", True), ("AES256", "aws:kms", True), ("AES256", "", False),
    ("aws:kms", "aws:kms", True), ("aws:kms", "aws:kms:dsse", True), ("aws:kms", "AES256", False),
    ("aws:kms:dsse", "aws:kms:dsse", True), ("aws:kms:dsse", "aws:kms", False),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "said", "enough"), ENCRYPTED)
def test_encryption_as_asked(asked: Any, said: str, enough: bool) -> None:
    """The one that was asked for or a stronger one, in a HEAD as in the answer to a PUT."""
    settings = ObjectSettings(encryption=asked)
    assert enough == (lacking(settings, {"ServerSideEncryption": said}, customer_key=False) == "")
    told = telling(settings, customer_key=False)
    assert told is not None
    head = f"HTTP/1.1 200 OK\r\nETag: x\r\nX-Amz-Server-Side-Encryption: {said}\r\n".encode()
    assert enough == (told.search(head) is not None)


def test_a_key_of_ones_own() -> None:
    """SSE-C has a header of its own."""
    assert "sse-c-key-file" in lacking(NO_SETTINGS, {"ServerSideEncryption": "AES256"}, customer_key=True)
    assert lacking(NO_SETTINGS, {"SSECustomerAlgorithm": "AES256"}, customer_key=True) == ""
    told = telling(NO_SETTINGS, customer_key=True)
    assert told is not None
    assert told.search(b"\r\nx-amz-server-side-encryption-customer-algorithm: AES256\r\n")
    assert not told.search(b"\r\nx-amz-server-side-encryption: AES256\r\n")


def test_no_answer_to_a_put_shows_a_lock() -> None:
    """It takes a HEAD; and where nothing is asked for, nothing has to be shown."""
    assert telling(ObjectSettings(encryption="AES256", lock=GOVERNANCE), customer_key=False) is None
    assert telling(NO_SETTINGS, customer_key=False) is None
