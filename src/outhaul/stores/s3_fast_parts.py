"""Parts of large objects, sent over `http_lane.py`: each byte is digested as often as the proof needs, and not copied.

True here: what guards the bytes of a part on their way is one of three, and never none: the SHA-256 that is signed; a
Content-MD5 that is signed, to an endpoint that has refused a wrong one; TLS. Why the last two suffice, and what
comes after them, is told in docs/decisions/0011-fast-parts.md.
Not done here: beginning, listing and completing; proxies and redirects: botocore does that.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NamedTuple
from urllib.parse import quote

from outhaul.model.errors import Denied, Interrupted, Refused, StoreError, Transient, UploadGone
from outhaul.ports import Begun, Stored
from outhaul.stores.s3_fast import FastPuts, Redirected

UNSIGNED = "UNSIGNED-PAYLOAD"
"""AWS, "Signature Calculations for the Authorization Header": the payload is no part of the signature."""
_MD5 = re.compile("[0-9a-f]{32}").fullmatch


class Digests(NamedTuple):
    """Digests of a part, and what is done with them."""

    md5: bytes
    """b'' where the proof needs none."""
    sha256: bytes
    """To be told to the store; b'' where the proof needs none."""
    tell_md5: bool
    """Whether the MD5 is told in any case: under Object Lock nothing is taken without a digest (AWS, "UploadPart")."""
    md5_etags: bool
    """Whether the endpoint's ETags have shown to be MD5s."""


class FastParts:
    """The parts of one bucket. May be called from several threads."""

    def __init__(self, fast: FastPuts) -> None:
        self._fast = fast
        self._sign_all = False  # Once the endpoint, or a policy of the bucket, has refused what is not signed.

    def put(self, begun: Begun, number: int, body: bytes, digests: Digests) -> str:
        """Send one part.

        Args:
            begun: Of which upload.
            number: From 1.
            body: Its bytes.
            digests: Of the body, and what is done with them.

        Returns:
            Its ETag.

        Raises:
            Redirected: the general client is to send it.
            UploadGone: the store got other bytes: this upload cannot go on (some take no second part of a number).
            StoreError: as the store answers.
        """
        md5, sha256 = digests.md5, digests.sha256
        headers = {"content-length": str(len(body))}
        if md5 and (self._fast.send_md5 or digests.tell_md5):
            headers["content-md5"] = base64.b64encode(md5).decode()
        if sha256:
            headers["x-amz-checksum-sha256"] = base64.b64encode(sha256).decode()
        etag = self._sent(begun, number, headers, body, sha256.hex())
        if digests.md5_etags and md5 and _MD5(etag) and etag != md5.hex():
            raise UploadGone(f"the store has other bytes of part {number}: its ETag is not their MD5; it is begun anew")
        return etag

    def _sent(self, begun: Begun, number: int, headers: dict[str, str], body: bytes, sha256: str) -> str:
        query = f"partNumber={number}&uploadId={quote(begun.upload, safe='-_.~')}"
        guarded = self._fast.tls or (self._fast.send_md5 and "content-md5" in headers)
        digest = sha256 or (UNSIGNED if guarded and not self._sign_all else hashlib.sha256(body).hexdigest())
        try:
            return self._etag(begun, query, headers, body, digest)
        except (Denied, Refused):
            if digest != UNSIGNED:
                raise
            etag = self._etag(begun, query, headers, body, hashlib.sha256(body).hexdigest())
            self._sign_all = True
            return etag
        except (Redirected, Interrupted):
            raise
        except Transient:  # One quick retry (L15): a part may be sent as often as one likes.
            return self._etag(begun, query, headers, body, digest)

    def _etag(self, begun: Begun, query: str, headers: dict[str, str], body: bytes, digest: str) -> str:
        outcome = self._fast.put_part(begun.key, query, headers, body, digest)
        if isinstance(outcome, StoreError):
            try:
                raise outcome
            finally:
                del outcome  # It would hold this frame, and with it the part, until the collector comes.
        assert isinstance(outcome, Stored)
        if not outcome.etag:
            raise Transient("200 without ETag: that was not the store")
        return outcome.etag
