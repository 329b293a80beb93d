"""Tiny spiders as Kingfisher Collect has them: they tell their arguments, and give items of files and of errors.

Run by Scrapy's own command: `scrapy runspider spiders.py -a ...`. What they crawl is named by the argument `url`.
"""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy


class Scotland(scrapy.Spider):
    """One file for each of `count` requests; for those from `fails` on, an error."""

    name = "scotland"

    def __init__(
        self,
        url: str = "",
        count: str = "2",
        fails: str = "",
        stop: str = "",
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.url, self.count, self.stop = url, int(count), stop
        self.fails = int(fails or count)
        told = {"sample": None, "note": None, "from_date": None, "until_date": None, "crawl_time": None}
        self.logger.info("Spider arguments: %r", {**told, **arguments})

    async def start(self) -> AsyncIterator[scrapy.Request]:
        """Ask for every file."""
        for number in range(self.count):
            path = f"missing-{number}" if number >= self.fails else f"file-{number}.json"
            yield scrapy.Request(
                f"{self.url}/{path}", self.parse, errback=self.failed, meta={"handle_httpstatus_all": True}
            )

    def parse(self, response: Any) -> Iterator[dict[str, Any]]:
        """A file, or what went wrong with it."""
        name = response.url.rpartition("/")[2]
        if response.status != 200:
            yield {"errors": {"http_code": response.status}, "file_name": name, "url": response.url}
            return
        yield {
            "data_type": "release_package",
            "encoding": "utf-8",
            "file_name": name,
            "url": response.url,
            "data": response.body,
        }
        yield {
            "data_type": "release_package",
            "number": 1,
            "file_name": name,
            "url": response.url,
            "data": response.body,
        }
        if self.stop == "close":
            raise scrapy.exceptions.CloseSpider("itemcount")
        if self.stop == "cancel":
            self.stop = ""  # A second signal would not let it come to its end.
            os.kill(os.getpid(), signal.SIGINT)
        if self.stop == "kill":  # As when the machine goes down: the log just ends.
            os._exit(9)

    def failed(self, failure: Any) -> Iterator[dict[str, Any]]:
        """No answer at all."""
        yield {"errors": {"http_code": str(failure.value)}, "file_name": "", "url": failure.request.url}
