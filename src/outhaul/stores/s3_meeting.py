"""A bucket in which devices meet (`ports/meeting.py`).

A device needs `s3:PutObject` alone, and `s3:GetObject` where somebody may control it: nothing is looked at before it is written.
To read what all have told takes LIST and GET.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from outhaul.model.errors import AlreadyThere, Denied, NotThere, StoreError, TooLarge, Transient
from outhaul.model.job import Connection, Destination
from outhaul.model.object_settings import NO_SETTINGS, ObjectSettings
from outhaul.model.returning import Listed
from outhaul.ports import Abilities
from outhaul.stores.http_lane import LaneError
from outhaul.stores.s3_errors import classify
from outhaul.stores.s3_fast import Redirected
from outhaul.stores.s3_reading import S3Shelf

_AT_ONCE = 96
_BATCH = 500


class S3Meeting:
    """One bucket; of the settings of objects it has the encryption: that a bucket may ask for."""

    def __init__(
        self, destination: Destination, connection: Connection, settings: ObjectSettings = NO_SETTINGS
    ) -> None:
        encryption = ObjectSettings(
            encryption=settings.encryption, kms_key=settings.kms_key, bucket_key=settings.bucket_key
        )
        self._shelf = S3Shelf(destination, connection, encryption)
        # Where the condition is ignored, the same bytes are written again: the key has their digest.
        self._shelf.adopt(Abilities(create_only=True, readable=False))
        self._fast = self._shelf._fast

    def create(self, key: str, body: bytes) -> None:
        """See `ports.Meeting`."""
        try:
            self._shelf.put(key, body)
        except AlreadyThere:
            return

    def replace(self, key: str, body: bytes) -> int | None:
        """See `ports.Meeting`. Over a proxy, or where the store sends us elsewhere, no time is told."""
        if self._fast is not None:
            answered, seconds = self._fast.replace(key, body)
            if not isinstance(answered.outcome, Redirected):
                if isinstance(answered.outcome, StoreError):
                    raise answered.outcome
                return seconds * 10**9 or None
        self._shelf.put(key, body, replace=True)
        return None

    def read_one(self, key: str, bytes_max: int) -> bytes | None:
        """See `ports.Meeting`. Who may not list is told of a missing key that he may not read it (AWS, "GetObject")."""
        found = bytearray()
        try:
            for chunk in self._shelf.read(key):
                found += chunk
                if len(found) > bytes_max:
                    raise TooLarge(f"GET {key}: more than {bytes_max:,} bytes")
        except (NotThere, Denied):
            return None
        return bytes(found)

    def read_many(self, keys: Sequence[str]) -> Iterator[bytes | StoreError]:
        """See `ports.Meeting`."""
        for at in range(0, len(keys), _BATCH):
            some = keys[at : at + _BATCH]
            if self._fast is None:
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    yield from pool.map(self._read, some)
                continue
            for key, answer in zip(some, self._fast.get_many(some, _AT_ONCE), strict=True):
                if isinstance(answer, LaneError):
                    yield Transient(f"GET {key}: {answer}")
                elif answer.status == 200:
                    yield answer.body
                elif answer.status in (301, 302, 307, 308):
                    yield self._read(key)
                else:
                    yield classify(answer.status, "", "", f"GET {key}")

    def _read(self, key: str) -> bytes | StoreError:
        try:
            return b"".join(self._shelf.read(key))
        except StoreError as error:
            return error

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """See `ports.Meeting`."""
        return self._shelf.listing(prefix, after)
