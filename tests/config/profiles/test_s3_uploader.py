"""The configuration of s3-uploader, and the job that it becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from outhaul.config import formats
from outhaul.config.keys import parse
from outhaul.config.paths import absolute_from
from outhaul.config.profiles import recognised, s3_uploader
from outhaul.config.profiles.profile import Profiled, Surroundings
from outhaul.model.job import Connection, Destination, Job
from outhaul.model.patterns import compile_patterns

WHOLE = '{"base_dir": "/home/pi/sensor data", "s3_bucket": "my-bucket"}'
JOB = {
    "name": "sensor-data", "source": "/home/pi/sensor data", "to": "s3://my-bucket", "region": "auto",
    "include": ["*.dat"], "settle": {"quiet": "5s"}, "after": "delete",
    "empty-directories": {"remove-after": "1d", "include": [
        "**/[0-9][0-9][0-9][0-9]", "**/[0-9][0-9][0-9][0-9]/[0-9][0-9]", "**/[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]",
        "**/[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]/[0-9][0-9]",
    ]},
}  # fmt: skip


def of(tmp_path: Path, text: str, **environ: str) -> Profiled:
    """What a text becomes."""
    path = tmp_path / "config.json"
    path.write_text(text)
    return s3_uploader.compile(formats.read(str(path)), Surroundings(environ, "/home/pi", "/srv"))


def test_the_whole_of_it(tmp_path: Path) -> None:
    """Both keys, in the native form, and what differs."""
    made = of(tmp_path, WHOLE)
    assert (made.problems, made.tree) == ([], {"job": [JOB]})
    assert [(change.where[2], change.text) for change in made.changes] == [
        ("to", "The key is the whole path below base_dir; before, it was the last six parts of the path, however deep it lay, "
               "and two files could have one key."),
        ("region", "AWS_DEFAULT_REGION says nothing: S3 is asked. Before, it began with us-west-2, and was led on."),
        ("include", "Symbolic links are left alone; before, what they lead to was sent, and the link removed."),
        ("settle", "A file that is open for writing waits, and each goes when its object is proved; before, a file went as it "
                   "was, and all were removed together at the end."),
        ("empty-directories", "Directories of a date go when they have been empty for a day; others, and base_dir itself, "
                              "stay."),
    ]  # fmt: skip


def test_the_job(tmp_path: Path) -> None:
    """What is run."""
    parsed = parse(of(tmp_path, WHOLE, AWS_DEFAULT_REGION="eu-north-1").tree, absolute_from("/"))
    assert parsed.problems == []
    assert [
        Job(
            "sensor-data", "/home/pi/sensor data", Destination("s3://my-bucket", "s3", "my-bucket", ""),
            Connection(region="eu-north-1"), include=("*.dat",), empty_ns=86_400 * 10**9,
            empty_include=tuple(s3_uploader.DATES),
        )
    ] == parsed.jobs  # fmt: skip


def test_directories_of_a_date() -> None:
    """These and no others may go when they are empty."""
    goes = compile_patterns(s3_uploader.DATES)
    assert goes is not None
    for directory in (
        "kitchen/2026",
        "kitchen/2026/11",
        "kitchen/2026/11/20",
        "house/kitchen/2026/11/20/03",
        "2026/11",
    ):
        assert goes(directory), directory
    for directory in ("kitchen", "kitchen/11", "kitchen/2026/11/20/03/04", "kitchen/2026/november", "20261120"):
        assert not goes(directory), directory


def test_a_relative_directory_begins_where_it_is_started(tmp_path: Path) -> None:
    """As it always did; the log names it as it is written."""
    text = '{"base_dir": "./data//", "s3_bucket": "b-b", "interval": 5}'
    made = of(tmp_path, text)
    assert made.tree["job"][0]["source"] == "/srv/data"
    assert made.changes[0].text == "line 1: interval: has no meaning, and had none."
    assert s3_uploader.base_directory(formats.read(str(tmp_path / "config.json"))) == "data"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n"s3_bucket": "b"}', (1, "base_dir: is missing; write base_dir: /home/pi/data")),
        ('{"base_dir": null,\n"s3_bucket": "b"}', (1, "base_dir: expected a text such as /home/pi/data, not nothing")),
        ('{"base_dir": "/d"}', (1, "s3_bucket: is missing; write s3_bucket: my-bucket")),
        ('{"base_dir": "/d",\n"s3_bucket": "b/prefix"}',
         (2, 's3_bucket: expected the name of a bucket alone, such as my-bucket, not "b/prefix"')),
        ('{"base_dir": "/d",\n"s3_bucket": "s3://b"}',
         (2, 's3_bucket: expected the name of a bucket alone, such as my-bucket, not "s3://b"')),
    ],
)  # fmt: skip
def test_problems(tmp_path: Path, text: str, expected: tuple[int, str]) -> None:
    """Each with its line, what is wrong, and what to write instead."""
    made = of(tmp_path, text)
    assert ([expected], {"job": []}) == (made.problems, made.tree)


def test_it_is_recognised_by_its_keys() -> None:
    """Either of them; what is outhaul's own, or another program's, is not."""
    for tree in ({"base_dir": "/d"}, {"s3_bucket": "b"}):
        assert recognised(tree) == s3_uploader.PROFILE
    others: list[object] = [{}, {"job": [], "base_dir": "/d"}, ["base_dir"], {"directories": []}]
    for other in others:
        assert recognised(other) != s3_uploader.PROFILE
