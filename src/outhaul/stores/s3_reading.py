"""S3 and its relatives, for whoever fetches: nothing here can write.

Listings come from botocore: obstore refuses a whole page in which one key is none that it could write ('a//b', '../x'),
and a bucket may hold any. What is told of an object's digests is believed only as far as it is compared with its
bytes: a checksum that a store merely repeats does no harm here.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from typing import Any

from outhaul.model.errors import BeyondEnd, Refused
from outhaul.model.job import Connection, Destination
from outhaul.model.object_settings import NO_SETTINGS, ObjectSettings
from outhaul.model.returning import Listed
from outhaul.model.thawing import Frozen, Wish
from outhaul.ports import Held
from outhaul.stores.s3 import S3Store
from outhaul.stores.s3_control import Control
from outhaul.stores.s3_errors import unreached
from outhaul.stores.s3_fast_ranges import FastRanges
from outhaul.stores.s3_parts import errors
from outhaul.stores.s3_ranges import NoRanges, Ranges

_WHOLE_MAX = 1 << 20
"""Bytes. Up to this an object is taken in one piece."""


class S3Shelf(S3Store):
    """One bucket."""

    def __init__(
        self, destination: Destination, connection: Connection, settings: ObjectSettings = NO_SETTINGS
    ) -> None:
        super().__init__(destination, connection, settings)
        self._catalogue_: Catalogue | None = None
        self._ranges = Ranges(self._objects.range)
        self._fast_ranges = FastRanges(self._fast) if self._fast is not None else None

    def held(self, key: str, version: str) -> Held:
        """See `stages.restore.Shelf`."""
        if not version:
            return self.head(key)
        try:
            return self._catalogue().held(key, version)
        except Refused:
            if version != "null":  # What some stores tell of an object without versions, and then do not know.
                raise
            return self.head(key)

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `stages.restore.Shelf`. A small object is one piece, which costs half of a stream."""
        return self._objects.read(key, version, _WHOLE_MAX)

    def read_part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`. Not by obstore: some stores answer a part as 200, which it takes for a fault."""
        if not length:
            return iter(())
        fast = self._fast_ranges.part(key, version, offset, length) if self._fast_ranges else None
        return _as_far_as_it_goes(self._catalogue().part(key, version, offset, length)) if fast is None else fast

    def read_large(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `stages.restore.Shelf`. Where a store knows no ranges, it comes in one piece."""
        try:
            yield from self._ranges.read(key, version)
        except NoRanges:
            yield from self.read(key, version)

    def digests(self, key: str, version: str) -> tuple[bytes, bool]:
        """See `stages.restore.Shelf`."""
        return self._catalogue().digests(key, version)

    def describe(self, key: str, version: str) -> tuple[Held, bytes, dict[str, str]]:
        """See `stages.restore.Shelf`."""
        return self._catalogue().describe(key, version)

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """See `stages.restore.Shelf`."""
        return self._catalogue().listing(prefix, after)

    def frozen(self, key: str, version: str) -> Frozen:
        """See `stages.thaw.Freezer`."""
        return self._catalogue().frozen(key, version)

    def thaw(self, key: str, version: str, wish: Wish, *, moved_back: bool) -> None:
        """See `stages.thaw.Freezer`."""
        self._catalogue().thaw(key, version, wish, moved_back=moved_back)

    def _catalogue(self) -> Catalogue:
        with self._lock:
            if self._catalogue_ is None:
                self._catalogue_ = Catalogue(self._account, self._destination.bucket, self._headers)
            return self._catalogue_


class Catalogue(Control):
    """What only botocore can ask of a bucket."""

    def held(self, key: str, version: str) -> Held:
        """One version."""
        return _held(self._head(key, version))

    def describe(self, key: str, version: str) -> tuple[Held, bytes, dict[str, str]]:
        """See `S3Shelf`."""
        answer = self._head(key, version)
        return _held(answer), _sha256(answer), {name.lower(): text for name, text in answer.get("Metadata", {}).items()}

    def digests(self, key: str, version: str) -> tuple[bytes, bool]:
        """See `S3Shelf`. With SSE-KMS and SSE-C an ETag looks like an MD5 and is none (AWS, "Object", ETag)."""
        answer = self._head(key, version)
        encrypted = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
        return _sha256(answer), not encrypted and not answer.get("SSECustomerAlgorithm")

    def part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes]:
        """A range of an object (RFC 9110, section 14); a store that ignores it gives all, of which the rest is left out."""
        given = {"VersionId": version} if version else {}
        with errors("GET", key):
            answer = self._client.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={offset}-{offset + length - 1}", **given
            )
            body = answer["Body"]
            with contextlib.closing(body):
                skip = 0 if answer.get("ContentRange") or answer["ContentLength"] <= length else offset
                for chunk in body.iter_chunks(_WHOLE_MAX):
                    wanted = chunk[skip : skip + length]
                    skip = max(0, skip - len(chunk))
                    length -= len(wanted)
                    if wanted:
                        yield wanted
                    if not length:
                        return

    def frozen(self, key: str, version: str) -> Frozen:
        """What HEAD says of it (AWS, "HeadObject": StorageClass, ArchiveStatus, Restore)."""
        answer = self._head(key, version)
        archive = answer.get("ArchiveStatus") or answer.get("StorageClass") or ""
        said = str(answer.get("Restore", "")).replace(" ", "")
        # In that class nothing but an archive tier is archived, and what has been moved back tells of no restore.
        ready = 'ongoing-request="false"' in said or archive == "INTELLIGENT_TIERING"
        return Frozen(str(archive), 'ongoing-request="true"' in said, ready)

    def thaw(self, key: str, version: str, wish: Wish, *, moved_back: bool) -> None:
        """RestoreObject. A second one while the first is under way is a 409, RestoreAlreadyInProgress."""
        asked: dict[str, Any] = {"GlacierJobParameters": {"Tier": wish.tier.capitalize()}}
        if not moved_back:
            asked["Days"] = wish.days
        given = {"VersionId": version} if version else {}
        with errors("THAW", key):
            self._client.restore_object(Bucket=self._bucket, Key=key, RestoreRequest=asked, **given)

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """A page at a time. botocore asks for keys in an encoding in which every key can be said, and undoes it."""
        asked: dict[str, str] = {"StartAfter": after} if after else {}
        while True:
            with errors("LIST", prefix), _reaching():
                page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, **asked)
            for entry in page.get("Contents", ()):
                modified = int(entry["LastModified"].timestamp() * 1000) * 10**6 if "LastModified" in entry else None
                yield Listed(entry["Key"], int(entry["Size"]), entry.get("ETag", "").strip('"'), modified)
            token = page.get("NextContinuationToken", "")
            if not page.get("IsTruncated"):
                return
            if not token or token == asked.get("ContinuationToken"):
                raise Refused(f"LIST {prefix}: the store gives the same page again and again")
            asked = {"ContinuationToken": token}

    def _head(self, key: str, version: str) -> dict[str, Any]:
        given = {"VersionId": version} if version else {}
        with errors("HEAD", key):
            answer: dict[str, Any] = self._client.head_object(
                Bucket=self._bucket, Key=key, ChecksumMode="ENABLED", **given
            )
        return answer


def _as_far_as_it_goes(part: Iterator[bytes]) -> Iterator[bytes]:
    with contextlib.suppress(BeyondEnd):
        yield from part


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    """Inside `errors`: what botocore says of a connection has the whole request in it, and is for no person."""
    import botocore.exceptions

    try:
        yield
    except (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError) as error:
        told = error.kwargs
        raise unreached(str(told.get("endpoint_url", "")), told.get("error") or error) from None


def _held(answer: dict[str, Any]) -> Held:
    return Held(answer["ContentLength"], answer.get("ETag", "").strip('"'), answer.get("VersionId") or "")


def _sha256(answer: dict[str, Any]) -> bytes:
    """That of a whole object; b'' where there is none."""
    checksum = str(answer.get("ChecksumSHA256", ""))
    if not checksum or "-" in checksum or answer.get("ChecksumType") == "COMPOSITE":
        return b""
    try:
        return base64.b64decode(checksum, validate=True)
    except ValueError:
        return b""
