"""S3 and its relatives.

Objects are reached through obstore; many small ones are created by `s3_fast.py`, on few threads; what obstore cannot
do (explicit multipart, stored checksums) is done by botocore, in `s3_control.py`, which is loaded when it is first
needed. Each object is created, never replaced: by `If-None-Match: *` where the endpoint has shown that it obeys, by
looking first where it does not (docs/decisions/0004-create-only.md). Payloads are signed, and carry their SHA-256, so
that what is altered on the way is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from outhaul.model.errors import AlreadyThere, Denied, Misconfigured, NotThere, StoreError, Transient
from outhaul.model.job import Connection, Destination
from outhaul.ports import Abilities, Answered, Begun, Held, NewObject, Outgoing, Sent, Stored
from outhaul.ports.sending import Share
from outhaul.stores.s3_account import Account, account
from outhaul.stores.s3_errors import translate
from outhaul.stores.s3_fast import FastPuts, Redirected, can_go_fast
from outhaul.stores.s3_fast_parts import FastParts
from outhaul.stores.s3_probe import probe
from outhaul.stores.throttled import wait_for

if TYPE_CHECKING:
    from obstore.store import S3Store as ObstoreS3

    from outhaul.stores.s3_control import Control
    from outhaul.stores.s3_parts import Multipart

SMALL_MAX = 16 << 20
"""Bytes. Up to this an object is one PUT, from memory."""
_REMEMBERED_KEYS_MAX = 20_000
_REQUEST_TIMEOUT = timedelta(minutes=5)
_CONNECT_TIMEOUT = timedelta(seconds=10)
_SILENCE_TIMEOUT = timedelta(seconds=20)
"""Without a byte, of an answer that has little to say (HEAD, LIST) or comes in a stream (GET). It is tried twice."""
_T = TypeVar("_T")


class S3Store:
    """One bucket, beneath one prefix; keys are whole keys, prefix and all."""

    small_max = SMALL_MAX

    def __init__(self, destination: Destination, connection: Connection, share: Share | None = None) -> None:
        import obstore

        self._obstore = obstore
        self._destination = destination
        self._share = share
        self._account = account(connection, os.environ)
        self._objects = _client(self._account, destination.bucket, _REQUEST_TIMEOUT)
        self._create_only = False
        self._keeps_sha256 = False
        self.md5_etags = False
        self._content_md5 = True
        self._lock = threading.Lock()
        self._present: dict[str, set[str] | None] = {}
        self._control_: Control | None = None
        self._reader_: ObstoreS3 | None = None
        self._put = obstore.put
        self._fast = (
            FastPuts(self._account, destination.bucket, share) if can_go_fast(self._account, os.environ) else None
        )
        self._fast_parts = FastParts(self._fast) if self._fast is not None else None
        self.many_at_once = self._fast is not None

    # --- what the endpoint does ---------------------------------------------------------------------------------

    def probe(self) -> Abilities:
        """See `ports.Store`."""
        return probe(self._destination.prefix, self._create, self.head, self.read, self._fast)

    def adopt(self, abilities: Abilities) -> None:
        """Obey what was learnt: look before writing where that is needed, believe no checksum that may be an echo."""
        self._create_only = abilities.create_only
        self._keeps_sha256 = abilities.keeps_sha256
        self.md5_etags = abilities.md5_etag
        if self._fast is not None:
            self._fast.send_md5 = abilities.checks_md5 is True
        # Who does not compare a Content-MD5 might echo it as an ETag, which would then prove nothing.
        self._content_md5 = abilities.checks_md5 is not False

    # --- objects --------------------------------------------------------------------------------------------------

    def put(self, key: str, body: bytes, *, replace: bool = False) -> Stored:
        """See `ports.Store`."""
        if not self._create_only and not replace:
            self._refuse_present(key)
        try:
            return self._create(key, body, replace=replace)
        except Transient:
            self._forget_present(key)
            raise

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`. What the fast way does not do (a redirect) goes the general way, one by one."""
        if self._fast is None:
            return [self._answered(self.put, new) for new in objects]
        taken: dict[int, AlreadyThere] = {}
        if not self._create_only:
            for index, new in enumerate(objects):
                try:
                    self._refuse_present(new.key)
                except AlreadyThere as error:
                    taken[index] = error
                except StoreError as error:
                    for other in objects:  # None of them is written, though each was counted as taken from now on.
                        self._forget_present(other.key)
                    return [Answered(error, 0) for _ in objects]
        to_send = [new for index, new in enumerate(objects) if index not in taken] if taken else objects
        sent = iter(self._fast.put_many(to_send, at_once))
        answers = [Answered(taken[index], 0) if index in taken else next(sent) for index in range(len(objects))]
        for index, answer in enumerate(answers):
            if isinstance(answer.outcome, Redirected):
                answer = answers[index] = self._answered(self._create, objects[index])
            if isinstance(answer.outcome, Transient):
                self._forget_present(objects[index].key)
        return answers

    def _answered(self, put: Callable[[str, bytes], Stored], new: NewObject) -> Answered:
        started = time.monotonic_ns()
        try:
            return Answered(put(new.key, new.body), time.monotonic_ns() - started)
        except StoreError as error:
            return Answered(error, 0)

    def _create(self, key: str, body: bytes, *, replace: bool = False) -> Stored:
        if self._fast is not None and not replace:
            outcome = self._fast.put_many([NewObject(key, body, hashlib.sha256(body).digest())], 1)[0].outcome
            if isinstance(outcome, Stored):
                return outcome
            if not isinstance(outcome, Redirected):
                raise outcome
        if self._share is not None:
            wait_for(self._share, len(body))
        try:
            answer = self._put(self._objects, key, body, mode="overwrite" if replace else "create", use_multipart=False)
        except Exception as error:
            raise translate(error, "PUT", key) from None
        return Stored((answer["e_tag"] or "").strip('"'), answer["version"] or "")

    def begin_large(self, key: str, length: int, *, replace: bool = False) -> Begun | None:
        """See `ports.Store`. The key is looked at first, so that nothing large is sent for nothing."""
        if not replace:
            try:
                self.head(key)
            except NotThere:
                pass
            except Denied:
                # Without s3:ListBucket a key that is not there is denied (AWS, "HeadObject"); the condition looks for us.
                if not self._create_only:
                    raise
            else:
                raise AlreadyThere(f"PUT {key}: an object of this key exists")
        return self._large().begin(key, length)

    def put_large(
        self,
        key: str,
        length: int,
        source: Outgoing,
        *,
        seal: Callable[[], None],
        begun: Begun | None = None,
        replace: bool = False,
    ) -> Sent:
        """See `ports.Store`."""
        large = self._large()
        once = begun or self.begin_large(key, length, replace=replace)
        assert once is not None
        try:
            if begun is not None and not self._create_only and not replace:
                self._refuse_head(key)
            return large.send(once, source, seal, create_only=self._create_only and not replace)
        except BaseException:
            if begun is None:
                with contextlib.suppress(Exception):
                    large.abandon(once)
            raise

    def abandon(self, begun: Begun) -> None:
        """See `ports.Store`."""
        self._large().abandon(begun)

    def _large(self) -> Multipart:
        large = self._control().large
        # An ETag is computed of what has arrived; a checksum was told, and compared with that on arrival.
        large.content_md5, large.sha256 = self._content_md5, self._keeps_sha256 and not self.md5_etags
        large.md5_etags, large.fast = self.md5_etags, self._fast_parts
        large.share = self._share
        return large

    def _refuse_head(self, key: str) -> None:
        with contextlib.suppress(NotThere):
            self.head(key)
            raise AlreadyThere(f"PUT {key}: an object of this key exists")

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        found = self._ask("HEAD", key, lambda: self._obstore.head(self._objects, key))
        return Held(found["size"], (found["e_tag"] or "").strip('"'), found["version"] or "")

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """See `ports.Store`."""
        return self._control().stored_sha256(key, version) if self._keeps_sha256 else None

    def stored_composite(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        return self._control().stored_composite(key, version)

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `ports.Store`. The time-out of a read counts from one piece to the next, not for the whole."""
        reader = self._reader()
        found = self._ask(
            "GET", key, lambda: self._obstore.get(reader, key, options={"version": version} if version else None)
        )
        try:
            for chunk in found.stream(min_chunk_size=1 << 20):
                yield bytes(chunk)
        except Exception as error:
            raise translate(error, "GET", key) from None

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`. obstore lists whole path parts only, so the last, unfinished one is matched here."""
        folder = prefix.rpartition("/")[0]
        try:
            for page in self._obstore.list(self._objects, prefix=folder or None):
                yield from (entry["path"] for entry in page if entry["path"].startswith(prefix))
        except Exception as error:
            raise translate(error, "LIST", prefix) from None

    def wall_ns(self) -> int | None:
        """See `ports.Store`."""
        return self._control().wall_ns()

    def _ask(self, operation: str, key: str, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except Exception as error:
            raise translate(error, operation, key) from None

    def _reader(self) -> ObstoreS3:
        """A client without a time-out for the whole. Making one costs 30 ms: it reads the system's certificates."""
        with self._lock:
            if self._reader_ is None:
                self._reader_ = _client(self._account, self._destination.bucket, timedelta(days=7))
            return self._reader_

    def _control(self) -> Control:
        with self._lock:
            if self._control_ is None:
                from outhaul.stores.s3_control import Control

                self._control_ = Control(self._account, self._destination.bucket)
            return self._control_

    # --- create-only, where the endpoint does not do it -----------------------------------------------------------

    def _refuse_present(self, key: str) -> None:
        """Look whether the key is taken: one LIST for a whole folder where that is short, else a HEAD for each key."""
        folder = key.rpartition("/")[0]
        with self._lock:
            if folder not in self._present:
                if len(self._present) > 1000:
                    self._present.clear()
                self._present[folder] = self._keys_in(folder)
            present = self._present[folder]
            if present is not None:
                taken = key in present
                present.add(key)
        if present is None:
            try:
                self.head(key)
                taken = True
            except NotThere:
                taken = False
        if taken:
            raise AlreadyThere(f"PUT {key}: an object of this key exists")

    def _forget_present(self, key: str) -> None:
        """Whether this key is taken now is unknown (L3): its folder is listed again before the next write there."""
        with self._lock:
            self._present.pop(key.rpartition("/")[0], None)

    def _keys_in(self, folder: str) -> set[str] | None:
        keys: set[str] = set()
        for key in self.list(f"{folder}/" if folder else ""):
            keys.add(key)
            if len(keys) > _REMEMBERED_KEYS_MAX:
                return None
        return keys


def _client(known: Account, bucket: str, timeout: timedelta) -> ObstoreS3:
    import obstore.store

    options: Any = {
        "timeout": timeout,
        "connect_timeout": _CONNECT_TIMEOUT,
        "read_timeout": _SILENCE_TIMEOUT,
        # An endpoint given as http:// was meant so; AWS itself is always spoken to over TLS.
        "allow_http": known.endpoint_url.startswith("http://"),
    }
    if known.ca_bundle:
        options["root_certificate"] = _certificates(known.ca_bundle)
    settings: dict[str, Any] = {
        "region": known.region,
        "conditional_put": "etag",
        "checksum_algorithm": "SHA256",
        "unsigned_payload": False,
        "skip_signature": False,
        "virtual_hosted_style_request": not known.endpoint_url and "." not in bucket,
    }
    if known.endpoint_url:
        settings["endpoint"] = known.endpoint_url.rstrip("/")
    if known.provider is not None:
        settings["credential_provider"] = known.provider
    else:
        settings["access_key_id"] = known.access_key_id
        settings["secret_access_key"] = known.secret_access_key
        if known.session_token:
            settings["session_token"] = known.session_token
    # One quick retry; whatever comes after that is the engine's to decide (L15).
    retry: Any = {
        "max_retries": 1,
        "retry_timeout": timedelta(seconds=30),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
    }
    try:
        return obstore.store.S3Store(bucket, client_options=options, retry_config=retry, **settings)
    except Exception as error:
        raise Misconfigured(f"s3://{bucket}: {str(error).splitlines()[0]}") from None


def _certificates(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Misconfigured(f"AWS_CA_BUNDLE: {path}: {error.strerror}") from error
