"""Jobs held against each other and against this machine, before anything is carried.

A file may belong to one job only, nothing may be carried into what is being carried, and outhaul's own files may not
be carried at all. Here these are refused; nothing is made or changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from outhaul.config.kinship import Family, Key, Kin
from outhaul.config.values import SUFFIXES
from outhaul.model.job import Job
from outhaul.model.keys import second_key
from outhaul.model.patterns import compile_patterns, compile_reach

_BY_CAPABILITIES = os.access in os.supports_effective_ids
"""Whether access(2) can be asked as what this process may do: by itself it leaves capabilities out."""


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


def overlaps(jobs: Sequence[Job], state: str) -> list[Finding]:
    """Of `findings`, what is wrong however things are: a directory that is not there now may be there at the next run."""
    whole = [index for index, job in enumerate(jobs) if not _source_wrong(job.source)]
    return list(_Overlaps(jobs, whole, state).findings())


def lasting(jobs: Sequence[Job], state: str) -> list[Finding]:
    """What stops all jobs: everything where no job can work as it is, else what is wrong however things are.

    A directory that is missing stops its own job only (law L9): a disk that is not mounted is no reason to leave the files of
    others where they are. The run tells of it.
    """
    found = findings(jobs, state)
    return found if {each.job for each in found} == set(range(len(jobs))) else overlaps(jobs, state)


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
        if "/s3:/" in f"{path}/":
            return "a source is a directory of this machine, and no bucket; outhaul restore or outhaul mirror fetches from one"
        return f"{path} does not exist; make it, or correct the path"
    except (OSError, ValueError) as error:
        return _unreachable(path, error)
    if stat.S_ISLNK(mode):
        return f"{path} is a symbolic link; write the directory that it leads to, {os.path.realpath(path)}"
    if not stat.S_ISDIR(mode):
        return f"{path} is not a directory; write the directory that holds the files"
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=_BY_CAPABILITIES):
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

    def _with_places(
        self, key: str, what: str, places: dict[int, Kin], sources: dict[Key, list[int]]
    ) -> Iterator[Finding]:
        """Sources that lie in a directory that files go to, and such directories that lie in a source."""
        owners = _owners(places)
        for index, kin in self._sources.items():
            if (other := self._owner(kin, kin.above, places, owners)) is not None:
                there = f"{self._directory(key, other)}, the {what} of {self._whose(index, other)}"
                yield Finding(index, "source", f"{self._jobs[index].source} lies in {there}; {_APART}")
        for index, kin in places.items():
            sees = partial(self._sees, kin, what)
            if (other := self._owner(kin, kin.own + kin.above, self._sources, sources, sees)) is not None:
                there = f"{self._jobs[other].source}, the source of {self._whose(index, other)}"
                relation = "is" if self._contains(kin, self._sources[other]) else "lies in"
                yield Finding(index, key, f"{self._directory(key, index)} {relation} {there}; {_APART}")

    def _directory(self, key: str, index: int) -> str:
        job = self._jobs[index]
        return job.destination.directory if key == "to" else job.archive

    def _with_source(self, index: int, kin: Kin, sources: dict[Key, list[int]]) -> str:
        job = self._jobs[index]
        other = self._owner(
            kin, kin.own, self._sources, sources, lambda other: other < index and not _disjoint(job, self._jobs[other])
        )
        if other is not None:
            there = self._jobs[other]
            if there.destination == job.destination:
                return f'{job.source} goes to {job.destination.address} in job "{there.name}" too; remove one of them'
            return f'{job.source} is {there.source}, the source of job "{there.name}"; {_ONE_JOB}'
        above = self._owner(
            kin, kin.above, self._sources, sources, lambda other: other != index and self._reaches(other, kin)
        )
        if (other := above) is not None:
            there = self._jobs[other]
            return f'{job.source} lies in {there.source}, the source of job "{there.name}"; {_ONE_JOB}'
        return ""

    def _with_state(self, index: int, kin: Kin) -> str:
        state, source = self._state, self._jobs[index].source
        mend = "keep the state elsewhere (--state DIR)"
        if self._contains(kin, state) and self._reaches(index, state):
            return f"{source} contains the state directory {state.real}; {mend}"
        if self._contains(state, kin):
            return f"{source} lies in the state directory {state.real}; {mend}"
        return ""

    def _sees(self, kin: Kin, what: str, index: int) -> bool:
        """Whether a job would see what goes into a directory that lies in its source, or is it."""
        return self._reaches(index, kin) and not (what == "archive" and _left_alone(self._jobs[index]))

    def _reaches(self, index: int, kin: Kin) -> bool:
        """Whether a job looks into a directory that lies in its source; True where that is not sure."""
        front = f"{self._sources[index].real.rstrip('/')}/"
        reaches = None if self._jobs[index].empty_ns else compile_reach(self._jobs[index].include)
        return reaches is None or not kin.real.startswith(front) or reaches(kin.real[len(front) :])

    def _contains(self, outer: Kin, inner: Kin) -> bool:
        shared = set(outer.own).intersection(inner.own + inner.above)
        return any(self._family.confirmed(key, inner, outer) for key in shared)

    def _owner(
        self,
        kin: Kin,
        keys: list[Key],
        of: dict[int, Kin],
        owners: dict[Key, list[int]],
        counts: Callable[[int], object] = lambda _index: True,
    ) -> int | None:
        """The first job that counts whose directory has one of these keys of `kin`."""
        for key in keys:
            for other in owners.get(key, ()):
                if counts(other) and self._family.confirmed(key, kin, of[other]):
                    return other
        return None

    def _whose(self, index: int, other: int) -> str:
        return "the same job" if index == other else f'job "{self._jobs[other].name}"'


def _disjoint(one: Job, other: Job) -> bool:
    """Whether what one job asks for is excluded by the other, word for word: then no file belongs to both."""
    if one.groups or other.groups or one.destination == other.destination:
        return False
    return any(a.include and set(a.include) <= set(b.exclude) for a, b in ((one, other), (other, one)))


def _left_alone(job: Job) -> bool:
    """Whether a job leaves alone what it has put into its archive, under first and second names."""
    name = f"\uffff{SUFFIXES.get(job.compress, '')}"
    excluded = compile_patterns(job.exclude)
    both = excluded is not None and excluded(name) and excluded(second_key(name, bytes(8)))
    return both and job.archive_form == "stored"


_APART = "keep them apart, or files would be carried in circles"
_ONE_JOB = "a file belongs to one job only: give each job a directory of its own"


def _owners(kin: dict[int, Kin]) -> dict[Key, list[int]]:
    """Which jobs have a key."""
    owners: dict[Key, list[int]] = {}
    for index, each in kin.items():
        for key in each.own:
            owners.setdefault(key, []).append(index)
    return owners
