"""The keys of the native format, and a tree of them to jobs.

Pure: the tree comes from TOML, YAML or JSON alike, and nothing of the machine is looked at. Every problem is kept,
with the path of its key, so that a person can mend all of them at once. `schema.json` says the same to editors; a test
keeps the two in step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from outhaul.config import connection_settings, object_settings, telling, timing, values
from outhaul.config.bandwidth import bandwidth
from outhaul.config.connection_settings import CONNECTION_KEYS
from outhaul.config.disk import disk
from outhaul.config.fleet import fleet
from outhaul.config.telling import TELLING_KEYS, Hooks, Telling
from outhaul.config.together import unsuited
from outhaul.config.wording import Where, dotted, shown, unknown_key
from outhaul.model.address import destination
from outhaul.model.bandwidth import PRIORITIES, Bandwidth, Window
from outhaul.model.fleet import Fleet
from outhaul.model.job import (
    NEWEST_LIMIT_NS_DEFAULT,
    QUIET_NS_DEFAULT,
    After,
    ArchiveForm,
    ConflictRule,
    Connection,
    Destination,
    Job,
    ProofRule,
    Via,
)
from outhaul.model.object_settings import ObjectSettings

TOP_KEYS = (
    "job", "bandwidth", "ping", "fleet", "ledger", "time-zone", "nice", *TELLING_KEYS, *CONNECTION_KEYS, "$schema"
)  # fmt: skip
JOB_KEYS = (
    "name", "source", "to", "key", "include", "exclude", "temporary-names", "settle", "compress", "bundle", "group", "after",
    "empty-directories", "disk", "max-files", "max-bytes", "max-bytes-per-day", "max-bytes-per-month", "order", "every", "at",
    "cron", "time-zone", "jitter", "quiet-hours", "proof", "on-conflict", "object", "via", "priority", "hooks", *CONNECTION_KEYS,
)  # fmt: skip
SETTLE_KEYS = ("quiet", "quiet-for", "marker", "skip-newest", "newest-limit")
AFTER: tuple[After, ...] = ("delete", "keep")
COMPRESS_KEYS = ("codec", "level")
CODECS = ("none", "auto", "bzip2", "gzip", "zstd", "xz", "lz4")
GROUP_KEYS = ("directories", "companions")
BUNDLE_KEYS = ("size", "file-max", "wait")
ARCHIVE_KEYS = ("archive", "keep", "form")
STAY_KEYS = ("delete-after",)
FORMS: tuple[ArchiveForm, ...] = ("file", "stored")
EMPTY_KEYS = ("remove-after", "include")
PROOF: tuple[ProofRule, ...] = ("auto", "stored", "read-back")
ON_CONFLICT: tuple[ConflictRule, ...] = ("keep-both", "hold", "replace")

_NOT_YET = "not supported by outhaul 0.1"
LATER_SETTLE_KEYS = {"gate": f"is {_NOT_YET}; leave it out: settle.quiet and the check for open writers decide"}
_IN_A_JOB = {key: "belongs in a job; write it beneath [[job]]" for key in JOB_KEYS if key not in TOP_KEYS}
_FOR_ALL = ("bandwidth", "ping", "fleet", "ledger", "nice", *TELLING_KEYS[1:])
_ABOVE_JOBS = dict.fromkeys(_FOR_ALL, "holds for all jobs together; write it above the first [[job]]")
_BESIDE_SETTLE = dict.fromkeys(JOB_KEYS, "belongs to the job, not to settle; write it beside settle")
_IN_SETTLE = {"quiet": 'belongs in settle; write settle = { quiet = "30m" }'} | dict.fromkeys(
    SETTLE_KEYS[1:], "belongs in settle; write it there, beside quiet"
)
_IN_COMPRESS = {"level": 'belongs in compress; write compress = { codec = "zstd", level = 3 }'}

_NOT_STAYING = dict.fromkeys(
    ARCHIVE_KEYS, "does not go with delete-after: the file stays where it is, and then it goes"
)

_NO_TIMES: tuple[int, ...] = ()
_NO_HOURS: tuple[Window, ...] = ()
T = TypeVar("T")


class Problem(NamedTuple):
    """One thing that is wrong."""

    where: Where
    job: str
    """Name of the job; '' where it has none, or the problem is in no job."""
    text: str


class Parsed(NamedTuple):
    """What a tree came to."""

    jobs: list[Job | None]
    """In the order of the tree; None for a job that cannot be made."""
    problems: list[Problem]
    bandwidth: Bandwidth | None = None
    """What all jobs together may send; None where nothing was said of it."""
    ping: str = ""
    """Address that is told how runs go; '' for none."""
    time_zone: str = ""
    """In which the times of `bandwidth` are; '' is the machine's own."""
    nice: int = 0
    """How much others go before us, 0 to 19."""
    telling: Telling = Telling()
    """Who else is told, and how."""
    fleet: Fleet | None = None
    """Where this device tells how it is; None for nowhere."""
    ledger: str = ""
    """Address of the database that is the ledger; '' for the file in the state directory."""


def parse(tree: object, absolute: Callable[[str], str]) -> Parsed:
    """The jobs of a tree, and everything that is wrong with it. Where there are problems, no job is to be run.

    Args:
        tree: What a TOML, YAML or JSON reader gives.
        absolute: Makes a path absolute; see `paths.absolute_from`.
    """
    return _Parser(absolute).parse(tree)


class _Parser:
    def __init__(self, absolute: Callable[[str], str]) -> None:
        self._absolute = absolute
        self._problems: list[Problem] = []
        self._job = ""
        self._zone = ""
        self._names: dict[str, int] = {}
        self._hooks: dict[str, Hooks] = {}

    def parse(self, tree: object) -> Parsed:
        if not isinstance(tree, dict):
            self._note((), f"expected a table that holds job, not {shown(tree)}")
            return Parsed([], self._problems)
        self._refuse_others(tree, (), TOP_KEYS, _IN_A_JOB | _IN_SETTLE)
        self._take(tree, (), "$schema", lambda value: values.text(value, "an address of the schema"), "")
        defaults = self._connection(tree, (), Connection())
        limit = self._bandwidth(tree)
        ping = self._take(tree, (), "ping", values.ping, "")
        self._zone = self._take(tree, (), "time-zone", timing.time_zone, "")
        nice = self._take(tree, (), "nice", timing.nice, 0)
        ledger = self._take(tree, (), "ledger", values.ledger, "")
        told = telling.telling(tree, self._absolute, self._note)
        place = fleet(tree["fleet"], defaults, self._absolute, self._note) if "fleet" in tree else None
        jobs = self._jobs(tree, defaults)
        told = told._replace(of_jobs=self._hooks)
        return Parsed(jobs, self._problems, limit, ping, self._zone, nice, told, place, ledger)

    def _bandwidth(self, tree: dict[str, Any]) -> Bandwidth | None:
        if "bandwidth" not in tree:
            return None
        found, faults = bandwidth(tree["bandwidth"])
        for where, text in faults:
            self._note(("bandwidth", *where), text)
        return found

    def _jobs(self, tree: dict[str, Any], defaults: Connection) -> list[Job | None]:
        tables = tree.get("job")
        if isinstance(tables, list) and tables:
            return [self._job_of(table, ("job", index), defaults) for index, table in enumerate(tables)]
        if isinstance(tables, dict):
            self._note(("job",), "expected an array of jobs; write [[job]] in TOML, a list in YAML and JSON")
        elif "job" in tree and not isinstance(tables, list):
            self._note(("job",), f"expected an array of jobs, not {shown(tables)}")
        else:
            self._note((), "there is no job; write at least one [[job]] with name, source and to")
        return []

    def _job_of(self, table: object, where: Where, defaults: Connection) -> Job | None:
        if not isinstance(table, dict):
            self._note(where, f"expected a table with name, source and to, not {shown(table)}")
            return None
        before = len(self._problems)
        name = self._named(table, where)
        self._refuse_others(table, where, JOB_KEYS, _ABOVE_JOBS | _IN_SETTLE | _IN_COMPRESS)
        self._require(table, where, "source", 'write source = "/directory/of/files"')
        self._require(table, where, "to", 'write to = "s3://bucket/prefix"')
        target = self._take(table, where, "to", self._destination, Destination("", "s3", "", ""))
        connection = self._connection(table, where, defaults)
        job = Job(
            name=name,
            source=self._take(table, where, "source", self._source, ""),
            destination=target,
            connection=connection if target.kind == "s3" else Connection(),
            key=self._take(table, where, "key", values.key, ""),
            include=self._patterns(table, where, "include"),
            exclude=self._patterns(table, where, "exclude"),
            temporary_names=self._take(table, where, "temporary-names", values.truth, False),
            **self._settle(table, where),
            **self._compress(table, where),
            **self._bundle(table, where),
            **self._group(table, where),
            **self._after(table, where),
            **self._empty_directories(table, where),
            **(disk(table["disk"], (*where, "disk"), self._note) if "disk" in table else {}),
            files_max=self._take(table, where, "max-files", values.files_max, 0),
            **self._timing(table, where),
            proof=self._take(table, where, "proof", lambda value: values.choice(value, PROOF), "auto"),
            on_conflict=self._take(
                table, where, "on-conflict", lambda value: values.choice(value, ON_CONFLICT), "keep-both"
            ),
            objects=self._objects(table, where),
            via=self._take(table, where, "via", _via, ""),
            priority=self._take(table, where, "priority", lambda value: values.choice(value, PRIORITIES), "normal"),
        )
        if found := telling.hooks(table, where, self._absolute, self._note):
            self._hooks[name] = found
        for path, text in unsuited(job):
            self._note((*where, *path), text)
        self._job = ""
        return job if len(self._problems) == before else None

    def _named(self, table: dict[str, Any], where: Where) -> str:
        self._require(table, where, "name", 'write name = "a-name"')
        name = self._take(table, where, "name", values.name, "")
        first = self._names.setdefault(name, int(where[1])) if name else where[1]
        if first != where[1]:
            self._note((*where, "name"), f"{shown(name)} is the name of job[{first}] too; give each job its own name")
        else:
            self._job = name
        return name

    def _source(self, value: object) -> str:
        return self._absolute(values.text(value, '"/directory/of/files"'))

    def _destination(self, value: object) -> Destination:
        if isinstance(value, list):
            raise ValueError(f'several destinations are {_NOT_YET}; write one string, such as "s3://bucket/prefix"')
        return destination(values.text(value, '"s3://bucket/prefix"'), self._absolute)

    def _patterns(self, table: dict[str, Any], where: Where, key: str) -> tuple[str, ...]:
        if key not in table:
            return ()
        value = table[key]
        if not isinstance(value, list):
            self._note((*where, key), f'expected an array of patterns such as ["**/*.csv"], not {shown(value)}')
            return ()
        if key == "include" and not value:
            self._note((*where, key), "is empty, so it would carry nothing; leave it out to carry every file")
        found = [self._try((*where, key, index), values.pattern, each, "") for index, each in enumerate(value)]
        return tuple(found)

    def _settle(self, table: dict[str, Any], where: Where) -> dict[str, Any]:
        """The fields of the job that say when a file is finished."""
        settle, where = table.get("settle", {}), (*where, "settle")
        if not isinstance(settle, dict):
            self._note(where, f'expected a table such as {{ quiet = "30m" }}, not {shown(settle)}')
            return {}
        self._refuse_others(settle, where, SETTLE_KEYS, LATER_SETTLE_KEYS | _BESIDE_SETTLE)
        if "newest-limit" in settle and "skip-newest" not in settle:
            self._note(
                (*where, "newest-limit"), "says nothing without skip-newest; write skip-newest = 1, or leave it out"
            )
        return {
            "quiet_ns": self._take(settle, where, "quiet", values.quiet, QUIET_NS_DEFAULT),
            "quiet_for": self._quiet_for(settle, (*where, "quiet-for")),
            "marker": self._take(settle, where, "marker", values.marker, ""),
            "skip_newest": self._take(settle, where, "skip-newest", values.count, 0),
            "newest_limit_ns": self._take(settle, where, "newest-limit", values.quiet, NEWEST_LIMIT_NS_DEFAULT),
        }

    def _quiet_for(self, settle: dict[str, Any], where: Where) -> tuple[tuple[str, int], ...]:
        table = settle.get("quiet-for", {})
        if not isinstance(table, dict):
            self._note(where, f'expected a table such as {{ "*.log" = "1h" }}, not {shown(table)}')
            return ()
        return tuple(
            (
                self._try((*where, pattern), values.pattern, pattern, ""),
                self._try((*where, pattern), values.quiet, value, 0),
            )
            for pattern, value in table.items()
        )

    def _compress(self, table: dict[str, Any], where: Where) -> dict[str, Any]:
        """The fields of the job that say how its files are compressed."""
        compress, there = table.get("compress", "none"), (*where, "compress")
        if not isinstance(compress, dict):
            name, level = compress, None
        else:
            self._refuse_others(compress, there, COMPRESS_KEYS, {})
            self._require(compress, there, "codec", 'write codec = "zstd"')
            name, level = compress.get("codec", "none"), compress.get("level")
            there = (*there, "codec")
        chosen = self._try(there, lambda value: values.choice(value, CODECS), name, "none")
        if level is not None and (chosen != "none" or compress.get("codec") == "none"):  # Else the codec is at fault.
            level = self._try((*there[:-1], "level"), lambda value: values.level(chosen, value), level, None)
        return {"compress": "" if chosen == "none" else chosen, "compress_level": level}

    def _bundle(self, table: dict[str, Any], where: Where) -> dict[str, Any]:
        """The fields of the job that say which files travel together."""
        if "bundle" not in table:
            return {}
        bundle, where = table["bundle"], (*where, "bundle")
        if not isinstance(bundle, dict):
            size = self._try(where, values.bundle_size, bundle, 0)
            return {"bundle_bytes": size, "bundle_file_max": size // values.FILES_IN_A_BUNDLE}
        self._refuse_others(bundle, where, BUNDLE_KEYS, {})
        self._require(bundle, where, "size", 'write size = "16MiB"')
        size = self._take(bundle, where, "size", values.bundle_size, 0)
        return {
            "bundle_bytes": size,
            "bundle_file_max": self._take(
                bundle, where, "file-max", lambda value: values.file_max(value, size), size // values.FILES_IN_A_BUNDLE
            ),
            "bundle_wait_ns": self._take(bundle, where, "wait", values.quiet, 0),
        }

    def _group(self, table: dict[str, Any], where: Where) -> dict[str, Any]:
        """The fields of the job that say which files are one unit."""
        if "group" not in table:
            return {}
        group, there = table["group"], (*where, "group")
        settle = table.get("settle")
        for key in ("marker", "skip-newest"):
            if isinstance(settle, dict) and key in settle:
                self._note(
                    (*where, "settle", key),
                    "says nothing of groups; leave it out, or give them a job of their own",
                )
        if not isinstance(group, dict):
            return {"groups": (self._try(there, values.pattern, group, ""),)}
        self._refuse_others(group, there, GROUP_KEYS, {})
        self._require(group, there, "directories", 'write directories = ["*"]')
        if group.get("directories") == []:
            self._note((*there, "directories"), 'is empty, so there would be no group; write directories = ["*"]')
        companions = group.get("companions", [])
        if not isinstance(companions, list):
            self._note((*there, "companions"), f'expected an array such as ["{{path}}.log"], not {shown(companions)}')
            companions = []
        return {
            "groups": self._patterns(group, there, "directories"),
            "companions": tuple(
                self._try((*there, "companions", index), values.companion, each, "")
                for index, each in enumerate(companions)
            ),
        }

    def _after(self, table: dict[str, Any], where: Where) -> dict[str, Any]:
        """The fields of the job that say what becomes of a file that has a receipt."""
        after, there = table.get("after", "delete"), (*where, "after")
        if not isinstance(after, dict):
            return {"after": self._take(table, where, "after", _after, "delete")}
        stays = "delete-after" in after
        self._refuse_others(
            after, there, STAY_KEYS if stays else ARCHIVE_KEYS + STAY_KEYS, _NOT_STAYING if stays else {}
        )
        if stays:
            return {"after": "keep", "delete_after_ns": self._take(after, there, "delete-after", values.kept, 0)}
        self._require(after, there, "archive", 'write archive = "/directory/of/the/archive"')
        return {
            "after": "archive",
            "archive": self._take(after, there, "archive", self._source, ""),
            "archive_form": self._take(after, there, "form", lambda value: values.choice(value, FORMS), "file"),
            "archive_keep_ns": self._take(after, there, "keep", values.kept, 0),
        }

    def _empty_directories(self, table: dict[str, Any], where: Where) -> dict[str, Any]:
        """The fields of the job that say which empty directories go."""
        if "empty-directories" not in table:
            return {}
        empty, where = table["empty-directories"], (*where, "empty-directories")
        if not isinstance(empty, dict):
            self._note(where, f'expected a table such as {{ remove-after = "1d" }}, not {shown(empty)}')
            return {}
        self._refuse_others(empty, where, EMPTY_KEYS, {})
        self._require(empty, where, "remove-after", 'write remove-after = "1d"')
        return {
            "empty_ns": self._take(empty, where, "remove-after", values.kept, 0),
            "empty_include": self._patterns(empty, where, "include"),
        }

    def _timing(self, table: dict[str, Any], where: Where) -> dict[str, Any]:
        """The fields of the job that say when, in which order, and how much."""
        return {
            "bytes_max": self._take(table, where, "max-bytes", timing.bytes_max, 0),
            "bytes_a_day": self._take(table, where, "max-bytes-per-day", timing.bytes_max, 0),
            "bytes_a_month": self._take(table, where, "max-bytes-per-month", timing.bytes_max, 0),
            "order": self._take(table, where, "order", lambda value: values.choice(value, timing.ORDERS), ""),
            "every_ns": self._take(table, where, "every", values.kept, 0),
            "at": self._take(table, where, "at", values.times_of_day, _NO_TIMES),
            "cron": self._take(table, where, "cron", timing.cron, ""),
            "time_zone": self._take(table, where, "time-zone", timing.time_zone, self._zone),
            "jitter_ns": self._take(table, where, "jitter", timing.jitter, 0),
            "quiet_hours": self._take(table, where, "quiet-hours", timing.quiet_hours, _NO_HOURS),
        }

    def _objects(self, table: dict[str, Any], where: Where) -> ObjectSettings:
        if "object" not in table:
            return ObjectSettings()
        return object_settings.object_settings(table["object"], (*where, "object"), self._note)

    def _connection(self, table: dict[str, Any], where: Where, defaults: Connection) -> Connection:
        taken: list[Any] = [
            self._take(table, where, key, connection_settings.reader_of(key, self._absolute), default)
            for key, default in zip(CONNECTION_KEYS, defaults, strict=True)
        ]
        return Connection(*taken)

    # --- one key ------------------------------------------------------------------------------------------------

    def _take(self, table: dict[str, Any], where: Where, key: str, read: Callable[[object], T], default: T) -> T:
        return self._try((*where, key), read, table[key], default) if key in table else default

    def _try(self, where: Where, read: Callable[[object], T], value: object, default: T) -> T:
        try:
            return read(value)
        except ValueError as error:
            self._note(where, str(error))
            return default

    def _require(self, table: dict[str, Any], where: Where, key: str, instead: str) -> None:
        if key not in table:
            self._note((*where, key), f"is missing; {instead}")

    def _refuse_others(
        self, table: dict[str, Any], where: Where, known: tuple[str, ...], elsewhere: Mapping[str, str]
    ) -> None:
        for key in table:
            if key not in known:
                self._note((*where, key), unknown_key(key, known, elsewhere))

    def _note(self, where: Where, text: str) -> None:
        self._problems.append(Problem(where, self._job, text))


def _after(value: object) -> After:
    try:
        return values.choice(value, AFTER)
    except ValueError:
        tables = '{ archive = "/directory" } or { delete-after = "30d" }'
        raise ValueError(f'expected "delete", "keep", {tables}, not {shown(value)}') from None


def _via(value: object) -> Via:
    if value != "stream-manager":
        raise ValueError(f'expected "stream-manager", not {shown(value)}; or leave it out: outhaul sends by itself')
    return "stream-manager"


def label(problem: Problem) -> str:
    """The problem with its job and key path, without file and line."""
    if problem.job:
        key = dotted(problem.where[2:])
        return f'job "{problem.job}": ' + (f"{key}: " if key else "") + problem.text
    return (f"{dotted(problem.where)}: " if problem.where else "") + problem.text
