"""What is read in logs that a real Scrapy wrote."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from outhaul.kingfisher.collection import Crawl
from outhaul.kingfisher.scrapy_log import PIECE, read_log

EXPECTED: dict[str, tuple[tuple[str, ...], str, int, int]] = {
    "finished": ((), "finished", 2, 0),
    "with_errors": ((), "finished", 3, 1),
    "mostly_errors": ((), "finished", 1, 2),
    "sample": (("sample",), "finished", 2, 0),
    "from_date": (("from_date",), "finished", 2, 0),
    "crawl_time": ((), "finished", 2, 0),
}


def read(path: Path) -> Crawl:
    """As outhaul reads it."""
    with path.open(newline="\n") as file:
        return read_log(iter(lambda: file.readline(PIECE), ""))


SLOW = ("from_date", "mostly_errors", "crawl_time", "closed", "killed")


def crawls(names: Iterable[str]) -> list[Any]:
    """Each crawl takes Scrapy a second: some are for the full tests."""
    return [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in names]


@pytest.mark.parametrize("name", crawls(EXPECTED))
def test_finished_crawls(scrapy_logs: Mapping[str, Path], name: str) -> None:
    """Arguments, the end, files and errors are found."""
    crawl = read(scrapy_logs[name])
    assert EXPECTED[name] == crawl[2:]
    assert crawl.started == datetime.strptime(scrapy_logs[name].read_text()[:19], "%Y-%m-%d %H:%M:%S")


@pytest.mark.slow
def test_the_time_a_spider_was_told(scrapy_logs: Mapping[str, Path]) -> None:
    """An incremental crawl has the time of an earlier one."""
    assert datetime(2020, 2, 3, 4, 5, 6) == read(scrapy_logs["crawl_time"]).crawl_time


@pytest.mark.parametrize("name", crawls(["closed", "cancelled", "killed"]))
def test_crawls_that_did_not_finish(scrapy_logs: Mapping[str, Path], name: str) -> None:
    """One that was ended says how; one that was killed says nothing."""
    expected = {"closed": "itemcount", "cancelled": "shutdown", "killed": ""}
    assert expected[name] == read(scrapy_logs[name]).finish_reason


@pytest.mark.parametrize("name", ["with_errors", "sample"])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_long_lines_come_in_pieces(scrapy_logs: Mapping[str, Path], name: str, size: int) -> None:
    """What is told does not depend on how what a dict says is cut."""
    text = scrapy_logs[name].read_text()
    pieces = []
    for line in text.splitlines(keepends=True):
        whole = line if not line.startswith("{") and not line.startswith(" ") else ""
        pieces += [whole] if whole else [line[at : at + size] for at in range(0, len(line), size)]
    assert EXPECTED[name] == read_log(pieces)[2:]


def test_a_log_in_the_making(scrapy_logs: Mapping[str, Path]) -> None:
    """Cut anywhere before its statistics end, it has no end; nothing raises."""
    text = scrapy_logs["with_errors"].read_text()
    end = text.index("finish_reason")
    assert {""} == {read_log(text[:at].splitlines(keepends=True)).finish_reason for at in range(0, end, 97)}


@pytest.mark.slow
def test_a_second_crawl_in_the_same_file(scrapy_logs: Mapping[str, Path]) -> None:
    """The log of a crawl that has begun after another one in the same file is not finished."""
    text = scrapy_logs["finished"].read_text()
    again = text + scrapy_logs["killed"].read_text()
    assert read_log(again.splitlines(keepends=True)).finish_reason == ""
    assert read_log((again + text).splitlines(keepends=True)).finish_reason == "finished"


def test_nothing_is_evaluated(tmp_path: Path) -> None:
    """What looks like Python in a log is text: `eval` of it, as once, would have written a file."""
    trap = f"__import__('pathlib').Path({str(tmp_path / 'trap')!r}).touch()"
    lines = [
        f"2020-09-02 05:24:53 [scotland] INFO: Spider arguments: {{'sample': {trap}, 'note': None}}\n",
        f"{{'errors': {trap}}}\n",
        "2020-09-02 05:24:53 [scrapy.statscollectors] INFO: Dumping Scrapy stats:\n",
        f"{{'finish_reason': {trap}}}\n",
    ]
    crawl = read_log(lines)
    assert (crawl.part_of, crawl.finish_reason, crawl.errors) == (("sample",), "", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "\n", "no time\n", "{\n", "}{\n", "{'a\n", "2020-99-99 05:24:53 [a] INFO: x\n", "\0" * 9]
)
def test_what_is_no_log(text: str) -> None:
    """It has no time, so it belongs to no crawl (K1)."""
    assert Crawl(None, None, (), "", 0, 0) == read_log(text.splitlines(keepends=True))


def test_an_open_dict_ends_with_the_next_line_that_has_a_time() -> None:
    """A broken item does not swallow the rest of the log."""
    lines = [
        "2020-09-02 05:24:53 [scrapy.core.scraper] DEBUG: Scraped from <200 x>\n",
        "{'data': 'never closed\n",
        "2020-09-02 05:24:54 [scrapy.statscollectors] INFO: Dumping Scrapy stats:\n",
        "{'finish_reason': 'finished'}\n",
    ]
    assert read_log(lines).finish_reason == "finished"
