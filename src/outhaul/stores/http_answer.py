"""One HTTP/1.1 response out of the bytes of a connection (RFC 9112).

True here: what is not a whole, well-formed answer is an error that says so, never a guess (law L3).
Not done here: sockets, and content codings.
"""

from __future__ import annotations

import re

HEAD_BYTES_MAX = 64 << 10
BODY_BYTES_MAX = 1 << 20
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n")
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|connection):[ \t]*([^\r\n]*)").findall  # In lower case.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?", re.DOTALL).fullmatch


class Broken(Exception):
    """This connection is of no further use."""


def parse(data: bytes, *, closed: bool, bodiless: bool = False) -> tuple[int, bytes, bytes, bool] | None:
    """A whole response, and whether its connection may be used again; None where more is to come (RFC 9112, section 6).

    Args:
        data: What has been received.
        closed: Whether no more will come.
        bodiless: Whether it answers a HEAD: then it ends with its headers, whatever length they tell (section 6.3).
    """
    start, status = 0, 100
    while status < 200:  # What comes in between ("100 Continue") is read over.
        end = data.find(b"\r\n\r\n", start)
        if end < 0:
            if len(data) - start > HEAD_BYTES_MAX:
                raise Broken("the answer has no end of its headers")
            return None
        found = _STATUS.match(data, start)
        if found is None or found[1] < b"100":
            raise Broken("the answer is not HTTP")
        status, head, start = int(found[1]), data[start : end + 4], end + 4
    length, chunked, close = _framing(head)
    keep, rest = not close and head.startswith(b"HTTP/1.1"), data[start:]
    if bodiless:
        return status, head, b"", keep and not rest
    if length > BODY_BYTES_MAX:
        raise Broken("the answer is too long")
    if length >= 0:
        if len(rest) < length:
            return None
        return status, head, rest[:length], keep and len(rest) == length
    if chunked:
        return None if (body := _dechunk(rest)) is None else (status, head, body, False)
    if status in (204, 304):
        return status, head, b"", keep and not rest
    return (status, head, rest, False) if closed else None


def _framing(head: bytes) -> tuple[int, bool, bool]:
    """Length of the body (-1 where it is not given), whether it comes in chunks, and whether the connection ends with it."""
    length, chunked, close = -1, False, False
    for name, value in _FRAMING(head.lower()):
        if name == b"connection":
            close = close or b"close" in value
        elif name == b"content-length":
            value = value.rstrip()
            if not value.isdigit() or len(value) > 18 or length not in (-1, int(value)):
                raise Broken("the answer has no plain length")
            length = int(value)
        elif value.rstrip() == b"chunked":
            chunked = True
        else:
            raise Broken("the answer is encoded in a way that was not asked for")
    if chunked and length >= 0:
        raise Broken("the answer has a length and chunks")
    return length, chunked, close


def _dechunk(data: bytes) -> bytes | None:
    body, at = b"", 0
    while (line := data.find(b"\r\n", at)) >= 0:
        if (found := _CHUNK(data[at:line])) is None:
            raise Broken("the answer has a broken chunk")
        size = int(found[1], 16)
        if size + len(body) > BODY_BYTES_MAX:
            raise Broken("the answer is too long")
        if len(data) < line + 2 + size + 2:
            return None
        if size == 0:
            return body
        body += data[line + 2 : line + 2 + size]
        at = line + 2 + size + 2
    return None
