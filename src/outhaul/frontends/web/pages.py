"""The pages, made on the server: every request for one is answered from here, after `gate.py` has let it in.

A page is a frame and its parts. A part is asked for again by `changes.py`, and sent where it has changed; so it holds
no time that passes, but moments, which the script in the browser words.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from outhaul import app
from outhaul.frontends.web import plots
from outhaul.frontends.web.acting import Acting
from outhaul.frontends.web.changes import Changes, Parts
from outhaul.frontends.web.names import environment, join, link, linked
from outhaul.frontends.web.picture import SHOWN_MAX, Picture, Shown
from outhaul.frontends.web.sessions import SECONDS, Sessions
from outhaul.ledgers.looking import Found, Looking
from outhaul.ledgers.over_time import STEP_NS
from outhaul.ledgers.queries import Why
from outhaul.model.errors import LedgerError, OuthaulError
from outhaul.model.keys import printable
from outhaul.model.lifecycle import State

BODY_MAX = 65_536
BODY_SECONDS = 10.0
SEARCH_SECONDS, SEARCH_MAX, SEARCHES = 3.0, 50, 2
WORDS_MAX = 4096
PARTS = ("headline", "held", "plots", "now", "jobs", "waiting", "given-up", "restores", "runs")
_FILES = {
    "/outhaul.css": "text/css; charset=utf-8",
    "/outhaul.js": "text/javascript; charset=utf-8",
    "/outhaul.svg": "image/svg+xml",
}


class Pages:
    """Makes them."""

    def __init__(self, state: str, sessions: Sessions, acting: Acting, cookie: str, prefix: str = "") -> None:
        self._state = state
        self._sessions = sessions
        self._acting = acting
        self._cookie = cookie
        self._picture = Picture(state)
        self._templates = environment()
        self._templates.globals |= {
            "host": (platform.node() or "this machine") if acting.can_ask else state,
            "shown_max": SHOWN_MAX,
            "restore_to": acting.restore_to,
            "can_ask": acting.can_ask,
        }
        self._searching: CapacityLimiter | None = None
        self.changes = Changes(self._parts_of, sessions.knows)

    def application(self) -> Starlette:
        """The routes."""
        routes = [
            Route("/file/{at}", self._file, methods=["GET"]),
            Route("/search", self._search, methods=["GET"]),
            Route("/retry", self._retry, methods=["POST"]),
            Route("/restore", self._restore, methods=["POST"]),
            *self._routes_of(self._front),
        ]
        return Starlette(routes=routes)

    def _routes_of(self, front: Callable[[Request], Awaitable[Response]]) -> list[Route]:
        """Those of every page: to look at it, to come in and to go."""
        return [
            Route("/", front, methods=["GET"]),
            Route("/changes", self.changes.stream, methods=["GET"]),
            Route("/enter", self._door, methods=["GET"]),
            Route("/enter", self._enter, methods=["POST"]),
            Route("/leave", self._leave, methods=["POST"]),
            *(Route(path, self._static, methods=["GET"]) for path in _FILES),
        ]

    # --- to look at ---

    async def _front(self, request: Request) -> Response:
        """Everything at a glance."""
        parts = await self._parts_of("", request.scope["session"])
        return self._page("front.html", request, parts=parts, names=PARTS, of="")

    async def _file(self, request: Request) -> Response:
        """Everything about one file, as `outhaul why` tells it."""
        at = request.path_params["at"]
        path = linked(at)
        if not path:
            return PlainTextResponse("there is no such page\n", 404)
        parts = await self._parts_of(at, request.scope["session"])
        return self._page("file.html", request, parts=parts, path=path, of=at)

    async def _parts_of(self, of: str, session: str) -> Parts:
        """The parts of a page; they are made in a thread, for the ledger may take a while."""
        return await to_thread.run_sync(
            partial(self._file_parts, of, session) if of else partial(self._front_parts, session)
        )

    def _front_parts(self, session: str) -> Parts:
        shown = self._picture()
        known: dict[str, Any] = {
            "shown": shown, "held": shown.count(State.HELD), "waiting": shown.count(State.WAITING),
            "form": self._sessions.form_token(session), "restores": self._acting.restores(), "asked": self._acting.asked,
            **_plots(shown),
        }  # fmt: skip
        return {name: self._templates.get_template(f"part-{name}.html").render(known) for name in PARTS}

    def _file_parts(self, of: str, session: str) -> Parts:
        path, fault = linked(of), ""
        answers: list[Why] = []
        try:
            answers = app.why(self._state, path)
        except LedgerError as error:
            fault = str(error)
        asked = [self._acting.asked(answer.source, answer.path) for answer in answers]
        restores = [one for one in self._acting.restores() if any(one.path == answer.path for answer in answers)]
        # Whether it is still there, only the machine knows that has it.
        there = (os.path.lexists(path) if self._acting.can_ask else None) if answers else False
        known = {
            "answers": list(zip(answers, asked, strict=True)), "fault": fault, "path": path, "there": there,
            "looks": app.next_looks(self._state),
            "restores": restores, "form": self._sessions.form_token(session),
        }  # fmt: skip
        return {"file": self._templates.get_template("part-file.html").render(known)}

    async def _search(self, request: Request) -> Response:
        """What the ledger has of a text."""
        text, job = request.query_params.get("q", "").strip()[:WORDS_MAX], request.query_params.get("job", "")
        found, fault = Found([], [], True), ""
        if text:
            self._searching = self._searching or CapacityLimiter(SEARCHES)
            try:
                found = await to_thread.run_sync(self._look_for, text, job, limiter=self._searching)
            except LedgerError as error:
                fault = str(error)
        jobs = sorted({one.job for one, _ in self._picture().jobs})
        return self._page("search.html", request, text=text, job=job, jobs=jobs, found=found, fault=fault)

    def _look_for(self, text: str, job: str) -> Found:
        with Looking(self._state) as looking:
            return looking.search(text, job=job, limit=SEARCH_MAX, seconds=SEARCH_SECONDS)

    async def _static(self, request: Request) -> Response:
        """One of two files, which are part of the program."""
        path = request.url.path
        content = (resources.files("outhaul.frontends.web") / "static" / path[1:]).read_bytes()
        return Response(content, headers={"Content-Type": _FILES[path]})

    # --- to come in ---

    async def _door(self, request: Request, *, wrong: bool = False) -> Response:
        """Where a token is asked for."""
        return self._page("enter.html", request, 403 if wrong else 200 if request.scope["is_in"] else 401, wrong=wrong)

    async def _enter(self, request: Request) -> Response:
        """With the token, a cookie that only this browser has, and that no other site can have sent."""
        session = self._sessions.enter((await _form(request)).get("token", ""))
        if not session:
            return await self._door(request, wrong=True)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, session, max_age=int(SECONDS), httponly=True, samesite="strict", path="/")
        return answer

    async def _leave(self, request: Request) -> Response:
        """Come in no more with this cookie."""
        if await self._acts(request) is not None:
            self._sessions.leave(request.scope["session"])
        answer = RedirectResponse("/enter", 303)
        answer.delete_cookie(self._cookie, path="/", httponly=True, samesite="strict")
        return answer

    # --- to act ---

    async def _acts(self, request: Request) -> dict[str, str] | None:
        """What a form says that has our token in it; None for any other."""
        form = await _form(request)
        return form if self._sessions.may_act(request.scope["session"], form.get("form", "")) else None

    async def _retry(self, request: Request) -> Response:
        """Have a watch look at a file now."""
        form = await self._acts(request)
        if form is None:
            return _refused()
        if not self._acting.can_ask:
            return PlainTextResponse("no watch can be asked: this page has the address of a ledger alone\n", 403)
        return await to_thread.run_sync(self._ask, linked(form.get("file", "")))

    def _ask(self, path: str) -> Response:
        try:
            answers = [answer for answer in app.why(self._state, path) if answer.waiting] if path else []
            for answer in answers:
                self._acting.retry(answer.source, answer.path)
        except OuthaulError as error:
            return PlainTextResponse(f"{printable(str(error))}\n", 503)
        return RedirectResponse(link(path), 303) if answers else PlainTextResponse("no such file waits\n", 404)

    async def _restore(self, request: Request) -> Response:
        """Bring one file back."""
        form = await self._acts(request)
        if form is None:
            return _refused()
        return await to_thread.run_sync(self._bring, linked(form.get("file", "")), form.get("receipt", ""))

    def _bring(self, path: str, receipt: str) -> Response:
        if not self._acting.restore_to:
            return PlainTextResponse("this page restores nothing: it was started without --restore-to\n", 403)
        try:
            rows = [row for answer in (app.why(self._state, path) if path else []) for row in answer.receipts]
        except OuthaulError as error:
            return PlainTextResponse(f"{printable(str(error))}\n", 503)
        row = next((row for row in rows if str(row.number) == receipt), None)
        if row is None:
            return PlainTextResponse("there is no such receipt\n", 404)
        if not self._acting.restore(row):
            return PlainTextResponse("too many files wait to be restored; wait for some of them\n", 429)
        return RedirectResponse(link(join(row.source, row.path)), 303)

    def _page(self, template: str, request: Request, code: int = 200, **known: Any) -> Response:
        session = request.scope["session"]
        form = self._sessions.form_token(session) if request.scope["is_in"] else ""
        text = self._templates.get_template(template).render(form=form, is_in=request.scope["is_in"], **known)
        return HTMLResponse(text.encode("utf-8", "replace"), code)


def _plots(shown: Shown) -> dict[str, Any]:
    """The pictures, and what is said of them in words."""
    steps = shown.steps
    hours = [steps[index : index + 12] for index in range(0, len(steps), 12)]
    sums = [(sum(one.carried for one in some), sum(one.carried_bytes for one in some)) for some in hours]
    return {
        "backlog": plots.line([step.waiting for step in steps]),
        "throughput": plots.bars([step.carried_bytes for step in steps]),
        "hours": [(some[-1].until_ns, some[-1].waiting, *both) for some, both in zip(hours, sums, strict=True)],
        "carried": (sum(step.carried for step in steps), sum(step.carried_bytes for step in steps)),
        "covers": len(steps) * STEP_NS // 10**9,
    }  # fmt: skip


async def _form(request: Request) -> dict[str, str]:
    """The fields of a short form (WHATWG URL, application/x-www-form-urlencoded); nothing where it is long, slow or none."""
    body = b""
    with anyio.move_on_after(BODY_SECONDS) as late:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAX:
                return {}
    if late.cancelled_caught:
        return {}
    try:
        return {name: values[-1] for name, values in parse_qs(body.decode("ascii"), max_num_fields=8).items()}
    except ValueError:
        return {}


def _refused() -> Response:
    return PlainTextResponse("this form is not one of ours any more; load the page anew\n", 403)
