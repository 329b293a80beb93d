"""The page in a real browser.

To look, to search, to have something tried again and brought back; with a keyboard alone, on a phone, in the dark, for a screen
reader, without a script; and with names that want to be more than names.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.frontends.web.names import link
from outhaul.model.keys import escape
from telling.place import Place
from web.browsing import PHONE, WIDE, Browsing
from web.serving import Serving

pytestmark = pytest.mark.slow

NAMES: list[str | bytes] = [
    "<img src=x onerror=alert(1)>", '"><svg onload=alert(2)>', "' onmouseover='alert(3)", "javascript:alert(4)", "{{ 7*7 }}",
    "&lt;b&gt;", "%3Cscript%3E", "\u202egnp.exe", "\u2067one\u2069", "a\nb", "\x1b[31mred", b"\xff\xfe.bin",
    "n" * 251, "שלום", "<title>",
    "--><!--", "`${alert(5)}`", "a b  c",
]  # fmt: skip


@pytest.fixture
def page(own: Place) -> Iterator[Serving]:
    """The page of a place of its own."""
    with Serving(own.state, str(own.home / "back")) as made:
        yield made


def test_a_look_and_what_changes(own: Place, page: Serving, browsing: Browsing) -> None:
    """Before there is a ledger, then with one; what is carried shows by itself; nobody else is asked; focus stays."""
    visitor = browsing.visit(page)
    visitor.enter()
    visitor.page.get_by_text("there is no ledger").wait_for()
    own.write("one.csv")
    own.run(own.configured())
    visitor.page.get_by_role("link", name="one.csv").first.wait_for()
    assert "All is carried." in visitor.page.inner_text("#headline")
    visitor.page.get_by_role("link", name="one.csv").first.focus()
    visitor.page.locator("#hours > summary").click()
    own.write("two.csv", taken=True)
    own.run(own.configured())
    visitor.page.get_by_role("button", name="Try two.csv again now").wait_for()
    assert "1 file held" in visitor.page.inner_text("#headline")
    visitor.page.locator("#hours[open]").wait_for()
    visitor.page.get_by_role("button", name="Try two.csv again now").focus()
    own.write("six.csv", taken=True)
    own.run(own.configured())
    visitor.page.get_by_role("button", name="Try six.csv again now").wait_for()
    assert visitor.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Try two.csv again now"
    assert ({f"127.0.0.1:{page.port}"}, []) == (visitor.asked, visitor.complaints)


def test_names_are_data(own: Place, page: Serving, browsing: Browsing) -> None:
    """None of them runs, makes an element, or turns the text around; each is shown, and found; the page is no wider for it."""
    for name in NAMES:
        text = name if isinstance(name, str) else os.fsdecode(name)
        (own.home / "source" / text).write_bytes(b"ours")
        (own.home / "target").joinpath(escape(text)).write_bytes(b"other")
    own.run(own.configured())
    visitor = browsing.visit(page, size=PHONE)
    visitor.enter()
    held = visitor.page.locator("#held a.file")
    held.nth(len(NAMES) - 1).wait_for()
    assert len(NAMES) == held.count()
    text = visitor.page.inner_text("#held")
    for shown in (
        "<img src=x onerror=alert(1)>",
        "\\u202egnp.exe",
        "a\\x0ab",
        "\\xff\\xfe.bin",
        "{{ 7*7 }}",
        "&lt;b&gt;",
    ):
        assert shown in text
    addresses = [held.nth(index).get_attribute("href") for index in range(len(NAMES))]
    for address in [
        *addresses,
        "/search?q=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E",
        "/search?q=%22%3E%3Csvg+onload%3Dalert(2)%3E",
    ]:
        visitor.go(str(address))
        assert visitor.page.locator("main img, main svg, main script, [onload], [onerror], [onmouseover]").count() == 0
        assert visitor.overflow() <= 0
    assert visitor.page.input_value("#q") == '"><svg onload=alert(2)>'
    assert visitor.page.locator("a.file").count() == 1
    visitor.go("/")
    assert visitor.page.locator("svg").count() == 2
    visitor.page.mouse.move(100, 400)
    assert visitor.complaints == []


def test_with_a_keyboard_alone(own: Place, page: Serving, browsing: Browsing) -> None:
    """Over the header to the content; search, a file, and it is brought back: every step by Tab, letters and Enter."""
    own.write("one.csv")
    own.run(own.configured())
    visitor = browsing.visit(page)
    visitor.enter()
    keys = visitor.page.keyboard
    keys.press("Tab")
    assert visitor.page.evaluate("document.activeElement.textContent") == "To the content"
    keys.press("Enter")
    assert visitor.page.evaluate("document.activeElement.id") == "main"
    visitor.go("/")
    for _ in range(3):
        keys.press("Tab")
    assert visitor.page.evaluate("document.activeElement.id") == "q"
    keys.type("ONE")
    keys.press("Enter")
    visitor.page.get_by_text("1 receipt and 0 files").wait_for()
    _tab_to(visitor.page, "one.csv")
    keys.press("Enter")
    visitor.page.wait_for_url("**/file/*")
    _tab_to(visitor.page, "Restore to")
    assert visitor.page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    keys.press("Enter")
    visitor.page.get_by_text("Restored, and the digest checked.").wait_for()
    assert (own.home / "back" / "one.csv").read_bytes() == b"content"
    assert visitor.complaints == []


def _tab_to(page: object, text: str) -> None:
    from playwright.sync_api import Page

    assert isinstance(page, Page)
    for _ in range(30):
        page.keyboard.press("Tab")
        if text in page.evaluate("document.activeElement.textContent"):
            return
    raise AssertionError(f"no {text} within 30 steps")


def test_tried_again(own: Place, page: Serving, browsing: Browsing) -> None:
    """A watch that would look in an hour looks at once; where none runs, that is said."""
    own.write("two.csv", taken=True)
    own.configured(job='every = "1h"')
    own.run(own.configured(job='every = "1h"'))
    visitor = browsing.visit(page, size=PHONE)
    visitor.enter()
    visitor.page.get_by_role("button", name="Try two.csv again now").click()
    visitor.page.get_by_text("No watch has heard it yet.").wait_for()
    command = [sys.executable, "-m", "outhaul", "watch", "outhaul.toml", "--state", own.state]
    with subprocess.Popen(command, cwd=own.home, stderr=subprocess.PIPE) as watch:
        try:
            assert watch.stderr
            watch.stderr.readline()
            (own.home / "target" / "two.csv").unlink()
            time.sleep(1.0)
            assert (own.home / "source" / "two.csv").exists()
            visitor.page.get_by_role("button", name="Try two.csv again now").click()
            visitor.page.get_by_text("There is no file here now.").wait_for()
        finally:
            watch.terminate()
            watch.communicate(timeout=10)
    assert (own.home / "target" / "two.csv").read_bytes() == b"content"
    assert visitor.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_accessibility(place: Place, serving: Serving, browsing: Browsing, scheme: str, size: dict[str, int]) -> None:
    """No rule of axe-core is broken on any page, and none is wider than the window."""
    visitor = browsing.visit(serving, scheme=scheme, size=size)
    visitor.go("/enter")
    found = visitor.faults()
    visitor.enter()
    visitor.page.locator("#hours > summary").click()
    found += visitor.faults()
    files = [link(str(place.home / "source" / name)) for name in ("held.csv", "carried.csv", "nothing")]
    for path in [*files, "/search?q=csv", "/search", "/search?q=none"]:
        assert visitor.overflow() <= 0
        visitor.go(path)
        found += [f"{path} {fault}" for fault in visitor.faults()]
    assert found == []
    assert visitor.complaints == []


def test_without_a_script(place: Place, serving: Serving, browsing: Browsing) -> None:
    """The token is given by hand; everything is there, and what does not come by itself is said."""
    visitor = browsing.visit(serving, script=False)
    visitor.go("/")
    visitor.page.get_by_label("Token").fill(serving.tokens[-1])
    visitor.page.get_by_role("button", name="Come in").click()
    visitor.page.get_by_role("heading", name="Held files").wait_for()
    assert "held.csv" in visitor.page.inner_text("#held")


def test_the_server_goes_and_comes_back(own: Place, browsing: Browsing) -> None:
    """The page says that it shows what was last known."""
    with Serving(own.state) as page:
        visitor = browsing.visit(page)
        visitor.enter()
        visitor.page.get_by_text("there is no ledger").wait_for()
    visitor.page.get_by_text("The page has lost its server").wait_for()


@pytest.mark.skipif("OUTHAUL_SCREENSHOTS" not in os.environ, reason="written by ./dev screenshots only")
def test_screenshots(own: Place, page: Serving, browsing: Browsing) -> None:
    """What docs/web.md shows: light, dark and on a phone."""
    from web.scenery import paint

    paint(own)
    there = Path(os.environ["OUTHAUL_SCREENSHOTS"])
    for name, scheme, size in (("light", "light", WIDE), ("dark", "dark", WIDE), ("phone", "dark", PHONE)):
        visitor = browsing.visit(page, scheme=scheme, size={**size, "height": 1150})
        visitor.enter()
        visitor.page.wait_for_timeout(500)
        visitor.page.screenshot(path=str(there / f"web-{name}.png"))
        assert (there / f"web-{name}.png").stat().st_size < 150_000
