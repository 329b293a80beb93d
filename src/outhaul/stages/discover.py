"""Find what is there: walk the source and sort its entries by what the job asks for.

Nothing is opened here but directories, no link is followed, and no file system boundary is crossed. A directory
that cannot be read is reported and nothing is concluded about what is in it (law L10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from outhaul.model.errors import SourceError, SourceVanished
from outhaul.model.evidence import Sighting
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing
from outhaul.model.patterns import compile_patterns
from outhaul.ports import Tree


class Found(NamedTuple):
    """Some entries of one directory."""

    directory: str
    sightings: list[Sighting]
    """Files that the job asks for."""
    standings: list[Standing]
    """Entries that are not carried, each with its reason."""


def discover(job: Job, tree: Tree) -> Iterator[Found]:
    """Walk the whole source, depth first; in memory there is one listing, and the directories still to visit.

    Raises:
        SourceError: the source itself cannot be read.
    """
    wanted = chooser(job)
    to_visit = [""]
    while to_visit:
        directory = to_visit.pop()
        try:
            for listing in tree.listings(directory):
                to_visit.extend(_join(directory, name) for name in listing.folders)
                yield _sort(directory, listing.files, listing.others, wanted)
        except SourceVanished:
            if not directory:
                raise
        except SourceError as error:
            if not directory:
                raise
            yield Found(directory, [], [Standing(directory, "closed-directory", str(error))])


def chooser(job: Job) -> Callable[[str], str]:
    """A function from a path to the reason why the job does not ask for it; '' where it does."""
    included = compile_patterns(job.include)
    excluded = compile_patterns(job.excluded)

    def reason(path: str) -> str:
        if excluded is not None and excluded(path):
            return "excluded"
        return "not-included" if included is not None and not included(path) else ""

    return reason


def _sort(directory: str, files: list[Sighting], others: list[tuple[str, str]], wanted: Callable[[str], str]) -> Found:
    standings = [Standing(_join(directory, name), reason) for name, reason in others]
    sightings = []
    front = f"{directory}/" if directory else ""
    for sighting in files:
        path = front + sighting.name
        if reason := wanted(path):
            standings.append(Standing(path, reason))
        else:
            sightings.append(sighting)
    return Found(directory, sightings, standings)


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
