"""Ranges of objects over connections of our own: botocore takes longer to load than thousands of small files to fetch.

True here: what is given is exactly the range that was asked for, as the answer itself says (RFC 9110, section 14.4,
Content-Range; some stores say so with 200), or it ends with an error. Whatever else a store answers is left to the general
client, which asks again and knows what it means.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from outhaul.model.errors import StoreError, Transient
from outhaul.stores.http_lane import CONNECT_SECONDS, SILENCE_SECONDS
from outhaul.stores.s3_fast import FastPuts

if TYPE_CHECKING:
    from http.client import HTTPResponse

_CHUNK = 1 << 20


class FastRanges:
    """Those of one bucket. May be called from several threads.

    Args:
        fast: Knows the endpoint and signs.
    """

    def __init__(self, fast: FastPuts) -> None:
        self._fast = fast
        self._free: list[socket.socket] = []
        self._lock = threading.Lock()

    def part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes] | None:
        """The bytes of a range; None where the general client is to ask.

        Raises: Transient, from the iterator: the answer broke off.
        """
        try:
            request = self._fast.get_request(key, version, {"range": f"bytes={offset}-{offset + length - 1}"})
            answer = self._answer(request)
        except (OSError, StoreError, ValueError):
            return None
        if answer is None:
            return None
        response, sock = answer
        told = response.getheader("Content-Range", "")
        if response.length != length or not told.startswith(f"bytes {offset}-{offset + length - 1}/"):
            sock.close()
            return None
        return self._body(response, sock, key, length)

    def _answer(self, request: bytes) -> tuple[HTTPResponse, socket.socket] | None:
        """The head of an answer, on a connection that was free or, where that has been closed meanwhile, on a new one."""
        from http.client import HTTPException, HTTPResponse

        for again in (True, False):
            with self._lock:
                used = self._free.pop() if self._free and again else None
            sock = used or self._connected()
            try:
                sock.sendall(request)
                response = HTTPResponse(sock, method="GET")
                response.begin()
            except (OSError, HTTPException):
                sock.close()
                if used is None:
                    return None
                continue
            if response.status in (200, 206):
                return response, sock
            sock.close()
            return None
        return None

    def _body(self, response: HTTPResponse, sock: socket.socket, key: str, length: int) -> Iterator[bytes]:
        from http.client import HTTPException

        left = length
        try:
            while left:
                chunk = response.read(min(left, _CHUNK))
                if not chunk:
                    raise Transient(f"GET {key}: the answer broke off")
                left -= len(chunk)
                yield chunk
        except (OSError, HTTPException) as error:
            raise Transient(f"GET {key}: {error or type(error).__name__}") from error
        finally:
            if left or response.will_close:
                sock.close()
            else:
                with self._lock:
                    self._free.append(sock)

    def _connected(self) -> socket.socket:
        endpoint = self._fast.endpoint
        plain = socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS)
        try:
            plain.settimeout(SILENCE_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return endpoint.tls.wrap_socket(plain, server_hostname=endpoint.host) if endpoint.tls else plain
        except OSError:
            plain.close()
            raise
