"""schema.json and the parser say the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from config.trees import trees
from outhaul import config
from outhaul.config import bandwidth, durations, keys, values
from outhaul.config.paths import absolute_from
from outhaul.model.bandwidth import PRIORITIES

SCHEMA: dict[str, Any] = json.loads((Path(config.__file__).parent / "schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
JOB = SCHEMA["$defs"]["job"]
BANDWIDTH = SCHEMA["properties"]["bandwidth"]
WINDOW = BANDWIDTH["oneOf"][1]["properties"]["times"]["items"]["properties"]
GOOD = {"name": "a", "source": "/data", "to": "s3://bucket"}


def problems_of(tree: object) -> list[keys.Problem]:
    """What the parser says."""
    return keys.parse(tree, absolute_from("/base")).problems


def test_the_schema_is_a_schema() -> None:
    """It keeps to draft 2020-12, allows no other keys, and describes each."""
    Draft202012Validator.check_schema(SCHEMA)
    tables = [SCHEMA, JOB, JOB["properties"]["settle"]]
    assert [table["additionalProperties"] for table in tables] == [False] * 3
    assert [key for table in tables for key, value in table["properties"].items() if not value["description"]] == []


@pytest.mark.parametrize(
    ("parser", "schema"),
    [
        (keys.TOP_KEYS, SCHEMA["properties"]),
        (keys.JOB_KEYS, JOB["properties"]),
        (keys.SETTLE_KEYS, JOB["properties"]["settle"]["properties"]),
        (keys.AFTER, JOB["properties"]["after"]["oneOf"][0]["enum"]),
        (keys.CODECS, JOB["properties"]["compress"]["oneOf"][0]["enum"]),
        (keys.COMPRESS_KEYS, JOB["properties"]["compress"]["oneOf"][1]["properties"]),
        (keys.ARCHIVE_KEYS, JOB["properties"]["after"]["oneOf"][1]["properties"]),
        (keys.EMPTY_KEYS, JOB["properties"]["empty-directories"]["properties"]),
        (keys.PROOF, JOB["properties"]["proof"]["enum"]),
        ([durations.PATTERN], [JOB["properties"]["settle"]["properties"]["quiet"]["pattern"]]),
        (PRIORITIES, JOB["properties"]["priority"]["enum"]),
        (bandwidth.LIMIT_KEYS, BANDWIDTH["oneOf"][1]["properties"]),
        (bandwidth.TIMES_KEYS, WINDOW),
        ([bandwidth.PATTERN], [BANDWIDTH["oneOf"][0]["pattern"]]),
        (
            [bandwidth.PATTERN] * 2,
            [table["limit"]["pattern"] for table in (BANDWIDTH["oneOf"][1]["properties"], WINDOW)],
        ),
        ([bandwidth.TIME_PATTERN] * 2, [WINDOW[key]["pattern"] for key in ("from", "to")]),
        ([bandwidth.DAYS_PATTERN], [WINDOW["days"]["pattern"]]),
        ([values.NAME], [JOB["properties"]["name"]["pattern"]]),
        ([values.ENDPOINT], [JOB["properties"]["endpoint-url"]["pattern"]]),
        ([values.REGION], [JOB["properties"]["region"]["pattern"]]),
        ([values.PROFILE], [JOB["properties"]["profile"]["pattern"]]),
    ],
)
def test_parser_and_schema_know_the_same_words(parser: Any, schema: Any) -> None:
    """Every key, choice and form of the parser is in the schema, and the other way round."""
    assert sorted(parser) == sorted(schema)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"include": ["**/*.csv"], "exclude": [], "temporary-names": True},
        {"settle": {}},
        {"settle": {"quiet": "1h30m"}},
        {"settle": {"quiet": "0"}},
        {"settle": {"marker": "{name}.done", "skip-newest": 2, "newest-limit": "2h"}},
        {"after": "keep", "proof": "stored"},
        {"compress": "auto"},
        {"compress": {"codec": "xz", "level": 0}},
        {"after": {"archive": "~/archive"}, "empty-directories": {"remove-after": "1d"}},
        {
            "after": {"archive": "x", "keep": "30d"},
            "empty-directories": {"remove-after": "2h", "include": ["[0-9]*/**"]},
        },
        {"endpoint-url": "http://[::1]:9000/x", "region": "RegionOne", "profile": "a b"},
    ],
)
def test_both_accept(more: dict[str, Any]) -> None:
    """What the parser takes, an editor does not mark."""
    tree = {"$schema": "x", "job": [GOOD | more]}
    assert (problems_of(tree), list(VALIDATOR.iter_errors(tree))) == ([], [])


WRONG: list[dict[str, Any]] = [
    {"x": 1},
    {"name": "a b"},
    {"source": ""},
    {"to": " "},
    {"to": ["s3://bucket"]},
    {"include": "*"},
    {"include": []},
    {"include": [""]},
    {"exclude": ["/"]},
    {"exclude": ["x" * 1025]},
    {"temporary-names": 1},
    {"settle": "30m"},
    {"settle": {"quiet": 30}},
    {"settle": {"quiet": "30"}},
    {"settle": {"quiet": ""}},
    {"settle": {"marker": "x"}},
    {"settle": {"marker": "{name}"}},
    {"settle": {"skip-newest": True}},
    {"settle": {"newest-limit": "1h"}},
    {"after": {"archive": ""}},
    {"after": {"keep": "30d"}},
    {"after": {"archive": "x", "keep": "0"}},
    {"after": {"archive": "x", "keep": "0d0s"}},
    {"empty-directories": "1d"},
    {"empty-directories": {"remove-after": "0"}},
    {"empty-directories": {"remove-after": "1d", "include": []}},
    {"after": "move"},
    {"proof": None},
    {"endpoint-url": "host"},
    {"profile": ""},
    {"compress": "rar"},
    {"compress": {"level": 3}},
    {"compress": {"codec": "zstd", "level": -1}},
    {"compress": {"codec": "zstd", "level": "9"}},
]


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {},
        {"job": []},
        {"job": GOOD},
        {"job": [1]},
        {"job": [GOOD], "x": 1},
        {"job": [GOOD], "region": ""},
        *({"job": [{key: value for key, value in GOOD.items() if key != missing}]} for missing in GOOD),
        *({"job": [GOOD | more]} for more in WRONG),
    ],
)
def test_both_refuse(tree: Any) -> None:
    """What an editor marks, the parser refuses."""
    assert (bool(problems_of(tree)), bool(list(VALIDATOR.iter_errors(tree)))) == (True, True)


@given(trees)
def test_the_schema_is_never_stricter_than_the_parser(tree: Any) -> None:
    """Whatever the parser takes, the schema takes."""
    if not problems_of(tree):
        assert list(VALIDATOR.iter_errors(tree)) == []
