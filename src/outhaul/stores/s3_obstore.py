"""Single objects by obstore: for a store that tells nothing with its requests besides what obstore itself does.

What it does not do, `s3_botocore.py` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from outhaul.model.errors import Misconfigured
from outhaul.model.notes import Notes
from outhaul.ports import Held, Stored
from outhaul.ports.sending import Share
from outhaul.stores.s3_account import Account
from outhaul.stores.s3_endpoint import place_of
from outhaul.stores.s3_errors import translate
from outhaul.stores.s3_ranges import NoRanges
from outhaul.stores.throttled import wait_for

if TYPE_CHECKING:
    from obstore.store import S3Store as ObstoreS3

_REQUEST_TIMEOUT = timedelta(minutes=5)
_CONNECT_TIMEOUT = timedelta(seconds=10)
_SILENCE_TIMEOUT = timedelta(seconds=20)
"""Without a byte, of an answer that has little to say (HEAD, LIST) or comes in a stream (GET). It is tried twice."""
_T = TypeVar("_T")


class ByObstore:
    """One bucket. May be used from several threads."""

    def __init__(self, known: Account, bucket: str, share: Share | None = None) -> None:
        import obstore

        self._obstore = obstore
        self._known, self._bucket, self._share = known, bucket, share
        self._objects = _client(known, bucket, _REQUEST_TIMEOUT)
        self._reader_: ObstoreS3 | None = None
        self._lock = threading.Lock()

    def put(self, key: str, body: bytes, *, replace: bool, notes: Notes) -> Stored:
        """See `ports.Store`. Where there is a limit, the body waits for leave as a whole, and then goes at once."""
        if self._share is not None:
            wait_for(self._share, len(body))
        mode: Any = "overwrite" if replace else "create"
        kept: Any = dict(notes) or None
        try:
            answer = self._obstore.put(self._objects, key, body, mode=mode, use_multipart=False, attributes=kept)
        except Exception as error:
            raise translate(error, "PUT", key) from None
        return Stored((answer["e_tag"] or "").strip('"'), answer["version"] or "")

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        found = _ask("HEAD", key, lambda: self._obstore.head(self._objects, key))
        return Held(found["size"], (found["e_tag"] or "").strip('"'), found["version"] or "")

    def read(self, key: str, version: str, whole_max: int) -> Iterator[bytes]:
        """The bytes of an object; up to `whole_max` in one piece, which costs half of a stream.

        The time-out of a read counts from one piece to the next, not for the whole.
        """
        reader = self._reader()
        options: Any = {"version": version} if version else None
        found = _ask("GET", key, lambda: self._obstore.get(reader, key, options=options))
        try:
            if found.meta["size"] <= whole_max:
                yield bytes(found.bytes())
                return
            for chunk in found.stream(min_chunk_size=1 << 20):
                yield bytes(chunk)
        except GeneratorExit:
            raise
        except Exception as error:
            raise translate(error, "GET", key) from None

    def range(self, key: str, version: str, start: int, end: int, etag: str) -> tuple[bytes, int, str]:
        """See `s3_ranges.GetRange`."""
        options: Any = {"range": (start, end)}
        if version:
            options["version"] = version
        if etag:
            options["if_match"] = etag
        try:
            found = self._obstore.get(self._reader(), key, options=options)
            return bytes(found.bytes()), found.meta["size"], found.meta["e_tag"] or ""
        except Exception as error:
            if start == 0 and "non-partial response" in str(error):
                raise NoRanges from None
            raise translate(error, "GET", key) from None

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`. obstore lists whole path parts only, so the last, unfinished one is matched here."""
        folder = prefix.rpartition("/")[0]
        try:
            for page in self._obstore.list(self._objects, prefix=folder or None):
                yield from (entry["path"] for entry in page if entry["path"].startswith(prefix))
        except Exception as error:
            raise translate(error, "LIST", prefix) from None

    def _reader(self) -> ObstoreS3:
        """A client without a time-out for the whole. Making one costs 30 ms: it reads the system's certificates."""
        with self._lock:
            if self._reader_ is None:
                self._reader_ = _client(self._known, self._bucket, timedelta(days=7))
            return self._reader_


def _ask(operation: str, key: str, call: Callable[[], _T]) -> _T:
    try:
        return call()
    except Exception as error:
        raise translate(error, operation, key) from None


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
    if known.proxy:
        options["proxy_url"] = known.proxy
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
    elif known.accelerate or known.dual_stack or known.fips:
        settings["endpoint"] = f"https://{place_of(known, bucket).named}"
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
        raise Misconfigured(f"ca-file (or AWS_CA_BUNDLE): {path}: {error.strerror}") from error
