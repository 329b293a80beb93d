"""What must hold of every `Ledger`.

A ledger is opened, used and given back many times here, as by one process after another. Not shown here: a disk that is full
or damaged, and power cuts. A process asks for the number of a place before it uses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from outhaul.model.bundle import Bundle, Kind, Member
from outhaul.model.errors import AnotherInstance
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, ProofKind, Receipt, Sighting, Within
from outhaul.model.job import Connection, Destination, Job
from outhaul.ports import Abilities, Begun, BegunBundle, Ledger, Moment, Observation

Open = Callable[[], AbstractContextManager[Ledger]]
SECOND = 10**9
DAY = 24 * 3600 * SECOND
NOW = Moment("boot-1", 1000 * SECOND, 1_750_000_000 * SECOND)
JOB = Job("one", "/source", Destination("s3://bucket/site", "s3", "bucket", "site"))
ODD_PATHS = (
    "plain",
    "with space",
    "new\nline",
    "\udcff\udcfe",
    "half-\udce6",
    "Zürich",
    "%41",
    "'; DROP TABLE receipt; --",
)
HUGE = (1 << 64) - 1
FAR = (1 << 63) - 1
"""Later than any clock says, in nanoseconds."""


def sighting(name: str, directory: str = "a", inode: int = 1) -> Sighting:
    """A file."""
    return Sighting(directory, name, 66_306, inode, 10, 111, 222, 333)


def proof(seen: Sighting, key: str = "") -> Proof:
    """Its proof."""
    sha256 = hashlib.sha256(seen.path.encode("utf-8", "surrogateescape")).digest()
    return Proof(
        seen, key or f"site/{seen.inode}", seen.size, sha256, "etag", "version", ProofKind.ETAG, True, NOW.wall_ns
    )


def observation(name: str, directory: str = "a", since: Moment = NOW) -> Observation:
    """What is remembered of a file."""
    return Observation(sighting(name, directory)._replace(birth_ns=0), since, "quiet", "3 s more", 2)


def bundle(*files: Sighting, kind: Kind = "bundle") -> Bundle:
    """One that carries these; its digests are those of its names alone, so that the same names are the same bytes."""
    digest = hashlib.sha256(repr([seen.path for seen in files]).encode()).digest()
    members = [Member(seen, 0o640, digest[::-1], Within(0, 512 * at, 10, at)) for at, seen in enumerate(files)]
    return Bundle(kind, f"site/{digest.hex()}.tar.zst", 4096, digest, digest[:16], "zstd", tuple(members))


def later(seconds: float, *, jump: float = 0, boot: str = "boot-1") -> Moment:
    """After `NOW`; with the wall clock set forward by `jump` meanwhile, or in another boot."""
    boot_ns = int(seconds * SECOND) + (NOW.boot_ns if boot == NOW.boot_id else 0)
    return Moment(boot, boot_ns, NOW.wall_ns + int((seconds + jump) * SECOND))


class LedgerContract:
    """Held by each adapter in a subclass that overrides `opened`."""

    @pytest.fixture
    def opened(self) -> Open:
        """Opens the one ledger of a test; on leaving, what was not settled may be gone. To be overridden."""
        raise NotImplementedError

    # --- large uploads ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("goes_to", "endpoint", "is_told"),
        [
            ("s3://bucket", "", True),
            ("s3://bucket/other/prefix", "", True),
            ("s3://bucket-2/site", "", False),
            ("s3://bucket/other", "https://elsewhere.example", False),
        ],
    )
    def test_what_other_pairs_have_left_in_a_bucket(
        self, opened: Open, goes_to: str, endpoint: str, is_told: bool
    ) -> None:
        """It is told for the same bucket at the same endpoint, with the number of its pair, and can be ended from there."""
        other = JOB._replace(destination=Destination(goes_to, "s3", "", ""), connection=Connection(endpoint))
        with opened() as ledger:
            left = ledger.place(other)
            ledger.begin_upload(left, sighting("x"), Begun("site/x", "1", 5))
        with opened() as ledger:
            place = ledger.place(JOB)
            told = [(left, sighting("x")._replace(birth_ns=0), Begun("site/x", "1", 5))] if is_told else []
            assert told == ledger.left_uploads(place, "bucket", FAR)
            for number, seen, begun in told:
                ledger.end_upload(number, seen, begun)
            ledger.settle()
            assert ledger.left_uploads(place, "bucket", FAR) == []

    def test_what_a_pair_of_this_process_began_is_not_left(self, opened: Open) -> None:
        """It is going on with it."""
        with opened() as ledger:
            other = ledger.place(JOB._replace(source="/other"))
            ledger.begin_upload(other, sighting("x"), Begun("site/x", "1", 5))
            assert ledger.left_uploads(ledger.place(JOB), "bucket", FAR) == []

    @pytest.mark.parametrize("since", ["its begin", "its last run"])
    def test_what_is_not_old_is_not_left(self, opened: Open, since: str) -> None:
        """Neither what was begun since, nor that of a pair that has had a run since."""
        with opened() as ledger:
            other = ledger.place(JOB._replace(source="/other"))
            ledger.begin_upload(other, sighting("x"), Begun("site/x", "1", 5))
            if since == "its last run":
                ledger.finish_run(other, 0, Tally())
        with opened() as ledger:
            assert ledger.left_uploads(ledger.place(JOB), "bucket", 1) == []

    # --- receipts ---------------------------------------------------------------------------------------------------

    def test_what_is_recorded_stays(self, opened: Open) -> None:
        """A receipt is there for the next process, whole, though nobody settled anything (L5)."""
        with opened() as ledger:
            place = ledger.place(JOB)
            given = ledger.record(place, [proof(sighting("x", inode=5)), proof(sighting("y", inode=6))])
        with opened() as ledger:
            assert place == ledger.place(JOB)
            found = ledger.receipts(place, "a", ["x", "y", "z"])
            assert {"x": given[0], "y": given[1]} == found
            assert given[0] == ledger.receipt(given[0].number)
        assert (
            Receipt(
                given[0].number,
                sighting("x", inode=5),
                proof(sighting("x")).sha256,
                "s3://bucket/site",
                "site/5",
                given[0].proved_ns,
            )
            == given[0]
        )

    def test_any_mode_and_time_is_recorded(self, opened: Open) -> None:
        """No permission at all, a mode that nobody knows, 1970, and times before it."""
        with opened() as ledger:
            seen = [sighting(str(ns), inode=5)._replace(mtime_ns=ns) for ns in (0, -1, -(1 << 63) + 1)]
            proofs = [proof(one)._replace(mode=mode) for one, mode in zip(seen, (0, None, 0o777), strict=True)]
            ledger.record(ledger.place(JOB), proofs)
        with opened() as ledger:
            found = ledger.receipts(ledger.place(JOB), "a", [one.name for one in seen])
            assert seen == [found[one.name].sighting for one in seen]

    def test_numbers_rise(self, opened: Open) -> None:
        """Receipts are numbered upwards, over processes too; a number that was given is never given again."""
        numbers = []
        for name in "abcde":
            with opened() as ledger:
                numbers += [r.number for r in ledger.record(ledger.place(JOB), [proof(sighting(name))] * 2)]
        assert sorted(set(numbers)) == numbers

    def test_the_latest_receipt_counts(self, opened: Open) -> None:
        """Of several receipts of one name the latest is given."""
        with opened() as ledger:
            place = ledger.place(JOB)
            for inode in (7, 9, 8):
                ledger.record(place, [proof(sighting("x", inode=inode))])
            assert ledger.receipts(place, "a", ["x"])["x"].sighting.inode == 8

    def test_every_name_and_number_is_kept(self, opened: Open) -> None:
        """Names that are no text, and device and inode numbers of 64 bits, come back as they were (L13)."""
        files = [
            sighting(name, directory, inode=HUGE - index)._replace(device=HUGE, size=1 << 62)
            for index, name in enumerate(ODD_PATHS)
            for directory in ("", *ODD_PATHS)
        ]
        with opened() as ledger:
            place = ledger.place(JOB)
            ledger.record(place, [proof(seen) for seen in files])
            ledger.note(place, observed=[Observation(seen._replace(birth_ns=0), NOW, "quiet", "", 0) for seen in files])
            ledger.settle()
        with opened() as ledger:
            assert place == ledger.place(JOB)
            for seen in files:
                assert seen == ledger.receipts(place, seen.directory, [seen.name])[seen.name].sighting
                assert seen._replace(birth_ns=0) == ledger.observations(place, seen.directory)[seen.name].sighting

    def test_many_names_in_one_question(self, opened: Open) -> None:
        """A directory of thousands of files is asked for at once."""
        names = [f"{number}" for number in range(3000)]
        with opened() as ledger:
            place = ledger.place(JOB)
            ledger.record(place, [proof(sighting(name)) for name in names[::2]])
            assert set(names[::2]) == set(ledger.receipts(place, "a", names))

    def test_places_are_apart(self, opened: Open) -> None:
        """What was sent to one destination says nothing about another, nor about another source."""
        other = JOB._replace(destination=JOB.destination._replace(address="s3://bucket/other", prefix="other"))
        elsewhere = JOB._replace(source="/source/\udcff")
        with opened() as ledger:
            places = [ledger.place(job) for job in (JOB, other, elsewhere)]
            ledger.record(places[0], [proof(sighting("x"))])
            ledger.note(places[0], observed=[observation("y")])
            ledger.settle()
            assert len(set(places)) == 3
            for place in places[1:]:
                assert (ledger.receipts(place, "a", ["x"]), ledger.observations(place, "a")) == ({}, {})

    def test_nothing_of_what_was_never_seen(self, opened: Open) -> None:
        """Unknown directories, names and numbers have nothing."""
        with opened() as ledger:
            place = ledger.place(JOB)
            assert (
                ledger.receipts(place, "b", ["x"]), ledger.observations(place, "b"), ledger.receipt(99)
            ) == ({}, {}, None)  # fmt: skip
            assert ledger.receipts(place, "a", []) == {}

    # --- what may be lost ---------------------------------------------------------------------------------------------

    def test_observations_stay_when_settled(self, opened: Open) -> None:
        """What was noted is there after `settle`, a later one in the place of an earlier, and can be forgotten."""
        with opened() as ledger:
            place = ledger.place(JOB)
            ledger.note(place, observed=[observation("x"), observation("y"), observation("x", since=later(5))])
            ledger.settle()
        with opened() as ledger:
            assert {"x": observation("x", since=later(5)), "y": observation("y")} == ledger.observations(place, "a")
            ledger.note(place, forgotten=[("a", "x"), ("a", "never seen"), ("no such", "x")])
            ledger.settle()
        with opened() as ledger:
            assert {"y"} == set(ledger.observations(place, "a"))

    def test_a_receipt_takes_the_notes_with_it(self, opened: Open) -> None:
        """What was noted is durable with the next receipt."""
        with opened() as ledger:
            place = ledger.place(JOB)
            ledger.note(place, observed=[observation("x")])
            ledger.record(place, [proof(sighting("y"))])
        with opened() as ledger:
            assert {"x"} == set(ledger.observations(place, "a"))

    def test_what_went_to_an_archive(self, opened: Open) -> None:
        """Found by its age, some at a time, oldest receipt first; what has since left the archive is not."""
        with opened() as ledger:
            place = ledger.place(JOB)
            other = ledger.place(JOB._replace(source="/other"))
            receipts = ledger.record(place, [proof(sighting(f"{number:03}", inode=number)) for number in range(1, 601)])
            ledger.note(place, disposals=[Disposal(receipt.number, "archived") for receipt in receipts[1:]])
            (theirs,) = ledger.record(other, [proof(sighting("x", inode=7))])
            ledger.note(other, disposals=[Disposal(theirs.number, "archived")])
            found: list[Receipt] = []
            while some := ledger.archived(place, 1 << 62, found[-1].number + 1 if found else 0):
                found += some
            assert receipts[1:] == found
            assert ledger.archived(place, 0, 0) == []
            ledger.note(place, disposals=[Disposal(receipts[1].number, "expired")])
            assert receipts[2] == ledger.archived(place, 1 << 62, 0)[0]

    def test_disposals(self, opened: Open) -> None:
        """Disposals are noted in any order and number, and change no receipt."""
        with opened() as ledger:
            place = ledger.place(JOB)
            given = ledger.record(place, [proof(sighting(str(number))) for number in range(9)])
            outcomes = ["removed", "removed", "gone", "removed", "gone", "gone"]
            disposals = [
                Disposal(receipt.number, outcome) for receipt, outcome in zip(given[1:], outcomes, strict=False)
            ]
            ledger.note(place, disposals=disposals[::-1])
            ledger.finish_run(place, NOW.wall_ns, Tally())
        with opened() as ledger:
            assert place == ledger.place(JOB)
            assert {r.sighting.name: r for r in given} == ledger.receipts(place, "a", [str(n) for n in range(9)])

    def test_directories_that_have_vanished(self, opened: Open) -> None:
        """The directories of which something is remembered are known, and can be forgotten one by one."""
        with opened() as ledger:
            place = ledger.place(JOB)
            ledger.record(place, [proof(sighting("r", "recorded only"))])
            ledger.note(place, observed=[observation("x", "a"), observation("y", "a/b"), observation("z", "")])
            ledger.settle()
            assert {"a", "a/b", ""} == ledger.observed_directories(place)
            ledger.forget_directory(place, "a")
            ledger.settle()
        with opened() as ledger:
            assert {"a/b", ""} == ledger.observed_directories(place)
            assert ledger.observations(place, "a") == {}

    # --- objects that carry several files ---------------------------------------------------------------------------

    def test_a_bundle_that_was_begun_is_known(self, opened: Open) -> None:
        """It is there for the next process, whole, whatever its files are called, though nobody settled anything."""
        files = [sighting(name, directory, inode=HUGE) for name in ODD_PATHS for directory in ("", *ODD_PATHS)]
        made, grouped = bundle(*files), bundle(sighting("g", "run"), kind="group")
        with opened() as ledger:
            place = ledger.place(JOB)
            numbers = [ledger.begin_bundle(place, made), ledger.begin_bundle(place, grouped)]
        with opened() as ledger:
            assert place == ledger.place(JOB)
            expected = [
                BegunBundle(number, NOW.wall_ns, one) for number, one in zip(numbers, (made, grouped), strict=True)
            ]
            assert expected == ledger.bundles(place)
            assert ledger.bundles(ledger.place(JOB._replace(source="/other"))) == []

    def test_a_bundle_is_forgotten_with_its_receipts(self, opened: Open) -> None:
        """In one transaction, and it alone; the receipts are like any others."""
        with opened() as ledger:
            place = ledger.place(JOB)
            files = [sighting("x", inode=5), sighting("y", inode=6)]
            first = ledger.begin_bundle(place, bundle(*files))
            other = ledger.begin_bundle(place, bundle(sighting("z")))
            within = [proof(seen, "site/b")._replace(within=Within(first, 512, 10, 0)) for seen in files]
            given = ledger.record(place, within)
        with opened() as ledger:
            assert place == ledger.place(JOB)
            assert [other] == [begun.number for begun in ledger.bundles(place)]
            assert dict(zip("xy", given, strict=True)) == ledger.receipts(place, "a", ["x", "y", "z"])

    def test_a_bundle_that_never_came_to_be_is_forgotten(self, opened: Open) -> None:
        """With the next durable transaction; and it can be begun again, under a number that is its own."""
        with opened() as ledger:
            place = ledger.place(JOB)
            number = ledger.begin_bundle(place, bundle(sighting("x")))
            ledger.end_bundle(number)
            ledger.settle()
        with opened() as ledger:
            assert ledger.bundles(place) == []
            again = ledger.begin_bundle(place, bundle(sighting("x")))
            assert [again] == [begun.number for begun in ledger.bundles(place)]

    def test_the_same_bundle_begun_twice_is_one(self, opened: Open) -> None:
        """By a later process, of the same bytes under the same key: what it says of its files counts."""
        with opened() as ledger:
            place = ledger.place(JOB)
            ledger.begin_bundle(place, bundle(sighting("x", inode=1)))
            later_one = bundle(sighting("x", inode=2))
            number = ledger.begin_bundle(place, later_one)
            assert [BegunBundle(number, NOW.wall_ns, later_one)] == ledger.bundles(place)

    def test_whether_a_name_was_ever_carried(self, opened: Open) -> None:
        """By any generation, in this place alone, and not by being seen."""
        with opened() as ledger:
            place = ledger.place(JOB)
            ledger.record(place, [proof(sighting("x", inode=5)), proof(sighting("\udcff", "\udcfe"))])
            ledger.note(place, observed=[observation("y")])
            ledger.settle()
        with opened() as ledger:
            assert place == ledger.place(JOB)
            other = ledger.place(JOB._replace(source="/other"))
            asked = [
                (place, "a", "x"),
                (place, "\udcfe", "\udcff"),
                (place, "a", "y"),
                (place, "b", "x"),
                (other, "a", "x"),
            ]
            assert [ledger.ever_carried(*one) for one in asked] == [True, True, False, False, False]

    # --- one instance -------------------------------------------------------------------------------------------------

    def test_a_second_instance_is_refused(self, opened: Open) -> None:
        """While one works with a place, no other gets it, or even the ledger; afterwards one does."""
        with opened() as ledger:
            ledger.place(JOB)
            with pytest.raises(AnotherInstance), opened() as other:
                other.place(JOB)
        with opened() as ledger:
            ledger.place(JOB)

    # --- clocks and endpoints -----------------------------------------------------------------------------------------

    # Moments of runs after the first at NOW, and whether the last of them finds the clock steady.
    CLOCKS = (
        ([later(60)], True),
        ([later(60, jump=4)], True),
        ([later(60, jump=6)], False),
        ([later(60, jump=-6)], False),
        ([later(60, jump=3600), later(120)], False),  # and back again
        ([later(60, jump=4), later(120, jump=8)], False),  # creeping away in steps
        ([later(60, boot="boot-2")], True),
        ([later(60, jump=3600), later(120, jump=3600, boot="boot-2")], True),  # anew, ahead of all that was recorded
        ([later(60, jump=-7200, boot="boot-2")], False),  # behind what was recorded
        ([later(60, jump=-7200, boot="boot-2"), later(90, boot="boot-2")], False),
        ([later(60, jump=-7200, boot="boot-2"), later(9000, boot="boot-3")], True),
        ([later(3000), later(60, boot="boot-2")], False),  # behind the last run, though ahead of the first
    )

    @pytest.mark.parametrize(("moments", "expected"), CLOCKS)
    def test_whether_the_wall_clock_is_steady(self, opened: Open, moments: list[Moment], expected: bool) -> None:
        """It is as long as it keeps step with the boot clock within a boot, and is ahead of all recorded (L7)."""
        steady = True
        for moment in [NOW, *moments]:
            with opened() as ledger:
                steady = ledger.steady_since(moment, 5 * SECOND)
                ledger.finish_run(ledger.place(JOB), moment.wall_ns, Tally())
        assert expected is steady

    def test_abilities_are_kept_for_a_day(self, opened: Open) -> None:
        """What an endpoint has shown is remembered for a day, for it alone, and not across a clock that went back."""
        with opened() as ledger:
            assert ledger.abilities("s3://a", NOW) is None
            ledger.learn("s3://a", Abilities(True, False), NOW)
            ledger.learn("s3://b", Abilities(False, True), NOW)
            ledger.settle()
        with opened() as ledger:
            assert Abilities(True, False) == ledger.abilities("s3://a", later(DAY / SECOND - 1))
            assert Abilities(False, True) == ledger.abilities("s3://b", NOW)
            assert ledger.abilities("s3://a", later(DAY / SECOND)) is None
            assert ledger.abilities("s3://a", later(0, jump=-5)) is None
