"""A real browser, driven by Playwright; each visitor has cookies of its own, and what it asks for and complains of is kept."""

from __future__ import annotations

import importlib.resources
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

    from web.serving import Serving

WIDE, PHONE = {"width": 1100, "height": 900}, {"width": 360, "height": 780}
_HARMLESS = "status of 401"
"""What the browser says of the page that asks for a token."""


class Visitor:
    """One window."""

    def __init__(self, page: Page, serving: Serving) -> None:
        self.page = page
        self.asked: set[str] = set()
        """Hosts."""
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.add(request.url.split("/")[2]))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("console", lambda one: self.complaints.append(one.text) if _HARMLESS not in one.text else None)
        self._serving = serving

    def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def enter(self) -> None:
        """By the address that the terminal shows."""
        self.page.goto(f"{self._serving.url}/enter#{self._serving.tokens[-1]}")
        self.page.wait_for_url(f"{self._serving.url}/")

    def go(self, path: str) -> None:
        """To another page."""
        self.page.goto(self._serving.url + path)

    def faults(self) -> list[str]:
        """What axe-core finds: each rule, and where."""
        script = importlib.resources.files("axe_playwright_python") / "axe.min.js"
        self.page.evaluate(script.read_text("utf-8"))  # By the debugger: the page itself would let none in.
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
        assert len(found["passes"]) > 10
        return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


class Browsing:
    """The browser."""

    def __init__(self, program: str) -> None:
        from playwright.sync_api import sync_playwright

        self._driver = sync_playwright().start()
        # The sandbox needs a user who is not root, and what is shown here is our own page.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._browser = self._driver.chromium.launch(
            executable_path=program, args=[*sandbox, "--disable-dev-shm-usage"]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._browser.close()
        self._driver.stop()

    def visit(
        self, serving: Serving, *, scheme: str = "light", size: dict[str, int] = WIDE, script: bool = True
    ) -> Visitor:
        """A new visitor, who has not come in."""
        context: Any = self._browser.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport=size,  # type: ignore[arg-type]
            java_script_enabled=script,
            locale="en-GB",
            timezone_id="UTC",
        )
        context.set_default_timeout(10_000)
        return Visitor(context.new_page(), serving)
