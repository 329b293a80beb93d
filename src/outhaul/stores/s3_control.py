"""What S3 has and obstore has not: explicit multipart uploads, and checksums that are kept with an object.

By botocore. Parts are read from the one open descriptor, so a name that changes hands in the middle changes nothing. Whoever
calls is told the ETag that a store gives which computes it from the MD5s of all parts (AWS, "Checking object
integrity", multipart uploads).
What answers 200 without what belongs into the answer is not believed: what happened is unknown (law L3).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from outhaul.model.errors import StoreError, Transient
from outhaul.model.evidence import ByteSource
from outhaul.ports import Stored
from outhaul.stores.s3_account import Account
from outhaul.stores.s3_errors import classify

PART_BYTES = 16 << 20
CONNECT_SECONDS = 10
SILENCE_SECONDS = 60
_PARTS_MAX = 10_000  # AWS, "Amazon S3 multipart upload limits"


class Control:
    """One bucket, by botocore. Its client may be used from several threads."""

    def __init__(self, known: Account, bucket: str) -> None:
        import botocore.session
        from botocore.config import Config

        session = known.session or botocore.session.Session()
        fixed = {}
        if known.provider is None:
            fixed = {
                "aws_access_key_id": known.access_key_id,
                "aws_secret_access_key": known.secret_access_key,
                "aws_session_token": known.session_token or None,
            }
        self._bucket = bucket
        self._client: Any = session.create_client(
            "s3",
            region_name=known.region,
            endpoint_url=known.endpoint_url or None,
            verify=known.ca_bundle or None,
            config=Config(
                retries={"total_max_attempts": 2, "mode": "standard"},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=SILENCE_SECONDS,
                max_pool_connections=64,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path" if known.endpoint_url else "auto", "payload_signing_enabled": True},
            ),
            **fixed,
        )
        # The wait for "100 Continue" costs a round trip for each part.
        self._client.meta.events.register("before-send.s3", _without_expect)

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """The SHA-256 kept with an object, where it is of the whole object."""
        arguments = {"VersionId": version} if version else {}
        with _errors("HEAD", key):
            answer = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED", **arguments)
        checksum = answer.get("ChecksumSHA256", "")
        if not checksum or "-" in checksum or answer.get("ChecksumType") == "COMPOSITE":
            return None
        try:
            return base64.b64decode(checksum, validate=True)
        except ValueError:
            return None

    def wall_ns(self) -> int | None:
        """The Date of an answer (RFC 9110, section 6.6.1); a refusal has one too."""
        import botocore.exceptions

        with _errors("HEAD", self._bucket):
            try:
                answer = self._client.head_bucket(Bucket=self._bucket)
            except botocore.exceptions.ClientError as error:
                answer = error.response
        try:
            told = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        except (KeyError, ValueError):
            return None
        return int(told.timestamp()) * 10**9

    def put_large(
        self, key: str, length: int, source: ByteSource, *, create_only: bool, content_md5: bool
    ) -> tuple[Stored, str]:
        """Create an object from parts; a failed one leaves nothing behind, as far as the store can be reached."""
        with _errors("CreateMultipartUpload", key):
            upload = _said(self._client.create_multipart_upload(Bucket=self._bucket, Key=key), "UploadId")
        try:
            parts, digests = self._send_parts(key, upload, length, source, content_md5)
            with _errors("CompleteMultipartUpload", key):
                answer = self._client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=upload,
                    MultipartUpload={"Parts": parts},
                    **({"IfNoneMatch": "*"} if create_only else {}),
                )
                _said(answer, "ETag", "Key", "Bucket", "Location")  # Some leave out the ETag.
        except BaseException:
            with contextlib.suppress(Exception):
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
            raise
        whole = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
        etag = (answer.get("ETag") or "").strip('"')
        return Stored(etag, answer.get("VersionId") or ""), f"{whole}-{len(parts)}"

    def _send_parts(
        self, key: str, upload: str, length: int, source: ByteSource, content_md5: bool
    ) -> tuple[list[dict[str, Any]], list[bytes]]:
        part_bytes = max(PART_BYTES, -(-length // _PARTS_MAX))
        parts: list[dict[str, Any]] = []
        digests: list[bytes] = []
        for offset in range(0, length, part_bytes):
            body = source.pread(min(part_bytes, length - offset), offset)
            md5 = hashlib.md5(body, usedforsecurity=False)
            number = len(parts) + 1
            given = {"ContentMD5": base64.b64encode(md5.digest()).decode()} if content_md5 else {}
            with _errors(f"UploadPart {number}", key):
                answer = self._client.upload_part(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=upload,
                    PartNumber=number,
                    Body=body,
                    **given,
                )
                parts.append({"PartNumber": number, "ETag": _said(answer, "ETag")})
            digests.append(md5.digest())
        return parts, digests


def _said(answer: dict[str, Any], *names: str) -> str:
    """The first of these that is in an answer; one of them must be."""
    for name in names:
        if answer.get(name):
            return str(answer[name])
    raise Transient(f"200 without {names[0]}: that was not the store")


@contextlib.contextmanager
def _errors(operation: str, key: str) -> Iterator[None]:
    import botocore.exceptions
    import botocore.parsers

    try:
        yield
    except StoreError as error:
        raise type(error)(f"{operation} {key}: {error}") from None
    except botocore.exceptions.ClientError as error:
        said = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = said.get("Code", "")
        raise classify(status, "" if code.isdigit() else code, said.get("Message", ""), f"{operation} {key}") from None
    except (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError) as error:
        raise Transient(f"{operation} {key}: {error}") from None


def _without_expect(request: Any, **_: object) -> None:
    if "Expect" in request.headers:
        del request.headers["Expect"]
