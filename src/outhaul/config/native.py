"""A configuration file to complete jobs, or every problem with it.

`keys.parse` judges the text, `checks.lasting` holds the jobs against the machine, and here both become lines of the
form `FILE:LINE: job "NAME": KEY: what is wrong; what to write instead`. A file of an older program is compiled to the
native form first (`profiles`), and its problems are told by its own lines and keys.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from outhaul.config import checks, formats
from outhaul.config.keys import Problem, label, parse
from outhaul.config.paths import absolute_from
from outhaul.config.profiles import recognised
from outhaul.config.profiles.profile import Profiled, Surroundings
from outhaul.config.telling import Telling
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import ConfigurationError
from outhaul.model.fleet import Fleet
from outhaul.model.job import Job
from outhaul.model.keys import printable


class Configured(NamedTuple):
    """What a configuration file says."""

    jobs: list[Job]
    """Complete, in the order of the file; at least one."""
    bandwidth: Bandwidth | None
    """What all of them together may send; None where nothing was said of it."""
    ping: str = ""
    """Address that is told how runs go; '' for none."""
    time_zone: str = ""
    """In which the times of `bandwidth` are; '' is the machine's own."""
    nice: int = 0
    """How much others go before us, 0 to 19."""
    program: str = ""
    """The older program that the file is for; '' for the native form."""
    telling: Telling = Telling()
    """Who else is told, and how."""
    fleet: Fleet | None = None
    """Where this device tells how it is; None for nowhere."""
    ledger: str = ""
    """Address of the database that is the ledger; '' for the file in the state directory."""


def load(path: str, *, state: str) -> list[Job]:
    """The jobs of a configuration file; see `read`."""
    return read(path, state=state).jobs


def read(path: str, *, state: str) -> Configured:
    """A configuration file in TOML, YAML or JSON, of outhaul or of an older program.

    Args:
        path: The file. Relative paths in it begin at its directory; those of an older program where it is started.
        state: The state directory, absolute; it need not exist.

    Returns:
        Among others its jobs, checked against each other and this machine.

    Raises:
        ConfigurationError: with one line for each problem.
    """
    document = formats.read(path)
    profile = recognised(document.tree)
    if profile is not None:
        return of_older(path, profile.compile(document, surroundings()), state)._replace(program=profile.program)
    said, problems = judged(path, document.tree, state)
    _refuse(path, [(document.line_of(problem.where), label(problem)) for problem in problems])
    return said


def judged(path: str, tree: object, state: str) -> tuple[Configured, list[Problem]]:
    """What a tree in outhaul's own form comes to, as if it stood in that file, and everything that is wrong with it."""
    said = parse(tree, absolute_from(os.path.dirname(os.path.abspath(path))))
    problems = said.problems
    complete = _complete(said.jobs, problems, partial(checks.lasting, state=state))
    configured = Configured(
        complete,
        said.bandwidth,
        said.ping,
        said.time_zone,
        said.nice,
        telling=said.telling,
        fleet=said.fleet,
        ledger=said.ledger,
    )
    return configured, problems


def of_older(path: str, made: Profiled, state: str) -> Configured:
    """The jobs that a profile has made; as `read`.

    A source that is missing stops no other job, as with the older programs: the run tells of it. One that is a symbolic
    link is the directory that it leads to.
    """
    _refuse(path, made.problems)
    jobs, problems, bandwidth, *_ = parse(made.tree, absolute_from("/"))
    jobs = [job and job._replace(source=os.path.realpath(job.source)) for job in jobs]
    complete = _complete(jobs, problems, partial(checks.overlaps, state=state))
    _refuse(path, [_of_older(made, problem) for problem in problems])
    return Configured(complete, bandwidth)


def compiled(path: str) -> tuple[str, Profiled]:
    """A configuration of an older program, as that program and what it came to; nothing of the machine is looked at.

    Raises:
        ConfigurationError: it cannot be read, or is outhaul's own, or says what no job can.
    """
    document = formats.read(path)
    profile = recognised(document.tree)
    if profile is None:
        raise ConfigurationError(printable(f"{path}: is of none of the older programs that outhaul knows"))
    made = profile.compile(document, surroundings())
    problems = made.problems or [_of_older(made, problem) for problem in parse(made.tree, absolute_from("/")).problems]
    _refuse(path, problems)
    return profile.program, made


def surroundings() -> Surroundings:
    """Those of this process."""
    return Surroundings(os.environ, os.path.expanduser("~"), os.getcwd())


def _of_older(made: Profiled, problem: Problem) -> tuple[int, str]:
    line, key = made.origin(problem.where)
    return line, f"{key}: {problem.text}" if key else problem.text


def _complete(
    jobs: list[Job | None], problems: list[Problem], findings: Callable[[list[Job]], list[checks.Finding]]
) -> list[Job]:
    """The jobs that could be made; what is wrong with them on this machine goes to the problems."""
    present = [(index, job) for index, job in enumerate(jobs) if job is not None]
    complete = [job for _, job in present]
    for position, key, text in findings(complete):
        index, job = present[position]
        problems.append(Problem(("job", index, *key.split(".")), job.name, text))
    return complete


def _refuse(path: str, problems: list[tuple[int, str]]) -> None:
    if problems:
        raise ConfigurationError(*(_line(path, line, text) for line, text in sorted(problems, key=_by_line)))


def _by_line(placed: tuple[int, str]) -> int:
    return placed[0]


def _line(path: str, line: int, text: str) -> str:
    return printable(f"{path}:{line}: {text}" if line else f"{path}: {text}")
