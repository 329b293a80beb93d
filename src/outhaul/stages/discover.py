"""Find what is there: walk the source and sort its entries by what the job asks for.

Nothing is opened here but directories, no link is followed, and no file system boundary is crossed. A directory
that cannot be read is reported and nothing is concluded about what is in it (law L10).
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from typing import NamedTuple

from outhaul.model.errors import SourceError, SourceVanished
from outhaul.model.evidence import Sighting
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing
from outhaul.model.patterns import compile_patterns, compile_reach
from outhaul.model.shard import WHOLE, Shard
from outhaul.ports import Tree


class Survey(NamedTuple):
    """What a job has to know of a whole directory before it can judge one file of it."""

    newest: frozenset[str]
    """Names of the newest files, as many as the job passes over."""
    names: frozenset[str]
    """Names of all regular files, where the job waits for markers; else none."""


class Found(NamedTuple):
    """Some entries of one directory."""

    directory: str
    sightings: list[Sighting]
    """Files that the job asks for."""
    standings: list[Standing]
    """Entries that are not carried, each with its reason."""
    held_back: dict[str, str]
    """Of the files that the job asks for, those that something in their directory holds back: name, and reason."""
    group: str = ""
    """The directory whose files, in it and beneath it, and their companions, these are: all of them, to go together."""
    missing: str = ""
    """What such a group lacks, in words; '' for nothing."""


class Part(NamedTuple):
    """Some directories of a source, to be looked into without the rest."""

    directories: Collection[str]
    known: Container[str]
    """Directories that are not looked into beneath these, having been found before."""
    share: Shard = WHOLE
    """Which of their files, by name: others have the rest."""


def discover(
    job: Job, tree: Tree, part: Part | None = None, entering: Callable[[str], None] = lambda _directory: None
) -> Iterator[Found]:
    """Walk the whole source, or a part of it, depth first; in memory there is one listing, and the directories to visit.

    Of another shard's directories only the names of those beneath are read.

    A job with markers also holds the names of one directory in memory. A directory that no include pattern leads into is not
    looked into, unless the job removes empty ones.

    Args:
        job: What is asked for.
        tree: Its source.
        part: Some directories of it; None is the whole.
        entering: Called with each directory before it is listed.

    Raises:
        SourceError: the source itself cannot be read.
    """
    wanted = chooser(job)
    companions = Companions(job)
    reaches = None if job.empty_ns else compile_reach(job.include)

    def beneath(directory: str, names: list[str]) -> Iterable[str]:
        folders = [_join(directory, name) for name in names]
        if part is not None:
            folders = [folder for folder in folders if folder not in part.known]
        if job.order:  # The last one is visited next: where names are dates, that is the order of time.
            folders.sort(reverse=job.order == "oldest-first")
        return folders if reaches is None else filter(reaches, folders)

    to_visit = [""] if part is None else list(part.directories)
    while to_visit:
        directory = to_visit.pop()
        ours = job.shard.holds(directory)
        if companions.is_group(directory):
            if ours:
                yield _group(job, tree, directory, wanted, companions, entering)
            else:
                companions.leave(directory)
            continue
        entering(directory)
        try:
            if not ours:  # But what lies beneath may be.
                to_visit.extend(beneath(directory, tree.folders(directory)))
                continue
            survey = _survey(job, tree, directory, wanted)
            for listing in tree.listings(directory):
                to_visit.extend(beneath(directory, listing.folders))
                files = companions.apart(directory, listing.files) if job.companions else listing.files
                others = listing.others
                if part is not None and part.share != WHOLE:
                    files = [file for file in files if part.share.holds(file.name)]
                    others = [other for other in others if part.share.holds(other[0])]
                yield _sort(job, directory, files, others, wanted, survey)
        except SourceVanished:
            if not directory:
                raise
        except SourceError as error:
            if not directory:
                raise
            yield Found(directory, [], [Standing(directory, "closed-directory", str(error))], {})
    for sighting in companions.left():
        yield Found(sighting.directory, [sighting], [], {sighting.name: "group"})


def holder(job: Job) -> Callable[[str], bool]:
    """A function that tells of a directory whether it belongs to the shard of the job. What is in a group belongs with it."""
    is_group = Companions(job).is_group

    def ours(directory: str) -> bool:
        parts = directory.split("/")
        above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
        return job.shard.holds(next(filter(is_group, above), directory))

    return ours


class Companions:
    """Which directories are groups, and the files elsewhere that belong to them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._is_group = compile_patterns(job.groups)
        self._parts = [re.split(r"(\{path\}|\{name\})", pattern) for pattern in job.companions]
        kinds = {"{path}": ".+", "{name}": "[^/]+"}
        patterns = ["".join(kinds.get(part) or re.escape(part) for part in parts) for parts in self._parts]
        self._fits = re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or "(?!)", re.DOTALL).fullmatch
        self._seen: dict[str, Sighting] = {}
        self._taken: set[str] = set()

    def is_group(self, directory: str) -> bool:
        """Whether the files of a directory are one unit."""
        return bool(directory) and self._is_group is not None and self._is_group(directory)

    def apart(self, directory: str, files: list[Sighting]) -> list[Sighting]:
        """The files without those that belong to a group, wherever that is: they never go alone."""
        rest = []
        for sighting in files:
            path = _join(directory, sighting.name)
            if self._fits(path) is None:
                rest.append(sighting)
            elif path not in self._taken:
                self._seen[path] = sighting
        return rest

    def of(self, tree: Tree, directory: str) -> tuple[list[Sighting], str]:
        """The companions of a group, and the path of one that is not there."""
        found, missing = [], ""
        for path in self._paths(directory):
            sighting = self._seen.pop(path, None) or _sighted(tree, path)
            if sighting is None:
                missing = path
            # What lies in the directory itself is found there.
            elif path not in self._taken and not path.startswith(f"{directory}/"):
                self._taken.add(path)
                found.append(sighting)
        return found, missing

    def leave(self, directory: str) -> None:
        """Another process has this group, and what belongs to it."""
        for path in self._paths(directory):
            self._seen.pop(path, None)
            self._taken.add(path)

    def _paths(self, directory: str) -> list[str]:
        kinds = {"{path}": directory, "{name}": directory.rpartition("/")[2]}
        return ["".join(kinds.get(part, part) for part in parts) for parts in self._parts]

    def left(self) -> list[Sighting]:
        """Those whose groups were not there."""
        return list(self._seen.values())


def _sighted(tree: Tree, path: str) -> Sighting | None:
    directory, _, name = path.rpartition("/")
    try:
        with tree.folder(directory) as folder, folder.open(name) as file:
            return file.sighting._replace(birth_ns=0)  # As a walk would see it.
    except SourceError:
        return None


def _group(
    job: Job,
    tree: Tree,
    directory: str,
    wanted: Callable[[str], str],
    companions: Companions,
    entering: Callable[[str], None],
) -> Found:
    """All of a group at once: its files are held in memory together."""
    beside, missing = companions.of(tree, directory)
    found = Found(directory, beside, [], {}, directory, f"{missing} is not there" if missing else "")
    to_visit = [directory]
    while to_visit:
        inside = to_visit.pop()
        entering(inside)
        try:
            for listing in tree.listings(inside):
                to_visit.extend(_join(inside, name) for name in listing.folders)
                some = _sort(job, inside, listing.files, listing.others, wanted, _NOTHING)
                found.sightings.extend(some.sightings)
                found.standings.extend(some.standings)
        except SourceVanished:
            found = found._replace(missing=f"{inside} has just gone")
        except SourceError as error:
            found.standings.append(Standing(inside, "closed-directory", str(error)))
            found = found._replace(missing=f"{inside} cannot be read")
    return found


def chooser(job: Job) -> Callable[[str], str]:
    """A function from a path to the reason why the job does not ask for it; '' where it does."""
    included = compile_patterns(job.include)
    excluded = compile_patterns(job.excluded)

    def reason(path: str) -> str:
        if excluded is not None and excluded(path):
            return "excluded"
        return "not-included" if included is not None and not included(path) else ""

    return reason


def marked_by(marker: str, name: str) -> str:
    """The name of the file that `name` would mark, by the custom `marker`; '' where it marks none."""
    before, _, after = marker.partition("{name}")
    fits = len(name) > len(before) + len(after) and name.startswith(before) and name.endswith(after)
    return name[len(before) : len(name) - len(after)] if marker and fits else ""


def _survey(job: Job, tree: Tree, directory: str, wanted: Callable[[str], str]) -> Survey:
    if not job.marker and not job.skip_newest:
        return _NOTHING
    newest: list[tuple[int, str]] = []
    names: set[str] = set()
    for listing in tree.listings(directory):
        if job.marker:
            names.update(sighting.name for sighting in listing.files)
        of_these = [(s.mtime_ns, s.name) for s in listing.files if not wanted(_join(directory, s.name))]
        newest = heapq.nlargest(job.skip_newest, newest + of_these)
    return Survey(frozenset(name for _, name in newest), frozenset(names))


_NOTHING = Survey(frozenset(), frozenset())


def _sort(
    job: Job,
    directory: str,
    files: list[Sighting],
    others: list[tuple[str, str]],
    wanted: Callable[[str], str],
    survey: Survey,
) -> Found:
    found = Found(directory, [], [Standing(_join(directory, name), reason) for name, reason in others], {})
    front = f"{directory}/" if directory else ""
    for sighting in files:
        name = sighting.name
        path = front + name
        marks = marked_by(job.marker, name) if job.marker else ""
        if marks and marks in survey.names:
            found.standings.append(Standing(path, "marker"))
            continue
        if reason := wanted(path):
            found.standings.append(Standing(path, reason))
            continue
        found.sightings.append(sighting)
        # A marker whose file has gone is a file like any other: it needs no marker of its own.
        if job.marker and not marks and job.marker.replace("{name}", name) not in survey.names:
            found.held_back[name] = "unmarked"
        elif name in survey.newest:
            found.held_back[name] = "newest"
    return found


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
