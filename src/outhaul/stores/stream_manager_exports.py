"""The Stream Manager of AWS IoT Greengrass, as far as we use it: what it is asked to send, and what it says became of that.

Its SDK is imported here and nowhere else. Two streams belong to each job, and to no other: one with tasks, which refuses what
it has no room for, and one with statuses, which lets its oldest go (AWS, "Monitor export tasks"). They are made where
they are missing and never deleted. Statuses are read one by one, and the place to go on from is counted before one is looked
at: a message that says nothing to us is passed by.

Not done here: to believe what it says. Whether an object arrived, the store itself is asked.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, TypeVar

from outhaul.model.errors import Misconfigured, Transient
from outhaul.model.notes import Notes

PORT_DEFAULT = 8088
PART_FROM_BYTES = 16 << 20
"""A longer file goes in parts, and then has no ETag that its MD5 is known from."""
_DAY_MS = 86_400_000
_CONNECT_SECONDS = 3
_ANSWER_SECONDS = 5
_LISTEN_MS = 500
_HEARD_AT_ONCE = 100
_TASKS_BYTES, _STATUSES_BYTES, _SEGMENT_BYTES = 16 << 20, 4 << 20, 1 << 20
# The SDK refuses these in a key, but for its own `!{timestamp:...}`, which would make another key of it.
_FORBIDDEN = re.compile(r"[\\{ }%`\[\]\"'><~#^?|]")
_KEY_MAX = 1024

T = TypeVar("T")


class Outcome(NamedTuple):
    """How a task ended, as the Stream Manager says."""

    success: bool
    text: str


def takes(key: str) -> bool:
    """Whether the SDK takes a key as it is."""
    return 0 < len(key) <= _KEY_MAX and not _FORBIDDEN.search(key)


class Exports:
    """The two streams of a job. May be used from several threads.

    Args:
        name: Of its streams: letters, digits, and `.-_`.

    Raises:
        Misconfigured: the SDK is not installed.
        Transient: the Stream Manager cannot be reached.
    """

    def __init__(self, name: str) -> None:
        self._tasks, self._statuses = name, f"{name}-status"
        self._asking, self._hearing = _Line(), _Line()
        self._turn = threading.Condition()
        self._reading = False
        self._ended: dict[str, Outcome] = {}
        self._awaited: dict[str, bool] = {}
        self._ready = False
        self._next = 0
        self.strange = 0
        """How many messages of the status stream were passed by unread."""

    def open(self) -> None:
        """Make the streams where there are none, and hear from now on. Does nothing the second time."""
        with self._turn:
            if not self._ready:
                self._make_streams()
                self._next = self._newest()
                self._ready = True

    def close(self) -> None:
        """Let the connections go."""
        self._asking.close()
        self._hearing.close()

    def submit(self, url: str, bucket: str, key: str, notes: Notes = ()) -> None:
        """Ask for a file to be sent; from now on its statuses are listened for, until `forget`.

        Raises:
            Transient: whether it was taken is not known.
        """
        sdk = _sdk()
        with self._turn:
            self._awaited[url] = False
        task = sdk.S3ExportTaskDefinition(input_url=url, bucket=bucket, key=key, user_metadata=dict(notes) or None)
        try:
            body = sdk.Util.validate_and_serialize_to_json_bytes(task)
        except sdk.ValidationException as error:
            raise Misconfigured(f"the Stream Manager does not take it: {error}") from error
        self._asking.call(lambda client: client.append_message(self._tasks, body))

    def forget(self, url: str) -> None:
        """Nobody waits for this one any more."""
        with self._turn:
            self._awaited.pop(url, None)
            self._ended.pop(url, None)

    def listen(self, urls: Collection[str]) -> tuple[dict[str, Outcome], bool]:
        """Wait for up to half a second for word of these.

        Returns:
            How those ended that did, and whether there was any word of one of these since the last time.

        Raises:
            Transient: the Stream Manager does not answer. It may be starting; what it was asked for it has on disk.
        """
        with self._turn:
            if not self._any(urls):
                if self._reading:
                    self._turn.wait(_LISTEN_MS / 1000)
                else:
                    self._reading = True
                    self._turn.release()
                    try:
                        heard = self._hear()
                    finally:
                        self._turn.acquire()
                        self._reading = False
                        self._turn.notify_all()
                    for payload in heard:
                        self._note(payload)
            found = self._any(urls)
            for url in found:
                self._awaited[url] = False
            return {url: self._ended[url] for url in urls if url in self._ended}, bool(found)

    def look_anew(self) -> None:
        """After a long silence: the streams may have been made anew by somebody, and counted from the beginning."""
        with contextlib.suppress(Transient):
            self._make_streams()
            newest = self._newest()
            with self._turn:
                if newest + 1 < self._next:  # To hear the same again would be a sign of life that is none.
                    self._next = newest

    def _any(self, urls: Collection[str]) -> list[str]:
        return [url for url in urls if self._awaited.get(url)]

    def _hear(self) -> list[bytes]:
        sdk = _sdk()
        asked = sdk.ReadMessagesOptions(
            desired_start_sequence_number=self._next,
            min_message_count=1,
            max_message_count=_HEARD_AT_ONCE,
            read_timeout_millis=_LISTEN_MS,
        )
        try:
            messages = self._hearing.call(lambda client: client.read_messages(self._statuses, asked))
        except _NothingYet:
            return []
        for message in messages:
            self._next = max(self._next, (message.sequence_number or 0) + 1)
        return [message.payload for message in messages]

    def _note(self, payload: bytes) -> None:
        """One message of the status stream; whatever it is, the next one is read after it."""
        sdk = _sdk()
        try:
            said = sdk.Util.deserialize_json_bytes_to_obj(payload, sdk.StatusMessage)
            url = said.status_context.s3_export_task_definition.input_url
            status, text = said.status, said.message or said.status.name
        except Exception:  # Whatever the SDK makes of a message that is none.
            self.strange += 1
            return
        if url not in self._awaited:
            return
        self._awaited[url] = True
        if status in (sdk.Status.Success, sdk.Status.Failure, sdk.Status.Canceled):
            self._ended.setdefault(url, Outcome(status is sdk.Status.Success, text))

    # --- the streams ----------------------------------------------------------------------------------------------

    def _make_streams(self) -> None:
        sdk = _sdk()
        statuses = sdk.MessageStreamDefinition(
            name=self._statuses,
            max_size=_STATUSES_BYTES,
            stream_segment_size=_SEGMENT_BYTES,
            time_to_live_millis=_DAY_MS,
            strategy_on_full=sdk.StrategyOnFull.OverwriteOldestData,
        )
        executor = sdk.S3ExportTaskExecutorConfig(
            identifier=self._tasks,
            size_threshold_for_multipart_upload_bytes=PART_FROM_BYTES,
            status_config=sdk.StatusConfig(status_level=sdk.StatusLevel.INFO, status_stream_name=self._statuses),
        )
        tasks = sdk.MessageStreamDefinition(
            name=self._tasks,
            max_size=_TASKS_BYTES,
            stream_segment_size=_SEGMENT_BYTES,
            # What is older nobody waits for any more: its file is gone.
            time_to_live_millis=7 * _DAY_MS,
            strategy_on_full=sdk.StrategyOnFull.RejectNewData,
            export_definition=sdk.ExportDefinition(s3_task_executor=[executor]),
        )
        present: list[str] = self._asking.call(lambda client: client.list_streams())
        if self._statuses not in present:  # It is to be there before another names it (SDK, `StatusConfig`).
            self._asking.call(lambda client: client.create_message_stream(statuses))
        if self._tasks not in present:
            self._asking.call(lambda client: client.create_message_stream(tasks))

    def _newest(self) -> int:
        """Where the newest status is: to hear one again does no harm."""
        info = self._asking.call(lambda client: client.describe_message_stream(self._statuses))
        return max(0, info.storage_status.newest_sequence_number or 0)


class _NothingYet(Exception):
    """No message has come."""


class _Line:
    """One connection, for one call at a time; it is opened when it is needed, and after a fault anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Any = None

    def call(self, ask: Callable[[Any], T]) -> T:
        """What the call returns.

        Raises:
            Transient: it failed, or was not answered.
        """
        with self._lock:
            sdk = _sdk()
            try:
                if self._client is None:
                    self._client = _connected(sdk)
                return ask(self._client)
            except sdk.NotEnoughMessagesException:
                raise _NothingYet from None
            except (
                Exception
            ) as error:  # Its own, asyncio's, the system's: after none of them is the connection certain.
                client, self._client = self._client, None
                _hang_up(client)
                silent = isinstance(error, TimeoutError)
                said = "no answer" if silent else " ".join(str(error).split())[:200] or type(error).__name__
                raise Transient(f"the Stream Manager (port {_port()}): {said}") from error

    def close(self) -> None:
        """Let it go."""
        with self._lock:
            client, self._client = self._client, None
            _hang_up(client)


def _sdk() -> Any:
    try:
        import stream_manager
    except ModuleNotFoundError as error:
        if error.name not in ("stream_manager", "cbor2"):
            raise
        raise Misconfigured(
            'via = "stream-manager" needs the SDK of the Stream Manager: pip install "outhaul[greengrass]"'
        ) from None
    return stream_manager


def _port() -> int:
    said = os.environ.get("STREAM_MANAGER_SERVER_PORT", "")
    return int(said) if said.isdecimal() else PORT_DEFAULT


def _connected(sdk: Any) -> Any:
    """A client. One that cannot connect has started a thread, which would stay for ever: it is ended here."""
    client = sdk.StreamManagerClient.__new__(sdk.StreamManagerClient)
    try:
        client.__init__(
            port=_port(), connect_timeout=_CONNECT_SECONDS, request_timeout=_ANSWER_SECONDS, logger=_silent()
        )
    except BaseException:
        _hang_up(client)
        raise
    return client


def _hang_up(client: Any) -> None:
    """Close a client in bounded time, and end its thread: its own `close` waits for the other side, and may fail before that."""
    loop = getattr(client, "_StreamManagerClient__loop", None)
    if loop is None or loop.is_closed():
        return
    import asyncio

    with contextlib.suppress(Exception):
        asyncio.run_coroutine_threadsafe(client._close(), loop).result(1)
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(loop.stop)


def _silent() -> logging.Logger:
    """The SDK logs faults with tracebacks; what they come to is told by us, once."""
    logger = logging.Logger("outhaul.stream_manager", logging.CRITICAL + 1)
    logger.addHandler(logging.NullHandler())
    return logger
