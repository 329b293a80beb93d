"""The `config.ini` of Kingfisher Archive, from text to settings; with the line of whatever is wrong.

It is read as the older program read it (ConfigParser, `%` interpolates), but for what went wrong there: `~` is expanded, and
what is missing or unknown is said in one line. No value is repeated in an error: one of them is a password.
"""

from __future__ import annotations

import configparser
import os
import re
from typing import NamedTuple

from outhaul.model.address import destination
from outhaul.model.errors import ConfigurationError
from outhaul.model.keys import printable

_KEYS = {
    "DBHOST": ("HOSTNAME", "PORT", "USERNAME", "PASSWORD", "DBNAME"),
    "S3": ("BUCKETNAME",),
    "DIRECTORIES": ("DATA", "LOGS", "DELETE_AS"),
    "DBARCHIVE": ("FILEPATH",),
    "SENTRY": ("DSN",),
}
_EXAMPLES = {
    "HOSTNAME": "localhost",
    "PORT": "5432",
    "USERNAME": "ocdskingfisher",
    "DBNAME": "ocdskingfisher",
    "BUCKETNAME": "my-bucket",
    "DATA": "/home/ocdskfs/scrapyd/data",
    "LOGS": "/home/ocdskfs/scrapyd/logs/kingfisher",
    "FILEPATH": "~/kingfisher-archive-database.sqlite",
}
_SIZE_MAX = 1 << 20
_SECTION = re.compile(r"\[(.+)\]")
_OPTION = re.compile(r"([^\s:=#;\[][^:=]*?)\s*[:=]")


class Database(NamedTuple):
    """Where Kingfisher Process has its tables."""

    hostname: str
    port: int
    username: str
    password: str
    """'' for none: `~/.pgpass` may have it."""
    name: str


class Settings(NamedTuple):
    """What a config.ini says."""

    database: Database
    bucket: str
    data: str
    """Absolute path; as the next two."""
    logs: str
    memory: str
    delete_as: str
    """User who removes what we may not; '' for the one the older program had, where there is such a user."""
    sentry: str
    """Address that errors are reported to; '' for none."""


def usual_place() -> str:
    """Where the older program looked for its configuration."""
    return os.path.join(os.path.expanduser("~"), ".config", "ocdskingfisher-archive", "config.ini")


def is_kingfisher(text: str) -> bool:
    """Whether a text is a configuration of Kingfisher Archive: it has sections that no other program's has together."""
    sections = {found[1] for line in text.splitlines() if (found := _SECTION.match(line))}
    return {"DBARCHIVE", "DIRECTORIES"} <= sections or {"DBHOST", "DIRECTORIES", "S3"} <= sections


def is_kingfisher_file(path: str) -> bool:
    """The same of a file; what cannot be read is none, and whoever reads it next tells."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return is_kingfisher(file.read(_SIZE_MAX))
    except (OSError, ValueError):
        return False


def no_jobs(text: str, path: str) -> ConfigurationError:
    """Why a configuration of Kingfisher Archive cannot be had in the native form."""
    line = _lines(text).get(("DBHOST", ""), 0)
    return ConfigurationError(
        printable(
            f"{path}{_at(line)}: [DBHOST]: a database says which collections there are, and what is in the bucket whether one is "
            "archived: no job says that; run it as it is: outhaul run, or kingfisher-archive archive --config"
        )
    )


def read(path: str) -> Settings:
    """The settings in a file.

    Raises:
        ConfigurationError: one line for each thing that is wrong.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except FileNotFoundError:
        needed = ", ".join(f"[{section}] {' '.join(_required(section))}" for section in _KEYS if _required(section))
        raise ConfigurationError(printable(f"{path}: is not there; write it, with {needed}")) from None
    except UnicodeDecodeError:
        raise ConfigurationError(printable(f"{path}: is not UTF-8; save it as UTF-8")) from None
    except OSError as error:
        raise ConfigurationError(printable(f"{path}: cannot be read: {error.strerror}")) from None
    return settings_of(text, path)


def settings_of(text: str, path: str) -> Settings:
    """The settings in a text; `path` is what its problems are told with.

    Raises:
        ConfigurationError: as `read`.
    """
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ConfigurationError(printable(f"{path}{_syntax(error)}")) from None
    return _Reader(parser, _lines(text), path).settings()


class _Reader:
    def __init__(self, parser: configparser.ConfigParser, lines: dict[tuple[str, str], int], path: str) -> None:
        self._parser = parser
        self._lines = lines
        self._path = path
        self._problems: list[tuple[int, str]] = []

    def settings(self) -> Settings:
        self._look_for_unknown()
        database = Database(
            self._value("DBHOST", "HOSTNAME"), self._port(), self._value("DBHOST", "USERNAME"),
            self._value("DBHOST", "PASSWORD"), self._value("DBHOST", "DBNAME"),
        )  # fmt: skip
        settings = Settings(
            database, self._bucket(), self._directory("DATA"), self._directory("LOGS"), self._memory(),
            self._value("DIRECTORIES", "DELETE_AS"), self._value("SENTRY", "DSN"),
        )  # fmt: skip
        if self._problems:
            raise ConfigurationError(
                *(printable(f"{self._path}{_at(line)}: {text}") for line, text in sorted(self._problems))
            )
        return settings

    def _value(self, section: str, key: str) -> str:
        try:
            value = self._parser.get(section, key, fallback="").strip()
        except configparser.InterpolationError:
            self._wrong(section, key, "has a '%' that means something else here; double it: '%%'")
            return " "
        if not value and key in _EXAMPLES:
            self._wrong(section, key, f"is missing; write {key} = {_EXAMPLES[key]}")
        return value

    def _port(self) -> int:
        text = self._value("DBHOST", "PORT")
        if text and text != " " and not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
            self._wrong("DBHOST", "PORT", "is no port; write PORT = 5432")
        return int(text) if text.isascii() and text.isdigit() else 0

    def _bucket(self) -> str:
        name = self._value("S3", "BUCKETNAME")
        try:
            found = destination(f"s3://{name}", str).bucket if name and name != " " else name
        except ValueError:
            found = ""
        if name and found != name:
            self._wrong(
                "S3", "BUCKETNAME", "is no name of a bucket; write BUCKETNAME = my-bucket, without s3:// and prefix"
            )
        return name

    def _directory(self, key: str) -> str:
        return os.path.abspath(os.path.expanduser(self._value("DIRECTORIES", key)))

    def _memory(self) -> str:
        path = os.path.abspath(os.path.expanduser(self._value("DBARCHIVE", "FILEPATH")))
        if not self._problems and not os.path.isdir(os.path.dirname(path)):
            self._wrong("DBARCHIVE", "FILEPATH", f"the directory {os.path.dirname(path)} is not there; make it")
        return path

    def _look_for_unknown(self) -> None:
        for section in self._parser.sections():
            known = _KEYS.get(section)
            if known is None:
                names = ", ".join(f"[{name}]" for name in _KEYS)
                self._wrong(section, "", f"is no section of Kingfisher Archive; there are {names}")
                continue
            for option in self._parser[section]:
                if option.upper() not in known and option not in self._parser.defaults():
                    self._wrong(
                        section, option.upper(), f"is no key of Kingfisher Archive; there are {', '.join(known)}"
                    )

    def _wrong(self, section: str, key: str, text: str) -> None:
        line = self._lines.get((section, key.lower()), self._lines.get((section, ""), 0))
        named = f"[{section}] {key}".rstrip()
        self._problems.append((line, f"{named}: {text}"))


def _required(section: str) -> list[str]:
    return [key for key in _KEYS[section] if key in _EXAMPLES]


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line of each section and key, by ConfigParser's own rules: what is indented goes on with a value."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := _SECTION.match(line):
            section = header[1]
            found.setdefault((section, ""), number)
        elif option := _OPTION.match(line):
            found.setdefault((section, option[1].lower()), number)
    return found


def _syntax(error: configparser.Error) -> str:
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f":{error.lineno}: stands before the first section; write [DBHOST] above it"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"{_at(error.lineno or 0)}: [{error.section}]: the section stands twice; put its keys together"
    if isinstance(error, configparser.DuplicateOptionError):
        key = f"[{error.section}] {error.option.upper()}"
        return f"{_at(error.lineno or 0)}: {key}: stands twice; leave one out"
    if isinstance(error, configparser.ParsingError) and error.errors:
        return f":{error.errors[0][0]}: is neither a section nor a key; write KEY = value"
    return ": is no configuration of Kingfisher Archive"


def _at(line: int) -> str:
    return f":{line}" if line else ""
