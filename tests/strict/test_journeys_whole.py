"""Whole journeys to the strict server: names, conflicts, accounts, TLS, redirects, and the command as a process."""

import dataclasses
import os
import socket
from pathlib import Path

import pytest

from strict.certificates import Authority
from strict.faults import ALWAYS, Fault, Kind
from strict.journeys import PREFIX, Journey
from strict.rows import ALL, KMS, OLD, OPAQUE, USELESS, always, error, one
from strict.server import ACCESS_KEY, SECRET_KEY, StrictServer
from strict.signature import Identity
from strict.state import StoredObject

Capsys = pytest.CaptureFixture[str]
ODD_NAMES = [
    "a b", "a+b", "a%41", "100%", "Zürich", "e\u0301", "日本語", "\U0001f600", "~a", "a&b=c", "a?b", "a#b", "(a)[b]{c}",
    "'\"`", "*$!@", "back\\slash", "...", ".hidden", " both ", "-rf", "a:b;c,d", "tab\there", "line\nbreak", "\x1b[31mred",
    "\u202eleft", "\x7f", "x" * 255, "a=b", "a|b^c", "<a>",
]  # fmt: skip


@pytest.mark.parametrize("manners", [{}, KMS, OPAQUE, OLD], ids=["aws", "kms", "opaque", "old"])
def test_every_name_is_one_key_for_every_client(journey: Journey, capsys: Capsys, manners: dict[str, object]) -> None:
    """The fast lane, obstore and botocore mean the same key by any name: what one writes, the others read, look at and list."""
    for name, value in manners.items():
        setattr(journey.server.behaviour, name, value)
    journey.files = {f"in/{name}": f"this is {name!r}\n".encode() * 20 for name in ODD_NAMES}
    journey.begin()
    assert journey.run(capsys).exit_code == 0
    assert set() == journey.left
    found = journey.server.buckets["the-bucket"].bodies()
    held = sorted(body for key, body in found.items() if ".outhaul-" not in key)
    assert sorted(journey.files.values()) == held
    refused = {(it.operation, it.code) for it in journey.server.log if it.status >= 400 and "probe" not in it.key}
    assert set() == refused


def test_the_same_bytes_are_adopted(journey: Journey, capsys: Capsys) -> None:
    """An object with the same bytes is as good as sent: nothing is written, and the source goes."""
    journey.begin()
    bucket = journey.server.buckets["the-bucket"]
    for name, content in journey.files.items():
        bucket.store(
            StoredObject(f"{PREFIX}/{name}", content, "0123456789abcdef0123456789abcdef-2")
        )  # In parts, by another.
    journey.before = bucket.bodies()
    assert journey.run(capsys).exit_code == 0
    journey.check_carried()
    assert journey.before == {key: body for key, body in bucket.bodies().items() if "probe" not in key}


@pytest.mark.parametrize("conditions", [True, False])
@pytest.mark.parametrize("length", ["same", "other"])
def test_other_bytes_stay_where_they_are(journey: Journey, capsys: Capsys, conditions: bool, length: str) -> None:
    """Other bytes under a key are never replaced, on a store that obeys conditions or not: the file goes to a second key (L2)."""
    journey.server.behaviour.conditions = conditions
    bucket = journey.server.buckets["the-bucket"]
    for name, content in journey.files.items():
        other = bytes(len(content)) if length == "same" else b"other"
        bucket.store(StoredObject(f"{PREFIX}/{name}", other, "0123456789abcdef0123456789abcdef"))
    journey.begin()
    assert journey.run(capsys).exit_code == 0
    journey.check_carried()


def test_held_and_replaced_as_the_job_says(journey: Journey, capsys: Capsys) -> None:
    """`hold` leaves both where they are and says so; `replace` puts the file in the place of the object."""
    bucket = journey.server.buckets["the-bucket"]
    bucket.store(StoredObject(f"{PREFIX}/in/a.csv", b"other", "0123456789abcdef0123456789abcdef"))
    journey.on_conflict = "hold"
    journey.begin()
    first = journey.run(capsys)
    assert (1, {"in/a.csv"}) == (first.exit_code, journey.left)
    assert "in/a.csv: other bytes stand under its key" in first.said
    journey.check()
    journey.on_conflict, journey.before = "replace", {}
    assert journey.run(capsys).exit_code == 0
    journey.check_carried()
    assert journey.files["in/a.csv"] == bucket.bodies()[f"{PREFIX}/in/a.csv"]


def test_a_version_is_read_back_as_it_was_written(journey: Journey, capsys: Capsys) -> None:
    """In a bucket with versions the proof is of the version that was written, though somebody replaces it at once (hazard 74)."""
    server, journey.bucket, journey.proof = journey.server, "kept", "read-back"
    bucket = server.make_bucket("kept", versioned=True)
    server.have(*one("PutObject", Kind.OVERWRITTEN))
    journey.begin()
    assert journey.run(capsys).exit_code == 0
    assert set() == journey.left
    assert journey.files["in/b/c d.bin"] in [found.body for found in bucket.versions.values()]


def test_a_key_beyond_1024_bytes_is_not_even_sent(journey: Journey, capsys: Capsys) -> None:
    """A path whose key would be too long is held, and named; the store is not asked; the others go."""
    deep = "/".join(["d" * 255] * 4)
    journey.files[f"in/{deep}/x.txt"] = b"deep"
    journey.begin()
    outcome = journey.run(capsys)
    assert (1, {f"in/{deep}/x.txt"}) == (outcome.exit_code, journey.left)
    assert "1,024" in outcome.said
    assert "KeyTooLongError" not in {it.code for it in journey.server.log}
    journey.check()


# --- accounts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
def test_an_account_that_may_only_write(journey: Journey, capsys: Capsys, tmp_path: Path, again: bool) -> None:
    """s3:PutObject alone is enough on a store whose ETag is an MD5, on the first day and, probed anew, on the second."""
    for operation in ("GetObject", "HeadObject", "ListObjectsV2"):
        for identity in journey.server.identities.values():
            identity.denied.add(operation)
    journey.begin()
    assert journey.run(capsys).exit_code == 0
    journey.check_carried()
    if again:
        journey.state, journey.files = tmp_path / "another state", {"in/new.csv": b"another day\n"}
        journey.begin()
        second = journey.run(capsys)
        assert second.exit_code == 0, second.said
        journey.check_carried()


def test_permission_that_is_given_later_is_seen(journey: Journey, capsys: Capsys) -> None:
    """A destination that could not prove anything is tried anew at once, not a day later."""
    journey.proof = "read-back"
    journey.server.have(*always("GetObject", "AccessDenied", key=""))
    journey.begin()
    assert journey.run(capsys).exit_code == 4
    journey.server.mend()
    second = journey.run(capsys)
    assert second.exit_code == 0, second.said
    journey.check_carried()


@pytest.mark.parametrize(
    ("key", "secret", "token", "says"),
    [
        (ACCESS_KEY, "wrong", "", "secret key"),
        ("AKIDNOBODY", SECRET_KEY, "", "access key"),
        ("ASIALATE", "late", "its token", "renew the credentials"),
        ("ASIAGOOD", "good", "another token", "session token"),
    ],
)
def test_who_is_refused(
    journey: Journey, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, key: str, secret: str, token: str, says: str
) -> None:
    """Wrong or expired credentials: exit code 4, what to change, no secret in what is said, and nothing is touched."""
    journey.server.identities["ASIALATE"] = Identity("late", "its token", expired=True)
    journey.server.identities["ASIAGOOD"] = Identity("good", "its token")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    journey.begin()
    outcome = journey.run(capsys)
    assert (4, set(journey.files)) == (outcome.exit_code, journey.left)
    assert USELESS in outcome.said
    assert says in outcome.said
    assert [word for word in (secret, token) if len(word) > 5 and word in outcome.said] == []
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAGOOD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "good")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "its token")
    assert journey.run(capsys).exit_code == 0
    journey.check_carried()


def test_another_region_and_no_bucket(journey: Journey, capsys: Capsys) -> None:
    """A wrong region names the right one; a missing bucket is named; a bucket that is removed meanwhile costs nothing."""
    server = journey.server
    journey.begin()
    server.region = "ap-south-1"
    server.buckets["the-bucket"].region = "sa-east-1"
    elsewhere = journey.run(capsys)
    assert (elsewhere.exit_code, "sa-east-1" in elsewhere.said) == (4, True)
    server.region = "eu-north-1"
    moved = journey.run(capsys)
    assert (moved.exit_code, "sa-east-1" in moved.said) == (4, True)
    del server.buckets["the-bucket"]
    missing = journey.run(capsys)
    assert (missing.exit_code, USELESS in missing.said, "make the bucket" in missing.said) == (4, True, True)
    assert set(journey.files) == journey.left
    server.make_bucket()
    assert journey.run(capsys).exit_code == 0
    del server.buckets["the-bucket"]
    (journey.source / "in/late.csv").write_bytes(b"late\n")
    gone = journey.run(capsys)
    assert (4, {"in/late.csv"}, True) == (gone.exit_code, journey.left, "make the bucket" in gone.said)


# --- the way there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_payload_goes_to_no_other_host(journey: Journey, capsys: Capsys, status: int) -> None:
    """A redirect to another host is not followed with the file in hand (hazard 47)."""
    with StrictServer() as other:
        other.make_bucket()
        elsewhere = {"Location": f"http://localhost:{other.port}/the-bucket/{PREFIX}/in/a.csv"}
        faults = always("PutObject", "TemporaryRedirect", status=status, headers=elsewhere)
        journey.server.have(*faults)
        journey.begin()
        outcome = journey.run(capsys)
        journey.check()
        assert (4, set(journey.files)) == (outcome.exit_code, journey.left), outcome.said
        assert "correct the region, or endpoint-url" in outcome.said
        assert [it for it in other.log if it.length] == []
        assert other.buckets["the-bucket"].bodies() == {}


def test_nobody_listens(journey: Journey, capsys: Capsys) -> None:
    """A server that is not there: exit code 4, and the line says that the connection was refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    real, journey.server.port = journey.server.port, port
    journey.begin()
    outcome = journey.run(capsys)
    assert (4, set(journey.files)) == (outcome.exit_code, journey.left)
    assert "Connection refused" in outcome.said
    journey.server.port = real
    assert journey.run(capsys).exit_code == 0
    journey.check_carried()


def test_a_server_that_restarts(journey: Journey, capsys: Capsys) -> None:
    """Many files over connections that the server closes again and again: all of them arrive."""
    journey.files = {f"in/{number:03}.csv": b"%d\n" % number * 50 for number in range(300)}
    journey.server.have(*[Fault("PutObject", Kind.RESET, key=f"{ALL}{n:03}", times=1) for n in range(0, 300, 37)])
    journey.server.have(*[Fault("PutObject", Kind.CLOSE, key=f"{ALL}{n:03}", times=1) for n in range(5, 300, 41)])
    journey.begin()
    outcome = journey.run(capsys)
    assert outcome.exit_code == 0, outcome.said
    journey.check_carried()


@pytest.mark.parametrize("trusted", [True, False])
def test_tls(journey: Journey, capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool) -> None:
    """An authority of one's own is trusted when AWS_CA_BUNDLE names it; without that nothing goes out (hazard 66)."""
    authority = Authority(tmp_path)
    with StrictServer(tls=authority.server_context()) as server:
        server.make_bucket()
        journey = dataclasses.replace(journey, server=server, proof="read-back")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.path if trusted else Authority(tmp_path, "stranger").path))
        journey.begin()
        outcome = journey.run(capsys)
        if trusted:
            assert outcome.exit_code == 0, outcome.said
            journey.check_carried()
        else:
            assert (4, set(journey.files)) == (outcome.exit_code, journey.left)
            assert "certificate" in outcome.said
            assert "AWS_CA_BUNDLE" in outcome.said
            assert server.log == []


# --- as a process -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "exit_code", "left", "says"),
    [
        (one("PutObject", Kind.LOST), 0, 0, "3 files seen, 3 carried"),
        (error("PutObject", "SlowDown"), 0, 0, "3 files seen, 3 carried"),
        (error("PutObject", "AccessDenied"), 4, 1, "s3:PutObject"),
        (one("PutObject", Kind.FLIPPED, etag="stored"), 1, 1, "of other bytes"),
        (error("PutObject", "KeyTooLongError", times=ALWAYS), 1, 1, "KeyTooLongError"),
    ],
)
def test_the_command(journey: Journey, faults: tuple[Fault, ...], exit_code: int, left: int, says: str) -> None:
    """The same by `python -m outhaul move`: exit code, what stands on standard error, and nothing is lost."""
    journey.server.have(*faults)
    journey.begin()
    first = journey.run_as_process()
    journey.check()
    assert (exit_code, left, True) == (first.exit_code, len(journey.left), says in first.said), first.said
    journey.server.mend()
    second = journey.run_as_process("--quiet")
    assert (second.exit_code, second.said) == (0, "")
    journey.check_carried()


def test_the_command_with_a_large_file(journey: Journey) -> None:
    """17 MiB in parts of their real size; one part is slowed down and the answer to the completion is lost."""
    journey.files = {"in/large.bin": os.urandom(17 << 20)}
    journey.server.have(*error("UploadPart", "SlowDown", key="large", nth=2))
    journey.server.have(*one("CompleteMultipartUpload", Kind.LOST, key="large"))
    journey.begin()
    outcome = journey.run_as_process()
    assert outcome.exit_code == 0, outcome.said
    journey.check_carried()
