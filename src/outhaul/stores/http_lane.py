"""Many small requests at once on one thread: HTTP/1.1 over sockets that never block.

A thread that waits for each answer costs a change of threads and of Python's interpreter lock for each file, which
at a few hundred requests in flight is most of the processor time (docs/performance.md). Here one thread keeps all its
connections busy and sleeps only when none has anything to say.

True here: every request gets exactly one answer or one error, in its place; what is not a whole, well-formed answer is an
error that says so, for the caller to find out what happened (law L3). A request is sent a second time, once, only when the
connection that it went out on had been used before and was closed without a byte of an answer. The time for an answer begins
when the other side has taken the request, however long that takes, and does not grow with what drips in.
Not done here: redirects, proxies, content codings. Their callers use the general client.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from outhaul.stores.http_answer import BODY_BYTES_MAX, HEAD_BYTES_MAX, Broken, parse

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
_READ_BYTES = 64 << 10
_MUCH = 1 << 62


class Endpoint(NamedTuple):
    """Whom to connect to."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Answer(NamedTuple):
    """A whole response."""

    status: int
    head: bytes
    """Status line and headers, each with its line end before and after."""
    body: bytes
    took_ns: int
    """From the moment the request began to be sent."""


class LaneError(Exception):
    """No whole answer came. Whether the request was carried out is unknown."""


_Address = tuple[int, tuple[object, ...]]
"""Family and address, as `socket` wants them."""


class _Connection:
    """One socket, and the request that is under way on it."""

    __slots__ = (
        "address", "deadline", "events", "index", "left", "ready", "received", "sock", "started_ns", "to_send", "used",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, address: _Address) -> None:
        self.sock = sock
        self.address = address
        self.ready = False  # Connected, and past the TLS handshake.
        self.used = False
        self.index = -1
        self.to_send: memoryview | None = None
        self.received = b""
        self.started_ns = 0
        self.deadline = 0.0
        self.left = 0  # Bytes that the other side had not yet taken when they were last looked at.
        self.events = 0


class Lane:
    """The connections of one thread to one endpoint; they stay open from one call to the next."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._selector = selectors.DefaultSelector()
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._addresses: list[_Address] = []
        self._addresses_max = 0
        self._turn = 0
        self._looked = 0.0
        # Of the call at hand:
        self._request: Callable[[int], bytes] = lambda _: b""
        self._answers: list[Answer | LaneError] = []
        self._waiting: deque[int] = deque()
        self._again: set[int] = set()
        self._unreached: dict[int, int] = {}

    def send(self, count: int, request: Callable[[int], bytes], at_once: int) -> list[Answer | LaneError]:
        """Send some requests, at most `at_once` of them at the same time.

        Args:
            count: How many.
            request: Gives the bytes of one of them when it is about to be sent, so that its signature is fresh.
            at_once: How many connections to use.

        Returns:
            For each request its answer, or why there is none.
        """
        self._request = request
        self._answers = [LaneError("not sent")] * count
        self._again.clear()
        self._unreached.clear()
        self._weed()
        self._waiting.extend(range(count))
        while self._waiting or self._busy:
            while self._waiting and len(self._busy) < at_once:
                self._start(self._waiting.popleft())
            self._listen()
        return self._answers

    def close(self) -> None:
        """Close every connection."""
        for connection in [*self._idle, *self._busy]:
            self._drop(connection)
        self._selector.close()

    # --- one request --------------------------------------------------------------------------------------------

    def _start(self, index: int) -> None:
        try:
            # What goes out again goes out on a connection that nobody can have closed meanwhile.
            connection = self._idle.pop() if self._idle and index not in self._again else self._connect()
        except (OSError, ValueError) as error:  # ValueError: the host is no name at all.
            said = getattr(error, "strerror", None) or error
            self._answers[index] = LaneError(f"cannot connect to {self._endpoint.host}: {said}")
            return
        connection.index = index
        connection.received = b""
        connection.to_send = None
        connection.left = 0
        connection.deadline = time.monotonic() + (SILENCE_SECONDS if connection.ready else CONNECT_SECONDS)
        self._busy.add(connection)
        if connection.ready:
            self._guard(connection, self._begin)

    def _listen(self) -> None:
        events = self._selector.select(1.0 if self._busy else 0)
        for key, _ in events:
            connection: _Connection = key.data
            if connection in self._busy:
                self._guard(connection, self._go_on)
            else:  # An idle one speaks only to say goodbye.
                self._idle.remove(connection)
                self._drop(connection)
        now = time.monotonic()
        if not events or now - self._looked > 1.0:
            self._looked = now
            for connection in [*self._busy]:
                self._look(connection, now)

    def _look(self, connection: _Connection, now: float) -> None:
        """Give up what has been silent too long; as long as the other side takes what was sent, it is not silent."""
        if connection.left and (left := _untaken(connection.sock)) < connection.left:
            connection.left, connection.deadline = left, now + SILENCE_SECONDS
        if connection.deadline < now:
            said = "no answer" if connection.ready else "no connection"
            self._lose(connection, f"{said} from {self._endpoint.host} in time")

    def _guard(self, connection: _Connection, step: Callable[[_Connection], None]) -> None:
        """Take a step with a connection; when it breaks, give its request back, or give it up."""
        try:
            step(connection)
        except (Broken, OSError) as error:
            silent = connection.used and not connection.received
            self._lose(connection, f"{self._endpoint.host}: {getattr(error, 'strerror', None) or error}")
            if silent and connection.index not in self._again:
                self._again.add(connection.index)
                self._waiting.appendleft(connection.index)

    def _lose(self, connection: _Connection, why: str) -> None:
        """A request is without an answer; it was not even sent where there was no connection, and may go elsewhere."""
        index = connection.index
        self._answers[index] = LaneError(why)
        self._busy.discard(connection)
        self._drop(connection)
        if not connection.ready:
            self._forget(connection.address)
            tries = self._unreached[index] = self._unreached.get(index, 0) + 1
            if self._addresses and tries < self._addresses_max:
                self._waiting.appendleft(index)

    def _weed(self) -> None:
        """Close the idle connections that speak: they say goodbye, or answer what nobody has asked."""
        for key, _ in self._selector.select(0) if self._idle else ():
            self._idle.remove(key.data)
            self._drop(key.data)

    def _begin(self, connection: _Connection) -> None:
        connection.started_ns = time.monotonic_ns()
        connection.to_send = memoryview(self._request(connection.index))
        try:
            self._push(connection)
        except OSError:
            self._go_on(connection)

    def _go_on(self, connection: _Connection) -> None:
        if not connection.ready:
            if self._finish_connecting(connection):
                connection.deadline = time.monotonic() + SILENCE_SECONDS
                self._begin(connection)
            return
        refused: OSError | None = None
        if connection.to_send is not None:
            try:
                self._push(connection)
            except OSError as error:  # It may have said why before it closed.
                refused = error
        data = self._pull(connection)
        if data is None:
            if refused is not None:
                raise refused
            return
        connection.received = connection.received + data if connection.received else data
        done = parse(connection.received, closed=not data)
        if done is None:
            if not data:
                raise refused or Broken("the connection was closed before the end of the answer")
            if len(connection.received) > HEAD_BYTES_MAX + BODY_BYTES_MAX:
                raise Broken("the answer is too long")
            return
        status, head, body, keep = done
        self._answers[connection.index] = Answer(status, head, body, time.monotonic_ns() - connection.started_ns)
        self._busy.discard(connection)
        # What was not taken to the end, or answered before it was sent, leaves a connection that cannot be trusted.
        if keep and connection.to_send is None:
            connection.used = True
            connection.received = b""
            self._idle.append(connection)
        else:
            self._drop(connection)

    # --- one connection -----------------------------------------------------------------------------------------

    def _connect(self) -> _Connection:
        if not self._addresses:
            found = socket.getaddrinfo(self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM)
            self._addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
            self._addresses_max = len(self._addresses)
        while True:
            self._turn += 1
            address = self._addresses[self._turn % len(self._addresses)]
            try:
                return self._connect_to(address)
            except OSError:  # Such as IPv6 without a route; another address may do.
                self._forget(address)
                if not self._addresses:
                    raise

    def _forget(self, address: _Address) -> None:
        """Do not try this address again while there are others; once there is none, the name is looked up anew."""
        if address in self._addresses:
            self._addresses.remove(address)

    def _connect_to(self, address: _Address) -> _Connection:
        sock = socket.socket(address[0], socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = sock.connect_ex(address[1])
            if number not in (0, errno.EINPROGRESS):
                raise OSError(number, os.strerror(number))
            if self._endpoint.tls is not None:
                sock = self._endpoint.tls.wrap_socket(
                    sock, server_hostname=self._endpoint.host, do_handshake_on_connect=False
                )
        except (OSError, ValueError):
            sock.close()
            raise
        connection = _Connection(sock, address)
        connection.events = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(sock, connection.events, connection)
        return connection

    def _finish_connecting(self, connection: _Connection) -> bool:
        """Take connecting and the TLS handshake as far as they go; True when both are done."""
        number = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise Broken(os.strerror(number))
        if self._endpoint.tls is not None:
            import ssl

            try:
                connection.sock.do_handshake()  # type: ignore[attr-defined]
            except ssl.SSLWantReadError:
                self._want(connection, selectors.EVENT_READ)
                return False
            except ssl.SSLWantWriteError:
                self._want(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
                return False
            except ssl.SSLCertVerificationError as error:
                raise Broken(f"certificate verification failed: {error.verify_message}") from error
        connection.ready = True
        self._want(connection, selectors.EVENT_READ)
        return True

    def _push(self, connection: _Connection) -> None:
        """Send what the socket takes."""
        rest = connection.to_send
        try:
            while rest is not None:
                sent = connection.sock.send(rest)
                rest = rest[sent:] if sent < len(rest) else None
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            if not _wants(error):
                raise
        if rest is not connection.to_send:
            connection.to_send, connection.left = rest, _MUCH
            connection.deadline = time.monotonic() + SILENCE_SECONDS
        self._want(connection, selectors.EVENT_READ if rest is None else selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _pull(self, connection: _Connection) -> bytes | None:
        """What has come; b'' at the end of the stream, None where nothing has."""
        try:
            data = connection.sock.recv(_READ_BYTES)
            if self._endpoint.tls is not None and data:
                while more := connection.sock.pending():  # type: ignore[attr-defined]
                    data += connection.sock.recv(more)
            return data
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            if _wants(error):
                return None
            raise

    def _want(self, connection: _Connection, events: int) -> None:
        if connection.events != events:
            connection.events = events
            self._selector.modify(connection.sock, events, connection)

    def _drop(self, connection: _Connection) -> None:
        self._selector.unregister(connection.sock)
        connection.sock.close()


def _wants(error: OSError) -> bool:
    """Whether TLS merely asks for patience."""
    return type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")


def _untaken(sock: socket.socket) -> int:
    """How many bytes the system holds that the other side has not acknowledged; 0 where it does not say."""
    try:
        import fcntl
        import struct
        import termios

        return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0])
    except (ImportError, AttributeError, OSError):
        return 0
