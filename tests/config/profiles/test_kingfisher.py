"""The config.ini of Kingfisher Archive: read as ever, and every fault in one line with its place."""

import itertools
from pathlib import Path

import pytest

from outhaul.config.profiles.kingfisher import Database, Settings, is_kingfisher, no_jobs, read, settings_of
from outhaul.model.errors import ConfigurationError

SAMPLE = """[DBHOST]
HOSTNAME = localhost
PORT = 5432
USERNAME = ocdskingfisher
PASSWORD =
DBNAME = ocdskingfisher

[S3]
BUCKETNAME = backups-go-here

[DIRECTORIES]
DATA = /scrapyd/data
LOGS = /scrapyd/logs

[DBARCHIVE]
FILEPATH = ~/kingfisher-archive-database.sqlite

[SENTRY]
# DSN = https://<key>@sentry.io/<project>
"""


def problems(text: str) -> tuple[str, ...]:
    """What is wrong with a configuration."""
    with pytest.raises(ConfigurationError) as raised:
        settings_of(text, "c.ini")
    return raised.value.problems


def test_the_sample_of_the_readme(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is read, and its `~` is the home of the user; the older program could not open that file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    database = Database("localhost", 5432, "ocdskingfisher", "", "ocdskingfisher")
    memory = str(tmp_path / "kingfisher-archive-database.sqlite")
    expected = Settings(database, "backups-go-here", "/scrapyd/data", "/scrapyd/logs", memory, "", "")
    assert expected == settings_of(SAMPLE, "c.ini")
    assert is_kingfisher(SAMPLE)


def test_values_as_configparser_has_them(tmp_path: Path) -> None:
    """`%%` is a '%', `%(name)s` another value, ':' as good as '=', and what is indented goes on."""
    text = SAMPLE.replace("PASSWORD =", "PASSWORD: a%%b").replace("/scrapyd/logs", "%(data)s/../logs")
    text = text.replace("~/kingfisher-archive-database.sqlite", f"\n  {tmp_path}/db").replace("# DSN", "DSN")
    settings = settings_of(text + "\n[DEFAULT]\nROOT = /x\n", "c.ini")
    assert (settings.database.password, settings.logs) == ("a%b", "/scrapyd/logs")
    assert (f"{tmp_path}/db", "https://<key>@sentry.io/<project>") == (settings.memory, settings.sentry)
    assert settings_of(text.replace("LOGS", "DELETE_AS = ocdskfs\nLOGS"), "c.ini").delete_as == "ocdskfs"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("PORT = 5432", "PORT = x", "c.ini:3: [DBHOST] PORT: is no port; write PORT = 5432"),
        ("PORT = 5432", "PORT = 70000", "c.ini:3: [DBHOST] PORT: is no port; write PORT = 5432"),
        ("BUCKETNAME = backups-go-here", "", "c.ini:8: [S3] BUCKETNAME: is missing; write BUCKETNAME = my-bucket"),
        ("= backups-go-here", "= s3://b/c",
         "c.ini:9: [S3] BUCKETNAME: is no name of a bucket; write BUCKETNAME = my-bucket, without s3:// and prefix"),
        ("PASSWORD =", "PASSWORD = s3cr%t",
         "c.ini:5: [DBHOST] PASSWORD: has a '%' that means something else here; double it: '%%'"),
        ("LOGS =", "LOG =", "c.ini:11: [DIRECTORIES] LOGS: is missing; write LOGS = /home/ocdskfs/scrapyd/logs/kingfisher"),
        ("LOGS =", "LOG =", "c.ini:13: [DIRECTORIES] LOG: is no key of Kingfisher Archive; there are DATA, LOGS, DELETE_AS"),
        ("[SENTRY]", "[SENTRI]", "c.ini:18: [SENTRI]: is no section of Kingfisher Archive; there are "
         "[DBHOST], [S3], [DIRECTORIES], [DBARCHIVE], [SENTRY]"),
        ("~/kingfisher-archive-database.sqlite", "/nowhere/db",
         "c.ini:16: [DBARCHIVE] FILEPATH: the directory /nowhere is not there; make it"),
        ("[DBHOST]\n", "", "c.ini:1: stands before the first section; write [DBHOST] above it"),
        ("[S3]", "[DBHOST]", "c.ini:8: [DBHOST]: the section stands twice; put its keys together"),
        ("PORT = 5432", "HOSTNAME = x", "c.ini:3: [DBHOST] HOSTNAME: stands twice; leave one out"),
        ("PORT = 5432", "s3cret", "c.ini:3: is neither a section nor a key; write KEY = value"),
    ],
)  # fmt: skip
def test_faults(old: str, new: str, expected: str) -> None:
    """What is wrong, where, and what to write instead; a password is repeated in none of them."""
    found = problems(SAMPLE.replace(old, new, 1))
    assert expected in found
    assert not any("s3cr" in problem for problem in found)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The older program went on without, to a traceback."""
    with pytest.raises(ConfigurationError) as raised:
        read(str(tmp_path / "config.ini"))
    assert f"{tmp_path}/config.ini: is not there; write it, with [DBHOST] HOSTNAME PORT USERNAME DBNAME" in str(
        raised.value
    )


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A directory, and what is no text."""
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name in (".", "bytes"):
        with pytest.raises(ConfigurationError):
            read(str(tmp_path / name))


def test_missing_sections_are_told_each() -> None:
    """Nothing at all is every required key."""
    assert len(problems("")) == 8


def test_every_subset_of_lines_is_read_or_told() -> None:
    """No text leads to anything but settings or lines."""
    lines = SAMPLE.splitlines(keepends=True)
    for start, end in itertools.combinations(range(len(lines)), 2):
        try:
            settings_of("".join(lines[:start] + lines[end:]), "c.ini")
        except ConfigurationError as error:
            assert all(problem.startswith("c.ini") for problem in error.problems)


@pytest.mark.parametrize("text", ["", "[job]\n", "[[job]]\nname = 'x'\n", "[DIRECTORIES]\n", "{}", "[S3]\nDATA = 1"])
def test_what_is_not_for_kingfisher_archive(text: str) -> None:
    """Other configurations are not taken for one of it."""
    assert not is_kingfisher(text)


def test_it_is_no_list_of_jobs() -> None:
    """What no job can say is told with its line."""
    assert str(no_jobs("\n" + SAMPLE, "c.ini")).startswith(
        "c.ini:2: [DBHOST]: a database says which collections there are"
    )
