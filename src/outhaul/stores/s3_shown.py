"""What a store shows of the settings that protect an object: its encryption and its lock.

A store may take a header and do nothing about it: relatives of S3 do, some of them for uploads in parts alone. So neither is
believed because it was sent. Encryption is in the answer to a PUT; a lock is in that to a HEAD, if the caller may see it
(AWS, "PutObject", x-amz-server-side-encryption; "HeadObject", x-amz-object-lock-mode and the two beside it).
Not looked at: class, type, metadata and tags, which protect nothing (docs/decisions/0034-shown.md).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from outhaul.model.object_settings import Lock, ObjectSettings

_STRONGER = {"AES256": "AES256|aws:kms|aws:kms:dsse", "aws:kms": "aws:kms|aws:kms:dsse", "aws:kms:dsse": "aws:kms:dsse"}
_SLACK_SECONDS = 86_400
"""A PUT may wait for leave, or take its time, between the making of its headers and its coming to be."""


def protects(settings: ObjectSettings, *, customer_key: bool) -> bool:
    """Whether a job asks for anything that has to be shown."""
    return settings.lock != Lock() or bool(settings.encryption) or customer_key


def telling(settings: ObjectSettings, *, customer_key: bool) -> re.Pattern[bytes] | None:
    """What the head of an answer to a PUT matches which shows all that the job asks for; None where no such answer can."""
    if settings.lock != Lock() or not protects(settings, customer_key=customer_key):
        return None
    name, value = ("-customer-algorithm", "AES256") if customer_key else ("", _STRONGER[settings.encryption])
    told = rf"\r\nx-amz-server-side-encryption{name}:[ \t]*(?:{value})[ \t]*(?:\r|\Z)"
    return re.compile(told.encode(), re.IGNORECASE)


def lacking(settings: ObjectSettings, answer: Mapping[str, Any], *, customer_key: bool) -> str:
    """What the answer to a HEAD does not show of what the job asks for, as one line for a person; '' for nothing.

    Args:
        settings: Of the job.
        answer: As botocore reads it.
        customer_key: Whether the job has a key of its own (SSE-C).
    """
    told = answer.get("ServerSideEncryption", "")
    if customer_key and not answer.get("SSECustomerAlgorithm"):
        return "the store does not say that it is encrypted with the key of sse-c-key-file"
    if settings.encryption and told not in _STRONGER[settings.encryption].split("|"):
        return (
            f"the store does not say that it is encrypted as asked ({settings.encryption}): {told or 'no word of it'}"
        )
    return lacking_lock(settings.lock, answer) or _lacking_time(settings.lock, answer)


def lacking_lock(lock: Lock, answer: Mapping[str, Any]) -> str:
    """As `lacking`, of the kind of a lock alone: it may be over."""
    mode = str(answer.get("ObjectLockMode", "")).lower()
    if lock.mode and not mode:
        return "the store shows no lock of it; if it has one, allow s3:GetObjectRetention"
    if lock.mode and mode not in (lock.mode, "compliance"):  # Which is the stronger of the two.
        return f"its lock is {mode}, and not {lock.mode}"
    if lock.legal_hold and answer.get("ObjectLockLegalHoldStatus") != "ON":
        return "the store shows no legal hold on it; if it has one, allow s3:GetObjectLegalHold"
    return ""


def _lacking_time(lock: Lock, answer: Mapping[str, Any]) -> str:
    """Whether a retention is as long as was asked for, counted from when the object was made; it may be over by now.

    It counts from the beginning of an upload. Of an object that came in parts, stores differ in what they say of that; there it
    is enough that it is not over.
    """
    if not lock.mode:
        return ""
    until = answer.get("ObjectLockRetainUntilDate")
    if not isinstance(until, datetime):
        return "the store does not say until when its lock lasts"
    ends, now, made = until.timestamp(), _now(answer), answer.get("LastModified")
    in_parts = "-" in str(answer.get("ETag", ""))
    since = made.timestamp() if isinstance(made, datetime) else now
    if ends >= since + lock.keep_ns / 10**9 - _SLACK_SECONDS or (in_parts and ends > now):
        return ""
    return (
        f"its lock is until {until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}, which is not {lock.keep_ns / 864e11:g} days "
        "after it was made"
    )


def _now(answer: Mapping[str, Any]) -> float:
    """What time it is for the store, in seconds since 1970; for us, where it does not say."""
    try:
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()
