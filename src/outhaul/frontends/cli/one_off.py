"""The job that a command line describes: `move` and `copy` take every setting of a job as an option.

The options become a tree as a configuration file would hold it, and are read by the same code; what is wrong is told by
the name of the option.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from outhaul.config.checks import problems
from outhaul.config.connection_settings import CONNECTION_KEYS
from outhaul.config.keys import Problem, parse
from outhaul.config.paths import absolute_from
from outhaul.config.wording import dotted, shown
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job

# Option, or argument, to the path of its key in a job.
_KEYS: dict[str, tuple[str, ...]] = {
    "source": ("source",),
    "destination": ("to",),
    "include": ("include",),
    "exclude": ("exclude",),
    "temporary_names": ("temporary-names",),
    "quiet_for": ("settle", "quiet"),
    "marker": ("settle", "marker"),
    "skip_newest": ("settle", "skip-newest"),
    "compress": ("compress", "codec"),
    "level": ("compress", "level"),
    "bundle": ("bundle", "size"),
    "bundle_file_max": ("bundle", "file-max"),
    "bundle_wait": ("bundle", "wait"),
    "group": ("group", "directories"),
    "companion": ("group", "companions"),
    "archive": ("after", "archive"),
    "archive_keep": ("after", "keep"),
    "remove_empty": ("empty-directories", "remove-after"),
    "proof": ("proof",),
    "on_conflict": ("on-conflict",),
    "storage_class": ("object", "storage-class"),
    "content_type": ("object", "content-type"),
    "metadata": ("object", "metadata"),
    "tag": ("object", "tags"),
    "encryption": ("object", "encryption"),
    "kms_key": ("object", "kms-key"),
    "bucket_key": ("object", "bucket-key"),
    "lock_mode": ("object", "lock", "mode"),
    "lock_keep": ("object", "lock", "keep"),
    "legal_hold": ("object", "lock", "legal-hold"),
    **{key.replace("-", "_"): (key,) for key in CONNECTION_KEYS},
}


def job_of(options: argparse.Namespace, verb: str, state: str) -> Job:
    """The one job of `move` or `copy`.

    Raises:
        ConfigurationError: something of it is wrong.
    """
    if re.match(r"s3:", options.source, re.IGNORECASE):
        address = "s3://my-bucket/x" if "@" in options.source else options.source  # Before an @ may stand a secret.
        raise ConfigurationError(
            f"SOURCE: {address} is a bucket, and {verb} takes a directory of this machine; what fetches is "
            f"outhaul restore {address} --to DIR, or outhaul mirror"
        )
    parsed = parse({"job": [_tree(options, verb)]}, absolute_from(os.getcwd()))
    if parsed.problems or parsed.jobs[0] is None:
        raise ConfigurationError(*(_told(problem) for problem in parsed.problems))
    job = parsed.jobs[0]._replace(one_off=True)
    if found := problems([job], state):
        raise ConfigurationError(*found)
    return job


def _tree(options: argparse.Namespace, verb: str) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": verb}
    if verb == "copy":
        tree["after"] = "keep"
    for option, path in _KEYS.items():
        value: Any = getattr(options, option, None)
        if value in (None, "", [], False) and option not in ("source", "destination"):
            continue
        if option in ("metadata", "tag"):
            value = _pairs(option, value)
        table = tree
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value
    return tree


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or name in found:
            wrong = f"{shown(name)} stands twice" if equals else f"expected NAME=VALUE, not {shown(pair)}"
            raise ConfigurationError(f"--{option}: {wrong}")
        found[name] = value
    return found


def _told(problem: Problem) -> str:
    path = tuple(part for part in problem.where[2:] if isinstance(part, str))
    for option, key in _KEYS.items():
        if key == path:
            name = option.upper() if option in ("source", "destination") else f"--{option.replace('_', '-')}"
            # What to write instead stands there as in a file.
            return f"{name}: {'is missing; add it' if problem.text.startswith('is missing; ') else problem.text}"
    return f"{dotted(problem.where[2:])}: {problem.text}"
