"""Word from the kernel that a link, an address or a route has come: rtnetlink(7), which anybody may listen to.

It hurries a try, and proves nothing: what can be reached is found out by reaching it. Elsewhere than on Linux there is none.
"""

from __future__ import annotations

import contextlib
import socket
import struct

# linux/rtnetlink.h, linux/netlink.h, linux/if.h
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE"""
_NEW_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 20, 24
_IFF_RUNNING = 0x40
_HEAD = struct.Struct("=LHHLL")  # nlmsghdr
_LINK = struct.Struct("=BxHiLL")  # ifinfomsg
_BYTES = 1 << 16


class Network:
    """What the kernel tells of the network."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        with contextlib.suppress(OSError, AttributeError):  # Not here, or a sandbox has none.
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
            )
            self._socket.bind((0, _GROUPS))

    def fileno(self) -> int:
        """To be waited for; -1 where there is nothing to hear."""
        return self._socket.fileno() if self._socket is not None else -1

    def heard(self) -> bool:
        """Whether something has come since this was asked last."""
        came = False
        if self._socket is None:
            return False
        while True:
            try:
                came = _has_come(self._socket.recv(_BYTES)) or came
            except BlockingIOError:
                return came
            except OSError:  # There was more than the queue held (ENOBUFS).
                return True

    def close(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            self._socket.close()


def _has_come(datagram: bytes) -> bool:
    at = 0
    while at + _HEAD.size <= len(datagram):
        length, kind, *_ = _HEAD.unpack_from(datagram, at)
        if kind in (_NEW_ADDRESS, _NEW_ROUTE):
            return True
        if kind == _NEW_LINK and at + _HEAD.size + _LINK.size <= len(datagram):
            *_, flags, _ = _LINK.unpack_from(datagram, at + _HEAD.size)
            if flags & _IFF_RUNNING:
                return True
        at += max(_HEAD.size, (length + 3) & ~3)  # NLMSG_ALIGN
    return False
