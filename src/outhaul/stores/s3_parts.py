"""Large objects in parts: explicit multipart uploads that go on after a restart.

Parts are read from the one open descriptor, in their order, and sent by several threads; memory is the part size times the
parts under way. Where a store takes them about as fast as they are read, some are digested together (decision 0035).
An upload that goes on asks the store which parts it has, and believes none by its number: the MD5 or SHA-256
that the store gives for a part is compared with that of our own bytes, and where one differs it is begun anew (AWS,
"Uploading and copying objects using multipart upload"; ListParts). What shows that the object holds these bytes is the ETag
that follows from the MD5s of all parts or, where the store keeps checksums, the checksum of their SHA-256s
("Checking object integrity"): MD5 costs three times as much.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

from outhaul.model.errors import Denied, SourceError, StoreError, Transient, UploadGone
from outhaul.ports import ONE_BY_ONE, Begun, Digests, Outgoing, Sent, Stored
from outhaul.ports.sending import Share
from outhaul.stores.s3_errors import classify
from outhaul.stores.s3_fast import Redirected
from outhaul.stores.s3_fast_parts import FastParts, PartDigests
from outhaul.stores.throttled import throttled

PART_BYTES = 8 << 20
"""The default of the AWS command line, so that ETags are the same."""
PARTS_AT_ONCE = 4
_TOGETHER = 6
"""Parts that are digested together, while as many are sent."""
_HELD = 11
"""Parts in memory, then. Larger parts than the usual ones go one by one."""
_NEAR_NS = 250 * 10**6
"""What a part takes on its way to a store that is fast enough. Elsewhere nothing is won, and memory is not taken for it."""
_PARTS_MAX = 10_000  # AWS, "Amazon S3 multipart upload limits"
_MEBIBYTE = 1 << 20


class Part(NamedTuple):
    """One part that the store has."""

    etag: str
    md5: bytes
    sha256: bytes


def part_bytes(length: int) -> int:
    """The size of a part with which an object of this length fits into the most parts that a store takes."""
    if length <= PART_BYTES * _PARTS_MAX:
        return PART_BYTES
    return -(-length // (_PARTS_MAX * _MEBIBYTE)) * _MEBIBYTE


class Multipart:
    """The multipart uploads of one bucket. May be used from several threads."""

    def __init__(self, client: Any, bucket: str, share: Share | None = None, digests: Digests = ONE_BY_ONE) -> None:
        """`share` is what the job has of a limit of bytes a second; None where there is none."""
        self._client = client
        self._bucket = bucket
        self._share = share
        self.digests = digests
        self.content_md5 = True
        """Whether each part tells its MD5."""
        self.sha256 = False
        """Whether each part tells its SHA-256, to be kept by the store, and no MD5 is computed."""
        self.must_tell = False
        """Whether the store takes no part without an MD5 or a checksum."""
        self.md5_etags = False
        """Whether the endpoint's ETags have shown to be MD5s."""
        self.shows: Callable[[Mapping[str, Any]], bool] = lambda _answer: False
        """Whether the answer to a completion shows all that protects the object."""
        self.fast: FastParts | None = None
        """Sends the parts, where nothing stands in between."""
        self._fresh: set[str] = set()
        """Uploads of which nothing has been sent yet."""

    def begin(self, key: str, length: int) -> Begun:
        """Begin an upload. Whatever else is under way under this key is somebody else's, as far as anybody can tell."""
        kept = {"ChecksumAlgorithm": "SHA256"} if self.sha256 else {}
        with errors("CreateMultipartUpload", key):
            answer = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **kept)
            begun = Begun(key, said(answer, "UploadId"), part_bytes(length))
        self._fresh.add(begun.upload)
        return begun

    def is_fresh(self, begun: Begun) -> bool:
        """Whether it was begun here, and nothing has been sent of it yet."""
        return begun.upload in self._fresh

    def send(self, begun: Begun, source: Outgoing, seal: Callable[[], None], *, create_only: bool) -> Sent:
        """Send what the store does not have yet, and complete the upload."""
        try:
            has = {} if self.is_fresh(begun) else self._has(begun)
        except Denied as error:
            raise UploadGone(f"{error} (s3:ListMultipartUploadParts); it is begun anew") from None
        self._fresh.discard(begun.upload)
        parts = _Sending(self, begun, has).all_parts(source)
        seal()
        with errors("CompleteMultipartUpload", begun.key):
            answer = self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=begun.key,
                UploadId=begun.upload,
                MultipartUpload={"Parts": [self._told(number, part) for number, part in enumerate(parts, 1)]},
                **({"IfNoneMatch": "*"} if create_only else {}),
            )
            said(answer, "ETag", "Key", "Bucket", "Location")  # Some leave out the ETag.
        stored = Stored((answer.get("ETag") or "").strip('"'), answer.get("VersionId") or "", self.shows(answer))
        return Sent(stored, _etag_of(parts), _composite_of(parts) if self.sha256 else "")

    def abandon(self, begun: Begun) -> None:
        """See `ports.Store`."""
        self._fresh.discard(begun.upload)
        with contextlib.suppress(UploadGone), errors("AbortMultipartUpload", begun.key):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=begun.key, UploadId=begun.upload)

    def put_part(self, begun: Begun, number: int, body: bytes, part: Part) -> str:
        """Send one part; its ETag."""
        if (fast := self.fast) is not None:
            try:
                with errors(f"UploadPart {number}", begun.key):
                    digests = PartDigests(part.md5, part.sha256, tell_md5=self.must_tell, md5_etags=self.md5_etags)
                    return fast.put(begun, number, body, digests)
            except Redirected:
                self.fast = None
        told = {"ContentMD5": _base64(part.md5)} if part.md5 and self.content_md5 else {}
        if self.sha256:
            told["ChecksumSHA256"] = _base64(part.sha256)
        with errors(f"UploadPart {number}", begun.key), throttled(body, self._share) as sent:
            answer = self._client.upload_part(
                Bucket=self._bucket, Key=begun.key, UploadId=begun.upload, PartNumber=number, Body=sent, **told
            )
            return said(answer, "ETag")

    def _told(self, number: int, part: Part) -> dict[str, Any]:
        told: dict[str, Any] = {"PartNumber": number, "ETag": part.etag}
        if self.sha256:
            told["ChecksumSHA256"] = _base64(part.sha256)
        return told

    def _has(self, begun: Begun) -> dict[int, tuple[int, str, str]]:
        """Number to length, ETag and SHA-256 in Base64 of each part that the store has."""
        found: dict[int, tuple[int, str, str]] = {}
        after = 0
        while True:
            with errors("ListParts", begun.key):
                answer = self._client.list_parts(
                    Bucket=self._bucket, Key=begun.key, UploadId=begun.upload, PartNumberMarker=after
                )
            parts = answer.get("Parts") or []
            for part in parts:
                found[part["PartNumber"]] = (part["Size"], part.get("ETag", ""), part.get("ChecksumSHA256", ""))
            if not answer.get("IsTruncated") or not parts or parts[-1]["PartNumber"] <= after:
                return found
            after = parts[-1]["PartNumber"]


class _Some:
    """Some parts, which are digested when the first of them is sent."""

    def __init__(self, bodies: list[bytes], multipart: Multipart) -> None:
        self._bodies = bodies
        self._kept = multipart.sha256
        self._digests = multipart.digests
        self._lock = threading.Lock()
        self._found: list[bytes] = []

    def take(self, index: int) -> tuple[bytes, Part]:
        """One of them, which is then no longer held here, and its digest."""
        with self._lock:
            if not self._found:
                self._found = (self._digests.sha256 if self._kept else self._digests.md5)(self._bodies)
            body, self._bodies[index] = self._bodies[index], b""
        found = self._found[index]
        return body, Part("", b"", found) if self._kept else Part("", found, b"")


class _Sending:
    """One upload under way: this thread reads, others send."""

    _lock = threading.Lock()
    _all = 0
    """How many are under way in this process: several have as much memory together as one has alone, about."""

    def __init__(self, multipart: Multipart, begun: Begun, has: dict[int, tuple[int, str, str]]) -> None:
        self._multipart = multipart
        self._begun = begun
        self._has = has
        self._took_ns = 0
        """What a part of late took on its way; 0 while that is not known."""

    def all_parts(self, source: Outgoing) -> list[Part]:
        with self._lock:
            _Sending._all += 1
        try:
            return self._parts(source)
        finally:
            with self._lock:
                _Sending._all -= 1

    def _parts(self, source: Outgoing) -> list[Part]:
        futures: list[Future[Part]] = []
        under_way: set[Future[Part]] = set()
        with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
            try:
                while bodies := self._read(source, under_way):
                    some = _Some(bodies, self._multipart)
                    for index in range(len(bodies)):
                        futures.append(threads.submit(self._one, len(futures) + 1, some, index))
                        under_way.add(futures[-1])
                return [future.result() for future in futures]
            except (StoreError, SourceError):
                for future in futures:
                    future.cancel()
                raise
            except (
                RuntimeError
            ) as error:  # "can't start new thread": there is no memory for its stack, or a limit of tasks.
                raise MemoryError(str(error)) from None

    def _read(self, source: Outgoing, under_way: set[Future[Part]]) -> list[bytes]:
        """The next parts, to be digested together; while as many are held as may be, others are waited for."""
        together, bodies = self._together, list[bytes]()
        held = _HELD if together > 1 else PARTS_AT_ONCE + 1
        while len(bodies) < together:
            while len(under_way) + len(bodies) >= held:
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                under_way -= done
                for future in done:
                    future.result()
            body = source.read(self._begun.part_bytes)
            if not body:
                break
            bodies.append(body)
        return bodies

    @property
    def _together(self) -> int:
        multipart = self._multipart
        if _Sending._all > 1 or self._begun.part_bytes > PART_BYTES or not 0 < self._took_ns < _NEAR_NS:
            return 1
        return _TOGETHER if multipart.digests.gains("sha256" if multipart.sha256 else "md5", _TOGETHER) else 1

    def _one(self, number: int, some: _Some, index: int) -> Part:
        body, part = some.take(index)
        size, etag, sha256 = self._has.get(number, (-1, "", ""))
        kept = self._multipart.sha256
        there = sha256 == _base64(part.sha256) if kept else etag.strip('"') == part.md5.hex()
        if size == len(body) and there:
            return part._replace(etag=etag)
        if size >= 0 and etag.strip('"'):  # Some stores take no other bytes for a part that they have.
            raise UploadGone(f"the store has other bytes of part {number}; it is begun anew")
        begun_ns = time.monotonic_ns()
        etag = self._multipart.put_part(self._begun, number, body, part)
        self._took_ns = time.monotonic_ns() - begun_ns
        return part._replace(etag=etag)


def _etag_of(parts: list[Part]) -> str:
    if not all(part.md5 for part in parts):
        return ""
    whole = hashlib.md5(b"".join([part.md5 for part in parts]), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(parts)}"


def _composite_of(parts: list[Part]) -> str:
    return f"{_base64(hashlib.sha256(b''.join([part.sha256 for part in parts])).digest())}-{len(parts)}"


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def said(answer: dict[str, Any], *names: str) -> str:
    """The first of these that is in an answer; one of them must be: what answers 200 without it is not believed (L3)."""
    for name in names:
        if answer.get(name):
            return str(answer[name])
    raise Transient(f"200 without {names[0]}: that was not the store")


@contextlib.contextmanager
def errors(operation: str, key: str) -> Iterator[None]:
    """botocore's errors in our terms."""
    import botocore.exceptions
    import botocore.parsers

    try:
        yield
    except StoreError as error:
        raise type(error)(f"{operation} {key}: {error}") from None
    except botocore.exceptions.ClientError as error:
        told = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = told.get("Code", "")
        raise classify(status, "" if code.isdigit() else code, told.get("Message", ""), f"{operation} {key}") from None
    except (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError) as error:
        raise Transient(f"{operation} {key}: {error}") from None
