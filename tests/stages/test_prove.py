"""A proof comes from stored bytes, or there is none (L4)."""

import hashlib
from collections.abc import Callable

import pytest

from outhaul.model.errors import Denied, NotAsAsked, NotThere, OuthaulError, StoreError, Transient, Unproved
from outhaul.model.evidence import ProofKind
from outhaul.model.job import ProofRule
from outhaul.model.notes import Notes
from outhaul.ports import Begun, Outgoing, Sent, Stored
from outhaul.ports.vouching import Vouch, VouchedStore
from outhaul.stages.prove import ask_many, prove
from outhaul.stages.upload import upload
from outhaul.testing.network import Network
from outhaul.testing.steps import Steps
from outhaul.testing.store import Fault, SimulatedStore
from stages.world import World

LARGE = b"0123456789" * 10_000


def proof_kind(world: World, rule: ProofRule = "auto") -> ProofKind:
    """Carry the file as far as its proof."""
    return prove(upload(world.package(), "keep-both", world.store), rule, world.store, 1).kind


# knobs of the store, the job's rule, and what the proof must rest on
TABLE: list[tuple[str, bool, ProofRule, ProofKind]] = [
    ("md5", False, "auto", ProofKind.ETAG),
    ("md5", True, "auto", ProofKind.ETAG),
    ("opaque", True, "auto", ProofKind.CHECKSUM),
    ("opaque", False, "auto", ProofKind.READ_BACK),
    ("md5", True, "stored", ProofKind.CHECKSUM),
    ("md5", False, "stored", ProofKind.READ_BACK),
    ("md5", True, "read-back", ProofKind.READ_BACK),
    ("md5", False, "read-back", ProofKind.READ_BACK),
]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(("etag", "keeps_sha256", "rule", "expected"), TABLE)
def test_the_cheapest_evidence_that_the_rule_allows(
    world: World, etag: str, keeps_sha256: bool, rule: ProofRule, expected: ProofKind, large: bool
) -> None:
    """An ETag that the bytes give, else a stored checksum, else the bytes; never less than the rule asks for."""
    world.store.etag = etag  # type: ignore[assignment]
    world.store.keeps_sha256 = keeps_sha256
    if large:
        world.files.write("a/file.csv", LARGE)
    assert expected == proof_kind(world, rule)


class KeepsPartChecksums(SimulatedStore):
    """A store with no MD5 ETags that keeps the checksum of each part."""

    kept = "c2hhMjU2-2"

    def put_large(
        self,
        key: str,
        length: int,
        source: Outgoing,
        *,
        seal: Callable[[], None],
        begun: Begun | None = None,
        replace: bool = False,
    ) -> Sent:
        sent = super().put_large(key, length, source, seal=seal, begun=begun, replace=replace)
        return Sent(sent.stored, "", "c2hhMjU2-2")

    def stored_composite(self, key: str, version: str) -> str:
        return self.kept


@pytest.mark.parametrize(
    ("kept", "expected"), [("c2hhMjU2-2", ProofKind.CHECKSUM), ("b3RoZXI=-2", ProofKind.READ_BACK)]
)
def test_the_checksums_of_the_parts(world: World, kept: str, expected: ProofKind) -> None:
    """Where they are what was told, they prove it; where they are not, the bytes are read."""
    world.store = store = KeepsPartChecksums()
    store.etag, store.kept = "opaque", kept
    world.files.write("a/file.csv", LARGE)
    assert expected == proof_kind(world, "auto")
    assert proof_kind(world, "read-back") == ProofKind.READ_BACK


class WithoutEtags(SimulatedStore):
    """A store that computes none, as a directory."""

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        return super().put(key, body, replace=replace, notes=notes)._replace(etag="")

    def put_large(
        self,
        key: str,
        length: int,
        source: Outgoing,
        *,
        seal: Callable[[], None],
        begun: Begun | None = None,
        replace: bool = False,
    ) -> Sent:
        sent = super().put_large(key, length, source, seal=seal, begun=begun, replace=replace)
        return Sent(sent.stored._replace(etag=""))


def test_no_etag_proves_nothing(world: World) -> None:
    """A store that gives no ETag is read back."""
    world.store = WithoutEtags()
    assert proof_kind(world) == ProofKind.READ_BACK


def test_no_etag_of_a_large_object_proves_nothing(world: World) -> None:
    """Nor does it prove anything that no ETag was to be expected."""
    world.store = WithoutEtags()
    world.files.write("a/file.csv", LARGE)
    assert proof_kind(world) == ProofKind.READ_BACK


@pytest.mark.parametrize("rule", ["auto", "stored", "read-back"])
@pytest.mark.parametrize("keeps_sha256", [False, True])
@pytest.mark.parametrize("knob", ["lies", "truncates"])
def test_a_liar_is_caught(world: World, knob: str, keeps_sha256: bool, rule: ProofRule) -> None:
    """A store that keeps other bytes than it was sent cannot prove that it holds them."""
    setattr(world.store, knob, True)
    world.store.etag, world.store.keeps_sha256 = "opaque", keeps_sha256
    with pytest.raises(Unproved):
        proof_kind(world, rule)


def test_a_bit_that_flips_on_the_way_is_caught(world: World) -> None:
    """An ETag that is the MD5 of other bytes is evidence against: nothing is read back, and nothing proved."""
    network = Network(world.store, Steps())
    network.steps.plan[0] = "flip"
    sent = upload(world.package(), "keep-both", network)
    with pytest.raises(Unproved):
        prove(sent, "auto", network, 1)
    assert network.steps.names() == ["store.put"]


def test_an_object_that_is_gone_proves_nothing(world: World) -> None:
    """A store that took an object and lost it has shown nothing."""
    world.store.etag = "opaque"
    sent = upload(world.package(), "keep-both", world.store)
    world.store.objects.clear()
    with pytest.raises(Unproved):
        prove(sent, "auto", world.store, 1)


def test_what_may_not_be_read_back_is_unproved(world: World) -> None:
    """Without permission to read, an opaque ETag is no proof; an MD5 is."""
    world.store.unreadable = True
    assert proof_kind(world) == ProofKind.ETAG
    world.files.write("a/file.csv", b"other")
    world.store.objects.clear()
    world.store.etag = "opaque"
    with pytest.raises(Unproved):
        proof_kind(world)


def test_no_answer_is_no_proof(world: World) -> None:
    """A time-out while proving is unknown, not a proof and not a refusal (L3)."""
    world.store.etag = "opaque"
    world.store.fail("read", Fault(Transient("timeout")))
    with pytest.raises(Transient):
        proof_kind(world)


def test_the_version_that_was_written_is_the_one_that_is_read(world: World) -> None:
    """Where another version came after ours, ours is what is looked at."""
    world.store.versions, world.store.etag = True, "opaque"
    sent = upload(world.package(), "keep-both", world.store)
    newer = world.store.objects[sent.key][0]._replace(content=b"newer", version="v99")
    world.store.objects[sent.key].append(newer)
    assert prove(sent, "auto", world.store, 1).kind == ProofKind.READ_BACK


def test_what_was_sent_is_what_was_digested(world: World) -> None:
    """A large file is read twice; a second reading that differs (bad memory, a bad disk) makes no proof of the first."""
    world.files.write("a/file.csv", LARGE)
    packed = world.package()

    class Flips:
        def pread(self, length: int, offset: int) -> bytes:
            data = LARGE[offset : offset + length]
            return data if offset else bytes([data[0] ^ 1]) + data[1:]

    try:
        proof = prove(upload(packed._replace(source=Flips()), "keep-both", world.store), "auto", world.store, 1)
    except OuthaulError:
        return
    assert hashlib.sha256(world.store.content(proof.key)).digest() == proof.sha256


class Vouched(SimulatedStore, VouchedStore):
    """A store that is out of reach."""

    def vouch(self, key: str, sha256: bytes, length: int, rule: ProofRule) -> Vouch:
        """The word of another machine, which is asked for these very bytes."""
        assert (key, hashlib.sha256(self.content(key)).digest()) == (key, sha256)
        return Vouch("theirs", "v7")


def test_the_word_of_another_machine_is_told_apart(world: World) -> None:
    """Whatever the store itself says: it is not the one that would know."""
    store = Vouched()
    proof = prove(upload(world.package(), "keep-both", store), "read-back", store, 1)
    assert (proof.kind, proof.etag, proof.version) == (ProofKind.CARRIED, "theirs", "v7")


@pytest.mark.parametrize("large", [False, True])
def test_a_lock_that_is_not_shown(world: World, large: bool) -> None:
    """The bytes are there, and the file stays: whoever asked for a lock relies on it. What is locked later is enough."""
    world.store.locks = world.store.forgets_locks = True
    if large:
        world.files.write("a/file.csv", LARGE)
    with pytest.raises(NotAsAsked, match="shows no lock"):
        proof_kind(world)
    (key,) = world.store.objects
    world.store.objects[key][-1] = world.store.objects[key][-1]._replace(locked=True)
    assert proof_kind(world) in (ProofKind.ETAG, ProofKind.READ_BACK)


def test_what_the_answer_has_shown_is_not_asked_for(world: World) -> None:
    """One request less for each file."""
    world.store.locks = world.store.forgets_locks = True
    sent = upload(world.package(), "keep-both", world.store)
    assert prove(sent._replace(shown=True), "auto", world.store, 1).kind == ProofKind.ETAG


@pytest.mark.parametrize(
    ("said", "told"), [(Denied("403"), NotAsAsked), (NotThere("404"), Unproved), (Transient("503"), Transient)]
)
def test_a_lock_that_may_not_be_looked_at(world: World, said: StoreError, told: type[StoreError]) -> None:
    """Refused is not shown; gone is not stored; no answer is tried again."""
    world.store.locks = True
    world.store.fail("lacks", Fault(said))
    with pytest.raises(told) as caught:
        proof_kind(world)
    assert type(caught.value) is told


@pytest.mark.parametrize(("etag", "keeps_sha256", "rule", "expected"), TABLE)
def test_only_those_are_asked_for_whose_proof_needs_it(
    world: World, etag: str, keeps_sha256: bool, rule: ProofRule, expected: ProofKind
) -> None:
    """All at a time; and each is proved as it would be alone, without a question more."""
    world.store.etag, world.store.keeps_sha256 = etag, keeps_sha256  # type: ignore[assignment]
    sent = [upload(world.package(), "keep-both", world.store) for _ in range(2)]
    names = world.store.steps.names
    before = names().count("store.stored_sha256")
    kept = ask_many(sent, rule, world.store, 8)
    asked = names().count("store.stored_sha256")
    assert [prove(one, rule, world.store, 1, known).kind for one, known in zip(sent, kept, strict=True)] == [
        expected
    ] * 2
    by_etag = (etag, rule) == ("md5", "auto")
    assert asked - before == (0 if by_etag or rule == "read-back" else 2)
    assert names().count("store.stored_sha256") == asked


def test_what_the_store_raised_is_that_of_its_file(world: World) -> None:
    """Others are proved."""
    world.store.etag, world.store.keeps_sha256 = "opaque", True
    sent = [upload(world.package(), "keep-both", world.store) for _ in range(2)]
    world.store.fail("stored_sha256", Fault(Transient("no answer")))
    first, second = ask_many(sent, "auto", world.store, 8)
    with pytest.raises(Transient, match="no answer"):
        prove(sent[0], "auto", world.store, 1, first)
    assert prove(sent[1], "auto", world.store, 1, second).kind == ProofKind.CHECKSUM
