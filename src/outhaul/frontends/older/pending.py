"""What archive-upload has left behind: copies in its archives, and the list of those that it had still to upload.

It is taken over once. Every .bz2 in an archive directory of the configuration is carried to where that directory goes now:
one that had arrived is found there and gets a receipt, one that had not is sent, also where the list had lost it. The list
itself is a pickle; it is read by an unpickler that can make lists, tuples and strings and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
from collections.abc import Sequence
from typing import NamedTuple

from outhaul.config.profiles.archive_upload import is_copy
from outhaul.model.address import destination
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.stages.discover import chooser

LIST_MAX = 64 << 20
"""Bytes of a list that is believed; 64 MiB hold several hundred thousand entries."""
_NAME = "taken-over.json"
_DONE = ".taken-over"


class Left(NamedTuple):
    """What the list says."""

    entries: list[tuple[str, str]]
    """Path of a copy, and where it was to go: `bucket/key`."""
    fault: str
    """Why the list cannot be read; '' where it can, or there is none."""


class _Plain(pickle.Unpickler):
    """Makes no object of any class, and calls nothing."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and nothing in it is run")

    def persistent_load(self, pid: object) -> object:
        raise pickle.UnpicklingError("it refers to something outside of it")


def read_list(path: str) -> Left:
    """The list in a file, as archive-upload wrote it."""
    try:
        with open(path, "rb") as file:
            data = file.read(LIST_MAX + 1)
    except FileNotFoundError:
        return Left([], "")
    except OSError as error:
        return Left([], error.strerror or str(error))
    if len(data) > LIST_MAX:
        return Left([], "it is too large")
    try:
        found = _Plain(io.BytesIO(data)).load()
    except MemoryError:
        return Left([], "it asks for more memory than there is")
    except Exception as error:  # A pickle can make the unpickler raise anything; none of it is ours.
        return Left([], str(error) or type(error).__name__)
    if not isinstance(found, list) or not all(map(_is_entry, found)):
        return Left([], "it is no list of copies and keys")
    return Left([(path, key) for path, key in found], "")


def _is_entry(entry: object) -> bool:
    return isinstance(entry, tuple | list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)


class TakingOver:
    """The copies that are still to be looked after, in a file of the state directory.

    Args:
        state: The state directory.
        home: Where archive-upload kept its list: `~/.archive-upload`.
        jobs: Of the configuration.
    """

    def __init__(self, state: str, home: str, jobs: Sequence[Job]) -> None:
        self._path = os.path.join(state, _NAME)
        self._list = os.path.join(home, "upload_pending.pkl")
        self._home = home
        self._jobs = jobs
        self.said: list[str] = []
        """What a person should know of it."""
        self._copies: dict[str, dict[str, list[str]]] = self._known()
        """Of each archive, the copies that go to each destination."""

    def jobs(self) -> list[Job]:
        """The jobs that carry what was left behind; none where all has been."""
        if not os.path.isdir(self._home):
            return []
        left = read_list(self._list)
        if left.fault:
            self.said.append(
                f"{self._list} cannot be read ({left.fault}); every copy in archive-dir is looked at instead"
            )
        made = [
            job
            for archive in dict.fromkeys(job.archive for job in self._jobs)
            for job in self._of_archive(archive, left)
        ]
        self._write()
        return [*made, *self._of_list(left)]

    def done(self) -> None:
        """All of the list has arrived: it is put away under another name."""
        self._put_away()
        for archive, by_destination in self._copies.items():
            stays = any(job.archive == archive and job.archive_keep_ns for job in self._jobs)
            for address, names in by_destination.items():
                there = [name for name in names if stays and os.path.lexists(os.path.join(archive, name))]
                by_destination[address] = there
        self._write()

    def _put_away(self) -> None:
        """Give the list a name under which it is not read again; an earlier one keeps its own."""
        free = next(
            name for n in range(1000) if not os.path.lexists(name := f"{self._list}{_DONE}{f'-{n}' if n else ''}")
        )
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._list, free)

    def _of_archive(self, archive: str, left: Left) -> list[Job]:
        """The copies of an archive, as they were when it was first looked at: those of outhaul come later."""
        jobs = [job for job in self._jobs if job.archive == archive]
        if archive not in self._copies and not self._look_at(archive, jobs, left):
            return []
        by_destination = self._copies[archive]
        return [
            _copies_job(job, archive, names)
            for address, job in {job.destination.address: job for job in reversed(jobs)}.items()
            if (names := by_destination.get(address))
        ]

    def _look_at(self, archive: str, jobs: list[Job], left: Left) -> bool:
        """Find its copies, and where each of them goes. False where it cannot be read: the next run looks again."""
        try:
            names = sorted(entry.name for entry in os.scandir(archive) if is_copy(entry.name))
        except OSError:
            # Where only itself is missing, the run makes it. Else it may not be mounted.
            if os.path.lexists(archive) or not os.path.isdir(os.path.dirname(archive)):
                return False
            names = []
        told = {path: key.rpartition("/")[0] for path, key in left.entries}
        found: dict[str, list[str]] = {}
        for name in names:
            if self._has_source(archive, name):
                self.said.append(f"{archive}/{name} is left alone: it may be a part, as its source is still there")
                continue
            job = self._owner(jobs, name, told.get(os.path.join(archive, name), ""))
            found.setdefault(job.destination.address, []).append(name)
        self._copies[archive] = found
        return True

    def _owner(self, jobs: list[Job], name: str, told: str) -> Job:
        """The job that a copy is of, where several have one archive: as the list says, else as their patterns do."""
        for job in jobs:
            if told and job.destination.address == f"s3://{told}":
                return job
        plain = name.rpartition(".bz2")[0]
        fitting = [job for job in jobs if not chooser(job)(plain)] or jobs
        if len({job.destination.address for job in fitting}) > 1:
            first = fitting[0]
            self.said.append(
                f"{first.archive}/{name} may be of several directories: it goes to {first.destination.address}"
            )
        return fitting[0]

    def _has_source(self, archive: str, name: str) -> bool:
        """A crash while a copy was written left a part of it, and the source: that is carried itself."""
        source = name.rpartition(".bz2")[0]
        return any(job.archive == archive and os.path.lexists(os.path.join(job.source, source)) for job in self._jobs)

    def _of_list(self, left: Left) -> list[Job]:
        """Entries of archives that the configuration does not name any more go where the list says."""
        archives = {job.archive for job in self._jobs}
        found: dict[tuple[str, str], list[str]] = {}
        for path, key in left.entries:
            directory, _, name = os.path.abspath(path).rpartition("/")
            if not os.path.exists(path):
                self.said.append(f"{path} does not exist, so will not be uploaded.")
            elif directory not in archives:
                found.setdefault((directory, key.rpartition("/")[0]), []).append(name)
        jobs: list[Job] = []
        for (directory, prefix), names in found.items():
            try:
                there = destination(f"s3://{prefix}", str)
            except ValueError:
                self.said.append(
                    f"{directory} was to go to {prefix}, which names no bucket: list it in the configuration as a directory"
                )
                continue
            name = f"left-{len(jobs) + 1}"
            jobs.append(_copies_job(Job(name, directory, there), directory, names))
        return jobs

    def _known(self) -> dict[str, dict[str, list[str]]]:
        try:
            with open(self._path, encoding="utf-8", errors="surrogateescape") as file:
                found = json.load(file)["copies"]
            return {
                str(archive): {str(address): [str(name) for name in names] for address, names in copies.items()}
                for archive, copies in found.items()
            }
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return {}

    def _write(self) -> None:
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            with open(f"{self._path}.new", "w", encoding="utf-8", errors="surrogateescape") as file:
                json.dump({"copies": self._copies}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{self._path}.new", self._path)
        except OSError as error:
            raise ConfigurationError(printable(f"{self._path} cannot be written: {error.strerror}")) from None


def _copies_job(job: Job, directory: str, names: Sequence[str]) -> Job:
    """A job that carries copies as they are, and lets them stay as long as the archive keeps its own."""
    return Job(
        f"{job.name}-copies"[:64],
        directory,
        job.destination,
        job.connection,
        quiet_ns=0,
        include=tuple(f"/{_literal(name)}" for name in names),
        temporary_names=True,
        after="keep",
        delete_after_ns=job.archive_keep_ns,
    )


def _literal(name: str) -> str:
    """A pattern that matches this name alone."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
