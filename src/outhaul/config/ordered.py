"""A configuration with what an order of the fleet sets in it: judged as a whole, by the reader of every configuration.

True here: an order changes nothing but the fields of `_FIELDS`, whatever it says, because the jobs are those of the device's own
configuration with these fields put in their place; of the keys of `fleet.SETTABLE` it sets only those that this device
lists; and a file is taken to be finished no sooner than this device says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from outhaul.config import formats, timing, values
from outhaul.config.bandwidth import bandwidth
from outhaul.config.keys import label
from outhaul.config.native import Configured, judged
from outhaul.config.wording import dotted
from outhaul.model.bandwidth import PRIORITIES
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.orders import ALL_JOBS, Setting

_FIELDS = (
    "quiet_ns", "files_max", "bytes_max", "bytes_a_day", "bytes_a_month", "order", "every_ns", "at", "cron", "time_zone",
    "jitter_ns", "quiet_hours", "priority",
)  # fmt: skip
"""Of a job."""
ABOVE = ("bandwidth", "time-zone")
"""Keys that may stand above the jobs; all but the first may stand in a job."""


def _bandwidth(value: object) -> object:
    found, faults = bandwidth(value)
    if faults:
        where, text = faults[0]
        raise ValueError(f"{dotted(where)}: {text}" if where else text)
    return found


READERS: Mapping[str, Callable[[object], object]] = MappingProxyType({
    "at": values.times_of_day, "bandwidth": _bandwidth, "cron": timing.cron, "every": values.kept, "jitter": timing.jitter,
    "max-bytes": timing.bytes_max, "max-bytes-per-day": timing.bytes_max, "max-bytes-per-month": timing.bytes_max,
    "max-files": values.files_max, "order": lambda value: values.choice(value, timing.ORDERS),
    "priority": lambda value: values.choice(value, PRIORITIES), "quiet-hours": timing.quiet_hours,
    "settle.quiet": values.quiet, "time-zone": timing.time_zone,
})  # fmt: skip
"""What each key that may be set is read by, for whoever writes an order. A device reads its whole configuration anew."""


def ordered(path: str, own: Configured, settings: tuple[Setting, ...], state: str) -> Configured:
    """What holds on this device while an order does.

    Args:
        path: The configuration file.
        own: What it says by itself.
        settings: What the order sets.
        state: The state directory, absolute.

    Returns:
        `own` with other jobs, another bandwidth, and another time zone of that.

    Raises:
        ConfigurationError: with a line for each thing that is not allowed here, or would be wrong. Nothing of it is to hold.
    """
    refused = list(_refused(own, settings))
    if refused:
        raise ConfigurationError(*refused)
    said, problems = judged(path, _changed(formats.read(path).tree, settings), state)
    if problems:
        raise ConfigurationError(*(printable(label(problem)) for problem in problems))
    found = {job.name: job for job in said.jobs}
    if found.keys() != {job.name for job in own.jobs}:
        raise ConfigurationError("the configuration has other jobs by now; it has to be read anew first")
    jobs = [_with(job, found[job.name]) for job in own.jobs]
    return own._replace(jobs=jobs, bandwidth=said.bandwidth, time_zone=said.time_zone)


def _refused(own: Configured, settings: tuple[Setting, ...]) -> Iterator[str]:
    """What of it this device does not let be set."""
    names, may = {job.name for job in own.jobs}, own.fleet.may_set if own.fleet else ()
    for one in settings:
        if one.key not in may:
            yield printable(f"{one.name}: {one.key} is not in fleet.may-set here")
        elif wrong := misplaced(one):
            yield printable(f"{one.name}: {wrong}")
        elif one.job not in ("", ALL_JOBS) and one.job not in names:
            yield printable(f"{one.name}: there is no job {one.job} here")


def misplaced(one: Setting) -> str:
    """What is wrong with where a key is set; '' for nothing."""
    if not one.job:
        return (
            "" if one.key in ABOVE else f"belongs to a job: write JOB.{one.key}, or {ALL_JOBS}.{one.key} for every job"
        )
    return f"stands above the jobs: write {one.key}" if one.key == ABOVE[0] else ""


def _changed(tree: Any, settings: tuple[Setting, ...]) -> dict[str, Any]:
    """The tree with other values; what it is made of is left as it is. It is one of which a configuration was made."""
    made = {**tree, "job": [dict(table) for table in tree["job"]]}
    for one in sorted(settings, key=lambda setting: setting.job != ALL_JOBS):
        tables = [table for table in made["job"] if one.job in (table["name"], ALL_JOBS)] if one.job else [made]
        for table in tables:
            _put(table, one.key, one.value)
    return made


def _put(table: dict[str, Any], key: str, value: object) -> None:
    outer, dot, inner = key.partition(".")
    if dot:
        table[outer] = dict(table.get(outer, {}))
        table, key = table[outer], inner
    table.pop(key, None)
    if value is not None:
        table[key] = value


def _with(own: Job, changed: Job) -> Job:
    """A job of this device as an order has it."""
    if changed.quiet_ns < own.quiet_ns:
        raise ConfigurationError(
            f"{own.name}.settle.quiet: an order may make it longer, and no shorter than it is here"
        )
    return own._replace(**{field: getattr(changed, field) for field in _FIELDS})


def as_ordered(said: Configured) -> Configured:
    """The same, so that nothing is given up: whoever may delay what a device carries may have none of it removed by that."""
    return said._replace(jobs=[job._replace(shed_below=0) for job in said.jobs])


def setting(text: str) -> Setting:
    """What somebody writes: `readings.every=10s`, `*.max-files=100`, `bandwidth=2MiB/s`; with nothing behind `=`, it is left out.

    Raises:
        ValueError: it is no setting that any device would take.
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    key = max((key for key in READERS if name == key or name.endswith(f".{key}")), key=len, default="")
    if not equals or not key:
        raise ValueError(
            f"expected JOB.KEY=VALUE such as readings.every=10s, with a key of {', '.join(sorted(READERS))}; not {name[:60]!r}"
        )
    job = name[: -len(key) - 1]
    if job not in ("", ALL_JOBS):
        values.name(job)
    one = Setting(job, key, _value(value.strip()))
    if wrong := misplaced(one):
        raise ValueError(f"{name}: {wrong}")
    if one.value is not None:
        try:
            READERS[key](one.value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return one


def _value(text: str) -> object:
    """As TOML where it is that; else the word itself, so that a shell needs no second quotes."""
    import tomllib

    try:
        tree = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text or None
    value = tree["value"]
    return value if len(tree) == 1 and isinstance(value, (str, int, list, dict)) else text
