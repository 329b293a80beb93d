"""`translate`: the configuration of an older program in the native form, with what differs beside it.

What is printed is the very tree that is run (`config/profiles`), so running either is the same. tomlkit writes it: it alone
among the writers of TOML keeps comments.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import Any

import tomlkit
from tomlkit.items import AoT, InlineTable, Table

from outhaul.config.native import compiled
from outhaul.config.profiles.profile import Profiled
from outhaul.config.wording import Where
from outhaul.model.keys import printable

_WIDTH = 100


def translate(options: argparse.Namespace) -> int:
    """Print it."""
    program, made = compiled(options.config)
    sys.stdout.write(native_text(program, os.path.basename(options.config), made))
    return 0


def native_text(program: str, name: str, made: Profiled) -> str:
    """A configuration in TOML that says the same.

    Args:
        program: The older program.
        name: Of its configuration, for the first line.
        made: What that came to.
    """
    document = tomlkit.document()
    _comment(document, [f"{name} of {program}, in the form of outhaul: docs/configuration.md"])
    _comment(document, _of(made, ()))
    for key, value in made.tree.items():
        if key != "job":
            _comment(document, _of(made, (key,)))
            document.add(key, _inline(value))
    jobs = AoT([])
    for index, job in enumerate(made.tree["job"]):
        table = tomlkit.table()
        _comment(table, _of(made, ("job", index)))
        for key, value in job.items():
            _comment(table, _of(made, ("job", index, key)))
            table.add(key, _inline(value))
        jobs.append(table)
    document.add("job", jobs)
    return document.as_string()


def _of(made: Profiled, where: Where) -> list[str]:
    """The changes that belong here, and to what is beneath a key of a job."""
    depth = len(where)
    whole = depth < 3
    return [change.text for change in made.changes if (change.where if whole else change.where[:depth]) == where]


def _comment(table: tomlkit.TOMLDocument | Table, texts: Iterable[str]) -> None:
    import textwrap

    for text in texts:
        for line in textwrap.wrap(printable(text), _WIDTH):
            table.add(tomlkit.comment(line))


def _inline(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    table: InlineTable = tomlkit.inline_table()
    for key, inner in value.items():
        table.append(key, _inline(inner))
    return table
