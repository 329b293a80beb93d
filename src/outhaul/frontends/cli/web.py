"""`web`: a page on what this machine carries, for a browser. Off unless it is started; by default for this machine alone."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from outhaul import bringing
from outhaul.config.paths import absolute_from
from outhaul.config.telling import listen
from outhaul.frontends.cli.carry import given_connection, state_of
from outhaul.frontends.cli.stopping import end_without_a_word, stopped
from outhaul.ledgers.choice import address_of
from outhaul.model.errors import ConfigurationError
from outhaul.model.keys import printable
from outhaul.model.ledger_address import is_ledger_address

if TYPE_CHECKING:
    from outhaul.fleet.status import Found
    from outhaul.frontends.web.gate import Names

EXTRA = "the page needs Starlette, Jinja2 and uvicorn: pip install 'outhaul[web]'"
_TOKEN_FILE_MAX = 4096


def web(options: argparse.Namespace) -> int:
    """Serve it until a signal comes."""
    found: list[str] = []
    connection = given_connection(options, found)
    restore_to = _directory(options.restore_to, found)
    names = _names(options, found)
    token = _token(options.token_file, found)
    if options.address and restore_to:
        found.append("--restore-to is for the page of one machine, not for that of a fleet")
    if found:
        raise ConfigurationError(*found)
    if restore_to:
        _refuse_sources(restore_to, state_of(options))
    try:
        from outhaul.frontends.web.acting import Acting
        from outhaul.frontends.web.fleet import FleetPages
        from outhaul.frontends.web.gate import Gate, cookie_name
        from outhaul.frontends.web.pages import Pages
        from outhaul.frontends.web.server import Server, listening
        from outhaul.frontends.web.sessions import Sessions
    except ImportError:
        raise ConfigurationError(EXTRA) from None
    if not options.address:
        _refuse_without_library(state_of(options))
    devices = _devices(options) if options.address else None
    made, take_away = listening(options.listen)
    if names.port == 0 and not options.listen.startswith("unix:"):
        names = names._replace(port=int(made.getsockname()[1]))
    acting = Acting(state_of(options), restore_to, connection)
    sessions = Sessions(token, lambda one: _show(options, made, one))
    pages = (
        FleetPages(options.address, devices, sessions, cookie_name(names))
        if devices
        else Pages(state_of(options), sessions, acting, cookie_name(names))
    )
    if names.remote:
        _say(
            "other machines can connect, and this is plain HTTP: whoever reads the network can come in, too; use a proxy with TLS"
        )
    if token:
        _say(f"listening on {options.listen}; the token is in {options.token_file}")

    def ending() -> None:
        pages.changes.over = True
        acting.close()

    end_without_a_word()
    try:
        Server(Gate(pages.application(), names, sessions), ending, stopped).run([made])
    finally:
        take_away()
    return 0


def _refuse_sources(restore_to: str, state: str) -> None:
    try:
        bringing.refuse_sources(bringing.Manner(restore_to), state)
    except bringing.InSource as error:  # Its own words name options of `restore`.
        raise ConfigurationError(f"--restore-to {error.why}; name a directory outside of it") from None


def _refuse_without_library(state: str) -> None:
    """Raise ConfigurationError where the ledger is in a database, and what reads that is not installed."""
    if is_ledger_address(state) or address_of(state):
        import_module("outhaul.ledgers.postgres_connection")


def _devices(options: argparse.Namespace) -> Callable[[], Iterator[Found]]:
    """What asks for the devices that meet at an address."""
    from outhaul.fleet.reading import Reader
    from outhaul.frontends.cli.fleet import place
    from outhaul.wiring import open_meeting

    there, connection = place(options, options.address)
    reader = Reader(open_meeting(there, connection), there.prefix)
    return lambda: (seen.found for seen in reader.devices())


def _show(options: argparse.Namespace, made: socket.socket, token: str) -> None:
    """The address with a token that lets one browser in. What stands after # is in no request, no log and no Referer."""
    if options.listen.startswith("unix:"):
        _say(f"listening on {options.listen}; the token for the next browser: {token}")
        return
    host = options.listen.rpartition(":")[0]
    with suppress(ValueError):
        if ipaddress.ip_address(host.strip("[]")).is_unspecified:
            host = "localhost"
    _say(f"for one browser, once: http://{host}:{made.getsockname()[1]}/enter#{token}")


def _say(text: str) -> None:
    print(f"outhaul: {printable(text)}", file=sys.stderr, flush=True)


def _directory(text: str, found: list[str]) -> str:
    try:
        return absolute_from(os.getcwd())(text) if text else ""
    except ValueError as error:
        found.append(f"--restore-to: {error}")
        return ""


def _names(options: argparse.Namespace, found: list[str]) -> Names:
    """Under which names the page is asked for; what is wrong goes into `found`."""
    try:
        from outhaul.frontends.web.gate import Names
    except ImportError:
        raise ConfigurationError(EXTRA) from None
    allowed = [name.lower() for name in options.allow_host]
    found.extend(
        f"--allow-host: expected a name without a port, not {name!r}" for name in allowed if not _is_name(name)
    )
    where = options.listen
    if where.startswith("unix:"):
        if not where[5:].startswith("/"):
            found.append(f"--listen: expected unix: and an absolute path, not {where!r}")
        return Names(allowed)
    if where.endswith(":0"):  # Any port that is free.
        where = where[:-1] + "1"
    try:
        host, _, port = listen(where).rpartition(":")
    except ValueError as error:
        found.append(f"--listen: {error}; or unix:PATH")
        return Names()
    remote = not _is_loopback(host.strip("[]"))
    if remote and not options.allow_remote:
        found.append(
            f"--listen: other machines can connect to {host}; add --allow-remote if that is meant, or listen on 127.0.0.1"
        )
    own = [socket.gethostname().lower()] if remote else []
    return Names([*allowed, *own], 0 if options.listen.endswith(":0") else int(port), remote, host.lower())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_name(name: str) -> bool:
    return bool(name) and not any(mark in name for mark in ":/@# ") and name.isascii()


def _token(path: str, found: list[str]) -> str:
    """What stands in a token file that its owner alone can read; '' without one."""
    if not path:
        return ""
    from outhaul.frontends.web.sessions import TOKEN_LEAST

    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_TOKEN_FILE_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        found.append(f"--token-file: {path} cannot be read: {getattr(error, 'strerror', None) or 'it is not ASCII'}")
        return ""
    if stat.S_IMODE(mode) & 0o077:
        found.append(f"--token-file: others can read {path}: chmod 600 {path}")
    if len(text) < TOKEN_LEAST or not text.isprintable() or " " in text:
        found.append(
            f"--token-file: expected one word of {TOKEN_LEAST} characters or more in {path}, such as `openssl rand -hex 32` makes"
        )
    return text
