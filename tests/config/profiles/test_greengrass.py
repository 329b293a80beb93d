"""The recipe of the Greengrass S3 file uploader, and its arguments, and the job that they become."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from outhaul.config import formats
from outhaul.config.keys import parse
from outhaul.config.native import read
from outhaul.config.profiles import greengrass, recognised
from outhaul.config.profiles.greengrass import Pacing, of_arguments
from outhaul.config.profiles.profile import Profiled, Surroundings
from outhaul.model.errors import ConfigurationError

HERE = Surroundings({}, "/home/ggc_user", "/greengrass/v2/work/component")
RECIPE = """
    ---
    RecipeFormatVersion: "2020-01-25"
    ComponentName: aws.greengrass.labs.s3.file.uploader
    ComponentVersion: '1.0.0'
    ComponentConfiguration:
      DefaultConfiguration:
        PathName: '/data/outbox/*.csv'
        BucketName: 'my-bucket'
        ObjectKeyPrefix: '/site-7/'
        Interval: "300"
        LogLevel: "INFO"
    """
JOB = {
    "name": "outbox", "source": "/data/outbox", "to": "s3://my-bucket/site-7", "key": "{name}", "include": ["/*.csv"],
    "exclude": ["/.*"], "settle": {"quiet": "5s", "skip-newest": 1, "newest-limit": "1m"}, "after": "delete",
}  # fmt: skip


def of(tmp_path: Path, text: str, name: str = "recipe.yaml") -> Profiled:
    """What a recipe becomes."""
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    document = formats.read(str(path))
    assert recognised(document.tree) is greengrass.PROFILE
    return greengrass.compile(document, HERE)


def job_of(*values: str) -> dict[str, object]:
    """The job of arguments that are right."""
    made, _ = of_arguments(values, HERE)
    assert made.problems == []
    assert parse(made.tree, str).problems == []
    (job,) = made.tree["job"]
    assert isinstance(job, dict)
    return job


def test_a_recipe(tmp_path: Path) -> None:
    """As it was deployed for the former component: one job, in the native form."""
    made = of(tmp_path, RECIPE)
    assert (made.tree, made.problems) == ({"job": [JOB]}, [])
    assert parse(made.tree, str).problems == []
    said = [change.text for change in made.changes]
    assert any("300 s" in text for text in said) and any("goes once nobody has changed it" in text for text in said)


def test_a_recipe_in_json(tmp_path: Path) -> None:
    """The same in the other form that recipes have."""
    parameters = {
        "PathName": "/data/outbox/*.csv",
        "BucketName": "my-bucket",
        "ObjectKeyPrefix": "site-7",
        "Interval": 300,
    }
    text = json.dumps({"ComponentConfiguration": {"DefaultConfiguration": parameters}})
    assert of(tmp_path, text, "recipe.json").tree == {"job": [JOB]}


def test_arguments_say_the_same() -> None:
    """The component itself gets the parameters one by one."""
    assert job_of("/data/outbox/*.csv", "my-bucket", "/site-7/", "300", "INFO") == JOB
    assert job_of("/data/outbox/*.csv", "my-bucket", "/site-7/", "300", "INFO", "StreamManager") == {
        **JOB, "via": "stream-manager"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("interval", "level", "expected"),
    [("1", "INFO", (1, "INFO")), ("0", "debug", (1, "DEBUG")), ("60.0", "WARNING", (60, "WARNING"))],
)
def test_the_pace(interval: str, level: str, expected: tuple[int, str]) -> None:
    """At least a second; a number may come as Greengrass keeps it."""
    assert Pacing(*expected) == of_arguments(["/d/*", "bucket", "", interval, level], HERE)[1]


@pytest.mark.parametrize(
    ("path_name", "include", "more"),
    [
        ("/d/*", ["/*"], {"exclude": ["/.*"]}),
        ("/d/log-*", ["/log-*"], {}),
        ("/d/.*", ["/.*"], {}),
        ("/d/**.csv", ["/*.csv"], {"exclude": ["/.*"]}),
        ("/d/[^a]*", ["/[a^]*"], {"exclude": ["/.*"]}),
        ("/d/[!a]*", ["/[!a]*"], {"exclude": ["/.*"]}),
        ("/d/*.part", ["/*.part"], {"exclude": ["/.*"], "temporary-names": True}),
        ("/d/one file.csv", ["/one file.csv"], {}),
    ],
)
def test_the_pattern(path_name: str, include: list[str], more: dict[str, object]) -> None:
    """As `glob` understood it, in the directory alone."""
    job = job_of(path_name, "bucket", "", "1", "INFO")
    assert (job["source"], job["to"], job["include"]) == ("/d", "s3://bucket", include)
    assert {key: job[key] for key in ("exclude", "temporary-names") if key in job} == more


@pytest.mark.parametrize(
    ("number", "value", "said"),
    [
        (0, "data/*.csv", 'PathName: "data/*.csv" begins nowhere; write the whole path, such as /data/outbox/*.csv'),
        (0, "/d*/x", 'PathName: "/d*/x" has a wildcard in its directory; it may stand in the last part only'),
        (0, "/d/", 'PathName: "/d/" names a directory; write /d/* for the files in it'),
        (0, "", 'PathName: expected a text such as /data/outbox/*.csv, not ""'),
        (1, "s3://b", 'BucketName: expected the name of a bucket alone, such as my-bucket, not "s3://b"'),
        (2, "a//b", "ObjectKeyPrefix: \"a//b\" has empty, '.' or '..' parts; no key begins so here"),
        (3, "soon", 'Interval: expected a whole number of seconds such as 60, not "soon"'),
        (3, "-1", 'Interval: expected a whole number of seconds such as 60, not "-1"'),
        (4, "LOUD", 'LogLevel: expected DEBUG, INFO, WARNING, ERROR or CRITICAL, not "LOUD"'),
        (5, "mail", 'Via: expected S3 or StreamManager, not "mail"'),
    ],
)
def test_what_cannot_be_is_told(number: int, value: str, said: str) -> None:
    """One line for each value, by the name of its parameter."""
    values = ["/d/*", "bucket", "", "1", "INFO", "S3"]
    values[number] = value
    assert [(0, said)] == of_arguments(values, HERE)[0].problems


def test_problems_have_their_line(tmp_path: Path) -> None:
    """In a recipe, with file and line, also where it is the native form that has no such thing."""
    path = tmp_path / "recipe.yaml"
    path.write_text(textwrap.dedent(RECIPE).replace("/data/outbox", "/data/*").replace("my-bucket", "a!"))
    with pytest.raises(ConfigurationError) as error:
        read(str(path), state=str(tmp_path / "state"))
    assert [line.partition(": ")[0] for line in error.value.problems] == [f"{path}:8"]
    path.write_text(textwrap.dedent(RECIPE).replace("my-bucket", "a!"))
    with pytest.raises(ConfigurationError) as error:
        read(str(path), state=str(tmp_path / "state"))
    (line,) = error.value.problems
    assert line.startswith(f"{path}:9: ComponentConfiguration.DefaultConfiguration.BucketName: ")


def test_parameters_that_mean_nothing_are_told(tmp_path: Path) -> None:
    """They are left aside, as before, and `translate` says so."""
    made = of(tmp_path, RECIPE + "    Colour: blue\n")
    assert made.problems == []
    assert any("Colour: has no meaning" in change.text for change in made.changes)
