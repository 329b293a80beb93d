"""`export`: the receipts as a table for other programs: CSV, JSON lines or Parquet. Without the network.

A time is nanoseconds since 1970, UTC. A path is given as text, and in base64, which alone is sure to be lossless.
Parquet needs the extra `parquet`, which brings arro3: the Rust implementation of Arrow, a tenth of pyarrow's size.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from itertools import chain, islice
from typing import IO, Any

from outhaul import app
from outhaul.frontends.cli.carry import state_of
from outhaul.frontends.cli.past import selection_of
from outhaul.frontends.cli.show import receipt_fields
from outhaul.model.columns import COLUMNS
from outhaul.model.errors import ConfigurationError

_ROWS_PER_GROUP = 16_384


def export(options: argparse.Namespace) -> int:
    """Write every receipt that is meant; or, with --to, files to a stick."""
    if options.to or options.make_key:
        from outhaul.frontends.cli.stick import export as export_files

        return export_files(options)
    if not options.format:
        raise ConfigurationError("write --to DIR for files, to a stick; or --format csv for the receipts, as a table")
    selection = selection_of(options)
    parquet = _parquet() if options.format == "parquet" else None
    if parquet and not options.output:
        raise ConfigurationError("--format parquet needs -o FILE: it is no text")
    rows = (receipt_fields(row) for row in app.receipts(state_of(options), selection))
    first = next(rows, None)  # A ledger that cannot be read leaves no file behind.
    whole = iter(()) if first is None else chain([first], rows)
    if not options.output:
        _text(sys.stdout, whole, options.format)
        return 0
    try:
        with open(options.output, "xb") as file:
            if parquet:
                parquet(file, whole)
            else:
                text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
                _text(text, whole, options.format)
                text.detach()
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigurationError(f"-o {options.output}: there is such a file; nothing is ever written over") from None
    return 0


class _Lines:
    """Rows that end in a line feed alone. Told of that as its line end, the writer would leave a carriage return unquoted."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, row: str) -> None:
        """One row, as `csv` ends it."""
        self._file.write(row.removesuffix("\r\n") + "\n")


def _text(file: IO[str], rows: Iterator[dict[str, object]], form: str) -> None:
    if form == "jsonl":
        for row in rows:
            file.write(json.dumps(row) + "\n")
        return
    table = csv.DictWriter(_Lines(file), list(COLUMNS))
    table.writeheader()
    table.writerows(rows)


def _parquet() -> Callable[[IO[bytes], Iterator[dict[str, object]]], None]:
    """A function that writes Parquet.

    Raises:
        ConfigurationError: the extra is not installed.
    """
    try:
        from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
        from arro3.io import write_parquet
    except ImportError:
        raise ConfigurationError("--format parquet needs the extra: pip install 'outhaul[parquet]'") from None

    kinds: dict[type, Any] = {int: DataType.int64(), str: DataType.string(), bool: DataType.bool()}
    schema = Schema([Field(name, kinds[kind], nullable=False) for name, kind in COLUMNS.items()])

    def batches(rows: Iterator[dict[str, object]]) -> Iterator[Any]:
        while group := list(islice(rows, _ROWS_PER_GROUP)):
            columns = [Array([row[name] for row in group], kinds[kind]) for name, kind in COLUMNS.items()]
            yield RecordBatch.from_arrays(columns, schema=schema)

    def write(file: IO[bytes], rows: Iterator[dict[str, object]]) -> None:
        write_parquet(RecordBatchReader.from_batches(schema, batches(rows)), file)

    return write
