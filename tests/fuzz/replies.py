"""Answers that no store should give: random bytes, and mutations of good ones. None of them proves anything."""

import random

from fuzz.raw_server import error, reply

_LISTING = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
    b"<Prefix>a/</Prefix><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents>"
    b"<Key>a/one.dat</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0&quot;</ETag>"
    b"<Size>3</Size><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>"
)
_OBJECT = b'ETag: "00000000000000000000000000000000"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n'
_GOOD = (
    reply(200, b"", _OBJECT),
    reply(200, b"not what was sent", _OBJECT),
    reply(200, _LISTING, b"Content-Type: application/xml\r\n"),
    reply(206, b"x", _OBJECT + b"Content-Range: bytes 0-0/3\r\n"),
    reply(204),
    reply(301, b"", b"Location: http://127.0.0.1:1/\r\n"),
    reply(307, b"", b"Location: /else\r\n"),
    error(403, "AccessDenied", "no"),
    error(404, "NoSuchKey", "none"),
    error(404, "NoSuchBucket", "none"),
    error(412, "PreconditionFailed", "there"),
    error(200, "InternalError", "in a good answer"),
    error(503, "SlowDown", "later"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + _OBJECT + b"\r\n3\r\none\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + reply(200, b"", _OBJECT),
)
_SPICES = (
    b"\0",
    b"\r\n",
    b"\r\n\r\n",
    b"\xff\xfe",
    b"<",
    b"&",
    b"-1",
    b"99999999999999999999",
    b": ",
    b"<!DOCTYPE a>",
    b"\x1b[31m",
)


def answer(rng: random.Random) -> bytes:
    """One answer."""
    kind = rng.random()
    if kind < 0.1:
        return rng.randbytes(rng.choice((0, 1, 40, 2_000)))
    if kind < 0.2:
        return b"HTTP/1.1 %d \r\n\r\n" % rng.choice((0, 99, 100, 199, 200, 299, 418, 599, 999)) + rng.randbytes(20)
    data = bytearray(rng.choice(_GOOD))
    for _ in range(rng.choice((0, 1, 1, 3, 10))):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(5):
            case 0 if data:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at] = rng.choice(_SPICES)
            case 2:
                del data[at : at + rng.choice((1, 5, 100))]
            case 3:
                data[at:at] = data[at : at + rng.choice((5, 50))]
            case 4:
                del data[at:]
    return bytes(data)
