"""The site is built without a warning, each of its links leads somewhere, and it can be read on a machine without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.pages import DOCUMENTS, ROOT

pytestmark = pytest.mark.slow
_NOT_OF_THE_SITE = {"README.md"}


class Page(HTMLParser):
    """What a page points to, and what can be pointed to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if "href" in given:
            (self.links if tag == "a" else self.loaded).append(given["href"])
        self.loaded.extend(given[name] for name in ("src", "srcset", "data", "action", "poster") if name in given)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `./dev docs` builds it."""
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    where = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going", "-b", "html", "-c", "docs", "-d"]
    done = subprocess.run(
        [*line, str(where / "kept"), ".", str(where / "html")], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    return where / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Each page of it."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_link_and_anchor_leads_somewhere(pages: dict[Path, Page]) -> None:
    """Within the site; and each page that is loaded has what it loads."""
    broken = []
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[target].anchors | {""} if target in pages else {""}
            if not target.is_file() or unquote(parts.fragment) not in known:
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_nothing_is_asked_of_another_host(site: Path, pages: dict[Path, Page]) -> None:
    """Scripts, styles, fonts and pictures are files of the site."""
    loaded = [f"{path.name}: {link}" for path, page in pages.items() for link in page.loaded]
    styles = [
        f"{path.name}: {link}"
        for path in site.rglob("*.css")
        for link in re.findall(r"url\(\s*['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)", path.read_text(encoding="utf-8"))
    ]
    assert [text for text in (*loaded, *map(str, styles)) if re.search(r"(?:https?:)?//", text)] == []


def test_every_document_is_a_page(site: Path) -> None:
    """What is written is found: nothing of docs/ is left out, nor what it links to."""
    names = {str(path.relative_to(ROOT)) for path in DOCUMENTS} - _NOT_OF_THE_SITE
    assert [name for name in sorted(names) if not (site / name).with_suffix(".html").exists()] == []


def test_every_option_is_on_the_page_of_commands(pages: dict[Path, Page], site: Path) -> None:
    """Made from the parser while the site is built."""
    import argparse

    from outhaul.frontends.cli.main import build_parser

    text = re.sub(r"<[^>]+>", "", (site / "docs" / "commands.html").read_text(encoding="utf-8"))
    (commands,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    assert [name for name in commands.choices if name not in pages[site / "docs" / "commands.html"].anchors] == []
    options = {word for command in commands.choices.values() for word in command._option_string_actions}
    assert [option for option in sorted(options - {"-h", "--help"}) if option not in text] == []
