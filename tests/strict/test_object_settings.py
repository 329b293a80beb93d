"""What a job gives its objects beside their bytes: what goes over the wire, what is kept, and how it is proved then."""

import base64
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outhaul.frontends.cli.main import main
from outhaul.model.errors import Misconfigured, UploadGone
from outhaul.model.job import Connection, Destination
from outhaul.model.object_settings import Lock, ObjectSettings
from outhaul.ports import Begun
from outhaul.stores.s3 import S3Store
from outhaul.stores.s3_headers import RequestHeaders
from strict.journeys import PART_BYTES, PREFIX, Journey
from strict.sealed import CUSTOMER_KEY
from strict.server import ACCESS_KEY, StrictServer
from strict.state import StoredObject

Capsys = pytest.CaptureFixture[str]
KMS = ObjectSettings(encryption="aws:kms", kms_key="alias/site-7", bucket_key=True)
LOCK = Lock("governance", 30 * 86400 * 10**9, True)
ALL = KMS._replace(
    storage_class="STANDARD_IA",
    content_type="auto",
    metadata=(("note", "two  blanks"), ("site", "7")),
    tags=(("place", "Zürich, no"), ("project", "a=b&c")),
    lock=LOCK,
)
TOLD = {
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "alias/site-7",
    "x-amz-server-side-encryption-bucket-key-enabled": "true",
    "x-amz-meta-note": "two  blanks",
    "x-amz-meta-site": "7",
    "x-amz-tagging": "place=Z%C3%BCrich%2C%20no&project=a%3Db%26c",
    "x-amz-object-lock-mode": "GOVERNANCE",
    "x-amz-object-lock-legal-hold": "ON",
}
TYPES = {"csv": "text/csv", "txt": "text/plain", "bin": "application/octet-stream"}
LARGE = "in/large.csv"
KEY = hashlib.sha256(b"a key of 256 bits").digest()


def with_a_large_one(journey: Journey) -> Journey:
    """Three small files and one in parts."""
    journey.server.behaviour.part_bytes_min = PART_BYTES
    journey.files[LARGE] = os.urandom(PART_BYTES + 1000)
    return journey


def proofs(journey: Journey, capsys: Capsys) -> set[str]:
    """How the files were proved."""
    capsys.readouterr()
    assert main(["ls", "--state", str(journey.state)]) == 0
    return {line.split()[3] for line in capsys.readouterr().out.splitlines()}


def carried(journey: Journey, capsys: Capsys) -> set[str]:
    """Carry everything; how it was proved."""
    journey.begin()
    outcome = journey.run(capsys)
    assert outcome.exit_code == 0, outcome.said
    journey.check_carried()
    return proofs(journey, capsys)


def headers_of(server: StrictServer, *operations: str) -> list[Mapping[str, str]]:
    """Of all requests of these kinds; of all where none is named."""
    return [each.headers for each in server.log if each.operation in operations or not operations]


def parts_by_our_own_client(journey: Journey) -> list[Mapping[str, str]]:
    """The headers of all parts, of which there are some; what the job says changes nothing of who sends them."""
    parts = headers_of(journey.server, "UploadPart")
    assert {"outhaul"} == {headers["user-agent"] for headers in parts}
    return parts


def test_everything_reaches_every_object(journey: Journey, capsys: Capsys) -> None:
    """Small ones and large ones are told all of it, signed; the probe's are told all but the lock, one for an hour."""
    journey.server.buckets["the-bucket"].locked = True
    with_a_large_one(journey).objects = ALL
    assert {"checksum"} == carried(journey, capsys)
    for key, found in journey.server.buckets["the-bucket"].objects.items():
        locks = {name for name in found.headers if "object-lock" in name}
        if ".outhaul-probe" in key:
            assert (2 if key.startswith("site/.outhaul-probe-locked") else 0) == len(locks)
            assert TOLD["x-amz-tagging"] == found.headers["x-amz-tagging"]
        else:
            assert TOLD.items() <= found.headers.items(), key
            assert len(locks) == 3
            assert found.headers["content-type"] == TYPES[key.rpartition(".")[2]]
    parts = parts_by_our_own_client(journey)
    assert all("content-md5" in headers or "x-amz-checksum-sha256" in headers for headers in parts)


def test_without_settings_nothing_is_told(journey: Journey, capsys: Capsys) -> None:
    """A job that says nothing sends what it always did."""
    assert {"etag"} == carried(with_a_large_one(journey), capsys)
    told = {name for headers in headers_of(journey.server, "PutObject", "CreateMultipartUpload") for name in headers}
    ours = {"x-amz-checksum-sha256", "x-amz-content-sha256", "x-amz-date", "x-amz-expected-bucket-owner"}
    assert ours == {name for name in told if name.startswith("x-amz-")}  # Of the owner the probe alone speaks.


def test_an_etag_under_kms_proves_nothing(journey: Journey, capsys: Capsys) -> None:
    """Where the store keeps no checksum either, everything is read back, though an ETag looks like an MD5."""
    journey.server.behaviour.checksums = "ignored"
    with_a_large_one(journey).objects = KMS
    assert {"read-back"} == carried(journey, capsys)


def test_what_is_known_of_other_settings_is_not_believed(journey: Journey, capsys: Capsys) -> None:
    """A destination that gave MD5s yesterday, without encryption, is tried anew once the job says aws:kms; and back."""
    assert {"etag"} == carried(journey, capsys)
    for objects, expected in ((KMS, {"etag", "checksum"}), (ObjectSettings(), {"etag", "checksum"})):
        journey.objects = objects
        journey.files = {f"{name}-{len(objects.kms_key)}": name.encode() for name in journey.files}
        assert expected == carried(journey, capsys)


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
@pytest.mark.parametrize(("more", "expected"), [(ObjectSettings(), "etag"), (KMS, "checksum")])
def test_an_archive_class_is_proved_without_reading(
    journey: Journey, capsys: Capsys, storage_class: Any, more: ObjectSettings, expected: str
) -> None:
    """By ETag, or by the checksum that a HEAD brings."""
    with_a_large_one(journey).objects = more._replace(storage_class=storage_class)
    assert {expected} == carried(journey, capsys)
    reads = [each for each in journey.server.log if each.operation == "GetObject" and each.status == 200]
    assert reads == []


def test_an_archive_class_that_shows_nothing_is_refused(journey: Journey, capsys: Capsys) -> None:
    """Neither MD5 nor checksum nor bytes: one line says so, and every file stays."""
    journey.server.behaviour.checksums = "ignored"
    journey.objects = KMS._replace(storage_class="GLACIER")
    journey.begin()
    outcome = journey.run(capsys)
    assert (outcome.exit_code, len(journey.left)) == (4, 3)
    assert outcome.said.count("archive class") == 1
    assert "it gives no evidence that it holds what was sent" in outcome.said


def test_a_lock_needs_a_bucket_that_has_it(journey: Journey, capsys: Capsys) -> None:
    """The store's own words say it, and every file stays."""
    journey.objects = ObjectSettings(lock=LOCK)
    journey.begin()
    outcome = journey.run(capsys)
    assert (outcome.exit_code, len(journey.left)) == (4, 3)
    assert "Object Lock" in outcome.said


def test_check_tells_of_the_lock(
    journey: Journey, capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it is kept, that it is not, and that a hold is not tried."""
    bucket, behaviour = journey.server.buckets["the-bucket"], journey.server.behaviour
    bucket.locked = True
    journey.begin()
    for name, value in journey.server.environ().items():
        monkeypatch.setenv(name, value)
    said = []
    for forgets, lock in ((), 'mode = "governance", keep = "1d"'), (("x-amz-object",), 'mode = "governance", keep = "1d"'), (
        (), "legal-hold = true",
    ):  # fmt: skip
        behaviour.forgets = forgets
        bucket.objects.clear()
        config = tmp_path / "o.toml"
        config.write_text(
            f'[[job]]\nname = "a"\nsource = "{journey.source}"\nto = "s3://the-bucket/{PREFIX}"\n'
            f'endpoint-url = "{journey.server.endpoint_url}"\nobject = {{ lock = {{ {lock} }} }}\n'
        )
        capsys.readouterr()
        code = main(["check", str(config), "--state", str(journey.state)])
        said.append((code, capsys.readouterr().out))
    assert [code for code, _ in said] == [0, 4, 0]
    assert "it keeps locks: an object of outhaul's own is locked there, for an hour" in said[0][1]
    assert "of an object that was to be locked: the store shows no lock of it" in said[1][1]
    assert "the legal hold was not tried" in said[2][1]


def test_a_store_that_keeps_no_lock_is_sent_nothing(journey: Journey, capsys: Capsys) -> None:
    """It takes the headers and does nothing about them: the first thing that is tried tells, and every file stays."""
    bucket = journey.server.buckets["the-bucket"]
    bucket.locked, journey.server.behaviour.forgets = True, ("x-amz-object-lock-",)
    journey.objects = ObjectSettings(lock=LOCK)
    journey.begin()
    outcome = journey.run(capsys)
    assert (outcome.exit_code, len(journey.left)) == (4, 3)
    assert outcome.said.count("the store shows no lock of it") == 1
    assert [key for key in bucket.objects if ".outhaul-probe" not in key] == []


def test_what_is_not_shown_to_be_locked_stays(journey: Journey, capsys: Capsys) -> None:
    """A store that locks no objects that come in parts: the large file is held, until somebody has locked its object."""
    bucket = journey.server.buckets["the-bucket"]
    bucket.locked, journey.server.behaviour.forgets_of_parts = True, ("x-amz-object-lock-",)
    with_a_large_one(journey).objects = ObjectSettings(lock=LOCK)
    journey.begin()
    for _ in range(2):
        assert (1, {LARGE}) == (journey.run(capsys).exit_code, journey.left)
    assert main(["why", str(journey.source / LARGE), "--state", str(journey.state)]) == 0
    assert "the store shows no lock of it" in capsys.readouterr().out
    locked = bucket.objects[f"{PREFIX}/in/a.csv"].headers
    bucket.store(replace(bucket.objects[f"{PREFIX}/{LARGE}"], headers=dict(locked)))
    assert (0, set()) == (journey.run(capsys).exit_code, journey.left)


def test_what_was_there_without_a_lock_is_not_enough(journey: Journey, capsys: Capsys) -> None:
    """The same bytes under the same key are adopted, but not for a file whose object is to be locked."""
    journey.server.buckets["the-bucket"].locked = True
    journey.begin()
    (journey.source / "in/a.csv").rename(journey.source / "later")
    bucket = journey.server.buckets["the-bucket"]
    body = (journey.source / "later").read_bytes()
    bucket.store(StoredObject(f"{PREFIX}/in/a.csv", body, hashlib.md5(body).hexdigest()))
    (journey.source / "later").rename(journey.source / "in/a.csv")
    journey.objects = ObjectSettings(lock=LOCK)
    assert (1, {"in/a.csv"}) == (journey.run(capsys).exit_code, journey.left)


def test_a_store_that_does_not_encrypt_is_sent_nothing(journey: Journey, capsys: Capsys) -> None:
    """Whoever asks for KMS is not given a 200 in its place."""
    journey.server.behaviour.forgets = ("x-amz-server-side-encryption",)
    journey.objects = KMS
    journey.begin()
    outcome = journey.run(capsys)
    assert (outcome.exit_code, len(journey.left)) == (4, 3)
    assert "the store does not say that it is encrypted as asked (aws:kms): no word of it" in outcome.said


def test_what_comes_in_parts_and_is_not_encrypted_stays(journey: Journey, capsys: Capsys) -> None:
    """As a lock."""
    journey.server.behaviour.forgets_of_parts = ("x-amz-server-side-encryption",)
    with_a_large_one(journey).objects = ObjectSettings(encryption="AES256")
    journey.begin()
    assert (1, {LARGE}) == (journey.run(capsys).exit_code, journey.left)


def test_encryption_costs_no_request(journey: Journey, capsys: Capsys) -> None:
    """The answers to a small PUT and to a completion show it; one HEAD looks after the probe."""
    with_a_large_one(journey).objects = ObjectSettings(encryption="AES256")
    assert {"etag"} == carried(journey, capsys)
    heads = [each.key for each in journey.server.log if each.operation == "HeadObject" and each.status == 200]
    assert [key.startswith(f"{PREFIX}/.outhaul-probe") for key in heads] == [True]


def test_who_may_only_write_is_shown_encryption_by_the_answers(journey: Journey, capsys: Capsys) -> None:
    """No leave to read (s3:GetObject) is needed where ETags prove, as without encryption."""
    with_a_large_one(journey).objects = ObjectSettings(encryption="AES256")
    journey.server.identities[ACCESS_KEY].denied.update({"GetObject", "HeadObject"})
    assert {"etag"} == carried(journey, capsys)


@pytest.mark.parametrize("what", ["encryption", "lock"])
def test_a_store_that_was_mended_is_used(journey: Journey, capsys: Capsys, what: str) -> None:
    """An object that the probe left there before says nothing of today: it is written anew."""
    journey.server.buckets["the-bucket"].locked = True
    journey.objects = KMS if what == "encryption" else ObjectSettings(lock=LOCK)
    journey.server.behaviour.forgets = ("x-amz-server-side-encryption", "x-amz-object-lock-")
    journey.begin()
    assert (journey.run(capsys).exit_code, len(journey.left)) == (4, 3)
    journey.server.behaviour.forgets = ()
    assert (0, set()) == (journey.run(capsys).exit_code, journey.left)


def test_under_a_lock_a_part_tells_its_md5_to_whoever_does_not_compare_it(journey: Journey, capsys: Capsys) -> None:
    """Else it would not be taken; and the ETag of such a store proves nothing."""
    journey.server.buckets["the-bucket"].locked = True
    journey.server.behaviour.checks_content_md5 = False
    with_a_large_one(journey).objects = ObjectSettings(lock=LOCK)
    assert {"etag", "read-back"} == carried(journey, capsys)
    assert all("content-md5" in headers for headers in parts_by_our_own_client(journey))


@pytest.mark.parametrize("large", [False, True])
def test_owner_and_payer_are_told_with_every_request(journey: Journey, capsys: Capsys, large: bool) -> None:
    """Whatever is asked: put, read, list, parts."""
    journey.connection = Connection(bucket_owner="111122223333", requester_pays=True)
    journey.server.behaviour.etag, journey.server.behaviour.checksums = "opaque", "ignored"
    assert {"read-back"} == carried(with_a_large_one(journey) if large else journey, capsys)
    assert all(headers["x-amz-request-payer"] == "requester" for headers in headers_of(journey.server))
    if large:
        parts_by_our_own_client(journey)
    owners = [headers["x-amz-expected-bucket-owner"] for headers in headers_of(journey.server)]
    assert [owner for owner in owners if owner != "111122223333"] == ["000000000000"]  # The probe's wrong one.


def test_a_bucket_of_another_owner_is_not_used(journey: Journey, capsys: Capsys) -> None:
    """And the advice names the setting."""
    journey.connection = Connection(bucket_owner="999999999999")
    journey.begin()
    outcome = journey.run(capsys)
    assert (outcome.exit_code, journey.server.buckets["the-bucket"].objects) == (4, {})
    assert "correct bucket-owner" in outcome.said


# --- SSE-C ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key, as `openssl rand -base64 32` writes it."""
    path = tmp_path / "sse-c.key"
    path.write_text(base64.b64encode(KEY).decode() + "\n")
    return path


def no_secret(journey: Journey, said: str) -> None:
    """The key is in no form in what was said, nor in any file of the state directory."""
    forms = [KEY, base64.b64encode(KEY), KEY.hex().encode(), hashlib.md5(KEY).hexdigest().encode()]
    written = [path.read_bytes() for path in journey.state.rglob("*") if path.is_file()]
    assert written
    assert [form for form in forms for text in (said.encode(), *written) if form in text] == []


def test_a_key_of_ones_own(journey: Journey, capsys: Capsys, key_file: Path, tmp_path: Path) -> None:
    """Every object is under it; with it they come back, without it none does, and it is written down nowhere."""
    journey.connection = Connection(sse_c_key_file=str(key_file))
    journey.server.behaviour.checksums = "ignored"
    assert {"read-back"} == carried(with_a_large_one(journey), capsys)
    parts_by_our_own_client(journey)
    for found in journey.server.buckets["the-bucket"].objects.values():
        assert base64.b64encode(KEY).decode() == found.headers[CUSTOMER_KEY]
    reached = ["--state", str(journey.state), "--endpoint-url", journey.server.endpoint_url, "--region", "eu-north-1"]
    with_key = [*reached, "--sse-c-key-file", str(key_file)]
    restore = ["restore", "**", "--to", str(tmp_path / "back")]
    assert main([*restore, *reached]) == 1
    assert main([*restore, *with_key]) == 0
    assert journey.files == {name: (tmp_path / "back" / name).read_bytes() for name in journey.files}
    assert main(["audit", "--all", "--read-back", *with_key]) == 0
    no_secret(journey, "".join(capsys.readouterr()))


def test_a_new_key_needs_no_new_place(journey: Journey, capsys: Capsys, key_file: Path) -> None:
    """What the last key wrote cannot be read, the probe's own object neither: that stops nothing."""
    journey.connection = Connection(sse_c_key_file=str(key_file))
    carried(journey, capsys)
    key_file.write_bytes(os.urandom(32))
    journey.files = {f"{name}-2": name.encode() for name in journey.files}
    shutil.rmtree(journey.state)  # Else the probe of today is believed.
    carried(journey, capsys)


@pytest.mark.parametrize(
    "content", [b"", KEY[:31], b"x" * 44, base64.b64encode(KEY)[:40], KEY * 2, b"\xff" * 44], ids=range(6)
)
def test_what_is_no_key_is_not_repeated(tmp_path: Path, content: bytes) -> None:
    """The message names the file, and nothing of what is in it."""
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(Misconfigured) as raised:
        RequestHeaders(connection=Connection(sse_c_key_file=str(path)))
    said = "holds no key: write 32 random bytes, or the same in Base64 (openssl rand -base64 32)"
    assert f"sse-c-key-file: {path}: {said}" == str(raised.value)


# --- uploads under way ----------------------------------------------------------------------------------------------


def test_an_upload_goes_on_with_the_settings_it_began_with(journey: Journey) -> None:
    """One that was begun with others is abandoned and begun anew."""
    where = Destination(f"s3://the-bucket/{PREFIX}", "s3", "the-bucket", PREFIX)
    reached = Connection(journey.server.endpoint_url, journey.server.region)
    plain, sealed = S3Store(where, reached), S3Store(where, reached, KMS)
    begun, other = plain.begin_large("k", PART_BYTES), sealed.begin_large("k", PART_BYTES)
    assert isinstance(begun, Begun)
    assert isinstance(other, Begun)
    assert len({begun.upload, other.upload.partition(" ")[0]}) == 2
    for store, foreign in ((plain, other), (sealed, begun)):
        with pytest.raises(UploadGone, match="begun with other settings"):
            store.put_large("k", 1, None, seal=lambda: None, begun=foreign)  # type: ignore[arg-type]
    assert journey.server.buckets["the-bucket"].uploads == {}
