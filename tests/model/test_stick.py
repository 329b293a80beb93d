"""The lines on a stick: what was written is read, and what anybody has touched is not."""

import json
import random

import pytest

from outhaul.model.job import ProofRule
from outhaul.model.keys import second_key
from outhaul.model.object_settings import Lock, ObjectSettings
from outhaul.model.stick import (
    LINE_BYTES_MAX,
    Carried,
    Offer,
    answers,
    offer_line,
    read_offer,
    read_receipt,
    receipt_line,
    suffices,
)

KEY = b"k" * 32
SETTINGS = ObjectSettings(
    "STANDARD_IA", "text/csv", (("a", "b"),), (("ä", "ö"),), "aws:kms", "alias/x", True, Lock("governance", 5, True)
)
OFFER = Offer(
    "a" * 32,
    3,
    "b" * 32,
    "logger",
    "bucket",
    "k/ä%FF",
    "http://x:1",
    7,
    9,
    b"s" * 32,
    "stored",
    (("n", "v"),),
    SETTINGS,
    True,
)
RECEIPT = Carried(
    "a" * 32, 3, "bucket", OFFER.key, OFFER.key, "http://x:1", False, 9, b"s" * 32, '"e"', "v", "etag", 11
)


def test_what_was_written_is_read() -> None:
    """With a key and without; a line that is not signed with this key is told apart."""
    for line in (OFFER, OFFER._replace(settings=ObjectSettings(), notes=())):
        assert (line, True) == read_offer(offer_line(line, KEY), KEY)
        assert (line, False) == read_offer(offer_line(line, KEY), b"other" * 10)
        assert (line, False) == read_offer(offer_line(line, b""), KEY)
        assert (line, False) == read_offer(offer_line(line, KEY), b"")
    assert read_receipt(receipt_line(RECEIPT, KEY), KEY) == (RECEIPT, True)


def test_a_line_of_one_kind_is_none_of_the_other() -> None:
    """What a device signs is no receipt."""
    assert read_receipt(offer_line(OFFER, KEY), KEY) is None
    assert read_offer(receipt_line(RECEIPT, KEY), KEY) is None


def test_no_byte_can_be_changed() -> None:
    """Of any line that is read as signed, every field is what was signed."""
    chance, line = random.Random(3), receipt_line(RECEIPT, KEY)
    for _ in range(3000):
        at = chance.randrange(len(line))
        other = line[:at] + bytes([chance.randrange(256)]) * chance.randrange(3) + line[at + chance.randrange(3) :]
        found = read_receipt(other, KEY)
        assert found is None or not found[1] or found[0] == RECEIPT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pack", "../../etc/passwd"), ("pack", 7), ("number", -1), ("number", True), ("number", 1 << 40), ("key", ""),
        ("key", "k" * 1025), ("key", "\ud800"), ("length", -1), ("length", 1.5), ("length", 1 << 60), ("sha256", "xyz"),
        ("offset", -1), ("rule", "none"),
        ("notes", [["a", "b\nc"]]), ("notes", [["a"]]), ("notes", "a"), ("settings", [1]), ("settings", 5), ("customer_key", 1),
        ("settings", ["X", "", [], [], "", "", False, ["", 0, False]]), ("settings", ["", "", [], [], "", "", False, 5]),
        ("settings", ["", "a\r\nb", [], [], "", "", False, ["", 0, False]]), ("bucket", ""), ("bucket", "ä"), ("more", 1),
    ],
)  # fmt: skip
def test_a_stranger_may_write_anything(field: str, value: object) -> None:
    """Also with a right digest: it is no line."""
    fields = json.loads(offer_line(OFFER, b""))
    del fields["digest"]
    assert read_offer(_sealed({**fields}), KEY) == (OFFER, False)
    assert read_offer(_sealed({**fields, field: value}), KEY) is None


def _sealed(fields: dict[str, object]) -> bytes:
    import hashlib

    text = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**fields, "digest": hashlib.sha256(text).hexdigest()}).encode()


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 9000, b" " * (LINE_BYTES_MAX + 1)])
def test_what_is_no_line(line: bytes) -> None:
    """No fault comes of it."""
    assert read_offer(line, KEY) is None
    assert read_receipt(line, KEY) is None


@pytest.mark.parametrize(
    "more",
    [
        {"pack": "c" * 32}, {"number": 4}, {"bucket": "other"}, {"asked": "other"}, {"length": 8}, {"sha256": b"t" * 32},
        {"endpoint": "http://y:1"},
    ],
)  # fmt: skip
def test_a_receipt_answers_one_package(more: dict[str, object]) -> None:
    """Of one trip, in one store; whose address may be another only where a person says so."""
    assert answers(RECEIPT, OFFER)
    assert not answers(RECEIPT._replace(**more), OFFER)  # type: ignore[arg-type]
    assert answers(RECEIPT._replace(endpoint="http://y:1", same_store=True), OFFER)


def test_where_it_may_be() -> None:
    """Under its key, or the second key of this very content; by a proof that is one."""
    second = RECEIPT._replace(key=second_key(OFFER.key, OFFER.sha256))
    assert (second, True) == read_receipt(receipt_line(second, KEY), KEY)
    assert read_receipt(receipt_line(RECEIPT._replace(key="elsewhere"), KEY), KEY) is None
    assert read_receipt(receipt_line(RECEIPT._replace(proof="carried"), KEY), KEY) is None
    assert read_receipt(receipt_line(RECEIPT._replace(etag="e" * 3000), KEY), KEY) is None


@pytest.mark.parametrize(
    ("rule", "enough"),
    [("auto", {"etag", "checksum", "read-back"}), ("stored", {"checksum", "read-back"}), ("read-back", {"read-back"})],
)
def test_what_is_enough(rule: ProofRule, enough: set[str]) -> None:
    """As for a job that asks the store itself; the word of a word is none."""
    assert enough == {proof for proof in ("etag", "checksum", "read-back", "carried", "") if suffices(proof, rule)}
