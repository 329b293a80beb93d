"""Who is let in, under which name, from where: threat T12. A real server, and a client that says what it likes."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import pytest

from outhaul.frontends.web import changes, pages, server
from outhaul.frontends.web.gate import HEADERS, Names
from outhaul.frontends.web.names import link
from outhaul.frontends.web.sessions import SESSIONS_MAX, Sessions
from outhaul.host.pauses import Pause, write
from telling.place import Place
from web.serving import Serving

EVIL = (
    "evil.example",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example:{port}",
    "[evil]",
    "",
    "10.1.2.3:{port}",
)
SECRETS = ("held.csv", "carried.csv", "target", "source")


def test_nothing_is_told_to_whoever_has_not_come_in(serving: Serving) -> None:
    """Every page asks for the token, in the same words, and names no file; every other method is refused."""
    there = ["/", "/search?q=held", link("/x"), "/changes?of=", "/nothing", "/../../etc/passwd", "/static/../pages.py"]
    answers = [serving.ask(path) for path in there]
    assert [401] * len(there) == [answer.code for answer in answers]
    assert len({answer.text for answer in answers}) == 1
    assert [word for word in SECRETS if word in answers[0].text] == []
    assert [serving.ask(path, "POST").code for path in ("/", "/retry", "/restore", "/leave")] == [403] * 4
    assert [serving.ask(path).code for path in ("/outhaul.css", "/outhaul.js", "/outhaul.svg")] == [200] * 3


def test_another_name_is_refused(serving: Serving) -> None:
    """A page elsewhere could have led its name here (DNS rebinding): 403, with the cookie and the token, on every path."""
    serving.enter()
    paths = ["/", "/outhaul.js", "/changes", "/enter"]
    codes = {serving.ask(path, Host=host.format(port=serving.port)).code for host in EVIL if host for path in paths}
    assert {403} == codes
    assert serving.ask("/", Host=f"127.0.0.1:{serving.port + 1}").code == 403
    ours = ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"]
    assert [serving.ask("/", Host=f"{name}:{serving.port}").code for name in ours] == [200] * 4
    assert serving.ask("/", Host="").code == 400


def test_which_names_are_ours() -> None:
    """Those that were allowed, on any port; an address, where other machines may connect; nothing that only looks like one."""
    proxied, remote = Names(("page.example",), 80), Names((), 9276, remote=True)
    asked = [
        "page.example",
        "page.example:8443",
        "localhost",
        "localhost:80",
        "[::1]",
        "::1",
        "localhost:x",
        "10.0.0.1",
        "@localhost",
    ]
    assert [n for n in asked if proxied.are_ours(n)] == [
        "page.example",
        "page.example:8443",
        "localhost",
        "localhost:80",
        "[::1]",
    ]
    asked = [
        "10.0.0.1:9276",
        "[fe80::1]:9276",
        "localhost:9276",
        "10.0.0.1",
        "10.0.0.1.evil.example:9276",
        "0x7f.1:9276",
    ]
    assert asked[:3] == [name for name in asked if remote.are_ours(name)]
    assert Names().are_ours("localhost:8080")
    here = Names((), 9276)
    asked = [
        "127.0.0.2:9276",
        "[::1]:9276",
        "127.0.0.2",
        "127.0.0.2:9277",
        "10.0.0.1:9276",
        "127.0.0.2.evil.example:9276",
    ]
    assert asked[:2] == [name for name in asked if here.are_ours(name)]
    assert Names((), 9276, True, "logger.example").are_ours("LOGGER.example:9276")


def test_a_token_lets_one_browser_in_once(serving: Serving) -> None:
    """The cookie is for this site alone, and no script can read it; the next token is another."""
    answer = serving.enter()
    assert (answer.code, answer.headers["location"]) == (303, "/")
    wanted = {f"outhaul-{serving.port}", "HttpOnly", "Path=/", "SameSite=strict"}
    assert wanted <= {
        part.strip().partition("=")[0] if "outhaul" in part else part.strip()
        for part in answer.headers["set-cookie"].split(";")
    }
    assert "held.csv" in serving.ask().text
    first, second = serving.tokens[-2:]
    serving.cookie = ""
    assert [serving.ask("/enter", "POST", {"token": one}).code for one in (first, "", second[:-1])] == [403, 403, 403]
    assert second == serving.tokens[-1]
    assert serving.enter().code == 303


def test_what_acts_needs_our_origin_and_our_form(serving: Serving, place: Place) -> None:
    """A POST from elsewhere, without a form token, or with that of another, is refused, and does nothing."""
    serving.enter()
    form = {"form": serving.form(), "file": link(str(place.home / "source" / "held.csv"))[6:]}
    origins = ["", "null", "http://evil.example", f"http://127.0.0.1:{serving.port + 1}", "http://localhost"]
    assert [serving.ask("/retry", "POST", form, Origin=origin).code for origin in origins] == [403] * 5
    assert [serving.ask("/retry", "POST", form, Sec_Fetch_Site=site).code for site in ("cross-site", "same-site")] == [
        403
    ] * 2
    assert serving.ask("/retry", "POST", {**form, "form": ""}).code == 403
    mine, serving.cookie = serving.cookie, ""
    serving.enter()
    assert serving.ask("/retry", "POST", form).code == 403
    assert not (Path(place.state) / "asked.json").exists()
    serving.cookie = mine
    assert serving.ask("/retry", "POST", form).code == 303
    assert serving.ask("/leave", "POST", form).code == 303
    assert serving.ask().code == 401


def test_what_every_answer_says(serving: Serving) -> None:
    """Nothing from elsewhere, no frame, no script in the page, kept by nobody, read by no other site; also where it refuses."""
    serving.enter()
    answers = [serving.ask(path) for path in ("/", "/nothing", "/outhaul.js")] + [serving.ask(Host="evil.example")]
    for answer in answers:
        assert (
            HEADERS.items()
            <= {name.title().replace("Csp", "CSP"): value for name, value in answer.headers.items()}.items()
        )
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]


def test_methods_and_paths(serving: Serving, place: Place) -> None:
    """GET reads, POST acts, and there is nothing else; no path leads to a file of this machine."""
    serving.enter()
    codes = {
        method: serving.ask("/", method).code
        for method in ("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST")
    }
    assert {"HEAD": 200, **dict.fromkeys(("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST"), 405)} == codes
    assert [serving.ask(path).code for path in ("/retry", "/restore")] == [405, 405]
    paths = [
        "/static/outhaul.js",
        "/../outhaul.js",
        "/%2e%2e/pages.py",
        "/outhaul.js/../../pages.py",
        "//etc/passwd",
        "/file/",
        "/file/eHg",
        "/file/%00",
    ]
    assert [404] * len(paths) == [serving.ask(path).code for path in paths]
    form = {"form": serving.form(), "file": link("/etc/passwd")[6:], "receipt": "1"}
    assert [serving.ask(path, "POST", form).code for path in ("/retry", "/restore")] == [404, 404]
    form["file"] = link(str(place.home / "source" / "carried.csv"))[6:]
    assert [serving.ask("/restore", "POST", {**form, "receipt": number}).code for number in ("999", "x")] == [404, 404]


def test_without_restore_to_nothing_is_restored(place: Place) -> None:
    """There is no button, and the request is refused."""
    with Serving(place.state) as serving:
        serving.enter()
        at = link(str(place.home / "source" / "carried.csv"))
        assert "Restore" not in serving.ask(at).text
        assert serving.ask("/restore", "POST", {"form": serving.form(), "file": at[6:], "receipt": "1"}).code == 403


def test_a_body_that_is_long_or_none(serving: Serving) -> None:
    """It is no form."""
    serving.enter()
    assert serving.ask("/retry", "POST", {"form": "a" * (pages.BODY_MAX + 1)}).code == 403
    assert serving.ask("/retry", "POST", {str(number): "1" for number in range(9)}).code == 403
    assert serving.ask().code == 200


@pytest.mark.slow
def test_so_many_pages_look_and_no_more(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to come later; when one has gone, there is room; they end with the session."""
    monkeypatch.setattr(changes, "STREAMS_MAX", 3)
    monkeypatch.setattr(changes, "EVERY_SECONDS", 0.25)
    serving.enter()
    streams = [serving.stream() for _ in range(3)]
    for stream in streams:
        assert stream.recv(4096).startswith(b"HTTP/1.1 200")
    full = serving.ask("/changes?of=")
    assert (full.code, full.headers["retry-after"]) == (503, "30")
    streams.pop().close()
    began = time.monotonic()
    while serving.pages.changes.open == 3 and time.monotonic() < began + 5:
        time.sleep(0.01)
    assert serving.pages.changes.open == 2
    form = {"form": serving.form()}
    assert serving.ask("/leave", "POST", form).code == 303
    began = time.monotonic()
    while serving.pages.changes.open and time.monotonic() < began + 5:
        time.sleep(0.01)
    assert serving.pages.changes.open == 0
    for stream in streams:
        stream.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its patience is short."""
    monkeypatch.setattr(server, "SECONDS", 0.4)
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 8)


@pytest.mark.slow
def test_nobody_holds_it_up(hasty: None, serving: Serving) -> None:
    """Whoever sends no whole request is cut off; so many connections and no more; then it answers, and streams have lasted."""
    serving.enter()
    stream = serving.stream()
    slow = [socket.create_connection(("127.0.0.1", serving.port), timeout=5) for _ in range(12)]
    for each in slow[:7]:
        each.sendall(b"POST /enter HTTP/1.1\r\nHost: localhost\r\nContent-Le")
    began = time.monotonic()
    for each in slow:
        with contextlib.suppress(ConnectionResetError):
            assert each.recv(10) == b""
    assert time.monotonic() - began < 2
    assert serving.ask().code == 200
    time.sleep(0.6)
    stream.sendall(b"")
    assert serving.pages.changes.open == 1
    stream.close()


def test_sessions_are_so_many_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not seen longest goes first; a token that stays lets any number in; a form is of one session."""
    sessions = Sessions("a" * 40)
    names = [sessions.enter("a" * 40) for _ in range(SESSIONS_MAX + 1)]
    assert [sessions.knows(names[index]) for index in (0, 1, -1)] == [False, True, True]
    assert (
        sessions.may_act(names[1], sessions.form_token(names[1])),
        sessions.may_act(names[1], sessions.form_token(names[2])),
    ) == (True, False)
    later = time.monotonic() + 8 * 24 * 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not sessions.knows(names[1])


def test_a_pause_is_seen(place: Place, serving: Serving) -> None:
    """With its reason, as data."""
    write(place.state, {"a": Pause(time.time_ns(), 0, "me", "<b>maintenance</b>")})
    serving.enter()
    serving.pages._picture._until = 0
    assert "&lt;b&gt;maintenance" in serving.ask().text
    write(place.state, {})
