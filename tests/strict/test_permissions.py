"""The whole journey under exactly the actions that `outhaul policy` prints, on a server that enforces them and records each call.

Exactly: each action is made use of, no other is asked for in earnest, and without any one of them something is held, or is as
docs/permissions.md says.
"""

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from outhaul.frontends.cli.main import main
from strict.faults import ALWAYS, Fault, Kind
from strict.journeys import PART_BYTES, Journey
from strict.permissions import actions, without
from strict.server import Logged
from strict.signature import Identity
from strict.state import StoredObject

Capsys = pytest.CaptureFixture[str]
CARRIER, RESTORER = "AKIDCARRIEREXAMPLE", "AKIDRESTOREREXAMPLE"
ALL = """
[job.object]
tags = { project = "powerhouse" }
encryption = "aws:kms"
kms-key = "alias/site-7"
lock = { mode = "governance", keep = "30d", legal-hold = true }
"""
ARCHIVED = '[job.object]\nstorage-class = "DEEP_ARCHIVE"\n'
TAKEN, TWIN, LARGE, GONE = "in/taken.csv", "in/twin.bin", "in/large.bin", "in/gone.bin"
ALWAYS_NEEDED = {
    "s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
}  # fmt: skip
LOOKING_BACK = {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}
FOR_ALL = {
    "s3:PutObjectTagging",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
    "s3:GetObjectRetention",
    "s3:GetObjectLegalHold",
    "kms:GenerateDataKey",
    "kms:Decrypt",
}
LOCKED = {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-object-lock-mode": "GOVERNANCE",
    "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
    "x-amz-object-lock-legal-hold": "ON",
}
DOCUMENT = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text(encoding="utf-8")


class Case(NamedTuple):
    """A journey of several runs, of one configuration."""

    journey: Journey
    config: Path
    capsys: Capsys

    def outhaul(self, *words: str) -> int:
        """Run a command."""
        self.capsys.readouterr()
        return main([*words, "--state", str(self.journey.state)])

    def policy(self, *words: str) -> dict[str, Any]:
        """What `outhaul policy` prints, without being told that this is not AWS."""
        endpoint = os.environ.pop("AWS_ENDPOINT_URL_S3")
        code = self.outhaul("policy", str(self.config), *words)
        os.environ["AWS_ENDPOINT_URL_S3"] = endpoint
        assert code == 0
        found: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return found

    def as_who(self, access_key: str, policy: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on, by somebody with this policy."""
        self.journey.server.identities[access_key] = Identity("a-secret-of-the-tests", policy=policy)
        for name, value in self.journey.server.environ(access_key).items():
            monkeypatch.setenv(name, value)

    def carry(self) -> list[int]:
        """Everything that may happen on the way: small files, names that are taken, a large one that is gone on with, and an end.

        Returns:
            The exit codes of `check`, of the run after which all has arrived, and of the one that abandons what nobody needs.
        """
        codes = [self.outhaul("check", str(self.config))]
        self.run_into(Fault("UploadPart", Kind.ERROR, key=LARGE, nth=3, times=ALWAYS))
        codes.append(self.outhaul("run", str(self.config)))
        (self.journey.source / GONE).write_bytes(os.urandom(4 * PART_BYTES))
        self.run_into(Fault("UploadPart", Kind.ERROR, key=GONE, nth=2, times=ALWAYS))
        (self.journey.source / GONE).unlink()
        return [*codes, self.outhaul("run", str(self.config))]

    def run_into(self, fault: Fault) -> None:
        """Run with a fault that leaves an upload under way."""
        self.journey.server.have(fault)
        self.outhaul("run", str(self.config))
        self.journey.server.mend(all_used=False)


@pytest.fixture
def case(journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> Case:
    """Small files, a large one, one whose key holds other bytes, one that is there already: in parts, so that no MD5 tells."""
    journey.server.buckets["the-bucket"].versioned = True
    journey.server.behaviour.part_bytes_min = 1
    journey.files |= {LARGE: os.urandom(6 * PART_BYTES), TAKEN: b"ours", TWIN: b"the same"}
    bucket = journey.server.buckets["the-bucket"]
    for name, body, etag in (
        (TAKEN, b"theirs", hashlib.md5(b"theirs").hexdigest()),
        (TWIN, b"the same", f"{'b' * 32}-2"),
    ):
        bucket.store(StoredObject(f"site/{name}", body, etag, version=hashlib.md5(name.encode()).hexdigest()))
    journey.begin()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", journey.server.endpoint_url)
    return Case(journey, tmp_path / "outhaul.toml", capsys)


def configure(case: Case, more: str = "", top: str = "") -> Case:
    """With one job."""
    job = f'[[job]]\nname = "a"\nsource = "{case.journey.source}"\nto = "s3://the-bucket/site"\nsettle = {{ quiet = "0" }}\n'
    case.config.write_text(top + job + more)
    bucket = case.journey.server.buckets["the-bucket"]
    if "lock" in more:  # What is there already is locked, too.
        bucket.locked = True
        bucket.store(replace(bucket.objects[f"site/{TWIN}"], headers=LOCKED))
    return case


def refused(case: Case) -> set[str]:
    """What was denied, but for what the probe gets wrong on purpose."""
    log = case.journey.server.log
    wrong = {"x-amz-expected-bucket-owner": "000000000000"}
    return {each.operation for each in log if each.code == "AccessDenied" and not wrong.items() <= each.headers.items()}


def used(log: list[Logged]) -> set[str]:
    """All actions that were made use of."""
    return {action for each in log for action in each.actions}


@pytest.mark.parametrize(
    ("more", "expected"), [("", ALWAYS_NEEDED), (ALL, ALWAYS_NEEDED | FOR_ALL)], ids=["plain", "all"]
)
def test_the_whole_journey(case: Case, monkeypatch: pytest.MonkeyPatch, more: str, expected: set[str]) -> None:
    """All is carried, each action was needed, and nothing else was asked for but a look that may be refused."""
    policy = configure(case, more).policy()
    assert expected == actions(policy)
    case.as_who(CARRIER, policy, monkeypatch)
    codes = case.carry()
    assert codes == [0, 0, 0]
    case.journey.check_carried()
    assert expected == used(case.journey.server.log)
    assert {"HeadObject"} == refused(case)


WITHOUT = {
    "s3:PutObject": [4, 4, 4],
    "s3:GetObject": [0, 1, 1],  # Names that are taken: it cannot be seen by what.
    "s3:GetObjectVersion": [0, 1, 1],  # The same, where an ETag does not tell.
    "s3:AbortMultipartUpload": [0, 0, 0],  # What is abandoned stays, and is told.
    "s3:ListMultipartUploadParts": [0, 0, 0],  # What has arrived is sent again.
    "s3:PutObjectTagging": [4, 4, 4],
    "s3:PutObjectRetention": [4, 4, 4],
    "s3:GetObjectRetention": [4, 4, 4],
    "s3:PutObjectLegalHold": [0, 4, 4],  # The probe's objects have none.
    "s3:GetObjectLegalHold": [0, 1, 1],
    "kms:GenerateDataKey": [4, 4, 4],
    "kms:Decrypt": [4, 4, 4],
}


@pytest.mark.slow
@pytest.mark.parametrize(("action", "expected"), WITHOUT.items())
def test_without_any_one_of_them(case: Case, monkeypatch: pytest.MonkeyPatch, action: str, expected: list[int]) -> None:
    """Something is held, or sent twice, or left behind; nothing is ever lost."""
    policy = configure(case, "" if action in ALWAYS_NEEDED else ALL).policy()
    assert action in actions(policy)
    case.as_who(CARRIER, without(policy, action), monkeypatch)
    assert expected == case.carry()
    case.journey.check()
    log, bucket = case.journey.server.log, case.journey.server.buckets["the-bucket"]
    sent = [each for each in log if each.operation == "UploadPart" and each.key.endswith(LARGE) and each.status == 200]
    whole = 4 not in expected[1:]
    assert (action == "s3:ListMultipartUploadParts", whole) == (len(sent) > 6, len(sent) >= 6)
    assert (action == "s3:AbortMultipartUpload") == bool(bucket.uploads)


@pytest.mark.slow
def test_to_list_the_bucket_where_conditions_are_ignored(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative of S3 may replace what is there: a key is looked at first, and who may not list cannot see that it is free."""
    case.journey.server.behaviour.conditions = False
    policy = configure(case, top=f'endpoint-url = "{case.journey.server.endpoint_url}"\n').policy()
    assert ALWAYS_NEEDED | {"s3:ListBucket"} == actions(policy)
    case.as_who(CARRIER, policy, monkeypatch)
    codes = case.carry()
    assert codes == [0, 0, 0]
    case.journey.check_carried()
    assert ALWAYS_NEEDED | {"s3:ListBucket"} == used(case.journey.server.log)
    assert refused(case) == set()


def look_back(case: Case, monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any]) -> list[int]:
    """Carry with the one policy; then, with the other, bring back and look after what is there; and miss an object."""
    case.as_who(CARRIER, case.policy(), monkeypatch)
    assert case.outhaul("run", str(case.config)) == 0
    case.as_who(RESTORER, policy, monkeypatch)
    case.journey.server.log.clear()
    home, address = case.config.parent, "s3://the-bucket/site"
    codes = [
        case.outhaul("restore", "**", "--to", str(home / "back"), "--wait", "--look-every", "1s"),
        case.outhaul("audit", "--all", "--read-back"),
        case.outhaul("audit", "--all"),
        case.outhaul("restore", f"{address}/in/a.csv", "--to", str(home / "alone")),
        case.outhaul("mirror", f"{address}/in", "--to", str(home / "mirror")),
    ]
    codes.append(main(["rebuild", address, "--source", str(case.journey.source), "--state", str(home / "new")]))
    bucket = case.journey.server.buckets["the-bucket"]
    del bucket.objects["site/in/a.csv"]
    bucket.versions.clear()
    codes.append(case.outhaul("audit", "--all"))
    return codes


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param("", LOOKING_BACK, id="plain"),
        pytest.param(ARCHIVED, LOOKING_BACK | {"s3:RestoreObject"}, id="archived", marks=pytest.mark.slow),
    ],
)
def test_the_way_back(case: Case, monkeypatch: pytest.MonkeyPatch, more: str, expected: set[str]) -> None:
    """With a policy of its own, which can write nothing; a missing object is told as such."""
    case.journey.files = {"in/a.csv": b"one"}
    (case.journey.source / "in/e.txt").unlink()
    policy = configure(case, more).policy("--for", "restore")
    assert expected == actions(policy)
    codes = look_back(case, monkeypatch, policy)
    assert "missing" in case.capsys.readouterr().err
    assert codes == [0] * 6 + [1]
    assert expected == used(case.journey.server.log)
    assert refused(case) == {"PutObject"}  # `rebuild` may not try the store, and reads every byte.


@pytest.mark.slow
def test_without_the_list_what_is_missing_is_only_forbidden(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is why whoever looks back may list."""
    policy = without(configure(case).policy("--for", "restore"), "s3:ListBucket")
    codes = look_back(case, monkeypatch, policy)
    assert "missing" not in case.capsys.readouterr().err
    assert codes == [0, 0, 0, 4, 4, 4, 4]


@pytest.mark.parametrize("action", sorted(ALWAYS_NEEDED | FOR_ALL | {"s3:ListBucket", "s3:RestoreObject"}))
def test_each_is_explained(action: str) -> None:
    """The page of permissions says of each what it is for, and what follows where it is not given."""
    assert len(re.findall(rf"^\| `{action}` \|.+\|.+\|$", DOCUMENT, re.MULTILINE)) == 1


def test_no_permission_that_is_explained_is_unknown() -> None:
    """The table has no other rows, but for the one that is left out."""
    rows = set(re.findall(r"^\| `([a-z0-9]+:\w+)` \|", DOCUMENT, re.MULTILINE))
    assert rows == ALWAYS_NEEDED | FOR_ALL | {"s3:ListBucket", "s3:RestoreObject"}
