"""Objects of an archive: `metadata.json`, and what a listing of a source's objects tells. Pure.

The first five members of `metadata.json` are those that Kingfisher Archive wrote, and mean what they meant. A listing may
hold anything: what has another form than an archive is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from outhaul.kingfisher.collection import DATA, LOG, MANIFEST, METADATA, Archived, Collection, Crawl, Measured
from outhaul.model.returning import Listed

_MONTH = re.compile(r"(\d{4})/(0[1-9]|1[0-2])/([^/]+)")
_SECOND = re.compile(r"metadata(~[0-9a-f]{16})?\.json")
_SIZE_MAX = 1 << 20
"""Bytes of a metadata.json; a larger one is none."""


class Pair(NamedTuple):
    """Metadata and data of one archive, as a listing has them."""

    month: str
    metadata: Listed
    data: Listed


def metadata_text(collection: Collection, measured: Measured, crawl: Crawl | None, reason: str) -> bytes:
    """The metadata of an archive that has just been proved."""
    told: dict[str, Any] = {
        "database_id": collection.number,
        "data_md5": measured.md5,
        "data_size": measured.disk_bytes,
        "scrapy_log_file_found": crawl is not None,
        "errors_count": crawl.errors if crawl else None,
        "source_id": collection.source_id,
        "data_version": collection.data_version.isoformat(sep=" "),
        "bytes": measured.bytes,
        "files_count": len(measured.files),
        "data_sha256": measured.sha256,
        "reason": reason,
    }
    return json.dumps(told, indent=2).encode() + b"\n"


def archived_of(pair: Pair, text: bytes) -> Archived:
    """What an archive says of itself; nothing that it says is believed to be of the right kind."""
    try:
        told = json.loads(text) if len(text) <= _SIZE_MAX else {}
    except (ValueError, RecursionError):
        told = {}
    if not isinstance(told, dict):
        told = {}
    by_us = "data_sha256" in told
    return Archived(
        pair.month,
        pair.metadata.key,
        _number(told.get("database_id")),
        _number(told.get("bytes")),
        _number(told.get("data_size")),
        _text(told.get("data_md5")),
        _text(told.get("data_sha256")),
        _number(told.get("errors_count")),
        not by_us and (pair.data.modified_ns or 0) < (pair.metadata.modified_ns or 0),
    )


def pairs(prefix: str, listing: Iterable[Listed]) -> list[Pair]:
    """The archives among the objects of a source: metadata that has data beside it.

    Args:
        prefix: 'source/', with which every key begins.
        listing: All of them.
    """
    months: dict[str, dict[str, Listed]] = {}
    for listed in listing:
        if found := _MONTH.fullmatch(listed.key.removeprefix(prefix)):
            months.setdefault(f"{found[1]}/{found[2]}", {})[found[3]] = listed
    return [pair for month, objects in sorted(months.items()) for pair in _of_month(month, objects)]


def _of_month(month: str, objects: Mapping[str, Listed]) -> Iterable[Pair]:
    for name, listed in objects.items():
        if (found := _SECOND.fullmatch(name)) and (data := objects.get(second_name(DATA, (found[1] or "")[1:]))):
            yield Pair(month, listed, data)


def second_name(name: str, mark: str) -> str:
    """The name of an object that has made room for a better one: 'data~0123456789abcdef.tar.lz4'. '' marks none."""
    first, dot, rest = name.partition(".")
    return f"{first}~{mark}{dot}{rest}" if mark else name


IN_THE_WAY = (METADATA, LOG, MANIFEST, DATA)
"""The objects of an archive. Metadata is the first to go and the last to come: what has none is no archive. The data, from
which the mark of the others is made, is the last to go."""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
