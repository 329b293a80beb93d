"""What `outhaul translate` prints says the same as the older configuration: the same jobs come of both."""

from __future__ import annotations

import json
import textwrap
import tomllib
from pathlib import Path

import pytest

from config.profiles.test_archive_upload import WHOLE
from outhaul.config import formats
from outhaul.config.keys import parse
from outhaul.config.native import compiled, surroundings
from outhaul.config.profiles import recognised
from outhaul.frontends.cli.translate import native_text
from outhaul.model.errors import ConfigurationError

C3 = """
input: {path: /data/photos, file-extensions: [.jpg, .png]}
output: {path: /data/back}
target:
  max-uploaded-file: 100
  max-download-file: null
  provider: {aws: {region: eu-central-1, bucket-name: my-bucket, storage-class: STANDARD_IA}}
job:
  job-description: photos
  runtime: {at: [{second: 5}, {minute: 10}, {hour: 2}]}
"""
RECIPE = """
RecipeFormatVersion: '2020-01-25'
ComponentName: aws.greengrass.labs.s3.file.uploader
ComponentConfiguration:
  DefaultConfiguration:
    PathName: /data/out/*.csv
    BucketName: my-bucket
    ObjectKeyPrefix: /site/7/
    Interval: "10"
    LogLevel: INFO
"""
UPLOADER = json.dumps({"base_dir": "/data/topics", "s3_bucket": "my-bucket"})


@pytest.mark.parametrize(
    ("program", "name", "text"),
    [
        ("archive-upload", "config.yaml", WHOLE),
        ("s3-uploader", "config.json", UPLOADER),
        ("greengrass", "recipe.yaml", RECIPE),
        ("c3", "config.yaml", C3),
    ],
)
def test_both_are_the_same_jobs(tmp_path: Path, program: str, name: str, text: str) -> None:
    """Field by field; and the program is known by the content alone."""
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    said, made = compiled(str(path))
    assert program in said.lower()
    of_older = parse(made.tree, str)
    translated = parse(tomllib.loads(native_text(said, name, made)), str)
    assert (of_older.problems, translated.problems) == ([], [])
    assert of_older.jobs == translated.jobs
    assert len(of_older.jobs) >= 1


def test_every_profile_is_tried_here() -> None:
    """None is left out."""
    from outhaul.config import profiles

    assert len(profiles._MODULES) == 4


def test_the_native_form_is_not_translated(tmp_path: Path) -> None:
    """One line says what it is."""
    path = tmp_path / "outhaul.toml"
    path.write_text('[[job]]\nname = "a"\nsource = "/data"\nto = "s3://bucket"\n')
    with pytest.raises(ConfigurationError, match="is of none of the older programs that outhaul knows"):
        compiled(str(path))
    assert recognised(formats.read(str(path)).tree) is None
    assert surroundings().directory
