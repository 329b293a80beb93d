"""outhaul's own configuration: a file to complete jobs, or every problem with it.

`keys.parse` judges the text, `checks.findings` holds the jobs against the machine, and here both become lines of the
form `FILE:LINE: job "NAME": KEY: what is wrong; what to write instead`.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from outhaul.config import checks, formats
from outhaul.config.keys import Problem, label, parse
from outhaul.config.paths import absolute_from
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job
from outhaul.model.keys import printable


class Configured(NamedTuple):
    """What a configuration file says."""

    jobs: list[Job]
    """Complete, in the order of the file; at least one."""
    bandwidth: Bandwidth | None
    """What all of them together may send; None where nothing was said of it."""


def load(path: str, *, state: str) -> list[Job]:
    """The jobs of a configuration file; see `read`."""
    return read(path, state=state).jobs


def read(path: str, *, state: str) -> Configured:
    """A configuration file in TOML, YAML or JSON.

    Args:
        path: The file. Relative paths in it begin at its directory.
        state: The state directory, absolute; it need not exist.

    Returns:
        Among others its jobs, checked against each other and this machine.

    Raises:
        ConfigurationError: with one line for each problem.
    """
    document = formats.read(path)
    jobs, problems, bandwidth = parse(document.tree, absolute_from(os.path.dirname(os.path.abspath(path))))
    present = [(index, job) for index, job in enumerate(jobs) if job is not None]
    complete = [job for _, job in present]
    for position, key, text in checks.findings(complete, state):
        index, job = present[position]
        problems.append(Problem(("job", index, key), job.name, text))
    if problems:
        placed = sorted(((document.line_of(problem.where), label(problem)) for problem in problems), key=_by_line)
        raise ConfigurationError(*(_line(path, line, text) for line, text in placed))
    return Configured(complete, bandwidth)


def _by_line(placed: tuple[int, str]) -> int:
    return placed[0]


def _line(path: str, line: int, text: str) -> str:
    return printable(f"{path}:{line}: {text}" if line else f"{path}: {text}")
