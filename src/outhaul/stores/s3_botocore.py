"""Single objects by botocore: for a store that tells more with its requests than obstore can sign (`s3_headers.py`).

It is the general way where `s3_obstore.py` is not; small objects that are created still go by the fast lane where that is
open. The headers are not here: the client has them, for every operation (`s3_control.py`).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

from outhaul.model.errors import Archived, BeyondEnd, Refused, Transient
from outhaul.model.notes import Notes
from outhaul.ports import Held, Stored
from outhaul.ports.sending import Share
from outhaul.stores.s3_parts import errors
from outhaul.stores.s3_ranges import NoRanges
from outhaul.stores.throttled import throttled

_CHUNK = 1 << 20


class ByBotocore:
    """One bucket, by a client that `s3_control.Control` made. May be used from several threads."""

    def __init__(self, client: Any, bucket: str, *, has_customer_key: bool, share: Share | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._has_customer_key = has_customer_key
        self._share = share

    def put(self, key: str, body: bytes, *, replace: bool, notes: Notes) -> Stored:
        """See `ports.Store`."""
        told: dict[str, Any] = {} if replace else {"IfNoneMatch": "*"}
        told |= {"Metadata": dict(notes)} if notes else {}
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        with errors("PUT", key), throttled(body, self._share) as sent:
            answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=sent, ChecksumSHA256=checksum, **told)
        return Stored((answer.get("ETag") or "").strip('"'), answer.get("VersionId") or "")

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        with _explained(self._has_customer_key), errors("HEAD", key):
            answer = self._client.head_object(Bucket=self._bucket, Key=key)
        return Held(answer["ContentLength"], (answer.get("ETag") or "").strip('"'), answer.get("VersionId") or "")

    def read(self, key: str, version: str, whole_max: int) -> Iterator[bytes]:
        """The bytes of an object, in pieces of a size that does not depend on `whole_max`."""
        import botocore.exceptions
        import urllib3.exceptions

        given = {"VersionId": version} if version else {}
        with _explained(self._has_customer_key), errors("GET", key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, **given)
        try:
            yield from answer["Body"].iter_chunks(_CHUNK)
        except (botocore.exceptions.BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
            raise Transient(f"GET {key}: {type(error).__name__} in the middle of the answer") from None
        finally:
            answer["Body"].close()

    def range(self, key: str, version: str, start: int, end: int, etag: str) -> tuple[bytes, int, str]:
        """See `s3_ranges.GetRange`."""
        given = {"VersionId": version} if version else {}
        if etag:
            given["IfMatch"] = etag
        with _explained(self._has_customer_key), errors("GET", key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}", **given)
            with contextlib.closing(answer["Body"]) as body:
                whole = str(answer.get("ContentRange", "")).rpartition("/")[2]
                if not whole.isdigit():
                    raise NoRanges
                return body.read(), int(whole), answer.get("ETag") or ""

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`."""
        asked: dict[str, str] = {}
        while True:
            with errors("LIST", prefix):
                page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, **asked)
            yield from (entry["Key"] for entry in page.get("Contents", ()))
            token = page.get("NextContinuationToken", "")
            if not page.get("IsTruncated"):
                return
            if not token or token == asked.get("ContinuationToken"):
                raise Refused(f"LIST {prefix}: the store gives the same page again and again")
            asked = {"ContinuationToken": token}


@contextlib.contextmanager
def _explained(has_customer_key: bool) -> Iterator[None]:
    """An object of another key, or of none, is answered with 400; to a HEAD without a word (AWS, "SSE-C")."""
    try:
        yield
    except (Archived, BeyondEnd):
        raise
    except Refused as error:
        if not has_customer_key:
            raise
        raise Refused(f"{error}; it may not be encrypted with the key of sse-c-key-file") from None
