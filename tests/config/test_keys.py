"""Every key of a job: what it means, and what is said of a wrong value."""

from pathlib import Path

import pytest

from config.writing import HEAD, jobs_of, lines_of
from outhaul.config.keys import parse
from outhaul.model.job import Connection, Destination, Job

BUCKET = Destination("s3://bucket/prefix", "s3", "bucket", "prefix")


def test_a_short_job_has_the_documented_defaults(tmp_path: Path) -> None:
    """Name, source and destination are enough; the rest is as docs/configuration.md says."""
    expected = [Job(name="a", source=f"{tmp_path}/data", destination=BUCKET, quiet_ns=5 * 10**9)]
    assert expected == jobs_of(tmp_path, HEAD)


def test_every_key_reaches_the_job(tmp_path: Path) -> None:
    """Each setting of the file is a setting of the job."""
    text = HEAD + (
        'include = ["**/*.csv"]\nexclude = ["x/*"]\ntemporary-names = true\nsettle = { quiet = "1h30m" }\n'
        'after = "keep"\nproof = "read-back"\nendpoint-url = "http://127.0.0.1:9000/"\nregion = "here"\nprofile = "p q"\n'
    )
    expected = Job(
        name="a",
        source=f"{tmp_path}/data",
        destination=BUCKET,
        connection=Connection("http://127.0.0.1:9000", "here", "p q"),
        include=("**/*.csv",),
        exclude=("x/*",),
        temporary_names=True,
        quiet_ns=5400 * 10**9,
        after="keep",
        proof="read-back",
    )
    assert [expected] == jobs_of(tmp_path, text)


def test_connection_settings_at_the_top_are_defaults(tmp_path: Path) -> None:
    """A job's own setting wins; a directory has no connection."""
    text = (
        'region = "r"\nprofile = "p"\n'
        + HEAD
        + 'profile = "mine"\n[[job]]\nname = "b"\nsource = "other"\nto = "store"\n'
    )
    expected = [Connection("", "r", "mine"), Connection()]
    assert expected == [job.connection for job in jobs_of(tmp_path, text)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("data", "{base}/data"), ("./data/", "{base}/data"), ("other/../data", "{base}/data"), ("~/data", "{base}/data")],
)
def test_paths_begin_at_the_file_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, expected: str
) -> None:
    """Relative to the directory of the configuration file, not to the working directory; `~` is the home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (job,) = jobs_of(tmp_path, HEAD.replace('"data"', f'"{written}"'))
    assert expected.format(base=tmp_path) == job.source


NAME = "expected 1 to 64 letters, digits, '.', '_' or '-', not"
URL = 'expected an address such as "https://s3.example.net" or "http://127.0.0.1:9000"'
AFTER = 'expected "delete", "keep", { archive = "/directory" } or { delete-after = "30d" }'
KEY = 'expected a path with the file\'s in it, such as "{path}", "{name}" or "raw/{name}"'
SHARED = (
    '"replace" does not go with group, compress = "auto" or a key without {path}: there two sources may have one key, and '
    'the later would take the place of the earlier; write "keep-both"'
)
LATER = "is not supported by outhaul 0.1; leave it out"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('exlude = ["x"]', '5: job "a": exlude: unknown key; did you mean "exclude"?'),
        ("temporary_names = true", '5: job "a": temporary_names: unknown key; did you mean "temporary-names"?'),
        ('destination = "x"', '5: job "a": destination: unknown key; did you mean "to"?'),
        ('quiet = "5s"', '5: job "a": quiet: belongs in settle; write settle = { quiet = "30m" }'),
        ('"a b" = 1', '5: job "a": "a b": unknown key; docs/configuration.md lists those that there are'),
        ('secret-access-key = "hunter2"', '5: job "a": secret-access-key: unknown key; credentials do not belong here: '
         "use the AWS environment variables, files or a profile"),
        ("settle = { quiet = 30 }", '5: job "a": settle.quiet: expected a duration such as "30m", not 30'),
        ("settle.quiet = true", '5: job "a": settle.quiet: expected a duration such as "30m", not true'),
        ('[job.settle]\nquiet = "x"', '6: job "a": settle.quiet: expected a duration such as "30m", not "x"; '
         "the units are d, h, m, s and ms, the largest first"),
        ('settle = "30m"', '5: job "a": settle: expected a table such as { quiet = "30m" }, not "30m"'),
        ("settle = { quite = 1 }", '5: job "a": settle.quite: unknown key; did you mean "quiet"?'),
        ('[job.settle]\nafter = "keep"', '6: job "a": settle.after: belongs to the job, not to settle; write it beside settle'),
        ('include = "*.csv"', '5: job "a": include: expected an array of patterns such as ["**/*.csv"], not "*.csv"'),
        ("include = []", '5: job "a": include: is empty, so it would carry nothing; leave it out to carry every file'),
        ("include = [1]", '5: job "a": include[0]: expected a pattern such as "**/*.csv", not 1'),
        ('include = ["../x"]', "5: job \"a\": include[0]: pattern \"../x\" is relative to the source: no '..'"),
        ('exclude = ["a",\n"/"]', ' job "a": exclude[1]: pattern "/" is empty'),
        ('temporary-names = "yes"', '5: job "a": temporary-names: expected true or false, not "yes"'),
        ('after = "move"', f'5: job "a": after: {AFTER}, not "move"'),
        ("after = 2020-01-01", f'5: job "a": after: {AFTER}, not a date or time'),
        ('proof = "etag"', '5: job "a": proof: expected "auto", "stored" or "read-back", not "etag"'),
        ('endpoint-url = "s3.example.net"', f'5: job "a": endpoint-url: {URL}'),
        ('endpoint-url = "http://h:99999"', f'5: job "a": endpoint-url: {URL}'),
        ('region = ""', '5: job "a": region: expected a region such as "eu-central-1", not ""'),
        ('profile = " p"', '5: job "a": profile: expected the name of a profile in ~/.aws/config, not " p"'),
        ('compress = "rar"', '5: job "a": compress: expected "none", "auto", "bzip2", "gzip", "zstd", "xz" or "lz4", not "rar"'),
        ('compress = {}', '5: job "a": compress.codec: is missing; write codec = "zstd"'),
        ('compress = { codec = "zstd", level = 20 }',
         '5: job "a": compress.level: expected a level of zstd from 1 to 19, not 20'),
        ('compress = { level = 3 }', '5: job "a": compress.codec: is missing; write codec = "zstd"'),
        ('compress = { codec = "none", level = 3 }', '5: job "a": compress.level: says nothing where nothing is compressed; '
         'write codec = "zstd", or leave it out'),
        ('level = 3', '5: job "a": level: belongs in compress; write compress = { codec = "zstd", level = 3 }'),
        ('include = ["[0-9.csv"]', '5: job "a": include[0]: pattern "[0-9.csv" has a "[" that no "]" closes; the character '
         'itself is written [[]'),
        ('proxy = "http://x:99999"', '5: job "a": proxy: expected the address of a proxy such as '
         '"http://proxy.example.net:3128"'),
        ('key = "x"', f'5: job "a": key: {KEY}, not "x"'),
        ('key = "/{path}"', f'5: job "a": key: {KEY}, not "/{{path}}"'),
        ('key = "{stem}/{name}"', f'5: job "a": key: {KEY}, not "{{stem}}/{{name}}"'),
        ('key = "{name}"\nbundle = "1MiB"', '5: job "a": key: does not go with bundle: what a bundle is called follows from '
         'its files; leave one out'),
        ('key = "{name}"\non-conflict = "replace"', f'6: job "a": on-conflict: {SHARED}'),
        ("max-files = 0", '5: job "a": max-files: expected a number of files from 1 to 1000000000, not 0'),
        ('settle = { quiet-for = "1h" }', '5: job "a": settle.quiet-for: expected a table such as { "*.log" = "1h" }, not "1h"'),
        ('settle = { quiet-for = { "../x" = "1h" } }', '5: job "a": settle.quiet-for."../x": pattern "../x" is relative to '
         "the source: no '..'"),
        ('settle = { quiet-for = { "x" = 5 } }', '5: job "a": settle.quiet-for.x: expected a duration such as "30m", not 5'),
        ('after = { archive = "/x", form = "zip" }', '5: job "a": after.form: expected "file" or "stored", not "zip"'),
        ('after = { archive = "/x", form = "stored" }', '5: job "a": after.form: needs compress with a codec, such as '
         '"bzip2"; or write form = "file"'),
        ('after = { delete-after = "1d", keep = "1d" }', '5: job "a": after.keep: does not go with delete-after: the file '
         'stays where it is, and then it goes'),
        ('after = { delete-after = "0" }', '5: job "a": after.delete-after: expected a duration such as "30d", not "0"'),
        ('every = "0"', '5: job "a": every: expected a duration such as "30d", not "0"'),
        ('at = "2:10"', '5: job "a": at: expected a time such as "02:10", or an array of such, not "2:10"'),
        ("at = []", '5: job "a": at: expected a time such as "02:10", or an array of such, not an array'),
        ("at = ['01:00', 5]", '5: job "a": at: expected a time such as "02:10", or an array of such, not an array'),
        ('settle = { gate = "x" }', f'5: job "a": settle.gate: {LATER}: settle.quiet and the check for open writers decide'),
        ("settle = { skip-newest = -1 }", '5: job "a": settle.skip-newest: expected a number from 0 to 1000, not -1'),
        ("settle = { marker = 'done' }",
         '5: job "a": settle.marker: expected the name of a marker such as "{name}.done", not "done"'),
        ("settle = { newest-limit = '1h' }", '5: job "a": settle.newest-limit: says nothing without skip-newest; '
         "write skip-newest = 1, or leave it out"),
        ('group = 5', '5: job "a": group: expected a pattern such as "**/*.csv", not 5'),
        ('group = { companions = [] }', '5: job "a": group.directories: is missing; write directories = ["*"]'),
        ('group = { directories = ["*"], companions = ["x.log"] }', '5: job "a": group.companions[0]: expected a path beneath '
         'the source with the directory\'s in it, such as "{path}.log", not "x.log"'),
        ('group = { directories = ["*"], companions = ["{path}/../x"] }', '5: job "a": group.companions[0]: expected a path '
         'beneath the source with the directory\'s in it, such as "{path}.log", not "{path}/../x"'),
        ('group = { directories = ["*"], companions = "{path}.log" }', '5: job "a": group.companions: expected an array such '
         'as ["{path}.log"], not "{path}.log"'),
        ('group = "*"\nsettle = { marker = "{name}.done" }', '6: job "a": settle.marker: says nothing of groups; leave it '
         'out, or give them a job of their own'),
        ('group = "*"\non-conflict = "replace"', f'6: job "a": on-conflict: {SHARED}'),
        ('bundle = "16"', '5: job "a": bundle: expected a size such as "16MiB", not "16"; the units are B, kB, MB, GB, KiB, '
         'MiB, GiB'),
        ('bundle = "1GiB"', '5: job "a": bundle: expected a size from 64KiB to 256MiB, not "1GiB"'),
        ('bundle = {}', '5: job "a": bundle.size: is missing; write size = "16MiB"'),
        ('bundle = { size = "1MiB", file-max = "2MiB" }', '5: job "a": bundle.file-max: expected a size from 1B to that of '
         'the bundle, not "2MiB"'),
        ('bundle = { size = "1MiB", wait = 5 }', '5: job "a": bundle.wait: expected a duration such as "30m", not 5'),
        ('bundle = { size = "1MiB", max = "1d" }', '5: job "a": bundle.max: unknown key; the keys here are size, file-max, '
         'wait'),
        ('after = { keep = "30d" }', '5: job "a": after.archive: is missing; write archive = "/directory/of/the/archive"'),
        ('after = { archive = "/x", keep = "0" }', '5: job "a": after.keep: expected a duration such as "30d", not "0"'),
        ('after = { archive = 1 }', '5: job "a": after.archive: expected a string such as "/directory/of/files", not 1'),
        ('after = { archive = "/x", for = "1d" }', '5: job "a": after.for: unknown key; did you mean "form"?'),
        ('empty-directories = "1d"', '5: job "a": empty-directories: expected a table such as '
         '{ remove-after = "1d" }, not "1d"'),
        ('empty-directories = {}', '5: job "a": empty-directories.remove-after: is missing; write remove-after = "1d"'),
        ('empty-directories = { remove-after = "0" }', '5: job "a": empty-directories.remove-after: expected a duration '
         'such as "30d", not "0"'),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_line(tmp_path: Path, written: str, expected: str) -> None:
    """File, line, job, key, what is wrong, what to write; no line where an array spreads over several."""
    assert [f"outhaul.toml:{expected}"] == lines_of(tmp_path, HEAD + written + "\n")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "a"', "", "1: job[0].name: is missing; write name = \"a-name\""),
        ('name = "a"', 'name = "a b"', f'2: job[0].name: {NAME} "a b"'),
        ('name = "a"', "name = 7", f"2: job[0].name: {NAME} 7"),
        ('source = "data"', "", '1: job "a": source: is missing; write source = "/directory/of/files"'),
        ('source = "data"', "source = [1]", '3: job "a": source: expected a string such as "/directory/of/files", not an array'),
        ('source = "data"', 'source = " "', '3: job "a": source: expected a string such as "/directory/of/files", not " "'),
        ('source = "data"', 'source = "~no-such-user/x"', '3: job "a": source: "~no-such-user/x" names no user of this '
         "machine; write ./ in front of a name with '~'"),
        ('source = "data"', 'source = "a\\u0000b"', '3: job "a": source: "a\\x00b" holds a character that no path can hold'),
        ('"s3://bucket/prefix"', '["s3://b1c", "s3://b2c"]', '4: job "a": to: several destinations are not supported by '
         'outhaul 0.1; write one string, such as "s3://bucket/prefix"'),
        ('"s3://bucket/prefix"', '"gs://bucket"', "4: job \"a\": to: 'gs' is no kind of store that outhaul knows; "
         "write s3://bucket/prefix or a directory"),
        ('"s3://bucket/prefix"', '""', '4: job "a": to: expected a string such as "s3://bucket/prefix", not ""'),
    ],
)  # fmt: skip
def test_a_required_setting_that_is_missing_or_wrong(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Every job says its name, source and destination."""
    assert [f"outhaul.toml:{expected}"] == lines_of(tmp_path, HEAD.replace(old, new))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [" there is no job; write at least one [[job]] with name, source and to"]),
        ("job = []", [" there is no job; write at least one [[job]] with name, source and to"]),
        ("job = 1", ["1: job: expected an array of jobs, not 1"]),
        ("job = [1]", ["1: job[0]: expected a table with name, source and to, not 1"]),
        ('[job]\nname = "a"', ["1: job: expected an array of jobs; write [[job]] in TOML, a list in YAML and JSON"]),
        ("region = 1\n" + HEAD, ['1: region: expected a region such as "eu-central-1", not 1']),
        ('source = "x"\n' + HEAD, ["1: source: belongs in a job; write it beneath [[job]]"]),
        ('regoin = "x"\n' + HEAD, ['1: regoin: unknown key; did you mean "region"?']),
        (
            HEAD + HEAD.replace("data", "other"),
            ['6: job[1].name: "a" is the name of job[0] too; give each job its own name'],
        ),
    ],
)
def test_the_top_of_the_file(tmp_path: Path, text: str, expected: list[str]) -> None:
    """At least one job, each with its own name; connection settings; nothing else."""
    assert [f"outhaul.toml:{line}" for line in expected] == lines_of(tmp_path, text)


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    """One run of the program is enough to mend a file; the lines come in the order of the file."""
    text = HEAD + 'after = 1\n[[job]]\nname = "b"\nsource = "nowhere"\nto = "gone/there"\n'
    expected = [
        f'outhaul.toml:5: job "a": after: {AFTER}, not 1',
        'outhaul.toml:8: job "b": source: /base/nowhere does not exist; make it, or correct the path',
        'outhaul.toml:9: job "b": to: /base/gone does not exist; make it or mount it, or correct the path',
    ]
    assert expected == lines_of(tmp_path, text)


@pytest.mark.parametrize(
    "written",
    [
        'endpoint-url = "https://me:hunter2@host"',
        'secret = "hunter2"',
        'password = "hunter2"',
        'endpoint-url = "hunter2"',
    ],
)
def test_secrets_are_not_repeated(tmp_path: Path, written: str) -> None:
    """What may be a secret never appears in a message (law L14)."""
    (line,) = lines_of(tmp_path, HEAD + written)
    assert "hunter2" not in line


def test_values_are_shown_as_data(tmp_path: Path) -> None:
    """A value with control characters stays one line and commands no terminal (law L13)."""
    expected = [f'outhaul.toml:5: job "a": after: {AFTER}, not "\\x1b[2J\\x0ax\\u202e"']
    assert expected == lines_of(tmp_path, HEAD + 'after = "\\u001b[2J\\nx\\u202e"')


def test_a_pattern_with_the_source_in_it_is_told() -> None:
    """It would never match: patterns are held against the path beneath the source."""
    tree = {"job": [{"name": "a", "source": "/data", "to": "s3://bucket", "include": ["/data/*.csv", "/database/x"]}]}
    assert [(problem.where, problem.text) for problem in parse(tree, str).problems] == [
        (("job", 0, "include"), '"/data/*.csv" is held against the path beneath the source; leave the source out of it')
    ]


def test_via_the_stream_manager(tmp_path: Path) -> None:
    """It sends to S3, and gives objects nothing besides their bytes."""
    assert [job.via for job in jobs_of(tmp_path, HEAD + 'via = "stream-manager"\n')] == ["stream-manager"]
    assert [job.via for job in jobs_of(tmp_path, HEAD)] == [""]
    wrong = lines_of(tmp_path, HEAD + 'via = "stream-manager"\nobject = { storage-class = "STANDARD_IA" }\n')
    assert ["gives objects no settings" in line for line in wrong] == [True]
    wrong = lines_of(tmp_path, HEAD.replace("s3://bucket/prefix", "/elsewhere") + 'via = "stream-manager"\n')
    assert ["sends to S3 only" in line for line in wrong] == [True]
    wrong = lines_of(tmp_path, HEAD + 'via = "mail"\n')
    assert ['expected "stream-manager", not "mail"' in line for line in wrong] == [True]
