"""Large uploads in parts, against a client that answers as told."""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import botocore.exceptions
import pytest

from outhaul.model.errors import Transient, UploadGone
from outhaul.ports import Begun
from outhaul.ports.digests import Algorithm, OneByOne
from outhaul.stores import s3_parts
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


# --- parts that are digested together ---------------------------------------------------------------------------------


class Noting(OneByOne):
    """Notes how many bodies it is given at a time."""

    def __init__(self, is_faster: bool = True) -> None:
        self.is_faster = is_faster
        self.given: list[int] = []

    def md5(self, bodies: Sequence[bytes]) -> list[bytes]:
        """See `Digests`."""
        self.given.append(len(bodies))
        return super().md5(bodies)

    def gains(self, algorithm: Algorithm, count: int) -> bool:
        """See `Digests`."""
        return self.is_faster


class Counting:
    """A source that notes how many of its parts are in somebody's hands: read, and not sent yet."""

    def __init__(self, parts: int) -> None:
        self.left = parts
        self.held = self.most_held = 0
        self.lock = threading.Lock()

    def read(self, length: int) -> bytes:
        """The next part; each is a different one."""
        if not self.left:
            return b""
        self.left -= 1
        with self.lock:
            self.held += 1
            self.most_held = max(self.most_held, self.held)
        return self.left.to_bytes(length, "little")


class Taking:
    """A bucket that takes parts, each in its own time; the part of a number is refused where that is asked for."""

    def __init__(self, source: Counting, seconds: float, refused: int = 0) -> None:
        self.source, self.seconds, self.refused = source, seconds, refused
        self.got: dict[int, bytes] = {}

    def upload_part(self, PartNumber: int, Body: Any, **_: object) -> dict[str, str]:
        """See the API."""
        time.sleep(self.seconds)
        if PartNumber == self.refused:
            told = {"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
            raise botocore.exceptions.ClientError(told, "UploadPart")
        body = Body if isinstance(Body, bytes) else Body.read()
        self.got[PartNumber] = body
        with self.source.lock:
            self.source.held -= 1
        return {"ETag": hashlib.md5(body).hexdigest()}

    def complete_multipart_upload(self, **_: object) -> dict[str, str]:
        """See the API."""
        return {"ETag": "whole"}

    def list_parts(self, **_: object) -> dict[str, object]:
        """See the API."""
        return {}


@contextmanager
def another_upload(is_there: bool) -> Iterator[None]:
    """While this lasts, another large file is being sent by this process, or none is."""
    s3_parts._Sending._all += is_there
    try:
        yield
    finally:
        s3_parts._Sending._all -= is_there


@pytest.mark.parametrize(
    ("seconds", "part_bytes", "others", "is_faster", "together", "held"),
    [
        (0.002, 64, False, True, 6, 11),
        (0.3, 64, False, True, 1, 5),  # A thin link: nothing is won, and no memory is taken for it.
        (0.002, PART_BYTES + 1, False, True, 1, 5),
        (0.002, 64, True, True, 1, 5),
        (0.002, 64, False, False, 1, 5),  # Several threads digest on several cores.
    ],
)
def test_parts_are_digested_together_where_the_store_is_fast(
    seconds: float, part_bytes: int, others: bool, is_faster: bool, together: int, held: int
) -> None:
    """Each part arrives once, under its number; the ETag follows from their MD5s; no more are held than may be."""
    parts = 26 if seconds < 0.1 else 10
    source = Counting(parts)
    client, noting = Taking(source, seconds), Noting(is_faster)
    with another_upload(others):
        sent = Multipart(client, "bucket", None, noting).send(
            Begun("key", "upload", part_bytes), source, lambda: None, create_only=True
        )
    expected = [(parts - number).to_bytes(part_bytes, "little") for number in range(1, parts + 1)]
    assert [client.got[number] for number in range(1, parts + 1)] == expected
    whole = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in expected)).hexdigest()
    assert sent.proving_etag == f"{whole}-{parts}"
    assert max(noting.given) == together
    assert source.most_held <= held
    assert s3_parts._Sending._all == 0


@pytest.mark.parametrize("refused", [1, 4, 9, 26])
def test_a_part_that_is_refused_ends_the_upload(refused: int) -> None:
    """Wherever it stands among those that were digested together; nobody waits for ever."""
    source = Counting(26)
    with pytest.raises(Transient):
        Multipart(Taking(source, 0.002, refused), "bucket").send(
            Begun("key", "upload", 64), source, lambda: None, create_only=True
        )
    assert s3_parts._Sending._all == 0
