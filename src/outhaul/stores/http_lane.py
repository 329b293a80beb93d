"""Many small requests at once on one thread: HTTP/1.1 over sockets that never block.

A thread that waits for each answer costs a change of threads and of Python's interpreter lock for each file, which
at a few hundred requests in flight is most of the processor time (docs/performance.md). Here one thread keeps all its
connections busy and sleeps only when none has anything to say.

True here: every request gets exactly one answer or one error, in its place; what is not a whole, well-formed answer is an
error that says so, for the caller to find out what happened (law L3). A request is sent a second time, once, only when the
connection that it went out on had been used before and was closed without a byte of an answer. The time for an answer begins
when the other side has taken the request, however long that takes, and does not grow with what drips in. Where there is a
limit of bytes a second, a request is made and sent only as far as it has leave to; the time that it waits for it counts nowhere.
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

from outhaul.ports.sending import Share, Turn
from outhaul.stores.http_answer import BODY_BYTES_MAX, HEAD_BYTES_MAX, Broken, parse
from outhaul.stores.http_connection import MUCH, Address, Connection, untaken, wants

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
_READ_BYTES = 64 << 10
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}


class Endpoint(NamedTuple):
    """Whom to connect to."""

    host: str
    port: int
    tls: ssl.SSLContext | None

    @property
    def name(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


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


class LaneStopped(LaneError):
    """The run was asked to end while the request, or the rest of it, waited for leave to go."""


Request = bytes | tuple[bytes, bytes]
"""A whole request, or its head and its body, which is then not copied."""


class Lane:
    """The connections of one thread to one endpoint; they stay open from one call to the next."""

    def __init__(self, endpoint: Endpoint, share: Share | None = None) -> None:
        self._endpoint = endpoint
        self._share = share
        self._asking: deque[tuple[int, Turn]] = deque()  # What is not begun before it has leave.
        self._parked: set[Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._addresses: list[Address] = []
        self._addresses_max = 0
        self._turn = 0
        self._looked = 0.0
        # Of the call at hand:
        self._request: Callable[[int], Request] = _nothing
        self._length: Callable[[int], int] = _no_bytes
        self._answers: list[Answer | LaneError] = []
        self._waiting: deque[int] = deque()
        self._again: set[int] = set()
        self._unreached: dict[int, int] = {}

    def send(
        self,
        count: int,
        request: Callable[[int], Request],
        at_once: int,
        length: Callable[[int], int] | None = None,
    ) -> list[Answer | LaneError]:
        """Send some requests, at most `at_once` of them at the same time.

        Args:
            count: How many.
            request: Gives the bytes of one of them when it is about to be sent, so that its signature is fresh.
            at_once: How many connections to use.
            length: Of the body of one of them, in bytes: where there is a limit, it says what goes first.

        Returns:
            For each request its answer, or why there is none.
        """
        self._request, self._length = request, length or _no_bytes
        self._answers = [LaneError("not sent")] * count
        self._again.clear()
        self._unreached.clear()
        self._weed()
        self._waiting.extend(range(count))
        while self._waiting or self._busy or self._asking:
            while self._waiting and len(self._busy) + len(self._asking) < at_once:
                index = self._waiting.popleft()
                if self._share is None:
                    self._start(index)
                else:
                    self._asking.append((index, self._share.turn(self._length(index))))
            if self._share is not None:
                self._give_leave(self._share)
            self._listen()
        self._request, self._length = _nothing, _no_bytes  # What they hold on to is as large as the bodies.
        return self._answers

    def close(self) -> None:
        """Close every connection."""
        for connection in [*self._idle, *self._busy]:
            self._drop(connection)
        self._selector.close()

    # --- one request --------------------------------------------------------------------------------------------

    def _give_leave(self, share: Share) -> None:
        """Begin what may begin, and let go on what waits; give all that up when the run is to end."""
        for _ in range(len(self._asking)):
            index, turn = self._asking.popleft()
            if share.over:
                turn.done()
                self._answers[index] = LaneStopped("asked to end")
            elif leave := turn.take():
                self._start(index, turn, leave)
            else:
                self._asking.append((index, turn))
        for connection in [*self._parked]:
            if share.over:
                self._lose(connection, "asked to end")
                self._answers[connection.index] = LaneStopped("asked to end")
            else:
                self._guard(connection, self._unpark)

    def _patience(self) -> float:
        """How long to listen at most, in seconds."""
        if not self._asking and not self._parked:
            return 1.0 if self._busy else 0
        turn = self._asking[0][1] if self._asking else next(iter(self._parked)).turn
        assert turn is not None  # Who is parked has one; and all are told the same.
        return turn.seconds()

    def _start(self, index: int, turn: Turn | None = None, leave: int = MUCH) -> None:
        try:
            # What goes out again goes out on a connection that nobody can have closed meanwhile.
            connection = self._idle.pop() if self._idle and index not in self._again else self._connect()
        except (OSError, ValueError) as error:  # ValueError: the host is no name at all.
            said = getattr(error, "strerror", None) or error
            self._answers[index] = LaneError(f"cannot connect to {self._endpoint.name}: {said}")
            if turn is not None:
                turn.done(leave)
            return
        connection.turn, connection.leave = turn, leave
        connection.index = index
        connection.received = b""
        connection.to_send = connection.body = None
        connection.left = 0
        connection.deadline = time.monotonic() + (SILENCE_SECONDS if connection.ready else CONNECT_SECONDS)
        self._busy.add(connection)
        if connection.ready:
            self._guard(connection, self._begin)

    def _listen(self) -> None:
        events = self._selector.select(self._patience())
        for key, _ in events:
            connection: Connection = key.data
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

    def _look(self, connection: Connection, now: float) -> None:
        """Give up what has been silent too long; as long as the other side takes what was sent, it is not silent."""
        if connection.left and (left := untaken(connection.sock)) < connection.left:
            connection.left, connection.deadline = left, now + SILENCE_SECONDS
        if connection.deadline < now and not connection.parked_ns:
            said = "no answer" if connection.ready else "no connection"
            self._lose(connection, f"{said} from {self._endpoint.name} in time")

    def _guard(self, connection: Connection, step: Callable[[Connection], None]) -> None:
        """Take a step with a connection; when it breaks, give its request back, or give it up."""
        try:
            step(connection)
        except (Broken, OSError) as error:
            silent = connection.used and not connection.received
            self._lose(connection, f"{self._endpoint.name}: {getattr(error, 'strerror', None) or error}")
            if silent and connection.index not in self._again:
                self._again.add(connection.index)
                self._waiting.appendleft(connection.index)

    def _lose(self, connection: Connection, why: str) -> None:
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

    def _begin(self, connection: Connection) -> None:
        connection.started_ns = time.monotonic_ns()
        made = self._request(connection.index)
        if isinstance(made, tuple):
            connection.to_send, connection.body = memoryview(made[0]), memoryview(made[1])
        else:
            connection.to_send = memoryview(made)
        connection.bodiless = bytes(connection.to_send[:5]) == b"HEAD "
        try:
            self._push(connection)
        except OSError:
            self._go_on(connection)

    def _go_on(self, connection: Connection) -> None:
        if not connection.ready:
            if self._finish_connecting(connection):
                connection.deadline = time.monotonic() + SILENCE_SECONDS
                self._begin(connection)
            return
        refused = ""  # No error is kept: with this frame it would hold the body, until the collector comes.
        if connection.to_send is not None and not connection.parked_ns:
            try:
                self._push(connection)
            except OSError as error:  # It may have said why before it closed.
                refused = error.strerror or str(error)
        data = self._pull(connection)
        if data is None:
            if refused:
                raise Broken(refused)
            return
        connection.received = connection.received + data if connection.received else data
        done = parse(connection.received, closed=not data, bodiless=connection.bodiless)
        if done is None:
            if not data:
                raise Broken(refused or "the connection was closed before the end of the answer")
            if len(connection.received) > HEAD_BYTES_MAX + BODY_BYTES_MAX:
                raise Broken("the answer is too long")
            return
        status, head, body, keep = done
        self._answers[connection.index] = Answer(status, head, body, time.monotonic_ns() - connection.started_ns)
        self._busy.discard(connection)
        # What was not taken to the end, or answered before it was sent, leaves a connection that cannot be trusted.
        # Nor one where a body may follow on what has none: who refuses a HEAD may say why, against the rules.
        if keep and connection.to_send is None and not (connection.bodiless and status != 200):
            connection.used = True
            connection.received = b""
            self._end_turn(connection)
            self._idle.append(connection)
        else:
            self._drop(connection)

    # --- one connection -----------------------------------------------------------------------------------------

    def _connect(self) -> Connection:
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

    def _forget(self, address: Address) -> None:
        """Do not try this address again while there are others; once there is none, the name is looked up anew."""
        if address in self._addresses:
            self._addresses.remove(address)

    def _connect_to(self, address: Address) -> Connection:
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
        connection = Connection(sock, address)
        connection.events = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(sock, connection.events, connection)
        return connection

    def _finish_connecting(self, connection: Connection) -> bool:
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
            except ssl.SSLError as error:
                if error.reason in _NO_TLS:
                    raise Broken(
                        "the server speaks no TLS there; for one without, write http:// in endpoint-url"
                    ) from error
                raise
        connection.ready = True
        self._want(connection, selectors.EVENT_READ)
        return True

    def _push(self, connection: Connection) -> None:
        """Send what the socket takes, and what has leave to go."""
        rest, moved = connection.to_send, False
        try:
            while rest is not None and (connection.leave or self._has_leave(connection)):
                sent = connection.sock.send(rest if len(rest) <= connection.leave else rest[: connection.leave])
                moved = True
                connection.leave -= sent
                rest = rest[sent:] if sent < len(rest) else None
                if rest is None:
                    rest, connection.body = connection.body or None, None
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            if not wants(error):
                raise
        if moved:
            connection.to_send, connection.left = rest, MUCH
            connection.deadline = time.monotonic() + SILENCE_SECONDS
        if rest is None:
            self._end_turn(connection)
        wants_more = rest is not None and not connection.parked_ns
        self._want(connection, selectors.EVENT_READ | selectors.EVENT_WRITE if wants_more else selectors.EVENT_READ)

    def _has_leave(self, connection: Connection) -> bool:
        """Ask for leave to send more; where there is none yet, the connection is parked."""
        if connection.turn is None:
            connection.leave = MUCH
            return True
        connection.leave = connection.turn.take()
        if not connection.leave and not connection.parked_ns:
            connection.parked_ns = time.monotonic_ns()
            self._parked.add(connection)
        return bool(connection.leave)

    def _unpark(self, connection: Connection) -> None:
        if not self._has_leave(connection):
            return
        self._parked.discard(connection)
        connection.started_ns += time.monotonic_ns() - connection.parked_ns
        connection.parked_ns = 0
        connection.deadline = time.monotonic() + SILENCE_SECONDS
        self._go_on(connection)

    def _end_turn(self, connection: Connection) -> None:
        """What has been sent, or never will be, waits for nothing."""
        if connection.turn is not None:
            connection.turn.done(connection.leave)
            connection.turn = None
        connection.leave = MUCH
        connection.parked_ns = 0
        self._parked.discard(connection)

    def _pull(self, connection: Connection) -> bytes | None:
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
            if wants(error):
                return None
            raise

    def _want(self, connection: Connection, events: int) -> None:
        if connection.events != events:
            connection.events = events
            self._selector.modify(connection.sock, events, connection)

    def _drop(self, connection: Connection) -> None:
        self._end_turn(connection)
        self._selector.unregister(connection.sock)
        connection.sock.close()


def _nothing(_: int) -> Request:
    return b""


def _no_bytes(_: int) -> int:
    return 0
