"""Jobs held against each other and against this machine, before anything is carried.

A file may belong to one job only, nothing may be carried into what is being carried, and outhaul's own files may not
be carried at all. Here these are refused; nothing is made or changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outhaul.config.kinship import Family, Key, Kin
from outhaul.model.job import Job


class Finding(NamedTuple):
    """One thing that is wrong."""

    job: int
    """Position of the job."""
    key: str
    """The setting: source, to or after.archive."""
    text: str


def problems(jobs: Sequence[Job], state: str) -> list[str]:
    """What is wrong with these jobs on this machine, one line each; none where all is well.

    Args:
        jobs: Complete jobs, of a configuration or of the command line.
        state: The state directory; it need not exist.
    """
    return [_line(jobs[found.job], found) for found in findings(jobs, state)]


def findings(jobs: Sequence[Job], state: str) -> list[Finding]:
    """As `problems`, with the job and the setting of each."""
    found = []
    whole = []
    for index, job in enumerate(jobs):
        if wrong := _source_wrong(job.source):
            found.append(Finding(index, "source", wrong))
        else:
            whole.append(index)
        if job.destination.kind == "file" and (wrong := _destination_wrong(job.destination.directory)):
            found.append(Finding(index, "to", wrong))
        if job.archive and (wrong := _destination_wrong(job.archive)):
            found.append(Finding(index, "after.archive", wrong))
    found.extend(_Overlaps(jobs, whole, state).findings())
    return sorted(found, key=lambda each: each.job)


def _line(job: Job, found: Finding) -> str:
    if job.one_off:
        return f"{_OPTIONS[found.key]}: {found.text}"
    return f'job "{job.name}": {found.key}: {found.text}'


_OPTIONS = {"source": "SOURCE", "to": "DESTINATION", "after.archive": "--archive"}


def _source_wrong(path: str) -> str:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return f"{path} does not exist; make it, or correct the path"
    except (OSError, ValueError) as error:
        return _unreachable(path, error)
    if stat.S_ISLNK(mode):
        return f"{path} is a symbolic link; write the directory that it leads to, {os.path.realpath(path)}"
    if not stat.S_ISDIR(mode):
        return f"{path} is not a directory; write the directory that holds the files"
    if not os.access(path, os.R_OK | os.X_OK):
        return f"{path} may not be read by this user; give it the rights to list and enter it"
    return ""


def _destination_wrong(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return _parent_wrong(os.path.dirname(path))
    except (OSError, ValueError) as error:
        return _unreachable(path, error)
    return "" if stat.S_ISDIR(mode) else f"{path} is not a directory; write a directory"


def _parent_wrong(path: str) -> str:
    """outhaul makes a destination directory, but not what it stands in: that may be a disk that is not mounted."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return f"{path} does not exist; make it or mount it, or correct the path"
    except (OSError, ValueError) as error:
        return _unreachable(path, error)
    return "" if stat.S_ISDIR(mode) else f"{path} is not a directory; correct the path"


def _unreachable(path: str, error: OSError | ValueError) -> str:
    return f"{path} cannot be reached ({getattr(error, 'strerror', None) or error}); correct the path or the rights"


class _Overlaps:
    """Directories that are the same or contain one another. Each is looked up, not compared with every other."""

    def __init__(self, jobs: Sequence[Job], whole: Sequence[int], state: str) -> None:
        self._jobs = jobs
        self._family = Family()
        self._state = self._family.kin(state)
        self._sources = {index: self._family.kin(jobs[index].source) for index in whole}
        self._targets = {
            index: self._family.kin(job.destination.directory)
            for index, job in enumerate(jobs)
            if job.destination.kind == "file"
        }
        self._archives = {index: self._family.kin(job.archive) for index, job in enumerate(jobs) if job.archive}

    def findings(self) -> Iterator[Finding]:
        sources = _owners(self._sources)
        for index, kin in self._sources.items():
            if text := self._with_source(index, kin, sources):
                yield Finding(index, "source", text)
            if text := self._with_state(index, kin):
                yield Finding(index, "source", text)
        for key, what, places in (("to", "destination", self._targets), ("after.archive", "archive", self._archives)):
            yield from self._with_places(key, what, places, sources)
        targets = _owners(self._targets)
        for index, kin in self._archives.items():
            if (other := self._owner(kin, kin.own + kin.above, self._targets, targets)) is not None:
                there = f"the destination of {self._whose(index, other)}"
                yield Finding(index, "after.archive", f"{self._jobs[index].archive} lies in {there}; {_APART}")

    def _with_places(self, key: str, what: str, places: dict[int, Kin], sources: dict[Key, int]) -> Iterator[Finding]:
        """Sources that lie in a directory that files go to, and such directories that lie in a source."""
        owners = _owners(places)
        for index, kin in self._sources.items():
            if (other := self._owner(kin, kin.above, places, owners)) is not None:
                there = f"{self._directory(key, other)}, the {what} of {self._whose(index, other)}"
                yield Finding(index, "source", f"{self._jobs[index].source} lies in {there}; {_APART}")
        for index, kin in places.items():
            if (other := self._owner(kin, kin.own + kin.above, self._sources, sources)) is not None:
                there = f"{self._jobs[other].source}, the source of {self._whose(index, other)}"
                relation = "is" if self._contains(kin, self._sources[other]) else "lies in"
                yield Finding(index, key, f"{self._directory(key, index)} {relation} {there}; {_APART}")

    def _directory(self, key: str, index: int) -> str:
        job = self._jobs[index]
        return job.destination.directory if key == "to" else job.archive

    def _with_source(self, index: int, kin: Kin, sources: dict[Key, int]) -> str:
        job = self._jobs[index]
        if (other := self._owner(kin, kin.own, self._sources, sources, index)) is not None:
            there = self._jobs[other]
            if there.destination == job.destination:
                return f'{job.source} goes to {job.destination.address} in job "{there.name}" too; remove one of them'
            return f'{job.source} is {there.source}, the source of job "{there.name}"; {_ONE_JOB}'
        if (other := self._owner(kin, kin.above, self._sources, sources, index)) is not None:
            there = self._jobs[other]
            return f'{job.source} lies in {there.source}, the source of job "{there.name}"; {_ONE_JOB}'
        return ""

    def _with_state(self, index: int, kin: Kin) -> str:
        state, source = self._state, self._jobs[index].source
        mend = "keep the state elsewhere (--state DIR)"
        if self._contains(kin, state):
            return f"{source} contains the state directory {state.real}; {mend}"
        if self._contains(state, kin):
            return f"{source} lies in the state directory {state.real}; {mend}"
        return ""

    def _contains(self, outer: Kin, inner: Kin) -> bool:
        shared = set(outer.own).intersection(inner.own + inner.above)
        return any(self._family.confirmed(key, inner, outer) for key in shared)

    def _owner(
        self, kin: Kin, keys: list[Key], of: dict[int, Kin], owners: dict[Key, int], besides: int = -1
    ) -> int | None:
        """The job, `besides` one, whose directory has one of these keys of `kin`."""
        for key in keys:
            other = owners.get(key, besides)
            if other != besides and self._family.confirmed(key, kin, of[other]):
                return other
        return None

    def _whose(self, index: int, other: int) -> str:
        return "the same job" if index == other else f'job "{self._jobs[other].name}"'


_APART = "keep them apart, or files would be carried in circles"
_ONE_JOB = "a file belongs to one job only: give each job a directory of its own"


def _owners(kin: dict[int, Kin]) -> dict[Key, int]:
    """Which job has a key; the first of several."""
    owners: dict[Key, int] = {}
    for index, each in kin.items():
        for key in each.own:
            owners.setdefault(key, index)
    return owners
