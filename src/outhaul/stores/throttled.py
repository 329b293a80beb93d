"""Waiting for leave to send, for whoever blocks anyway: general clients, and directories.

True here: nobody waits any longer once the run was asked to end; that is told as `Interrupted`.
Not done here: who gets leave (`ports/sending.py`), and sending without blocking (`http_lane.py`).
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterable, Iterator
from typing import Any

from outhaul.model.errors import Interrupted
from outhaul.ports.sending import Share, Turn


def wait_for(share: Share, length: int) -> None:
    """Wait until so many bytes have leave to go.

    Raises:
        Interrupted: the run was asked to end.
    """
    turn, missing = share.turn(length), length
    try:
        while missing > 0:
            missing -= _taken(share, turn)
    finally:
        turn.done(max(0, -missing))


def paced(chunks: Iterable[bytes], share: Share | None) -> Iterator[bytes]:
    """The same, in pieces as large as there is leave for them to go.

    Raises:
        Interrupted: the run was asked to end.
    """
    for chunk in chunks:
        if share is None:
            yield chunk
        else:
            yield from _pieces(chunk, share)


def _pieces(chunk: bytes, share: Share) -> Iterator[bytes]:
    turn, at = share.turn(len(chunk)), 0
    try:
        while at < len(chunk):
            leave = _taken(share, turn)
            yield chunk[at : at + leave]
            at += leave
    finally:
        turn.done(max(0, at - len(chunk)))


def _taken(share: Share, turn: Turn) -> int:
    while not (leave := turn.take()):
        if share.over:
            raise Interrupted("it goes on where it is")
        time.sleep(turn.seconds())
    return leave


@contextlib.contextmanager
def throttled(body: bytes, share: Share | None) -> Iterator[bytes | ThrottledBody]:
    """A body for a call of botocore: as it is where there is no limit.

    Raises:
        Interrupted: the run was asked to end.
    """
    if share is None:
        yield body
        return
    with ThrottledBody(body, share) as sent:
        try:
            yield sent
        except Exception as error:  # botocore makes errors of its own of whatever its body raises.
            if share.over:
                raise Interrupted("it goes on where it is") from error
            raise


class ThrottledBody(io.BytesIO):
    """A body for botocore. It is read for its signature without waiting, and then, once `send_now` was told, with it."""

    def __init__(self, body: bytes, share: Share) -> None:
        super().__init__(body)
        self._share = share
        self._turn = share.turn(len(body))
        self._leave = 0
        self._length = len(body)
        self.sending = False

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; fewer than asked for where so many have no leave yet.

        Raises:
            Interrupted: the run was asked to end.
        """
        if not self.sending or self.tell() >= self._length:  # Whoever is told of the end needs no leave for that.
            return super().read(size)
        if not self._leave:
            self._leave = _taken(self._share, self._turn)
        data = super().read(self._leave if size is None or size < 0 else min(size, self._leave))
        self._leave -= len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Whoever goes back to the beginning is not sending yet."""
        self.sending = False
        return super().seek(offset, whence)

    def close(self) -> None:
        """Give back what was not used."""
        self._turn.done(self._leave)
        self._leave = 0
        super().close()


def send_now(request: Any, **_: object) -> None:
    """A handler of botocore's `before-send`: what is read from now on goes out."""
    if isinstance(request.body, ThrottledBody):
        request.body.sending = True
