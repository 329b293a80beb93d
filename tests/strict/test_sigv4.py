"""The signature of stores/sigv4.py is byte for byte what botocore makes of the same request."""

import base64
import datetime
import hashlib
import time
import types
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.session
import pytest

from outhaul.model.job import Connection
from outhaul.model.notes import notes_of
from outhaul.model.object_settings import Lock, ObjectSettings
from outhaul.stores import sigv4
from outhaul.stores.s3_account import Account
from outhaul.stores.s3_control import Control
from outhaul.stores.s3_endpoint import place_of
from outhaul.stores.s3_headers import RequestHeaders
from outhaul.stores.sigv4 import PutSigner, signed_head
from strict.signature import Identity, check
from strict.wire import Request

BODY = b"a reading\n"
SHA256 = hashlib.sha256(BODY).digest()
NOW = 1_767_225_599  # The last second of a year.
KEYS = [
    "a.csv", "site-7/2026/01/a.csv", "with space", "a+b", "a%41", "100%", "%", "a&b=c", "a?b", "a#b", "a;b:c,d", "~t_i-l.d~e",
    "(a)[b]{c}<d>", "'quoted' \"twice\"", "!*$@", "back\\slash", "pipe|caret^tick`", "Zürich", "日本語/ファイル", "e\u0301",
    "\U0001f600", "\u202eright-to-left", "a\x7fb", "a\x85b", "a\nb\tc", "%0A", "...", ".hidden", "trailing ", " leading", "-rf",
    "=", "a=b=c", "uploads", "x" * 1024, "é" * 512, "".join(map(chr, range(32, 127))), "".join(map(chr, range(0xA0, 0x180))),
]  # fmt: skip
IDENTITIES = [
    ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""),
    ("ASIAEXAMPLE", "s/e+c=r", "IQoJb3//token+x=="),
]
PLACES = [
    # endpoint, style, region, and what our signer is told of it: host, base path
    ("http://127.0.0.1:9000", "path", "eu-north-1", "127.0.0.1:9000", "/the-bucket"),
    ("http://localhost", "path", "us-east-1", "localhost", "/the-bucket"),
    ("https://s3.example.org:8443", "path", "garage", "s3.example.org:8443", "/the-bucket"),
    ("https://s3.example.org", "path", "us-east-1", "s3.example.org", "/the-bucket"),
    ("https://example.org/some/where", "path", "us-east-1", "example.org", "/some/where/the-bucket"),
    ("http://[::1]:9000", "path", "us-east-1", "[::1]:9000", "/the-bucket"),
    ("http://[2001:db8::7]", "path", "us-east-1", "[2001:db8::7]", "/the-bucket"),
    ("https://s3.example.org", "virtual", "us-east-1", "the-bucket.s3.example.org", ""),
    ("", "virtual", "eu-north-1", "the-bucket.s3.eu-north-1.amazonaws.com", ""),
    ("", "virtual", "cn-north-1", "the-bucket.s3.cn-north-1.amazonaws.com.cn", ""),
    ("", "path", "ap-south-1", "s3.ap-south-1.amazonaws.com", "/the-bucket"),
]
_SESSION = botocore.session.Session()


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both read the same clock, which stands still."""
    _stand_still(monkeypatch, NOW + 0.75)

    def now(remove_tzinfo: bool = True) -> datetime.datetime:
        moment = datetime.datetime.fromtimestamp(NOW + 0.75, datetime.UTC)
        return moment.replace(tzinfo=None) if remove_tzinfo else moment

    monkeypatch.setattr(botocore.auth, "get_current_datetime", now)


def _stand_still(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    still = types.SimpleNamespace(time=lambda: now, strftime=time.strftime, gmtime=time.gmtime)
    monkeypatch.setattr(sigv4, "time", still)


def _ours(head: bytes) -> tuple[str, dict[str, str]]:
    """Request target and headers, names in lower case, of what our signer made."""
    line, *rest = head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    method, target, version = line.split(" ")
    assert (method, version) == ("PUT", "HTTP/1.1")
    return target, {name.lower(): value for name, value in (text.split(": ", 1) for text in rest)}


def _by_auth(url: str, region: str, identity: tuple[str, str, str], headers: dict[str, str]) -> dict[str, str]:
    """The headers of a PUT to an encoded URL after botocore has signed it."""
    request = botocore.awsrequest.AWSRequest("PUT", url, headers, BODY)
    request.context["client_config"] = botocore.config.Config(s3={"payload_signing_enabled": True})
    credentials = botocore.credentials.Credentials(identity[0], identity[1], identity[2] or None)
    botocore.auth.S3SigV4Auth(credentials, "s3", region).add_auth(request)
    return {name.lower(): str(value) for name, value in request.headers.items()}


@pytest.mark.parametrize("identity", IDENTITIES, ids=["without a token", "with a token"])
@pytest.mark.parametrize(("endpoint", "style", "region", "host", "base"), PLACES)
def test_every_header_is_botocores(
    endpoint: str, style: str, region: str, host: str, base: str, identity: tuple[str, str, str]
) -> None:
    """Every key, every kind of address, with a session token and without: the same signature of the same headers."""
    signer = PutSigner(host, base, region)
    scheme = endpoint.partition("://")[0] or "https"
    for key in KEYS:
        target, ours = _ours(signer.head(key, len(BODY), SHA256, identity))
        sent = {"If-None-Match": "*", "x-amz-checksum-sha256": base64.b64encode(SHA256).decode()}
        theirs = _by_auth(f"{scheme}://{host}{target}", region, identity, sent)
        for name in ("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"):
            assert theirs.get(name) == ours.get(name), (name, key)
        assert (host, str(len(BODY))) == (ours["host"], ours["content-length"])


EVERYTHING = RequestHeaders(
    ObjectSettings(
        storage_class="STANDARD_IA",
        content_type="auto",
        metadata=(("a", "two  blanks"), ("site", "7")),
        tags=(("project", "a b&c"),),
        encryption="aws:kms",
        lock=Lock("compliance", 30 * 86400 * 10**9, True),
    ),
    Connection(bucket_owner="111122223333", requester_pays=True),
)


@pytest.mark.parametrize("identity", IDENTITIES, ids=["without a token", "with a token"])
@pytest.mark.parametrize("key", ["a.csv", "a.csv.gz", "a.zst", "without a type", "Zürich/日本語.txt"])
def test_headers_of_settings_are_signed_as_botocore_does(key: str, identity: tuple[str, str, str]) -> None:
    """All of them, the type too, which differs from object to object."""
    signer = PutSigner("127.0.0.1:9000", "/the-bucket", "eu-north-1", EVERYTHING)
    target, ours = _ours(signer.head(key, len(BODY), SHA256, identity))
    sent = {"If-None-Match": "*", "x-amz-checksum-sha256": base64.b64encode(SHA256).decode()}
    sent |= EVERYTHING.putting(NOW) | ({"Content-Type": kind} if (kind := EVERYTHING.content_type(key)) else {})
    theirs = _by_auth(f"http://127.0.0.1:9000{target}", "eu-north-1", identity, sent)
    told = {name: ours[name] for name in theirs if name not in ("content-length",)}
    assert {name: theirs[name] for name in told} == told
    assert ours["x-amz-object-lock-retain-until-date"] == "2026-01-30T23:59:59Z"


@pytest.mark.parametrize("identity", IDENTITIES, ids=["without a token", "with a token"])
@pytest.mark.parametrize("settings", [None, EVERYTHING], ids=["alone", "with settings"])
def test_notes_are_signed_as_botocore_does(settings: RequestHeaders | None, identity: tuple[str, str, str]) -> None:
    """What is noted beside one object, and all else that its request tells."""
    signer = PutSigner("127.0.0.1:9000", "/the-bucket", "eu-north-1", settings)
    notes = notes_of("zstd", SHA256, 10, -5)
    target, ours = _ours(signer.head("a b/é.csv", len(BODY), SHA256, identity, 0, bytes(16), notes))
    added = ("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "host")
    sent = {name: value for name, value in ours.items() if name not in added}
    theirs = _by_auth(f"http://127.0.0.1:9000{target}", "eu-north-1", identity, sent)
    assert ours == {"host": "127.0.0.1:9000", **theirs}
    assert (ours["x-amz-meta-outhaul-codec"], ours["x-amz-meta-outhaul-mtime"]) == ("zstd", "-5")
    assert ours["content-md5"] == base64.b64encode(bytes(16)).decode()


def test_notes_give_way_to_the_metadata_of_the_job() -> None:
    """There are 2 KB for both."""
    headers = RequestHeaders(ObjectSettings(metadata=(("a", "x" * 1950),)))
    assert headers.noting(notes_of("zstd", SHA256, 10, -5)) == {}
    assert len(EVERYTHING.noting(notes_of("zstd", SHA256, 10, -5))) == 4


@pytest.mark.parametrize("region", ["us-west-2", "eu-north-1", "us-gov-west-1"])
@pytest.mark.parametrize("bucket", ["the-bucket", "dotted.bucket"])
@pytest.mark.parametrize(
    "manner",
    [(), ("dual_stack",), ("fips",), ("dual_stack", "fips"), ("accelerate",), ("accelerate", "dual_stack")],
    ids="+".join,
)
def test_endpoints_of_aws_are_botocores(region: str, bucket: str, manner: tuple[str, ...]) -> None:
    """Dual-stack, FIPS, acceleration and what of them goes together lead to the host that botocore would talk to."""
    if "accelerate" in manner and "." in bucket:
        pytest.skip("there is no such endpoint")
    accelerate, dual_stack, fips = (name in manner for name in ("accelerate", "dual_stack", "fips"))
    known = Account("", region, "a", "b", "", None, _SESSION, "", "", accelerate, dual_stack, fips)
    client = Control(known, bucket)._client
    urls: list[str] = []

    def note(request: Any, **_: object) -> Any:
        urls.append(request.url)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, types.SimpleNamespace(stream=lambda: iter(())))

    client.meta.events.register("before-send.s3.HeadObject", note)
    client.head_object(Bucket=bucket, Key="k")
    place = place_of(known, bucket)
    assert urls == [f"https://{place.named}{place.base}/k"]


@pytest.mark.parametrize(("endpoint", "style", "region", "host", "base"), PLACES)
def test_the_address_is_botocores(endpoint: str, style: str, region: str, host: str, base: str) -> None:
    """Host and path, with all that is encoded in it, are those to which botocore sends the same key."""
    client = _SESSION.create_client(
        "s3",
        region_name=region,
        endpoint_url=endpoint or None,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=botocore.config.Config(s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"}),
    )
    caught = _Answer()
    client.meta.events.register("before-send.s3.PutObject", caught)
    for key in KEYS:
        client.put_object(Bucket="the-bucket", Key=key, Body=BODY)
        parts = urlsplit(caught.url)
        target, ours = _ours(PutSigner(host, base, region).head(key, len(BODY), SHA256, IDENTITIES[0]))
        assert (parts.netloc, parts.path) == (ours["host"], target)


class _Answer:
    """Catches a request of botocore, and answers it."""

    url = ""

    def __call__(self, request: Any, **_: object) -> Any:
        self.url = request.url
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, _Empty())


class _Empty:
    def stream(self) -> list[bytes]:
        return []


def test_a_signer_follows_the_clock_and_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put together once is put together anew when the second, the day or the identity changes."""
    signer = PutSigner("127.0.0.1:9000", "/the-bucket", "eu-north-1")
    identities = {identity[0]: Identity(identity[1], identity[2]) for identity in IDENTITIES}
    for now in (NOW, NOW + 1, NOW + 2, NOW - 86_400, NOW + 86_400 * 400):
        _stand_still(monkeypatch, now + 0.999)
        for identity in (*IDENTITIES, *IDENTITIES):
            target, headers = _ours(signer.head("a/b", len(BODY), SHA256, identity))
            request = Request("PUT", target, [], headers, BODY)
            assert identities[identity[0]] is check(request, identities, "eu-north-1", now, checks_payload=True)
            expected = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
            assert expected == headers["x-amz-date"]


@pytest.mark.parametrize("identity", IDENTITIES, ids=["without a token", "with a token"])
@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD"])
def test_any_other_request_is_signed_as_botocore_does(method: str, identity: tuple[str, str, str]) -> None:
    """`signed_head` makes of any method, key and header what botocore makes of it, for a body that is not looked at."""
    extra = {"x-amz-checksum-mode": "ENABLED", "content-md5": "CY9rzUYh03PK3k6DJie09g==", "content-length": "4"}
    digest = hashlib.sha256(b"").hexdigest()
    for key in KEYS:
        head = signed_head(method, "[::1]:9000", f"/the-bucket/{key}", extra, digest, "eu-north-1", identity)
        line, *rest = head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
        ours = {name.lower(): value for name, value in (text.split(": ", 1) for text in rest)}
        sent, target, _ = line.split(" ")
        assert method == sent
        signed = set(ours["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";"))
        told = {name: extra[name] for name in signed & extra.keys()}
        request = botocore.awsrequest.AWSRequest(method, f"http://[::1]:9000{target}", told, b"")
        request.context["client_config"] = botocore.config.Config(s3={"payload_signing_enabled": True})
        credentials = botocore.credentials.Credentials(identity[0], identity[1], identity[2] or None)
        botocore.auth.S3SigV4Auth(credentials, "s3", "eu-north-1").add_auth(request)
        assert request.headers["Authorization"] == ours["authorization"], key
        assert "x-amz-checksum-mode" in signed


def test_the_stores_time_is_used_for_signing_alone() -> None:
    """An offset moves the time that is signed, and nothing else."""
    signer = PutSigner("127.0.0.1:9000", "/the-bucket", "eu-north-1")
    for offset in (0, 1200, -86_400, 0):
        _, headers = _ours(signer.head("a", len(BODY), SHA256, IDENTITIES[0], offset))
        expected = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(NOW + offset))
        assert expected == headers["x-amz-date"]
        assert f"/{expected[:8]}/" in headers["authorization"]


def test_the_uploads_of_a_url_with_a_path_and_of_ipv6() -> None:
    """What FastPuts makes of an endpoint is the host and path that botocore would ask."""
    from outhaul.stores.s3_account import Account
    from outhaul.stores.s3_fast import FastPuts

    for endpoint, style, region, host, base in PLACES:
        bucket = "the-bucket"
        if not endpoint and style == "path":
            bucket, base = "the.bucket", "/the.bucket"
        if endpoint and style == "virtual":
            continue  # An endpoint of one's own is always spoken to in path style.
        puts = FastPuts(Account(endpoint, region, "a", "b", "", None, None, ""), bucket)
        _, signer = puts._new_lane()
        target, headers = _ours(signer.head("a/b", len(BODY), SHA256, IDENTITIES[0]))
        assert (host, f"{base}/a/b") == (headers["host"], target)
