"""A stand-in for the Stream Manager of AWS IoT Greengrass, on a free port of 127.0.0.1.

It speaks the wire protocol of the official SDK (package `stream-manager` 1.1), which is the other side in the tests: a
version byte, then frames of a length (4 bytes, big-endian), an operation (1 byte) and CBOR. It keeps streams in memory and
really exports: it reads the file that a task names and puts it into an S3 server, task after task, and then appends a status
message to the status stream. `Faults` makes it misbehave.

Not done here: other exports than to S3, streams on disk, segments, times to live; a task that fails is not tried again.
"""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import cbor2

from servers.client import Client
from servers.server import Server

CONNECT, CREATE, DELETE, APPEND, READ, LIST, DESCRIBE = 1, 2, 3, 4, 5, 11, 13
ANSWER_TO = {CONNECT: 6, CREATE: 7, DELETE: 8, APPEND: 9, READ: 10, LIST: 12, DESCRIBE: 14}
UNKNOWN_OPERATION = 17
OK, UNKNOWN_FAILURE, UNAUTHORIZED, INVALID, NOT_FOUND, NOT_ENOUGH, NO_SUCH = 0, 1, 2, 3, 5, 13, 18
SUCCESS, FAILURE, IN_PROGRESS, WARNING, CANCELED = range(5)
PART_BYTES = 5 << 20


@dataclass
class Faults:
    """What goes wrong. Each number counts down: so many tasks are treated that way."""

    fail: int = 0
    cancel: int = 0
    lose_status: int = 0
    """It is sent, and nothing is said."""
    lie: int = 0
    """'Success' is said, and nothing is sent."""
    alter: int = 0
    """Other bytes of the same length are sent."""
    hold: float = 0.0
    """Seconds before a task is begun."""
    meanwhile: Callable[[], object] = lambda: None
    """What happens just before a task is begun: its bytes have been handed over by then."""
    status_times: int = 1
    """How often each status is said."""
    strange_statuses: bool = False
    """Between statuses there are messages that are none, and statuses of tasks that nobody knows."""
    full: bool = False
    """Nothing more can be appended to a stream that rejects new data."""
    drop_on: int = 0
    """The connection is closed, without an answer, at the next request of this operation."""
    deaf_to: int = 0
    """Requests of this operation are never answered."""
    refuse_connections: bool = False
    """Each connection is closed at once."""
    token: str = ""
    """What a client must show; '' asks for nothing."""


@dataclass
class Stream:
    """One stream, as it was defined."""

    definition: dict[str, Any]
    messages: list[bytes] = field(default_factory=list)
    exported: int = 0


class StreamManager:
    """A server that is running; see `stream_manager`."""

    def __init__(self, server: Server) -> None:
        self.faults = Faults()
        self.streams: dict[str, Stream] = {}
        self.requests: list[int] = []
        """Every operation that was asked for, in order."""
        self.tasks: list[dict[str, Any]] = []
        """Every task that was appended."""
        self.deleted: list[str] = []
        self._server = server
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self._over = False
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in (self._accept, self._export)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End everything."""
        self._over = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_all()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(10)

    def drop_all(self) -> None:
        """Close every connection that is open."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def say(self, stream: str, message: bytes) -> None:
        """Append a message of any kind to a stream."""
        with self._changed:
            self.streams[stream].messages.append(message)
            self._changed.notify_all()

    # --- connections ----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._over:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.faults.refuse_connections:
                connection.close()
            else:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        writing = threading.Lock()
        try:
            with connection, connection.makefile("rb") as reader:
                if reader.read(1) != b"\x01":
                    return
                while frame := _frame(reader):
                    operation, request = frame
                    self.requests.append(operation)
                    if operation == self.faults.drop_on:
                        self.faults.drop_on = 0
                        return
                    if operation == CONNECT:
                        connection.sendall(b"\x01")
                    # A read may wait; other requests of the connection do not wait for it.
                    work = (connection, writing, operation, request)
                    if operation == READ:
                        threading.Thread(target=self._answer, args=work, daemon=True).start()
                    else:
                        self._answer(*work)
        except OSError:
            pass
        finally:
            self._open.discard(connection)

    def _answer(
        self, connection: socket.socket, writing: threading.Lock, operation: int, asked: dict[str, Any]
    ) -> None:
        if operation == self.faults.deaf_to:
            return
        status, more = self._do(operation, asked)
        answer = {"requestId": asked.get("requestId"), "status": status, **more}
        if status != OK:
            answer.setdefault("errorMessage", f"status {status}")
        payload = cbor2.dumps(answer)
        head = struct.pack(">iB", len(payload) + 1, ANSWER_TO.get(operation, UNKNOWN_OPERATION))
        with writing, contextlib.suppress(OSError):
            connection.sendall(head + payload)

    def _do(self, operation: int, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        done = {
            CONNECT: self._connect, CREATE: self._create, DELETE: self._delete, APPEND: self._append, READ: self._read,
            LIST: lambda _: (OK, {"streams": sorted(self.streams)}), DESCRIBE: self._describe,
        }.get(operation)  # fmt: skip
        return done(asked) if done else (NO_SUCH, {})

    # --- operations -----------------------------------------------------------------------------------------------

    def _connect(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.faults.token and asked.get("authToken") != self.faults.token:
            return UNAUTHORIZED, {}
        return OK, {"protocolVersion": asked["protocolVersion"], "serverVersion": "2.1", "clientIdentifier": "one"}

    def _create(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        definition = asked["definition"]
        with self._changed:
            if definition["name"] in self.streams:
                return INVALID, {"errorMessage": "the stream already exists"}
            self.streams[definition["name"]] = Stream(definition)
        return OK, {}

    def _delete(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._changed:
            self.deleted.append(asked["name"])
            return (OK, {}) if self.streams.pop(asked["name"], None) else (NOT_FOUND, {})

    def _append(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._changed:
            stream = self.streams.get(asked["name"])
            if stream is None:
                return NOT_FOUND, {"errorMessage": "there is no such stream"}
            if self.faults.full and stream.definition["strategyOnFull"] == 0:
                return INVALID, {"errorMessage": "the stream is full"}
            stream.messages.append(asked["payload"])
            if _executors(stream):
                self.tasks.append(json.loads(asked["payload"]))
            self._changed.notify_all()
            return OK, {"sequenceNumber": len(stream.messages) - 1}

    def _read(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        options = asked.get("readMessagesOptions") or {}
        start, least = options.get("desiredStartSequenceNumber") or 0, options.get("minMessageCount") or 1
        most = max(options.get("maxMessageCount") or least, least)
        with self._changed:
            stream = self.streams.get(asked["streamName"])
            if stream is None:
                return NOT_FOUND, {}
            self._changed.wait_for(
                lambda: len(stream.messages) - start >= least or self._over,
                (options.get("readTimeoutMillis") or 0) / 1000,
            )
            found = stream.messages[start : start + most]
        if len(found) < least:
            return NOT_ENOUGH, {"messages": []}
        named = [
            {"streamName": asked["streamName"], "sequenceNumber": start + index, "ingestTime": 1, "payload": payload}
            for index, payload in enumerate(found)
        ]
        return OK, {"messages": named}

    def _describe(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        stream = self.streams.get(asked["name"])
        if stream is None:
            return NOT_FOUND, {"errorMessage": "there is no such stream"}
        # The newest sequence number of an empty stream is -1.
        storage = {
            "oldestSequenceNumber": 0, "newestSequenceNumber": len(stream.messages) - 1,
            "totalBytes": sum(map(len, stream.messages)),
        }  # fmt: skip
        return OK, {
            "messageStreamInfo": {"definition": stream.definition, "storageStatus": storage, "exportStatuses": []}
        }

    # --- exports --------------------------------------------------------------------------------------------------

    def _export(self) -> None:
        while not self._over:
            with self._changed:
                found = next((pair for pair in self.streams.items() if _due(pair[1])), None)
                if found is None:
                    self._changed.wait(1)
                    continue
                name, stream = found
                sequence, stream.exported = stream.exported, stream.exported + 1
                task = json.loads(stream.messages[sequence])
            for executor in _executors(stream):
                self._run(name, sequence, task, executor)

    def _run(self, stream: str, sequence: int, task: dict[str, Any], executor: dict[str, Any]) -> None:
        said_to = executor.get("statusConfig", {}).get("statusStreamName", "")
        context = {
            "s3ExportTaskDefinition": task, "exportIdentifier": executor["identifier"], "streamName": stream,
            "sequenceNumber": sequence,
        }  # fmt: skip
        self._status(said_to, IN_PROGRESS, context, "begun")
        self.faults.meanwhile()
        deadline = time.monotonic() + self.faults.hold
        while time.monotonic() < deadline and not self._over:
            time.sleep(0.02)
        status, text = self._carry_out(task, executor)
        if self.faults.lose_status:
            self.faults.lose_status -= 1
        else:
            self._status(said_to, status, context, text)

    def _carry_out(self, task: dict[str, Any], executor: dict[str, Any]) -> tuple[int, str]:
        faults = self.faults
        if faults.fail:
            faults.fail -= 1
            return FAILURE, "the bucket does not exist"
        if faults.cancel:
            faults.cancel -= 1
            return CANCELED, "the stream was deleted"
        if faults.lie:
            faults.lie -= 1
            return SUCCESS, "sent"
        try:
            body = Path(unquote(urlsplit(task["inputUrl"]).path)).read_bytes()
        except OSError as error:
            return FAILURE, f"the file cannot be read: {error.strerror}"
        if faults.alter:
            faults.alter -= 1
            body = bytes(byte ^ 1 for byte in body) or b"x"
        headers = {f"x-amz-meta-{name}": value for name, value in (task.get("userMetadata") or {}).items()}
        try:
            with self._server.client() as client:
                if len(body) > executor.get("sizeThresholdForMultipartUploadBytes", PART_BYTES):
                    _put_parts(client, task["bucket"], task["key"], body)
                else:
                    client.put(task["bucket"], task["key"], body, headers)
        except Exception as error:
            return FAILURE, f"{type(error).__name__}: {str(error)[:100]}"
        return SUCCESS, "sent"

    def _status(self, stream: str, status: int, context: dict[str, Any], text: str) -> None:
        if stream not in self.streams:
            return
        said = {
            "eventType": 0, "statusLevel": 2, "status": status, "statusContext": context, "message": text,
            "timestampEpochMs": int(time.time() * 1000),
        }  # fmt: skip
        if self.faults.strange_statuses:
            stranger = {
                **context,
                "s3ExportTaskDefinition": {**context["s3ExportTaskDefinition"], "inputUrl": "file:///gone"},
            }
            for odd in (
                b"\xff\x00",
                b"[]",
                b'{"status": 77}',
                json.dumps({**said, "statusContext": stranger}).encode(),
            ):
                self.say(stream, odd)
        for _ in range(self.faults.status_times):
            self.say(stream, json.dumps(said).encode())


def _frame(reader: Any) -> tuple[int, dict[str, Any]] | None:
    head = reader.read(5)
    if len(head) < 5:
        return None
    length, operation = struct.unpack(">iB", head)
    return operation, cbor2.loads(reader.read(length - 1))


def _executors(stream: Stream) -> list[dict[str, Any]]:
    return (stream.definition.get("exportDefinition") or {}).get("s3TaskExecutor") or []


def _due(stream: Stream) -> bool:
    return bool(_executors(stream)) and stream.exported < len(stream.messages)


def _put_parts(client: Client, bucket: str, key: str, body: bytes) -> None:
    """A multipart upload; the ETag of such an object is no MD5."""
    begun = client.request("POST", bucket, key, query={"uploads": ""}).body.decode()
    upload = begun.partition("<UploadId>")[2].partition("</UploadId>")[0]
    parts = []
    for number, offset in enumerate(range(0, len(body), PART_BYTES), 1):
        query = {"partNumber": str(number), "uploadId": upload}
        sent = client.request("PUT", bucket, key, query=query, body=body[offset : offset + PART_BYTES])
        parts.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{sent.headers['etag']}</ETag></Part>")
    whole = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
    done = client.request("POST", bucket, key, query={"uploadId": upload}, body=whole)
    if done.status != 200:
        raise OSError(f"complete: {done.status}")


@contextmanager
def stream_manager(server: Server) -> Iterator[StreamManager]:
    """A Stream Manager that exports to this server, for the length of a `with`."""
    manager = StreamManager(server)
    try:
        yield manager
    finally:
        manager.close()
