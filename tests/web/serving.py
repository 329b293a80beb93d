"""A page that is served for a test, in this process, on a free port of the loopback; and what a client asks of it."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlencode

from outhaul.fleet.status import Found
from outhaul.frontends.web.acting import Acting
from outhaul.frontends.web.fleet import FleetPages
from outhaul.frontends.web.gate import Gate, Names, cookie_name
from outhaul.frontends.web.pages import Pages
from outhaul.frontends.web.server import Server, listening
from outhaul.frontends.web.sessions import Sessions
from outhaul.model.job import Connection


class Answer(NamedTuple):
    """What came back."""

    code: int
    headers: dict[str, str]
    text: str


class Serving:
    """One page."""

    def __init__(
        self,
        state: str,
        restore_to: str = "",
        names: Names | None = None,
        kept: str = "",
        devices: Callable[[], Iterable[Found]] | None = None,
    ) -> None:
        self.tokens: list[str] = []
        self._socket, self._take_away = listening("127.0.0.1:0")
        self.port = int(self._socket.getsockname()[1])
        names = (names or Names())._replace(port=self.port)
        acting = Acting(state, restore_to, Connection())
        self.sessions = Sessions(kept, self.tokens.append)
        self.pages = (
            FleetPages("s3://b/p", devices, self.sessions, cookie_name(names))
            if devices
            else Pages(state, self.sessions, acting, cookie_name(names))
        )
        gate = Gate(self.pages.application(), names, self.sessions)
        self._server = Server(gate, lambda: setattr(self.pages.changes, "over", True))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self.cookie = ""

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._take_away()
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str = "/", method: str = "GET", body: dict[str, str] | None = None, **headers: str) -> Answer:
        """Ask, with the cookie if there is one. A header that is given takes the place of an ordinary one; '' leaves it out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        said = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie}
        if method != "GET":
            said |= {"Origin": self.url, "Content-Type": "application/x-www-form-urlencoded"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        text = urlencode(body or {})
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in said.items():
            if value:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(text)))
        connection.endheaders(text.encode())
        answer = connection.getresponse()
        found = Answer(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        )
        connection.close()
        return found

    def enter(self) -> Answer:
        """Come in with the token that was shown last."""
        answer = self.ask("/enter", "POST", {"token": self.tokens[-1]})
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        return answer

    def form(self) -> str:
        """The token that stands in the forms of a page."""
        found = re.search(r'name="form" value="([0-9a-f]+)"', self.ask().text)
        assert found
        return found[1]

    def stream(self) -> socket.socket:
        """A connection that waits for changes."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        made.sendall(
            f"GET /changes?of= HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.cookie}\r\n\r\n".encode()
        )
        return made
