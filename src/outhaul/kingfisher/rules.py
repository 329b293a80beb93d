"""Whether a collection is archived: literal rules, each with a reason. Pure.

What is not there at present decides nothing: such a collection waits, and is looked at again at each run. The comparisons
are those of Kingfisher Archive, on which two things are mended: whether two are the same is asked of names and contents, where
the archive tells of names; and an archive that tells nothing of itself stops nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from outhaul.kingfisher.collection import Archived, Collection, Crawl, Measured

Outcome = Literal["archive", "skip", "wait"]

PARTIAL = ("sample", "from_date", "until_date", "year", "start_page", "publisher", "system")
"""Arguments of spiders that make a crawl one of a part of the data."""
MATCH_SECONDS = 3
"""A log is that of a crawl that began within so many seconds of its first line."""
ERROR_RATE_MAX = 0.5
"""Errors in errors and files together."""
MUCH_LARGER = 1.5

REASONS: dict[str, tuple[Outcome, str]] = {
    "no_data_directory": ("wait", "its data directory is not there"),
    "no_data_files": ("wait", "its data directory has no files"),
    "no_log_file": ("wait", "no log of its crawl was found"),
    "log_unfinished": ("wait", "its log does not come to an end yet"),
    "not_complete": ("skip", "the crawl was one of a part of the data"),
    "not_finished": ("skip", "the crawl ended before it had finished"),
    "not_clean_enough": ("skip", "too many files could not be collected"),
    "same": ("skip", "the archive has the same files"),
    "same_period_more_errors": ("skip", "the archive of the month has fewer errors"),
    "same_period_not_larger": ("skip", "the archive of the month is at least as large"),
    "not_distinct": ("skip", "an earlier month has about the same"),
    "own": ("archive", "it is in the archive, and has yet to be let go"),
    "first": ("archive", "there is no archive yet"),
    "same_period_larger": ("archive", "it is larger than the archive of the month, which is kept beside it"),
    "untold": ("archive", "what the archive holds cannot be known, so it is kept beside this one"),
    "new_period_much_larger": ("archive", "it is at least half as large again as the one of an earlier month"),
    "new_period_clean": ("archive", "it is as large as the one of an earlier month, with no more errors"),
}


class Verdict(NamedTuple):
    """What is to be done with a collection, and why."""

    reason: str
    """Key of `REASONS`."""
    detail: str = ""

    @property
    def outcome(self) -> Outcome:
        """What follows."""
        return REASONS[self.reason][0]

    def __str__(self) -> str:
        said = REASONS[self.reason][1]
        return f"{said} ({self.detail})" if self.detail else said


def judge_log(crawl: Crawl | None) -> Verdict | None:
    """What follows from the log of a crawl alone; None where nothing does."""
    if crawl is None:
        return Verdict("no_log_file")
    if crawl.part_of:
        return Verdict("not_complete", ", ".join(crawl.part_of))
    if not crawl.finish_reason:
        return Verdict("log_unfinished")
    if crawl.finish_reason != "finished":
        return Verdict("not_finished", crawl.finish_reason)
    if crawl.errors > ERROR_RATE_MAX * (crawl.errors + crawl.files):
        return Verdict("not_clean_enough", f"{crawl.errors} errors, {crawl.files} files")
    return None


def seconds_apart(collection: Collection, crawl: Crawl) -> float | None:
    """How far the beginning of a log is from that of a crawl; None where it is not the log of that crawl."""
    times = [time for time in (crawl.started, crawl.crawl_time) if time is not None]
    apart = min((abs((collection.data_version - time).total_seconds()) for time in times), default=MATCH_SECONDS + 1.0)
    return apart if apart <= MATCH_SECONDS else None


def compare(collection: Collection, local: Measured, errors: int | None, archives: Sequence[Archived]) -> Verdict:
    """Whether files are worth a place beside what is archived of their source.

    Args:
        collection: Whose they are.
        local: The files.
        errors: How many its log tells of; None where that is not known.
        archives: All complete ones of the source, of any month.
    """
    same_month = [archive for archive in archives if archive.month == collection.month]
    if any(is_own(collection, local, archive) for archive in same_month):
        return Verdict("own")
    if same_month:
        return _same_period(local, errors, same_month)
    earlier = [archive for archive in archives if archive.month < collection.month]
    if earlier:
        latest = max(archive.month for archive in earlier)
        return _new_period(local, errors, [archive for archive in earlier if archive.month == latest])
    return Verdict("first")


def is_own(collection: Collection, local: Measured, archive: Archived) -> bool:
    """Whether an archive is that of this very collection, as its files are now."""
    return (archive.month, archive.number, archive.sha256) == (collection.month, collection.number, local.sha256)


def _same_period(local: Measured, errors: int | None, archives: Sequence[Archived]) -> Verdict:
    if any(_is_same(local, archive) for archive in archives):
        return Verdict("same")
    current = current_of(archives)
    sizes = _sizes(local, current)
    if sizes is None or (current.torn and _may_be_same(local, current)):
        return Verdict("untold", current.key)
    if errors is not None and current.errors is not None and errors > current.errors:
        return Verdict("same_period_more_errors", f"{errors} here, {current.errors} there")
    if sizes[0] <= sizes[1]:
        return Verdict("same_period_not_larger", f"{sizes[0]} bytes here, {sizes[1]} there")
    return Verdict("same_period_larger", f"{sizes[0]} bytes here, {sizes[1]} there")


def _new_period(local: Measured, errors: int | None, archives: Sequence[Archived]) -> Verdict:
    current = current_of(archives)
    if _is_same(local, current):
        return Verdict("same", current.month)
    sizes = _sizes(local, current)
    if sizes is None:
        return Verdict("untold", current.key)
    if sizes[0] >= MUCH_LARGER * sizes[1]:
        return Verdict("new_period_much_larger", current.month)
    if errors is not None and current.errors is not None and errors <= current.errors and sizes[0] >= sizes[1]:
        return Verdict("new_period_clean", current.month)
    return Verdict("not_distinct", current.month)


def current_of(archives: Sequence[Archived]) -> Archived:
    """Of the archives of one month the one in the first place; or, where there is none for a moment, the largest."""
    return max(archives, key=lambda archive: (not archive.is_second, archive.bytes or archive.disk_bytes or 0))


def _is_same(local: Measured, archive: Archived) -> bool:
    """Names count where the archive tells of them; the older program's does not."""
    if archive.sha256:
        return local.sha256 == archive.sha256
    return _may_be_same(local, archive) and not archive.torn


def _may_be_same(local: Measured, archive: Archived) -> bool:
    return bool(archive.md5) and local.md5 == archive.md5


def _sizes(local: Measured, archive: Archived) -> tuple[int, int] | None:
    """Like with like: the older program counted directories too. None where the archive tells of neither."""
    if archive.bytes is not None:
        return local.bytes, archive.bytes
    return None if archive.disk_bytes is None else (local.disk_bytes, archive.disk_bytes)
