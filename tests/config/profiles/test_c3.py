"""The configuration of C3, and the job that it becomes."""

from __future__ import annotations

import textwrap
from datetime import time
from pathlib import Path

import pytest

from outhaul.config import formats
from outhaul.config.keys import parse
from outhaul.config.native import compiled
from outhaul.config.paths import absolute_from
from outhaul.config.profiles import c3, recognised
from outhaul.config.profiles.profile import Profiled, Surroundings
from outhaul.config.profiles.reading import Old
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Connection, Destination, Job
from outhaul.model.object_settings import ObjectSettings

HERE = Surroundings({}, "/home/pi", "/srv")
INPUT = "input: {path: /d, file-extensions: [.jpg]}\n"
TARGET = "target: {provider: {aws: {region: eu-west-1, bucket-name: my-bucket}}}\n"
WHOLE = """
input:
  path: /home/pi/photos
  file-extensions:
    - .jpg
    - .tar.gz
    - .jpg
output:
  path: restored
target:
  max-uploaded-file: 20
  max-download-file: 10
  provider:
    aws:
      region: eu-west-1
      bucket-name: my-bucket
      storage-class: STANDARD_IA
job:
  job-description: Photos of the day
  runtime:
    at:
      - second: 10
      - minute: 5
      - hour: 3
"""


def document(tmp_path: Path, text: str) -> formats.Document:
    """The text as a file that has been read."""
    path = tmp_path / "config.yaml"
    path.write_text(textwrap.dedent(text))
    return formats.read(str(path))


def of(tmp_path: Path, text: str) -> Profiled:
    """What a text becomes."""
    return c3.compile(document(tmp_path, text), HERE)


def test_the_whole_of_it(tmp_path: Path) -> None:
    """Every key, in the native form, and what differs."""
    made = of(tmp_path, WHOLE)
    assert made.problems == []
    assert made.tree == {
        "job": [{
            "name": "photos", "source": "/home/pi/photos", "to": "s3://my-bucket", "region": "eu-west-1",
            "include": ["/*.jpg", "/*.tar.gz"], "settle": {"quiet": "5s"}, "object": {"storage-class": "STANDARD_IA"},
            "max-files": 20, "after": "keep",
        }]
    }  # fmt: skip
    assert [change.text for change in made.changes] == [
        "Files are really sent, and proved; before, only the date of the last one was noted.",
        "Every file is looked at, and goes once; before, one whose date was not after that of the last was never taken. "
        "last-upload.json has no meaning any more.",
        "Daily at 03:05:10, as job.runtime.at says: `c3 -n` stays and does so. From cron, to the minute:",
        "    5 3 * * * outhaul run CONFIG",
        "`c3 -d` is:",
        "    outhaul mirror s3://my-bucket --to /srv/restored --max-files 10",
        'job-description: "Photos of the day"',
        "Upper and lower case count, as before: .JPG is not .jpg.",
        "Where a name is used again, both files are kept: the later one under a second key.",
    ]  # fmt: skip


def test_the_job(tmp_path: Path) -> None:
    """What is run; and what is not of it."""
    made = of(tmp_path, WHOLE)
    parsed = parse(made.tree, absolute_from("/"))
    assert parsed.problems == []
    assert [
        Job(
            "photos", "/home/pi/photos", Destination("s3://my-bucket", "s3", "my-bucket", ""),
            Connection(region="eu-west-1"), include=("/*.jpg", "/*.tar.gz"), after="keep", files_max=20,
            objects=ObjectSettings(storage_class="STANDARD_IA"),
        )
    ] == parsed.jobs  # fmt: skip
    old = Old(document(tmp_path, WHOLE), HERE)
    assert (time(3, 5, 10), ("/srv/restored", 10)) == (c3.daily(old), c3.fetching(old))


def test_the_sample_of_the_readme(tmp_path: Path) -> None:
    """It has no caps, which its own schema wanted, and another word for the storage class. What else can be left out is."""
    sample = WHOLE.replace("storage-class", "storage-policy").replace("  max-uploaded-file: 20\n", "")
    job = of(tmp_path, sample.replace("  max-download-file: 10\n", "")).tree["job"][0]
    assert (job["object"], "max-files" in job) == ({"storage-class": "STANDARD_IA"}, False)
    least = of(tmp_path, INPUT + TARGET.replace("region: eu-west-1, ", ""))
    assert least.problems == []
    assert {"name", "source", "to", "include", "settle", "after"} == set(least.tree["job"][0])
    nulls = WHOLE.replace("-file: 20", "-file: null").replace("-file: 10", "-file:")
    assert "max-files" not in of(tmp_path, nulls).tree["job"][0]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("[{second: 10}, {minute: 20}, {hour: 3}]", time(3, 20, 10)),
        ("[{hour: 3}, {minute: 20}, {second: 10}]", time(3, 20, 10)),
        ("[{hour: 08, minute: 09}]", time(8, 9)),
        ("[{hour: 0}]", time(0, 0)),
        ("[{second: 59}, {minute: 59}, {hour: 23}]", time(23, 59, 59)),
    ],
)
def test_the_daily_time(tmp_path: Path, at: str, expected: time) -> None:
    """Hour, minute, second, in whatever order they stand; before, the second became the hour."""
    text = f"{INPUT}{TARGET}job: {{runtime: {{at: {at}}}}}"
    assert of(tmp_path, text).problems == []
    assert expected == c3.daily(Old(document(tmp_path, text), HERE))


@pytest.mark.parametrize(
    ("extensions", "include"),
    [
        ("[.jpg, .JPG]", ["/*.jpg", "/*.JPG"]),
        ("['.a[1]*']", ["/*.a[[]1][*]"]),
    ],
)
def test_extensions(tmp_path: Path, extensions: str, include: list[str]) -> None:
    """Taken by the letter."""
    made = of(tmp_path, f"input: {{path: /d, file-extensions: {extensions}}}\n{TARGET}")
    assert include == made.tree["job"][0]["include"]


def test_an_extension_that_looks_temporary_is_meant(tmp_path: Path) -> None:
    """Who asks for .part files gets them."""
    assert of(tmp_path, INPUT.replace(".jpg", ".part") + TARGET).tree["job"][0]["temporary-names"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (INPUT.replace("path: /d, ", "") + TARGET, [(1, "input.path: is missing; write path: /home/pi/photos")]),
        (INPUT.replace("[.jpg]", "[jpg, '']") + TARGET, [
            (1, 'input.file-extensions[0]: "jpg" has no dot, so that it fitted no file; write .jpg'),
            (1, 'input.file-extensions[1]: expected a text such as .jpg, not ""'),
        ]),
        (INPUT.replace("[.jpg]", "[./x]") + TARGET,
         [(1, 'input.file-extensions[0]: "./x" can end no file name; write an extension such as .jpg')]),
        (INPUT.replace("[.jpg]", "[]") + TARGET,
         [(1, "input.file-extensions: lists no extensions, so that nothing would be carried; write - .jpg")]),
        (INPUT.replace("[.jpg]", ".jpg") + TARGET,
         [(1, 'input.file-extensions: expected a list, not ".jpg"; it lists what is to be carried')]),
        (INPUT + "target: {}", [(2, "target.provider.aws.bucket-name: is missing; write bucket-name: my-bucket")]),
        (INPUT + "target: 5", [
            (2, "target: expected a table, not 5"),
            (2, "target.provider.aws.bucket-name: is missing; write bucket-name: my-bucket"),
        ]),
        (INPUT + TARGET.replace("my-bucket", "my-bucket/p"),
         [(2, 'target.provider.aws.bucket-name: expected the name of a bucket alone, such as my-bucket, not "my-bucket/p"')]),
        (INPUT + TARGET + "output: {path: 5}", [(3, "output.path: expected a text such as /home/pi/restored, not 5")]),
        (INPUT + TARGET.replace("my-bucket", "my-bucket, storage-class: GLACIER, storage-policy: STANDARD"),
         [(2, 'target.provider.aws.storage-policy: says "STANDARD", and storage-class says "GLACIER"; leave one out')]),
        (INPUT + TARGET.replace("{provider", "{max-uploaded-file: 0, max-download-file: many, provider"), [
            (2, "target.max-uploaded-file: expected a number of files from 1 on, or null for no limit, not 0"),
            (2, 'target.max-download-file: expected a number of files from 1 on, or null for no limit, not "many"'),
        ]),
        (INPUT.replace("path", "pth") + TARGET, [
            (1, 'input.pth: unknown key; did you mean "path"?'), (1, "input.path: is missing; write path: /home/pi/photos"),
        ]),
        (INPUT + TARGET + "job: {runtime: {at: 3}}",
         [(3, "job.runtime.at: expected a list, not 3; it lists hour, minute and second")]),
        (INPUT + TARGET + "job: {runtime: {at: [{minute: 3}]}}", [(3, "job.runtime.at: says no hour; write - hour: 3")]),
        (INPUT + TARGET + "job: {runtime: {at: [{hour: 24}, {minute: 60}, {second: -1}]}}", [
            (3, "job.runtime.at[0].hour: expected a number from 0 to 23, not 24"),
            (3, "job.runtime.at[1].minute: expected a number from 0 to 59, not 60"),
            (3, "job.runtime.at[2].second: expected a number from 0 to 59, not -1"),
        ]),
        (INPUT + TARGET + "job: {runtime: {at: [{hour: 3}, {hour: 4}, {day: 1}, 5]}}", [
            (3, "job.runtime.at[1].hour: stands twice; write one hour"),
            (3, "job.runtime.at[2].day: is no part of a time; the parts are hour, minute and second"),
            (3, "job.runtime.at[3]: expected a table, not 5"),
        ]),
    ],
)  # fmt: skip
def test_problems(tmp_path: Path, text: str, expected: list[tuple[int, str]]) -> None:
    """Each with its line, what is wrong, and what to write instead."""
    made = of(tmp_path, text)
    assert (expected, {"job": []}) == (made.problems, made.tree)


def test_what_the_native_form_refuses_is_told_by_the_old_key(tmp_path: Path) -> None:
    """The storage class is judged there alone."""
    document(tmp_path, INPUT + TARGET.replace("my-bucket", "my-bucket, storage-policy: Standard"))
    with pytest.raises(ConfigurationError, match=r"config.yaml:2: target.provider.aws.storage-policy: .*STANDARD_IA"):
        compiled(str(tmp_path / "config.yaml"))


def test_it_is_recognised_by_its_tables() -> None:
    """Two of the three; a list of jobs is outhaul's own."""
    assert recognised({"input": {}, "target": {}, "job": {}}) == c3.PROFILE
    assert recognised({"input": {}, "output": {}}) == c3.PROFILE
    others: list[object] = [{"input": {}, "target": {}, "job": []}, {"target": "s3://b"}, {"job": {}}]
    for other in others:
        assert recognised(other) is None
