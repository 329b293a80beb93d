"""Remove directories of a source that have been empty for long, where a job asks for that.

Only what is empty goes, as rmdir(2) removes nothing else; never the source itself; and only what has not changed for as
long as the job says, so that none goes that a producer has just made. The removal of a file changes its directory, so the
time begins anew with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from outhaul.model.errors import SourceError
from outhaul.model.job import Job
from outhaul.model.patterns import compile_patterns
from outhaul.ports import Tree


def old_directories(job: Job, tree: Tree, directories: Iterable[str], now_ns: int) -> list[str]:
    """Those of these directories that have not changed for as long as the job says, the deepest first.

    Args:
        job: Says for how long, and which.
        tree: Its source.
        directories: Relative to the source.
        now_ns: The wall clock, where it is to be trusted.
    """
    wanted = compile_patterns(job.empty_include)
    old = [
        directory
        for directory in directories
        if directory
        and (wanted is None or wanted(directory))
        and _unchanged_since(tree, directory, now_ns - job.empty_ns)
    ]
    return sorted(old, key=lambda directory: directory.count("/"), reverse=True)


def remove_empty(tree: Tree, directories: Iterable[str]) -> int:
    """Remove those that are empty, and say how many that were. Give the deepest first: one may be empty without another."""
    return sum(_removed(tree, directory) for directory in directories)


def _unchanged_since(tree: Tree, directory: str, before_ns: int) -> bool:
    try:
        return tree.changed_ns(directory) <= before_ns
    except SourceError:
        return False


def _removed(tree: Tree, directory: str) -> bool:
    try:
        return tree.remove_empty(directory)
    except SourceError:
        return False
