"""A strict S3 server for tests: in this process, on threads, on 127.0.0.1, everything in memory.

It checks what AWS checks (signature, payload, checksums, conditions, clock, region, owner, key length) and can be told
to have faults (`faults.py`) and other manners (`state.Behaviour`). Tests look at `buckets` and `log` directly.
"""

import contextlib
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import NamedTuple, Self

from strict import permissions, signature
from strict.documents import document
from strict.errors import S3Error
from strict.faults import Fault, Kind, Script
from strict.objects import Call
from strict.routing import OPERATIONS, operation_of, place, refusal
from strict.signature import Identity
from strict.state import Behaviour, Bucket
from strict.wire import Channel, Malformed, Reply, Request

ACCESS_KEY, SECRET_KEY = "AKIDSTRICTSERVEREXAMPLE", "strict/secret+of=no/worth"
REGION = "eu-north-1"
_XML = {"Content-Type": "application/xml"}


class Logged(NamedTuple):
    """One request as it was answered."""

    operation: str
    bucket: str
    key: str
    status: int
    """0 where nothing was answered."""
    code: str
    """Of the error; '' for none."""
    headers: Mapping[str, str]
    """Of the request, names in lower case."""
    length: int
    """Of its body."""
    actions: tuple[str, ...] = ()
    """The IAM actions that it made use of; none where it was refused."""


class StrictServer:
    """The server. It listens while the `with` block runs."""

    def __init__(self, *, region: str = REGION, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.region = region
        self._host = host
        self._tls = tls
        self.buckets: dict[str, Bucket] = {}
        self.identities = {ACCESS_KEY: Identity(SECRET_KEY)}
        self.behaviour = Behaviour()
        self.log: list[Logged] = []
        self.connections = 0
        self._script = Script()
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((host, 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="strict-s3", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_connections()

    # --- for tests ------------------------------------------------------------------------------------------------

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self._tls else ''}://{self._host}:{self.port}"

    def make_bucket(self, name: str = "the-bucket", *, region: str = "", versioned: bool = False) -> Bucket:
        """Make a bucket without a request."""
        self.buckets[name] = Bucket(name, region or self.region, versioned=versioned)
        return self.buckets[name]

    def have(self, *faults: Fault) -> None:
        """Have these faults from now on."""
        self._script.add(faults)

    def mend(self, *, all_used: bool = True) -> None:
        """Have none any more; every one must have struck, unless it may be that none was reached."""
        if all_used:
            self.check_all_used()
        self._script.clear()

    def check_all_used(self) -> None:
        """A fault that was never reached has tested nothing."""
        unused = [str(fault) for fault in self._script.unused()]
        assert unused == [], f"never reached: {unused}; there were {[(it.operation, it.key) for it in self.log]}"

    def close_connections(self) -> None:
        """Close every connection that is open, as a server does that restarts."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def environ(self, identity: str = ACCESS_KEY) -> dict[str, str]:
        """The environment of a client: one of these identities, and no AWS setting of the machine."""
        known = self.identities[identity]
        files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        keys = {"AWS_ACCESS_KEY_ID": identity, "AWS_SECRET_ACCESS_KEY": known.secret, "AWS_SESSION_TOKEN": known.token}
        return keys | files | {"AWS_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1"}

    # --- connections ----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        secure = self._tls.wrap_socket if self._tls else lambda plain, **_: plain
        with contextlib.suppress(OSError), sock, secure(sock, server_side=True) as connection:
            with self._lock:
                self._open.add(connection)
            self._hear(Channel(connection))
            with self._lock:
                self._open.discard(connection)

    def _hear(self, channel: Channel) -> None:
        try:
            while (request := channel.read()) is not None and not self._stopping.is_set():
                if not self._converse(channel, request):
                    break
        except Malformed as error:
            body = document("Error", [("Code", "BadRequest"), ("Message", str(error))], namespace=False)
            channel.write(Reply(400, {"Connection": "close"}, body).encode())
        except OSError:
            pass

    def _converse(self, channel: Channel, request: Request) -> bool:
        """Answer one request. False where the connection ends with it."""
        reply, fault = self._answer(request)
        if fault is None:
            channel.write(reply.encode())
            return True
        return self._spoil(channel, reply, fault)

    def _spoil(self, channel: Channel, reply: Reply, fault: Fault) -> bool:
        data = reply.encode()
        match fault.kind:
            case Kind.CLOSE | Kind.LOST:
                return False
            case Kind.RESET:
                channel.reset()
                return False
            case Kind.HALF | Kind.CUT:
                channel.write(data[: len(data) - max(1, len(reply.body or data) // 2)])
                return False
            case Kind.STALL:
                while not self._stopping.wait(0.02) and not channel.gone():
                    pass
                return False
            case Kind.TRICKLE:
                channel.trickle(data, fault.pause_seconds, self._stopping.is_set)
                return False
            case _:
                channel.write(data)
                return True

    # --- requests -------------------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> tuple[Reply, Fault | None]:
        """The answer to a request, and the fault that spoils the sending of it."""
        name, key = place(request)
        operation, fault, code = operation_of(request, key), None, ""
        used: list[str] = []
        with self._lock:
            number, now = len(self.log), time.time() + self.behaviour.clock_offset_seconds
            checks_payload = self.behaviour.checks_payload
            try:
                who = signature.check(request, self.identities, self.region, now, checks_payload=checks_payload)
                if operation in who.denied:
                    raise S3Error("AccessDenied", "Access Denied")
                used += self._actions(who, operation, request, name, key)
                fault = self._script.take(operation, key)
                with self._hiding(who, operation, name, used):
                    reply = self._do(operation, request, name, key, fault)
                used += self._shown(who, operation, name, key, reply)
            except S3Error as error:
                reply, code = refusal(error), error.code
            if request.method == "HEAD":
                reply.length, reply.body = len(reply.body) if reply.length is None else reply.length, b""
            silent = fault is not None and fault.kind in (Kind.CLOSE, Kind.LOST, Kind.RESET, Kind.STALL)
            status = 0 if silent else reply.status
            asked = Logged(operation, name, key, status, code, request.headers, len(request.body), tuple(used))
            self.log.append(asked)
        reply.headers.setdefault("x-amz-request-id", f"{number:016X}")
        reply.seconds = now
        return reply, fault

    def _actions(self, who: Identity, operation: str, request: Request, name: str, key: str) -> list[str]:
        asked = permissions.needs(operation, request, self.buckets.get(name), name, key, self.region)
        if who.policy is not None and not all(permissions.allows(who.policy, need) for need in asked):
            raise S3Error("AccessDenied", "Access Denied")
        return [need.action for need in asked]

    def _shown(self, who: Identity, operation: str, name: str, key: str, reply: Reply) -> set[str]:
        """Take out of an answer what this identity may not see; the actions that let it see the rest."""
        used = set()
        for header, need in permissions.may_see(operation, name, key).items():
            if header in reply.headers and who.policy is not None and not permissions.allows(who.policy, need):
                del reply.headers[header]
            elif header in reply.headers:
                used.add(need.action)
        return used

    @contextlib.contextmanager
    def _hiding(self, who: Identity, operation: str, name: str, used: list[str]) -> Iterator[None]:
        """Only who may list a bucket is told of an object that it is not there."""
        try:
            yield
        except S3Error as error:
            if operation not in ("GetObject", "HeadObject") or error.code not in ("NoSuchKey", "NoSuchVersion"):
                raise
            need = permissions.may_know_what_is_missing(name)
            if who.policy is not None and not permissions.allows(who.policy, need):
                raise S3Error("AccessDenied", "Access Denied") from None
            used.append(need.action)
            raise

    def _do(self, operation: str, request: Request, name: str, key: str, fault: Fault | None) -> Reply:
        if fault and (
            fault.kind in (Kind.ERROR, Kind.CLOSE) or (fault.kind in (Kind.STALL, Kind.SAYS) and not fault.effect)
        ):
            return self._said(fault)
        if operation == "CreateBucket":
            return self._create_bucket(name)
        if operation not in OPERATIONS:
            raise S3Error("NotImplemented", f"{operation} is not there")
        reply = OPERATIONS[operation](Call(request, self._bucket(request, name), key, self.behaviour, fault))
        if fault and fault.kind is Kind.HEADERS:
            reply.headers |= fault.headers
        return self._said(fault) if fault and fault.kind is Kind.SAYS else reply

    def _said(self, fault: Fault) -> Reply:
        headers = {name: value.replace("{endpoint}", self.endpoint_url) for name, value in fault.headers.items()}
        error = document("Error", [("Code", fault.code), ("Message", fault.message)], namespace=False)
        body = error if fault.body is None else fault.body
        if fault.kind is Kind.SAYS:
            return Reply(200, _XML | headers, body)
        return Reply(fault.status or S3Error(fault.code, "").status, _XML | headers, body)

    def _bucket(self, request: Request, name: str) -> Bucket:
        bucket = self.buckets.get(name)
        if bucket is None:
            raise S3Error("NoSuchBucket", "The specified bucket does not exist", fields={"BucketName": name})
        if bucket.region != self.region:
            said = "The bucket you are attempting to access must be addressed using the specified endpoint."
            where = {"Endpoint": f"{name}.s3.{bucket.region}.amazonaws.com", "Bucket": name}
            raise S3Error("PermanentRedirect", said, fields=where, headers={"x-amz-bucket-region": bucket.region})
        owner = request.headers.get("x-amz-expected-bucket-owner", bucket.owner)
        if self.behaviour.checks_owner and owner != bucket.owner:
            raise S3Error("AccessDenied", "Access Denied")
        return bucket

    def _create_bucket(self, name: str) -> Reply:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
            raise S3Error("InvalidBucketName", "The specified bucket is not valid.")
        if name in self.buckets:
            raise S3Error("BucketAlreadyOwnedByYou", "You already own this bucket.")
        self.make_bucket(name)
        return Reply(200, {"Location": f"/{name}"})
