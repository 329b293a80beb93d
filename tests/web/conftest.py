"""A job that has carried a file and holds one, and a page on it; and the browser that the system has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from telling.place import Place
from web.browsing import Browsing
from web.serving import Serving


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One file was carried, one is held."""
    made = Place(tmp_path_factory.mktemp("page"))
    made.write("carried.csv")
    made.write("held.csv", taken=True)
    made.run(made.configured())
    return made


@pytest.fixture(scope="module")
def _served(place: Place) -> Iterator[Serving]:
    with Serving(place.state, str(place.home / "back")) as made:
        yield made


@pytest.fixture
def serving(_served: Serving) -> Serving:
    """The page, which restores into `back`; nobody has come in."""
    _served.cookie = ""
    return _served


@pytest.fixture
def own(tmp_path: Path) -> Place:
    """An empty place of one test alone."""
    return Place(tmp_path)


@pytest.fixture(scope="session")
def browsing() -> Iterator[Browsing]:
    """The browser of the system; where there is none, its tests are skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no chromium is installed (Debian: apt install chromium)")
    pytest.importorskip("playwright.sync_api", reason="there is no playwright for this machine")
    with Browsing(found) as made:
        yield made
