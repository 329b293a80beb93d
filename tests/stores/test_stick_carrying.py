"""A stick in the hands of a carrier, and the store that it goes to: what is read and asked once, and counted once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from outhaul import by_stick
from outhaul.model.job import Connection, Destination
from outhaul.model.stick import Carried, Offer, offer_line, receipt_line
from outhaul.ports import Begun
from outhaul.stores.carrier_memory import CarrierMemory
from outhaul.stores.stick_carrying import StickInHand
from outhaul.stores.stick_directory import StickDirectory
from sticks.places import new_stick

PACK, KEY = "a" * 32, b"k" * 32
OFFER = Offer(PACK, 0, "d", "j", "b", "p/k", "", 0, 1, b"s" * 32)
RECEIPT = Carried(PACK, 0, "b", "p/k", "p/k", "", False, 1, b"s" * 32, "e", "", "etag", 1)


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[StickDirectory]:
    """A stick."""
    with StickDirectory(str(new_stick(tmp_path / "stick")), make=True) as made:
        yield made


class Nobody(HTTPServer):
    """A store that lets nobody in, and counts who asks."""

    asked = 0


class _Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        assert isinstance(self.server, Nobody)
        self.server.asked += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_DELETE = do_POST = do_PUT

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def nobody() -> Iterator[Nobody]:
    """Such a store."""
    server = Nobody(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def packed(stick: StickDirectory, endpoint: str, count: int) -> None:
    """A pack of this many packages of a byte."""
    writer = stick.new_pack(PACK)
    offers = []
    for number in range(count):
        offset, length, sha256 = writer.append([b"x"])
        offers.append(
            OFFER._replace(
                number=number, key=f"p/{number}", endpoint=endpoint, offset=offset, length=length, sha256=sha256
            )
        )
    writer.finish()
    stick.write_manifest(PACK, [offer_line(offer, KEY) for offer in offers])


def test_a_store_that_cannot_be_used_is_tried_once(
    tmp_path: Path, nobody: Nobody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many packages there are for it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    connection = Connection(endpoint_url=f"http://127.0.0.1:{nobody.server_port}", region="us-east-1")
    asked, left = [], []
    for count in (1, 12):
        place = new_stick(tmp_path / f"stick-{count}")
        with StickDirectory(str(place), make=True) as made:
            packed(made, connection.endpoint_url, count)
        nobody.asked = 0
        report = by_stick.carry(
            str(place), Destination("s3://b/p", "s3", "b", "p"), connection, state=str(tmp_path / "state"), key=KEY
        )
        asked.append(nobody.asked)
        left.append((report.carried, sum(report.left.values()), report.fault))
    assert left == [(0, 1, True), (0, 12, True)]
    assert asked[0] == asked[1] > 0


def test_a_strange_line_is_one_line(stick: StickDirectory) -> None:
    """However often the stick is looked through."""
    packed(stick, "", 1)
    with open(os.path.join(stick.path, "outhaul-stick", f"{PACK}.manifest"), "ab") as file:
        file.write(b'{"torn": \n')
    hand = StickInHand(stick, KEY)
    assert [[one.all_else for one in hand.offered()] for _ in range(3)] == [[False]] * 3
    assert hand.strange == 1


def test_a_receipt_is_found_once_it_is_there(stick: StickDirectory) -> None:
    """Whoever has written it: this carrier now, or one before; what another writes counts with the next look."""
    hand = StickInHand(stick, KEY)
    one, two, three = (RECEIPT._replace(number=number) for number in range(3))
    stick.write_receipts(PACK, [receipt_line(one, KEY)])
    assert (hand.receipt(f"{PACK}.0"), hand.receipt(f"{PACK}.1"), hand.receipt(f"{'b' * 32}.0")) == (one, None, None)
    hand.receipts(PACK, [two])
    assert hand.receipt(f"{PACK}.1") == two
    stick.write_receipts(PACK, [receipt_line(three, KEY)])
    assert list(hand.offered()) == []
    assert [hand.receipt(f"{PACK}.{number}") for number in range(3)] == [one, two, three]


def test_receipts_of_a_pack_are_read_once(stick: StickDirectory) -> None:
    """However many manifests ask for them: a file that is gone since then is not missed."""
    hand = StickInHand(stick, KEY)
    stick.write_receipts(PACK, [receipt_line(RECEIPT, KEY), receipt_line(RECEIPT._replace(number=1), KEY)])
    assert hand.receipt(f"{PACK}.0") == RECEIPT
    for _, name in stick.texts("receipt"):
        stick.remove(name)
    assert hand.receipt(f"{PACK}.1") == RECEIPT._replace(number=1)


def test_what_is_no_directory_holds_no_hints(tmp_path: Path) -> None:
    """Nor does one that is not there: what a carrier remembers are hints."""
    (tmp_path / "file").write_bytes(b"")
    for state in ("file", "nowhere"):
        memory = CarrierMemory(str(tmp_path / state), "", "b")
        assert (list(memory.left()), memory.of(OFFER)) == ([], None)
    memory.began(OFFER, Begun("p/k", "upload", 1), 7)
    assert [left.begun_ns for left in memory.left()] == [7]
