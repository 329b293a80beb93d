"""schema.json and the parser say the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from config.test_documentation import REFERENCE, blocks
from config.trees import trees
from outhaul import config
from outhaul.config import (
    bandwidth,
    connection_settings,
    disk,
    durations,
    fleet,
    keys,
    object_settings,
    telling,
    timing,
    values,
)
from outhaul.config.formats import read
from outhaul.config.paths import absolute_from
from outhaul.frontends.cli.main import main
from outhaul.model.bandwidth import PRIORITIES
from outhaul.model.fleet import DEVICE, SETTABLE

SCHEMA: dict[str, Any] = json.loads((Path(config.__file__).parent / "schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
JOB = SCHEMA["$defs"]["job"]
BANDWIDTH = SCHEMA["properties"]["bandwidth"]
FLEET = SCHEMA["properties"]["fleet"]["properties"]
WINDOW = BANDWIDTH["oneOf"][1]["properties"]["times"]["items"]["properties"]
OBJECT = JOB["properties"]["object"]["properties"]
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
        (object_settings.OBJECT_KEYS, OBJECT),
        (object_settings.LOCK_KEYS, OBJECT["lock"]["properties"]),
        (object_settings.STORAGE_CLASSES, OBJECT["storage-class"]["enum"]),
        (object_settings.ENCRYPTIONS, OBJECT["encryption"]["enum"]),
        (object_settings.LOCK_MODES, OBJECT["lock"]["properties"]["mode"]["enum"]),
        ([object_settings.CONTENT_TYPE], [OBJECT["content-type"]["pattern"]]),
        ([object_settings.KMS_KEY], [OBJECT["kms-key"]["pattern"]]),
        ([object_settings.METADATA_NAME], [OBJECT["metadata"]["propertyNames"]["pattern"]]),
        ([object_settings.METADATA_VALUE], [OBJECT["metadata"]["additionalProperties"]["pattern"]]),
        ([connection_settings.OWNER], [JOB["properties"]["bucket-owner"]["pattern"]]),
        (keys.AFTER, JOB["properties"]["after"]["oneOf"][0]["enum"]),
        (keys.CODECS, JOB["properties"]["compress"]["oneOf"][0]["enum"]),
        (keys.COMPRESS_KEYS, JOB["properties"]["compress"]["oneOf"][1]["properties"]),
        (keys.ARCHIVE_KEYS, JOB["properties"]["after"]["oneOf"][1]["properties"]),
        (disk.DISK_KEYS, JOB["properties"]["disk"]["properties"]),
        (fleet.FLEET_KEYS, FLEET),
        ([DEVICE], [FLEET["device"]["pattern"]]),
        ([fleet.CONTROL_KEY], [FLEET["control-key"]["pattern"]]),
        (SETTABLE, FLEET["may-set"]["items"]["enum"]),
        ([durations.PATTERN] * 2, [FLEET[key]["pattern"] for key in ("interval", "heartbeat")]),
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
        *((telling.HOOK_KEYS, table["hooks"]["properties"]) for table in (SCHEMA["properties"], JOB["properties"])),
        ([telling.HOOK], [SCHEMA["properties"]["hooks"]["properties"]["held"]["oneOf"][0]["pattern"]]),
        (telling.LOG_KEYS, SCHEMA["properties"]["log"]["properties"]),
        (telling.FORMATS, SCHEMA["properties"]["log"]["properties"]["format"]["enum"]),
        (telling.LEVELS, SCHEMA["properties"]["log"]["properties"]["level"]["enum"]),
        (telling.METRICS_KEYS, SCHEMA["properties"]["metrics"]["properties"]),
        ([telling.LISTEN], [SCHEMA["properties"]["metrics"]["properties"]["listen"]["pattern"]]),
        ([telling.DSN], [SCHEMA["properties"]["sentry-dsn"]["pattern"]]),
        (timing.ORDERS, JOB["properties"]["order"]["enum"]),
        ([timing.CRON], [JOB["properties"]["cron"]["pattern"]]),
        ([timing.ZONE] * 2, [table["properties"]["time-zone"]["pattern"] for table in (SCHEMA, JOB)]),
        ([timing.HOURS], [JOB["properties"]["quiet-hours"]["oneOf"][0]["pattern"]]),
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
        {
            "object": {
                "storage-class": "GLACIER",
                "content-type": "auto",
                "metadata": {"Site": "7 b"},
                "tags": {"a b": ""},
            }
        },
        {"object": {"encryption": "aws:kms", "kms-key": "alias/x", "bucket-key": True, "lock": {"legal-hold": True}}},
        {"object": {"encryption": "AES256", "lock": {"mode": "compliance", "keep": "3650d"}}, "bucket-owner": "1" * 12},
        {
            "requester-pays": True,
            "accelerate": True,
            "dual-stack": True,
            "ca-file": "ca.pem",
            "sse-c-key-file": "~/key",
        },
        {"fips": True, "proxy": "http://proxy:3128"},
        {"cron": "10 2 * * 1-5", "time-zone": "Europe/Berlin", "jitter": "5m", "quiet-hours": "sat,sun 22:00-06:00"},
        {"max-bytes": "1GB", "max-bytes-per-day": "1B", "max-bytes-per-month": "2MiB", "order": "oldest-first"},
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
    {"object": "STANDARD"},
    {"object": {"acl": "private"}},
    {"object": {"storage-class": "COLD"}},
    {"object": {"content-type": "csv"}},
    {"object": {"metadata": {"a b": "7"}}},
    {"object": {"metadata": {"site": 7}}},
    {"object": {"metadata": {"site": "Z\u00fcrich"}}},
    {"object": {"metadata": {"site": "7\r\nx-amz-acl: public-read"}}},
    {"object": {"tags": {"": "x"}}},
    {"object": {"tags": {str(n): "x" for n in range(11)}}},
    {"object": {"tags": {"x": "x" * 257}}},
    {"object": {"encryption": "kms"}},
    {"object": {"kms-key": "alias/x"}},
    {"object": {"encryption": "aws:kms", "kms-key": "arn:aws:s3:::x"}},
    {"object": {"lock": {}}},
    {"object": {"lock": {"mode": "governance"}}},
    {"object": {"lock": {"keep": "30d"}}},
    {"object": {"lock": {"mode": "governance", "keep": "0"}}},
    {"bucket-owner": 111122223333},
    {"requester-pays": "requester"},
    {"proxy": "http://user:pass@proxy:3128"},
    {"ca-file": ""},
    {"cron": "@daily"},
    {"time-zone": "/etc/passwd"},
    {"quiet-hours": []},
    {"quiet-hours": "22:00"},
    {"max-bytes": "0"},
    {"max-bytes-per-day": 5},
    {"order": ""},
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
        {"job": [GOOD], "hooks": {"held": "/usr/bin/told"}},
        {"job": [GOOD], "hooks": {"held": "http://example.net/x"}},
        {"job": [GOOD], "hooks": {"held": ["told"]}},
        {"job": [GOOD], "hooks": {"often": ["/bin/true"]}},
        {"job": [GOOD | {"hooks": {"held": []}}]},
        {"job": [GOOD | {"log": {"format": "json"}}]},
        {"job": [GOOD], "log": {"format": "xml"}},
        {"job": [GOOD], "log": {"keep": 3}},
        {"job": [GOOD], "log": {"config": "x", "level": "debug"}},
        {"job": [GOOD], "metrics": {"listen": "9275"}},
        {"job": [GOOD], "sentry-dsn": "https://sentry.example.net/7"},
        *({"job": [{key: value for key, value in GOOD.items() if key != missing}]} for missing in GOOD),
        *({"job": [GOOD | more]} for more in WRONG),
    ],
)
def test_both_refuse(tree: Any) -> None:
    """What an editor marks, the parser refuses."""
    assert (bool(problems_of(tree)), bool(list(VALIDATOR.iter_errors(tree)))) == (True, True)


def test_editors_can_read_its_patterns() -> None:
    """Taplo, which completes TOML, compiles each with Rust's engine; that knows no surrogates, and drops the whole schema."""
    patterns = [json.loads(found) for found in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(SCHEMA))]
    assert len(patterns) > 30
    assert [pattern for pattern in patterns if re.search(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]", pattern)] == []


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As it is."""
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA


@pytest.mark.parametrize(("language", "content"), blocks(REFERENCE))
def test_every_example_of_the_reference_fits(tmp_path: Path, language: str, content: str) -> None:
    """What the page shows, an editor does not mark."""
    path = tmp_path / f"outhaul.{language}"
    path.write_text(content)
    assert list(VALIDATOR.iter_errors(read(str(path)).tree)) == []


@given(trees)
def test_the_schema_is_never_stricter_than_the_parser(tree: Any) -> None:
    """Whatever the parser takes, the schema takes."""
    if not problems_of(tree):
        assert list(VALIDATOR.iter_errors(tree)) == []
