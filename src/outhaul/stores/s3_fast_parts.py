"""Parts of large objects, sent over `http_lane.py`: each byte is digested as often as the proof needs, and not copied.

True here: what guards the bytes of a part on their way is one of three, and never none: the SHA-256 that is signed; a
Content-MD5 that is signed, to an endpoint that has refused a wrong one; a way that nobody else is on. Why the last two
suffice, and what comes after them, is told in docs/decisions/0011-fast-parts.md.
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


class PartDigests(NamedTuple):
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
        self._tell_all = False  # Once the endpoint, or a policy of the bucket, has refused what was not signed or told.

    def put(self, begun: Begun, number: int, body: bytes, digests: PartDigests) -> str:
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
        query = f"partNumber={number}&uploadId={quote(begun.upload, safe='-_.~')}"
        tell_all = self._tell_all
        try:
            etag = self._sent(begun, query, body, digests, tell_all=tell_all)
        except (Denied, Refused):
            if tell_all:
                raise
            etag = self._sent(begun, query, body, digests, tell_all=True)
            self._tell_all = True
        if digests.md5_etags and (md5 := digests.md5) and _MD5(etag) and etag != md5.hex():
            raise UploadGone(f"the store has other bytes of part {number}: its ETag is not their MD5; it is begun anew")
        return etag

    def _sent(self, begun: Begun, query: str, body: bytes, digests: PartDigests, *, tell_all: bool) -> str:
        """Where nobody is on the way the store is told no MD5, and so need not compute it twice."""
        headers, is_guarded = {"content-length": str(len(body))}, self._fast.is_guarded
        if digests.md5 and (digests.tell_md5 or (self._fast.send_md5 and (tell_all or not is_guarded))):
            headers["content-md5"] = base64.b64encode(digests.md5).decode()
            is_guarded = is_guarded or self._fast.send_md5
        if digests.sha256:
            headers["x-amz-checksum-sha256"] = base64.b64encode(digests.sha256).decode()
        unsigned = is_guarded and not tell_all
        digest = digests.sha256.hex() or (UNSIGNED if unsigned else hashlib.sha256(body).hexdigest())
        try:
            return self._etag(begun, query, headers, body, digest)
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
