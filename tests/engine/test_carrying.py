"""What a carrier sends of a stick, what it leaves there, and when it stops."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from engine.world import JOB, Machine
from outhaul.engine.carrying import Carriage, Carrier, carry_stick
from outhaul.model.errors import Denied, LedgerError, Misconfigured, OnItsWay, Refused, Transient, UploadGone
from outhaul.model.evidence import ProofKind
from outhaul.model.job import ProofRule
from outhaul.model.notes import notes_of
from outhaul.model.stick import Carried, Offer
from outhaul.ports import Begun, Store
from outhaul.ports.stick import Offered
from outhaul.ports.vouching import Vouch, VouchedStore
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.store import Fault, SimulatedStore

SMALL, LARGE = b"small", b"large" * 100_000
LOST = Fault(Transient("no answer"))


class Stick:
    """A `CarriedStick` in memory; `damage` makes it give other bytes from a reading on."""

    def __init__(self) -> None:
        self.contents: dict[str, list[bytes]] = {}
        self.more: dict[str, dict[str, Any]] = {}
        self.written: list[Carried] = []
        self.gone: list[str] = []
        self.readings = 0
        self.damaged_from = 0
        self.short = False
        self.all_else = True

    def add(self, pack: str, *contents: bytes, **more: Any) -> None:
        """A pack."""
        self.contents[pack], self.more[pack] = list(contents), more

    def offered(self) -> Iterator[Offered]:
        """See `ports.stick`."""
        for pack, contents in self.contents.items():
            offers = [
                Offer(pack, index, "d", "j", "b", f"{pack}/{index}", "", 0, len(one), hashlib.sha256(one).digest())
                for index, one in enumerate(contents)
            ]
            yield Offered(pack, tuple([one._replace(**self.more[pack]) for one in offers]), self.all_else)

    def chunks(self, offer: Offer) -> Iterator[bytes]:
        """See `ports.stick`."""
        self.readings += 1
        content = self.contents[offer.pack][offer.number]
        if self.damaged_from and self.readings >= self.damaged_from:
            content = content[:100] if self.short else bytes(len(content))
        yield from (content[at : at + 70_000] for at in range(0, len(content), 70_000))

    def receipt(self, place: str) -> Carried | None:
        """See `ports.stick`."""
        pack, _, number = place.rpartition(".")
        return next((one for one in self.written if (one.pack, one.number) == (pack, int(number))), None)

    def receipts(self, pack: str, carried: Sequence[Carried]) -> None:
        """See `ports.stick`."""
        self.written.extend(carried)

    def let_go(self, pack: str) -> None:
        """See `ports.stick`."""
        self.gone.append(pack)


@pytest.fixture
def stick() -> Stick:
    """Empty."""
    return Stick()


@pytest.fixture
def store() -> SimulatedStore:
    """Empty."""
    return SimulatedStore()


class Memory:
    """A `CarrierMemory` in memory; `full` lets it remember nothing, and `stuck` forget nothing."""

    def __init__(self) -> None:
        self.known: dict[bytes, Begun] = {}
        self.full = self.stuck = False

    def of(self, offer: Offer) -> Begun | None:
        """See `ports.stick`."""
        return self.known.get(offer.sha256)

    def began(self, offer: Offer, begun: Begun, now_ns: int) -> None:
        """See `ports.stick`."""
        if self.full:
            raise LedgerError("no space")
        self.known[offer.sha256] = begun

    def ended(self, offer: Offer) -> None:
        """See `ports.stick`."""
        if self.stuck:
            raise LedgerError("no leave")
        self.known.pop(offer.sha256, None)


def carried(stick: Stick, store: Store, **more: Any) -> list[Carriage]:
    """All that becomes of it."""
    carrier = Carrier(SimulatedClock(), lambda _offer: store, "keep-both", False, "", lambda: False, Memory())
    return list(carry_stick(stick, carrier._replace(**more)))


def test_a_receipt_is_written_before_the_bytes_go(stick: Stick, store: SimulatedStore) -> None:
    """Small and large, each proved; the pack goes when all of it has receipts."""
    stick.add("p", SMALL, LARGE, b"")
    assert [one.proof and one.proof.kind for one in carried(stick, store)] == [ProofKind.ETAG] * 3
    assert ({0, 1, 2}, ["p"]) == ({one.number for one in stick.written}, stick.gone)
    assert [store.content(f"p/{number}") for number in range(3)] == [SMALL, LARGE, b""]


def test_many_go_in_batches(stick: Stick, store: SimulatedStore) -> None:
    """Receipts are written after each."""
    stick.add("p", *[b"%d" % number for number in range(300)])
    assert 300 == len(carried(stick, store)) == len(stick.written)


def test_an_empty_pack_is_not_let_go_where_lines_were_strange(stick: Stick, store: SimulatedStore) -> None:
    """What is not understood may be of another's."""
    stick.all_else = False
    stick.add("p", SMALL)
    carried(stick, store)
    assert (stick.gone, len(stick.written)) == ([], 1)


def test_what_a_codec_made_is_noted_beside_it(stick: Stick, store: SimulatedStore) -> None:
    """As the device would have; notes that make no sense stop this one package only."""
    notes = notes_of("zstd", b"c" * 32, 7, 8)
    stick.add("p", SMALL, notes=notes)
    stick.add("q", SMALL, notes=(("outhaul-size", "x"),))
    done = carried(stick, store)
    assert (notes, False, True) == (store.notes["p/0"], done[1].fault, "nobody can note" in done[1].why)


def test_damaged_packages_stay(stick: Stick, store: SimulatedStore) -> None:
    """Small or large: nothing of them goes."""
    stick.add("p", SMALL, LARGE)
    stick.damaged_from = 1
    assert [one.fault for one in carried(stick, store)] == [False, False]
    assert (store.objects, stick.gone) == ({}, [])


@pytest.mark.parametrize("short", [False, True])
def test_a_stick_that_changes_its_mind(stick: Stick, store: SimulatedStore, short: bool) -> None:
    """Checked, and then other bytes while it is sent: no object comes to be."""
    stick.add("p", LARGE)
    stick.damaged_from, stick.short = 2, short
    (one,) = carried(stick, store)
    assert (one.proof, store.objects) == (None, {})


class Careless(SimulatedStore):
    """A store whose `put_large` does not ask whether the source is whole."""

    def put_large(self, *arguments: Any, **more: Any) -> Any:
        """As a server that commits what it was sent."""
        return super().put_large(*arguments, **{**more, "seal": lambda: None})


def test_bytes_that_changed_are_not_proved(stick: Stick) -> None:
    """Were such an object to come to be, it would have no receipt."""
    stick.add("p", LARGE)
    stick.damaged_from = 2
    (one,) = carried(stick, Careless())
    assert (one.proof, stick.written) == (None, [])


def test_what_may_not_go_stays(stick: Stick, store: SimulatedStore) -> None:
    """Whoever opens the store says so."""

    def refuse(_offer: Offer) -> Store:
        raise Refused("elsewhere")

    stick.add("p", SMALL)
    (one,) = carried(stick, store, store_of=refuse)
    assert (one.why, one.fault) == ("elsewhere", False)


def test_a_read_back_is_done_where_the_job_asks(stick: Stick, store: SimulatedStore) -> None:
    """The evidence is the device's choice."""
    stick.add("p", SMALL, LARGE, rule="read-back")
    assert {ProofKind.READ_BACK} == {one.proof and one.proof.kind for one in carried(stick, store)}


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_it_tries_again(stick: Stick, store: SimulatedStore, content: bytes) -> None:
    """A few times; then the destination does not answer, and it stops."""
    method = "put" if content is SMALL else "put_large"
    stick.add("p", content)
    stick.add("q", content)
    store.fail(method, LOST)
    assert [one.proof is not None for one in carried(stick, store)] == [True, True]
    store.objects.clear()
    store.fail(method, *[LOST] * 20)
    (one,) = carried(stick, store)
    assert (one.fault, one.why) == (True, "no answer")


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_a_proof_that_is_not_given(stick: Stick, store: SimulatedStore, content: bytes) -> None:
    """It went, and is not proved: it stays on the stick."""
    store.etag = "opaque"
    stick.add("p", content)
    store.fail("read", Fault(Denied("no")))
    (one,) = carried(stick, store)
    assert (one.proof, one.fault, stick.written) == (None, False, [])


def test_a_store_that_cannot_be_used_ends_it(stick: Stick, store: SimulatedStore) -> None:
    """What was carried before has its receipts."""
    stick.add("p", SMALL)
    stick.add("q", SMALL)
    stick.add("r", SMALL)
    store.fail("put", Fault(Misconfigured("no such bucket")))
    assert [one.fault for one in carried(stick, store)] == [True]


def test_it_ends_when_asked_to(stick: Stick, store: SimulatedStore) -> None:
    """Before the next batch, and before another attempt."""
    stick.add("p", SMALL)
    assert carried(stick, store, stopped=lambda: True) == []
    asked = iter([False, True, True])
    stick.add("p", LARGE)
    store.fail("put_large", LOST)
    (one,) = carried(stick, store, stopped=lambda: next(asked))
    assert one.fault


def test_a_pack_all_of_which_was_carried_before(stick: Stick, store: SimulatedStore) -> None:
    """Only its bytes are left to go: somebody died in between."""
    stick.add("p")
    assert (carried(stick, store), stick.gone) == ([], ["p"])


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_other_bytes_under_its_key(stick: Stick, store: SimulatedStore, content: bytes) -> None:
    """They stay; ours go to a second key, which the receipt names, or stay where that is not wanted."""
    stick.add("p", content)
    store.put("p/0", b"theirs")
    (one,) = carried(stick, store, rule="hold")
    assert (one.proof, one.fault) == (None, False)
    carried(stick, store)
    assert (b"theirs", content) == (store.content("p/0"), store.content(stick.written[0].key))


class OutOfReach(SimulatedStore, VouchedStore):
    """A store that nobody can try."""

    there = False
    missing = ""

    def vouch(self, key: str, sha256: bytes, length: int, rule: ProofRule) -> Vouch:
        """Once the receipt has come back."""
        if not self.there or key == self.missing:
            raise OnItsWay("a stick")
        return Vouch("e", "v")


def test_what_is_on_its_way_waits(machine: Machine) -> None:
    """It waits without a fault; then the word of the carrier lets it go. The endpoint is not tried."""
    machine.store = OutOfReach()
    machine.produce("a/one", b"1")
    outcome = machine.run()
    assert (outcome.destination_fault, outcome.tally.by_reason) == ("", {"on-its-way": 1})
    assert "store.probe" not in [call.name for call in machine.steps.calls]
    machine.store.there = True
    assert machine.run().tally.by_reason == {"removed": 1}


def test_a_group_waits_for_its_manifest_too(machine: Machine) -> None:
    """Both go on one trip; the files go when both have arrived, and what came alone is remembered and hinders nothing."""
    machine.store = OutOfReach()
    grouping = JOB._replace(groups=("g",))
    machine.produce("g/one", b"1")
    machine.produce("g/two", b"2" * 70_000)
    assert machine.run(grouping).tally.by_reason == {"on-its-way": 2}
    assert sorted(machine.store.objects) == ["site/g.tar", "site/g.tar.manifest.json"]
    machine.store.there, machine.store.missing = True, "site/g.tar.manifest.json"
    for _ in range(2):
        outcome = machine.run(grouping)
        assert (outcome.destination_fault, outcome.tally.by_reason) == ("", {"on-its-way": 2})
    machine.store.missing = ""
    assert machine.run(grouping).tally.by_reason == {"removed": 2}


# --- groups on a stick ---------------------------------------------------------------------------------------------------


PLACE = f"{'b' * 32}.0"


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_a_manifest_goes_last(stick: Stick, store: SimulatedStore, content: bytes) -> None:
    """Wherever it lies on the stick: it makes its group count, which has to be there."""
    stick.add("a" * 32, b"manifest", after=PLACE)
    stick.add("b" * 32, content)
    assert [one.offer.pack[0] for one in carried(stick, store) if one.proof] == ["b", "a"]


def test_a_manifest_stays_where_its_group_does(stick: Stick, store: SimulatedStore) -> None:
    """Because it is not on the stick, or not sent, or other bytes stand under its key: then it does not go to another one."""
    stick.add("a" * 32, b"manifest", after=PLACE)
    (one,) = carried(stick, store)
    assert (one.proof, one.fault, one.why) == (None, False, "makes a group count that is not in the store yet")
    stick.add("b" * 32, SMALL)
    store.put(f"{'b' * 32}/0", b"theirs")
    assert [one.proof for one in carried(stick, store)] == [None, None]
    assert sorted(map(len, store.objects)) == [34]


def test_a_fault_ends_it_for_manifests_too(stick: Stick, store: SimulatedStore) -> None:
    """What cannot be sent now is not made to count."""
    stick.add("a" * 32, b"manifest", after=PLACE)
    stick.add("b" * 32, SMALL)
    store.fail("put", Fault(Misconfigured("no such bucket")))
    assert [one.fault for one in carried(stick, store)] == [True]


# --- large uploads that go on --------------------------------------------------------------------------------------------


def broken_off(stick: Stick, store: SimulatedStore) -> tuple[Memory, int]:
    """A carrier ends in the middle of a large package; what the next one knows, and how many parts are there."""
    stick.add("p", LARGE)
    memory = Memory()
    store.fail("put_part", Fault(Denied("no more"), after=True))
    (one,) = carried(stick, store, memory=memory)
    assert (one.proof, one.fault, len(memory.known)) == (None, True, 1)
    return memory, store.parts_sent


def test_a_large_upload_goes_on(stick: Stick, store: SimulatedStore) -> None:
    """What the store has is not sent again, and what is remembered goes when it is proved."""
    memory, sent = broken_off(stick, store)
    parts = -(-len(LARGE) // store.part_bytes)
    assert 0 < sent < parts
    (one,) = carried(stick, store, memory=memory)
    assert one.proof is not None
    assert (store.parts_sent, memory.known, store.uploads) == (parts, {}, {})


def test_what_the_store_has_forgotten_is_begun_anew(stick: Stick, store: SimulatedStore) -> None:
    """It was a hint. That the store will not even be told so hinders nobody."""
    memory, _ = broken_off(stick, store)
    store.uploads.clear()
    store.fail("abandon", LOST)
    (one,) = carried(stick, store, memory=memory)
    assert (one.proof is not None, store.content("p/0"), memory.known) == (True, LARGE, {})


def test_what_came_to_be_meanwhile_is_looked_at(stick: Stick, store: SimulatedStore) -> None:
    """By our own request, or another desk's: parts that are no longer needed are abandoned."""
    memory, _ = broken_off(stick, store)
    store.put("p/0", LARGE)
    (one,) = carried(stick, store, memory=memory)
    assert one.proof is not None
    assert (one.proof.sent, memory.known, store.uploads) == (False, {}, {})


def test_a_store_that_cannot_go_on(stick: Stick, store: SimulatedStore) -> None:
    """Nothing is remembered then, and what becomes of a name that is taken in the middle of it is looked at."""
    store.resumes = False
    stick.add("p", LARGE)
    store.fail("put_large", Fault(UploadGone("gone")))
    memory = Memory()
    (one,) = carried(stick, store, memory=memory)
    assert (one.proof is not None, memory.known) == (True, {})


@pytest.mark.parametrize("lost", [[], [LOST]])
def test_what_cannot_be_written_down_is_not_sent(stick: Stick, store: SimulatedStore, lost: list[Fault]) -> None:
    """Else nobody would know of its parts: it stays, what was begun is abandoned, and small ones go."""
    memory = Memory()
    memory.full = True
    stick.add("p", LARGE, SMALL)
    store.fail("abandon", *lost)
    assert [(one.offer.number, one.why, one.fault) for one in carried(stick, store, memory=memory)] == [
        (0, "no space", False),
        (1, "", False),
    ]
    assert (store.parts_sent, len(store.uploads), [one.number for one in stick.written]) == (0, len(lost), [1])


def test_a_hint_that_cannot_be_removed_takes_no_proof_away(stick: Stick, store: SimulatedStore) -> None:
    """Neither that of its own package, nor those of others that wait for their receipts."""
    memory = Memory()
    memory.stuck = True
    stick.add("p", LARGE, SMALL, LARGE + LARGE)
    assert all(one.proof for one in carried(stick, store, memory=memory))
    assert ({0, 1, 2}, ["p"]) == ({one.number for one in stick.written}, stick.gone)


def test_a_hint_of_what_is_gone_that_cannot_be_removed(stick: Stick, store: SimulatedStore) -> None:
    """Its package stays, which says why; the others go, and have their receipts."""
    memory, _ = broken_off(stick, store)
    store.uploads.clear()
    memory.stuck = True
    stick.add("q", SMALL)
    assert [(one.why, one.fault) for one in carried(stick, store, memory=memory)] == [("no leave", False), ("", False)]
    assert [one.pack for one in stick.written] == ["q"]
