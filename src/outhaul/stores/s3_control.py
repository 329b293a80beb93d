"""What S3 has and obstore has not: large uploads in parts (`s3_parts.py`), checksums that are kept with an object, the time.

By botocore, which is loaded with the first of these.
"""

from __future__ import annotations

import base64
import time
from email.utils import parsedate_to_datetime
from typing import Any

from outhaul.ports.digests import ONE_BY_ONE, Digests
from outhaul.ports.sending import Share
from outhaul.stores.s3_account import Account
from outhaul.stores.s3_botocore import ByBotocore
from outhaul.stores.s3_headers import RequestHeaders
from outhaul.stores.s3_parts import Multipart, errors
from outhaul.stores.throttled import send_now

CONNECT_SECONDS = 10
SILENCE_SECONDS = 60


class Control:
    """One bucket, by botocore. Its client may be used from several threads."""

    def __init__(
        self,
        known: Account,
        bucket: str,
        headers: RequestHeaders | None = None,
        share: Share | None = None,
        digests: Digests = ONE_BY_ONE,
    ) -> None:
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
        self._headers = headers or RequestHeaders()
        more = {"proxies": {"http": known.proxy, "https": known.proxy}} if known.proxy else {}
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
                s3={
                    "addressing_style": "path" if known.endpoint_url else "auto",
                    "payload_signing_enabled": True,
                    "use_accelerate_endpoint": known.accelerate,
                },
                use_dualstack_endpoint=known.dual_stack,
                use_fips_endpoint=known.fips,
                **more,
            ),
            **fixed,
        )
        # The wait for "100 Continue" costs a round trip for each part.
        self._client.meta.events.register("before-send.s3", _without_expect)
        self._client.meta.events.register("before-send.s3", send_now)
        if self._headers:
            self._client.meta.events.register("before-parameter-build.s3", self._with_type)
            self._client.meta.events.register("before-call.s3", self._with_headers)
        self.large = Multipart(self._client, bucket, share, digests)
        self.objects = ByBotocore(self._client, bucket, has_customer_key=self._headers.has_customer_key, share=share)

    def close(self) -> None:
        """Let go of connections. The client is part of a cycle: nothing else would, until the collector comes."""
        self._client.close()

    def _with_type(self, params: dict[str, Any], model: Any, **_: object) -> None:
        if model.name in ("PutObject", "CreateMultipartUpload") and (kind := self._headers.content_type(params["Key"])):
            params["ContentType"] = kind

    def _with_headers(self, params: dict[str, Any], model: Any, **_: object) -> None:
        """What is put in here is signed with the rest."""
        params["headers"].update(self._headers.of(model.name, int(time.time())))

    def seen(self, key: str, version: str) -> dict[str, Any]:
        """What a HEAD says of an object."""
        arguments = {"VersionId": version} if version else {}
        with errors("HEAD", key):
            answer: dict[str, Any] = self._client.head_object(
                Bucket=self._bucket, Key=key, ChecksumMode="ENABLED", **arguments
            )
        return answer

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """The SHA-256 kept with an object, where it is of the whole object."""
        answer = self.seen(key, version)
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

        with errors("HEAD", self._bucket):
            try:
                answer = self._client.head_bucket(Bucket=self._bucket)
            except botocore.exceptions.ClientError as error:
                answer = error.response
        try:
            told = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        except (KeyError, ValueError):
            return None
        return int(told.timestamp()) * 10**9

    def stored_composite(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        answer = self.seen(key, version)
        return str(answer.get("ChecksumSHA256", "")) if "-" in answer.get("ChecksumSHA256", "") else ""


def _without_expect(request: Any, **_: object) -> None:
    if "Expect" in request.headers:
        del request.headers["Expect"]
