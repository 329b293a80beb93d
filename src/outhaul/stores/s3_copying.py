"""Copies within a bucket, made by the store itself, and the removal of an object that has been copied.

For an archive in which a better object takes the place of another, which is kept under a second key: `kingfisher/months.py`
says in which order, and compares the bytes of both before the first is removed. Nothing else in outhaul removes an object.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from outhaul.model.job import Connection, Destination
from outhaul.ports import Held
from outhaul.stores.s3_account import account
from outhaul.stores.s3_parts import errors
from outhaul.stores.s3_reading import Catalogue

COPY_MAX = 5 << 30
"""Bytes. Up to this one request copies an object (AWS, "CopyObject"); a larger one is copied in parts."""
_PART = 512 << 20


class S3Copying(Catalogue):
    """One bucket."""

    def __init__(self, destination: Destination, connection: Connection) -> None:
        super().__init__(account(connection, os.environ, destination.bucket), destination.bucket)

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """The bytes of an object."""
        return self.objects.read(key, version, 0)

    def copy(self, key: str, to: str, held: Held, *, copy_max: int = COPY_MAX, part: int = _PART) -> None:
        """Have the store copy an object. What becomes of it is to be looked at: an answer proves nothing.

        Args:
            key: Of the object.
            to: Key of the copy.
            held: What a look at the object gave; another one is not copied.
            copy_max: Bytes from which on it is copied in parts.
            part: Bytes of a part.

        Raises:
            StoreError: see `ports.Store`; `Archived` where it is in an archive class.
        """
        of: dict[str, Any] = {"CopySource": {"Bucket": self._bucket, "Key": key}, "CopySourceIfMatch": f'"{held.etag}"'}
        with errors("PUT", to):
            if held.length <= copy_max:
                self._client.copy_object(Bucket=self._bucket, Key=to, **of)
            else:
                self._copy_parts(to, of, held.length, part)

    def _copy_parts(self, to: str, of: dict[str, Any], length: int, size: int) -> None:
        begun = {"Bucket": self._bucket, "Key": to}
        begun["UploadId"] = self._client.create_multipart_upload(**begun)["UploadId"]
        try:
            parts = []
            for number, start in enumerate(range(0, length, size), 1):
                span = f"bytes={start}-{min(start + size, length) - 1}"
                answer = self._client.upload_part_copy(**begun, **of, PartNumber=number, CopySourceRange=span)
                parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            self._client.complete_multipart_upload(**begun, MultipartUpload={"Parts": parts})
        except BaseException:
            with contextlib.suppress(Exception):
                self._client.abort_multipart_upload(**begun)
            raise

    def remove(self, key: str) -> None:
        """Remove an object; where the bucket keeps versions, it keeps this one.

        Raises:
            StoreError: see `ports.Store`.
        """
        with errors("DELETE", key):
            self._client.delete_object(Bucket=self._bucket, Key=key)
