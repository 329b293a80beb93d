"""Creating many small objects at once, on few threads: signed PUTs over `http_lane.py`.

It does one thing, and only where nothing stands in between: no proxy. Everything else goes through obstore. Why it is
there at all, with the figures, is told in docs/decisions/0005-fast-puts.md.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from outhaul.model.errors import Interrupted, Misconfigured, StoreError, Transient
from outhaul.ports import Answered, NewObject, Stored
from outhaul.ports.sending import Share
from outhaul.stores.http_lane import Answer, Endpoint, Lane, LaneError, LaneStopped, Request
from outhaul.stores.s3_account import Account, no_credentials
from outhaul.stores.s3_endpoint import place_of, split
from outhaul.stores.s3_errors import classify
from outhaul.stores.s3_headers import RequestHeaders
from outhaul.stores.sigv4 import PutSigner, signed_head

if TYPE_CHECKING:
    import ssl

_ETAG = re.compile(rb"\r\netag:[ \t]*(?:W/)?\"?([^\"\r\n]*)", re.IGNORECASE)
_VERSION = re.compile(rb"\r\nx-amz-version-id:[ \t]*([^\r\n]*)", re.IGNORECASE)
_SHA256 = re.compile(rb"\r\nx-amz-checksum-sha256:[ \t]*([A-Za-z0-9+/]{43}=)[ \t]*\r\n", re.IGNORECASE)
_COMPOSITE = re.compile(rb"\r\nx-amz-checksum-type:[ \t]*COMPOSITE", re.IGNORECASE)
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]+)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]{1,300})</Message>")
_DATE = re.compile(rb"\r\ndate:[ \t]*([^\r\n]+)", re.IGNORECASE)
_REGION = re.compile(rb"\r\nx-amz-bucket-region:[ \t]*([a-z0-9-]{1,40})", re.IGNORECASE)
_REGION_SAID = re.compile(rb"<Region>([a-z0-9-]{1,40})</Region>")
_JOINED_MAX = 32 << 10
"""Bytes. Up to this a body is copied behind its head, so that both go in one packet and one system call."""
_OFFSET_MAX = 10 * 366 * 86400
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Skewed(Misconfigured):
    """The store finds our clock wrong."""

    store_seconds = 0
    """The store's time, since 1970; 0 where it did not say."""


class Hiccup(Transient):
    """The store had an error of its own, which the next request as a rule has not."""


class Doubtful(Misconfigured):
    """The store finds our signature wrong: our secret is, or a byte was altered on the way."""


class Redirected(StoreError):
    """The store sent us elsewhere; the general client follows."""


def can_go_fast(known: Account, environment: Mapping[str, str]) -> bool:
    """Whether the way to the endpoint is direct."""
    if known.proxy:
        return False
    host = split(known.endpoint_url)[1] if known.endpoint_url else ""
    proxies = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return host in _LOCAL or not any(environment.get(name) for name in proxies)


class FastPuts:
    """Signed PUTs to one bucket. May be called from several threads; each has connections of its own."""

    def __init__(
        self, known: Account, bucket: str, headers: RequestHeaders | None = None, share: Share | None = None
    ) -> None:
        self._account = known
        self._bucket = bucket
        self._headers = headers or RequestHeaders()
        self._share = share
        self._telling = self._headers.telling
        place = place_of(known, bucket)
        self._host, self._base = place.named, place.base
        self._endpoint = Endpoint(place.host, place.port, _tls(known.ca_bundle) if place.scheme == "https" else None)
        self.send_md5 = False
        """Whether the store has shown that it checks a Content-MD5 (docs/decisions/0003-proof-by-etag.md)."""
        self._offset = 0  # Seconds that this machine's clock is behind the store's, as far as that matters.
        self._free: list[tuple[Lane, PutSigner]] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of connections; those that are at work go when they have done it."""
        with self._lock:
            self._is_closed, free, self._free = True, self._free, []
        for lane, _ in free:
            lane.close()

    @contextmanager
    def _lane(self) -> Iterator[tuple[Lane, PutSigner]]:
        """One that nobody else uses meanwhile. After a fault it is closed."""
        with self._lock:
            lane, signer = self._free.pop() if self._free else self._new_lane()
        is_sound = False
        try:
            yield lane, signer
            is_sound = True
        finally:
            with self._lock:
                if is_sound and not self._is_closed:
                    self._free.append((lane, signer))
                else:
                    lane.close()

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`. Where the store finds our clock wrong, its own is used for signing, and nothing else.

        A 500, and a signature that is found wrong, is tried once more at once (L15); what the first did is then found out
        by the second being refused.
        """
        answers = self._send(objects, at_once)
        late = [index for index, answer in enumerate(answers) if isinstance(answer.outcome, Skewed)]
        if not late or not self._learn_offset(answers[late[0]].outcome):
            late = []
        once_more = [
            index for index, answer in enumerate(answers) if isinstance(answer.outcome, Hiccup | Doubtful)
        ] + late
        if once_more:
            again = self._send([objects[index] for index in once_more], at_once)
            for index, answer in zip(once_more, again, strict=True):
                answers[index] = answer
        return answers

    def _learn_offset(self, skewed: object) -> bool:
        """Take the store's time for signing (law L9 of the hazards): only from one we know to be it, and within reason."""
        assert isinstance(skewed, Skewed)
        offset = skewed.store_seconds - int(time.time())
        if not self.is_guarded or not skewed.store_seconds or abs(offset) > _OFFSET_MAX or offset == self._offset:
            return False
        self._offset = offset
        return True

    def _send(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        try:
            identity = self._identity()
        except StoreError as error:
            return [Answered(error, 0) for _ in objects]
        with self._lane() as (lane, signer):

            def request(index: int) -> Request:
                new = objects[index]
                head = signer.head(
                    new.key,
                    len(new.body),
                    new.sha256,
                    identity,
                    self._offset,
                    new.md5 if self.send_md5 else b"",
                    new.notes,
                )
                return (head, new.body) if len(new.body) > _JOINED_MAX else head + new.body

            answers = lane.send(len(objects), request, at_once, lambda index: len(objects[index].body))
        region = self._account.region
        answered = [_answered(answer, new.key, region) for answer, new in zip(answers, objects, strict=True)]
        return answered if self._telling is None else list(map(self._shown, answered, answers))

    def _shown(self, answered: Answered, answer: Answer | LaneError) -> Answered:
        """The same, and whether the answer shows what the job asks for."""
        if not isinstance(answered.outcome, Stored) or not isinstance(answer, Answer) or self._telling is None:
            return answered
        shown = self._telling.search(answer.head) is not None
        return answered._replace(outcome=answered.outcome._replace(shown=shown))

    @property
    def is_guarded(self) -> bool:
        """Whether nobody is on the way there: TLS to whom a certificate names, or a server on this machine."""
        return self._endpoint.tls is not None or self._endpoint.host in _LOCAL

    def put_part(self, key: str, query: str, headers: dict[str, str], body: bytes, sha256: str) -> Stored | StoreError:
        """One part of a large object, tried once more where our clock was the trouble.

        Args:
            key: Of the object.
            query: In its canonical form (`sigv4.signed_head`).
            headers: In small letters; each is signed, and so are those that all parts have.
            body: It is sent as it is, and not copied.
            sha256: Of the body, in hexadecimal digits; or that it is not signed.
        """
        outcome = self._put_part(key, query, headers, body, sha256)
        if isinstance(outcome, Skewed) and self._learn_offset(outcome):
            outcome = self._put_part(key, query, headers, body, sha256)
        return outcome

    def _put_part(self, key: str, query: str, headers: dict[str, str], body: bytes, sha256: str) -> Stored | StoreError:
        try:
            identity = self._identity()
        except StoreError as error:
            return error
        region, path = self._account.region, f"{self._base}/{key}"

        def request(_: int) -> tuple[bytes, bytes]:
            offset = self._offset
            told = {**self._headers.of("UploadPart", int(time.time()) + offset), **headers}
            return signed_head("PUT", self._host, path, told, sha256, region, identity, offset, query), body

        with self._lane() as (lane, _):
            (answer,) = lane.send(1, request, 1, lambda _: len(body))
        return _answered(answer, key, region).outcome

    def ask(self, requests: Sequence[tuple[str, str, dict[str, str], bytes, bytes]]) -> list[Answer | LaneError]:
        """A few requests of any kind: those of one key one after the other, and of different keys at the same time.

        Each is method, key, headers in small letters, the body that is signed, and the one that is sent.
        """
        identity = self._identity()

        def request(index: int) -> bytes:
            method, key, headers, to_sign, body = requests[index]
            operation = "PutObject" if method == "PUT" else "GetObject"
            ours = self._headers.of(operation, int(time.time()) + self._offset)
            all_headers = {**ours, **headers, "content-length": str(len(body))}
            path, digest = f"{self._base}/{key}", hashlib.sha256(to_sign).hexdigest()
            return (
                signed_head(method, self._host, path, all_headers, digest, self._account.region, identity, self._offset)
                + body
            )

        keys = [key for _, key, *_ in requests]
        rounds = [keys[:index].count(key) for index, key in enumerate(keys)]
        answers: dict[int, Answer | LaneError] = {}
        lane = Lane(self._endpoint)
        try:
            for turn in range(max(rounds) + 1):
                now = [index for index, its in enumerate(rounds) if its == turn]
                answers |= zip(now, lane.send(len(now), partial(_of, request, now), len(now)), strict=True)
        finally:
            lane.close()
        return [answers[index] for index in range(len(requests))]

    def replace(self, key: str, body: bytes) -> tuple[Answered, int]:
        """Put one small object in the place of what is there.

        Returns:
            As `put_many`; and the time of the store, in seconds since 1970, 0 where it did not say.
        """
        for _ in range(2):
            (answer,) = self.ask([("PUT", key, {}, body, body)])
            found = _answered(answer, key, self._account.region)
            if not (isinstance(found.outcome, Skewed) and self._learn_offset(found.outcome)):
                break
        return found, _date(answer.head) if isinstance(answer, Answer) else 0

    def get_many(self, keys: Sequence[str], at_once: int) -> list[Answer | LaneError]:
        """The whole of many small objects, up to `at_once` at the same time. Raises Misconfigured: no credentials."""
        identity = self._identity()
        with self._lane() as (lane, _):
            return lane.send(len(keys), lambda index: self._reading("GET", keys[index], "", {}, identity), at_once)

    @property
    def endpoint(self) -> Endpoint:
        """Whom to connect to."""
        return self._endpoint

    def head_many(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[Answer | LaneError]:
        """What a HEAD says of many objects and of the checksums that are kept with them, up to `at_once` at the same time.

        Each is its key, and of which version. One that has no answer, or the store's own fault for one, is asked once more (L15).
        Raises Misconfigured: no credentials.
        """
        answers = self._heads(objects, at_once)
        again = [index for index, answer in enumerate(answers) if _is_unanswered(answer)]
        if again:
            for index, answer in zip(again, self._heads([objects[index] for index in again], at_once), strict=True):
                answers[index] = answer
        return answers

    def _heads(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[Answer | LaneError]:
        identity = self._identity()

        def request(index: int) -> bytes:
            key, stored = objects[index]
            return self._reading("HEAD", key, stored.version, {"x-amz-checksum-mode": "ENABLED"}, identity)

        with self._lane() as (lane, _):
            return lane.send(len(objects), request, at_once)

    def get_request(self, key: str, version: str, headers: dict[str, str]) -> bytes:
        """A whole GET, signed.

        Args:
            key: Of the object.
            version: Of it; '' for the latest.
            headers: In small letters, besides those of the bucket.

        Raises:
            Misconfigured: there are no credentials.
        """
        return self._reading("GET", key, version, headers, self._identity())

    def _reading(
        self, method: str, key: str, version: str, headers: dict[str, str], identity: tuple[str, str, str]
    ) -> bytes:
        operation = "HeadObject" if method == "HEAD" else "GetObject"
        told = {**self._headers.of(operation, int(time.time()) + self._offset), **headers}
        query = f"versionId={quote(version, safe='-_.~')}" if version else ""
        path, nothing = f"{self._base}/{key}", hashlib.sha256(b"").hexdigest()
        return signed_head(method, self._host, path, told, nothing, self._account.region, identity, self._offset, query)

    def _new_lane(self) -> tuple[Lane, PutSigner]:
        return Lane(self._endpoint, self._share), PutSigner(
            self._host, self._base, self._account.region, self._headers if self._headers else None
        )

    def _identity(self) -> tuple[str, str, str]:
        known = self._account
        if known.provider is None:
            return known.access_key_id, known.secret_access_key, known.session_token
        try:
            given = known.provider()
        except Exception as error:  # Whatever the chain of providers raises: botocore's, a program's, the network's.
            raise no_credentials(error) from error
        return given["access_key_id"], given["secret_access_key"], given.get("token") or ""


def _of(request: Callable[[int], bytes], some: Sequence[int], at: int) -> bytes:
    return request(some[at])


def _is_unanswered(answer: Answer | LaneError) -> bool:
    return answer.status >= 500 if isinstance(answer, Answer) else not isinstance(answer, LaneStopped)


def kept_sha256(answer: Answer | LaneError, key: str, etag: str) -> bytes | StoreError | None:
    """What an answer of `head_many` says that the store keeps: the SHA-256 of the whole object, none, or why it does not say.

    `Redirected` stands for whatever the general client knows better. So it does for an answer of another ETag than the one that
    is known: where a server sends a body that does not belong there, its bytes are taken for the answer to what was asked next.
    """
    if isinstance(answer, LaneStopped):
        return Interrupted("it waited for its turn")
    if isinstance(answer, LaneError):
        return Transient(f"HEAD {key}: {answer}")
    if answer.status != 200:
        known = answer.status in (403, 404) or answer.status >= 500
        return classify(answer.status, "", "", f"HEAD {key}") if known else Redirected(f"HEAD {key}: {answer.status}")
    if etag and ((seen := _ETAG.search(answer.head)) is None or seen[1].decode("latin-1") != etag):
        return Redirected(f"HEAD {key}: an answer of another object")
    if _COMPOSITE.search(answer.head) or (found := _SHA256.search(answer.head)) is None:
        return None
    return base64.b64decode(found[1])


def _answered(answer: Answer | LaneError, key: str, ours: str) -> Answered:
    if isinstance(answer, LaneStopped):
        return Answered(Interrupted("it waited for its turn"), 0)
    if isinstance(answer, LaneError):
        said = str(answer)
        if "certificate" in said:
            return Answered(Misconfigured(f"PUT: {said}; ca-file (or AWS_CA_BUNDLE) names a CA to trust"), 0)
        return Answered(Transient(f"PUT: {said}"), 0)
    if answer.status == 200 and b"<Error" not in answer.body:
        etag, version = _ETAG.search(answer.head), _VERSION.search(answer.head)
        stored = Stored(
            etag[1].decode("latin-1") if etag else "", version[1].decode("latin-1").strip() if version else ""
        )
        return Answered(stored, answer.took_ns)
    code, message = _CODE.search(answer.body), _MESSAGE.search(answer.body)
    if (region := _REGION.search(answer.head) or _REGION_SAID.search(answer.body)) and answer.status in (301, 400):
        name = region[1].decode("latin-1").strip()
        if name != ours:
            return Answered(
                Misconfigured(f'PUT: {answer.status}; the bucket is in region {name}: write region = "{name}"'), 0
            )
    if code and code[1] == b"RequestTimeTooSkewed":
        skewed = Skewed("PUT: 403 RequestTimeTooSkewed; set this machine's clock")
        skewed.store_seconds = _date(answer.head)
        return Answered(skewed, 0)
    if answer.status in (301, 302, 307, 308) and b"\r\nlocation:" in answer.head.lower():
        return Answered(Redirected(f"PUT {key}: {answer.status}"), 0)
    if code and code[1] == b"SignatureDoesNotMatch":
        return Answered(Doubtful("PUT: 403 SignatureDoesNotMatch; correct the secret key"), 0)
    if answer.status == 500:
        return Answered(Hiccup(f"PUT {key}: 500 {code[1].decode() if code else ''}".rstrip()), 0)
    status = 500 if answer.status == 200 else answer.status  # 200 with an error in it: unknown (L3).
    return Answered(
        classify(
            status,
            code[1].decode() if code else "",
            message[1].decode("utf-8", "replace") if message else "",
            f"PUT {key}",
        ),
        answer.took_ns,
    )


def _date(head: bytes) -> int:
    """The Date header, in seconds since 1970; 0 where there is none that can be read."""
    from email.utils import parsedate_to_datetime

    found = _DATE.search(head)
    try:
        return int(parsedate_to_datetime(found[1].decode("latin-1")).timestamp()) if found else 0
    except (ValueError, OverflowError):
        return 0


def _tls(ca_bundle: str) -> ssl.SSLContext:
    import ssl

    try:
        context = ssl.create_default_context()
        if ca_bundle:
            context.load_verify_locations(cafile=ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"ca-file (or AWS_CA_BUNDLE): {ca_bundle}: {os.strerror(error.errno) if error.errno else error}"
        ) from error
    return context
