"""Large uploads in parts, against a client that answers as told."""

from typing import Any

import botocore.exceptions
import pytest

from outhaul.model.errors import UploadGone
from outhaul.ports import Begun
from outhaul.stores.s3_parts import PART_BYTES, Multipart, part_bytes
from outhaul.testing.store import BytesOf


class Refusing:
    """A bucket in which parts may be sent, and not be listed."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(**_: object) -> dict[str, Any]:
            self.asked.append(name)
            if name.startswith("list_"):
                told = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
                raise botocore.exceptions.ClientError(told, name)
            return {"UploadId": "new", "ETag": '"etag"'}

        return call


@pytest.mark.parametrize("length", [1, PART_BYTES, 10_000 * PART_BYTES, 10_000 * PART_BYTES + 1, 5 << 40])
def test_every_length_fits_into_ten_thousand_parts(length: int) -> None:
    """Parts are the usual ones as long as that is enough, and then no larger than needed."""
    size = part_bytes(length)
    assert -(-length // size) <= 10_000
    assert (size == PART_BYTES) is (length <= 10_000 * PART_BYTES)
    assert size - (1 << 20) < max(PART_BYTES, -(-length // 10_000))


def test_where_parts_may_not_be_listed() -> None:
    """An upload can be begun and sent; one of an earlier process is begun anew, and the destination not given up."""
    client = Refusing()
    uploads = Multipart(client, "bucket")
    begun = uploads.begin("key", 10)
    assert begun == Begun("key", "new", PART_BYTES)
    sent = uploads.send(begun, BytesOf(b"0123456789"), lambda: None, create_only=True)
    assert sent.proving_etag.endswith("-1")
    assert "list_parts" not in client.asked
    with pytest.raises(UploadGone):
        uploads.send(Begun("key", "old", PART_BYTES), BytesOf(b"0123456789"), lambda: None, create_only=True)
