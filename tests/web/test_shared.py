"""The page on a ledger that is in PostgreSQL: from a state directory that has its address, and from the address alone."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from outhaul import app
from outhaul.frontends.telling.log import Log
from outhaul.frontends.telling.log_monitor import RunLog
from outhaul.frontends.web.names import link
from outhaul.host.asked import ASKED_NAME
from servers.postgres import Cluster
from telling.place import Place
from web.serving import Serving

pytestmark = pytest.mark.slow


@pytest.fixture
def shared(own: Place, address: str) -> Place:
    """One file was carried, one is held; the ledger is in the database."""
    own.write("carried.csv")
    own.write("held.csv", taken=True)
    app.run(own.configured().jobs, state=own.state, monitor=RunLog(Log(quiet=True)), ledger=address)
    assert not os.path.exists(f"{own.state}/ledger.sqlite")
    return own


def test_the_page_of_a_state_directory_reads_the_database(shared: Place) -> None:
    """As it reads a file: what is held, a search, one file; and a watch on that directory can be asked."""
    with Serving(shared.state) as serving:
        serving.enter()
        held = f"{shared.home}/source/held.csv"
        text = serving.ask().text
        assert [word in text for word in ("held.csv", "1 file", "Try again now", "plot")] == [True] * 4
        assert "carried.csv" in serving.ask("/search?q=CARRIED").text
        assert "sha256" in serving.ask(link(f"{shared.home}/source/carried.csv")).text
        asked = serving.ask("/retry", "POST", {"form": serving.form(), "file": link(held)[6:]})
        assert (asked.code, len(json.loads(Path(shared.state, ASKED_NAME).read_text()))) == (303, 1)
        assert "No watch has heard it yet" in serving.ask(link(held)).text


def test_the_page_of_an_address_can_ask_no_watch(shared: Place, address: str) -> None:
    """It has no state directory: it says so, and has no button that would do nothing. A file comes back nevertheless."""
    back = shared.home / "back"
    back.mkdir()
    with Serving(address, str(back)) as serving:
        serving.enter()
        held = f"{shared.home}/source/held.csv"
        front, one = serving.ask().text, serving.ask(link(held)).text
        assert ("held.csv" in front, "Try again now" in front + one, "no watch can be asked" in one) == (
            True,
            False,
            True,
        )
        form = serving.form()
        assert serving.ask("/retry", "POST", {"form": form, "file": link(held)[6:]}).code == 403
        carried = link(f"{shared.home}/source/carried.csv")
        assert "only the machine knows" in serving.ask(carried).text
        (number,) = [row.number for row in app.receipts(address)]
        assert serving.ask("/restore", "POST", {"form": form, "file": carried[6:], "receipt": str(number)}).code == 303
        until = time.monotonic() + 30
        while not (back / "carried.csv").exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert (back / "carried.csv").read_text() == "content"


def test_a_database_that_goes_away_is_said_and_comes_again(shared: Place, cluster: Cluster) -> None:
    """The page stays, without the address's password in it, and shows the ledger again when it can be read."""
    with Serving(shared.state) as serving:
        serving.enter()
        assert "held.csv" in serving.ask().text
        cluster.kill()
        try:
            serving.pages._picture._until = 0
            gone = serving.ask()
            found = serving.ask("/search?q=x")
            one = serving.ask(link(f"{shared.home}/source/held.csv"))
            texts = (gone.text, found.text, one.text)
            assert [answer.code for answer in (gone, found, one)] == [200] * 3
            assert ["the ledger cannot be" in text for text in texts] == [True] * 3
            assert not any(cluster.server.password in text for text in texts)
        finally:
            cluster.start()
        serving.pages._picture._until = 0
        assert "held.csv" in serving.ask().text
