"""The decision tables of Kingfisher Archive, rule by rule."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from kingfisher.world import SEPTEMBER
from outhaul.kingfisher.collection import Archived, Collection, Crawl, Measured
from outhaul.kingfisher.rules import REASONS, compare, is_own, judge_log, seconds_apart

COLLECTION = Collection(7, "scotland", SEPTEMBER)
FINISHED = Crawl(SEPTEMBER, None, (), "finished", 10, 0)


@dataclass(frozen=True)
class Local:
    """Files of so many bytes, with names and contents that a word stands for."""

    bytes: int
    names: str = "local"
    contents: str = "local"

    def measured(self) -> Measured:
        return Measured({"file": (self.bytes, b"")}, self.bytes + 4096, self.contents, self.names)


def there(month: str, size: int, *, errors: int | None = 0, names: str = "other", contents: str = "other") -> Archived:
    """An archive that outhaul wrote."""
    return Archived(month, f"scotland/{month}/metadata.json", 1, size, size + 4096, contents, names, errors)


def older(month: str, size: int, *, errors: int | None = 0, contents: str = "other", torn: bool = False) -> Archived:
    """One that the older program wrote: its size counts directories, and it tells of no names."""
    return Archived(month, f"scotland/{month}/metadata.json", 1, None, size + 4096, contents, "", errors, torn)


SAME, EARLIER, LATER = "2020/09", "2020/01", "2020/10"

TABLE: list[tuple[str, Local, int | None, list[Archived], str]] = [
    ("nothing is archived", Local(100), 0, [], "first"),
    ("only a later month is", Local(100), 0, [there(LATER, 100)], "first"),
    ("same month: larger, other bytes", Local(101), 0, [there(SAME, 100)], "same_period_larger"),
    ("same month: the same", Local(100), 0, [there(SAME, 100, names="local")], "same"),
    ("same month: the same, by md5", Local(100), 0, [older(SAME, 100, contents="local")], "same"),
    ("same month: smaller", Local(99), 0, [there(SAME, 100)], "same_period_not_larger"),
    ("same month: as large", Local(100), 0, [there(SAME, 100)], "same_period_not_larger"),
    ("same month: more errors", Local(1000), 1, [there(SAME, 100)], "same_period_more_errors"),
    ("same month: errors not known there", Local(101), 1, [there(SAME, 100, errors=None)], "same_period_larger"),
    ("same month: errors not known here", Local(101), None, [there(SAME, 100)], "same_period_larger"),
    ("same month counts before an earlier one", Local(99), 0, [there(EARLIER, 1), there(SAME, 100)], "same_period_not_larger"),
    ("L7: same contents, other names", Local(101), 0, [there(SAME, 100, contents="local")], "same_period_larger"),
    ("L1: metadata of other data", Local(100), 0, [older(SAME, 100, contents="local", torn=True)], "untold"),
    ("L7: directories do not tip the scales", Local(100), 0, [there(SAME, 100)._replace(disk_bytes=0)], "same_period_not_larger"),
    ("metadata that says nothing", Local(1), 0, [Archived(SAME, "scotland/2020/09/metadata.json")], "untold"),
    ("a second one is the same", Local(100), 0,
     [there(SAME, 200), there(SAME, 100, names="local")._replace(key="scotland/2020/09/metadata~00.json")], "same"),
    ("the one in the first place is compared with", Local(150), 0,
     [there(SAME, 100), there(SAME, 200)._replace(key="scotland/2020/09/metadata~00.json")], "same_period_larger"),
    ("none in the first place: the largest is", Local(150), 0,
     [there(SAME, n)._replace(key=f"scotland/2020/09/metadata~{n}.json") for n in (100, 200)], "same_period_not_larger"),
    ("earlier month: half as large again", Local(150), 5, [there(EARLIER, 100)], "new_period_much_larger"),
    ("earlier month: a byte less than that, more errors", Local(149), 1, [there(EARLIER, 100)], "not_distinct"),
    ("earlier month: a byte more, equal errors", Local(101), 2, [there(EARLIER, 100, errors=2)], "new_period_clean"),
    ("earlier month: as large, fewer errors", Local(100), 1, [there(EARLIER, 100, errors=2)], "new_period_clean"),
    ("earlier month: smaller, fewer errors", Local(99), 1, [there(EARLIER, 100, errors=2)], "not_distinct"),
    ("earlier month: 8 % more, errors not known", Local(108), None, [there(EARLIER, 100)], "not_distinct"),
    ("earlier month: the same", Local(100), 0, [there(EARLIER, 100, names="local")], "same"),
    ("earlier month: the same, by md5", Local(100), 0, [older(EARLIER, 100, contents="local")], "same"),
    ("earlier month: L7, moved files", Local(100), 0, [there(EARLIER, 100, contents="local")], "new_period_clean"),
    ("the latest of the earlier ones counts", Local(100), 0, [there("2019/12", 1), there(EARLIER, 100)], "new_period_clean"),
    ("an earlier year", Local(100), 9, [there("2019/12", 90)], "not_distinct"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("local", "errors", "archives", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_comparison(local: Local, errors: int | None, archives: list[Archived], reason: str) -> None:
    """What is archived already decides, by this table."""
    assert reason == compare(COLLECTION, local.measured(), errors, archives).reason


@pytest.mark.parametrize(
    ("crawl", "reason", "outcome"),
    [
        (FINISHED, None, None),
        (FINISHED._replace(files=0), None, None),
        (None, "no_log_file", "wait"),
        (FINISHED._replace(finish_reason=""), "log_unfinished", "wait"),
        (FINISHED._replace(finish_reason="shutdown"), "not_finished", "skip"),
        (FINISHED._replace(part_of=("sample",)), "not_complete", "skip"),
        (FINISHED._replace(part_of=("from_date",), finish_reason=""), "not_complete", "skip"),
        (FINISHED._replace(files=5, errors=5), None, None),
        (FINISHED._replace(files=5, errors=6), "not_clean_enough", "skip"),
    ],
)  # fmt: skip
def test_logs(crawl: Crawl | None, reason: str | None, outcome: str | None) -> None:
    """What a log says decides before anything is compared. What may still come decides nothing."""
    verdict = judge_log(crawl)
    assert (reason, outcome) == ((verdict.reason, verdict.outcome) if verdict else (None, None))


@pytest.mark.parametrize(("seconds", "is_its_own"), [(-4, False), (-3, True), (0, True), (3, True), (4, False)])
def test_a_log_belongs_to_the_crawl_that_began_with_it(seconds: int, is_its_own: bool) -> None:
    """Within three seconds, of its first line or of what the spider was told."""
    then = SEPTEMBER + timedelta(seconds=seconds)
    far = datetime(2000, 1, 1)
    assert is_its_own == (seconds_apart(COLLECTION, FINISHED._replace(started=then)) is not None)
    assert is_its_own == (seconds_apart(COLLECTION, FINISHED._replace(started=far, crawl_time=then)) is not None)
    assert seconds_apart(COLLECTION, FINISHED._replace(started=None)) is None


def test_ones_own_archive_is_known() -> None:
    """A run that died after the metadata finds its own archive, and no other collection's."""
    local = Local(100).measured()
    own = there(SAME, 100, names="local")._replace(number=7)
    assert is_own(COLLECTION, local, own)
    assert compare(COLLECTION, local, 0, [own]).reason == "own"
    assert not is_own(COLLECTION, local, own._replace(number=8))
    assert not is_own(COLLECTION, local, own._replace(month=EARLIER))
    assert not is_own(COLLECTION, local, own._replace(sha256=""))


def test_every_reason_has_words() -> None:
    """A reason is told to people."""
    assert {"archive", "skip", "wait"} == {outcome for outcome, _ in REASONS.values()}
    assert all(words for _, words in REASONS.values())


def test_keys() -> None:
    """The directory and the folder of a collection are named as ever; months have two digits."""
    january = COLLECTION._replace(data_version=datetime(2021, 1, 2, 3, 4, 5))
    assert (
        january.directory,
        january.month,
        january.folder,
    ) == ("scotland/20210102_030405", "2021/01", "scotland/2021/01")
    assert [
        bool(COLLECTION._replace(source_id=name).unusable) for name in ("", "..", "a/b", "a\0", "a; rm -rf $(x) *")
    ] == [True, True, True, True, False]
