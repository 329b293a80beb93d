"""The strict server is strict: what is signed and whole is taken, and any altered byte is refused."""

import base64
import hashlib
import http.client
import zlib
from collections.abc import Callable

import botocore.exceptions
import obstore
import pytest

from strict import checksums
from strict.clients import Got, Signed, ask, ask_on, by_botocore, by_obstore, signed
from strict.server import ACCESS_KEY, SECRET_KEY, StrictServer
from strict.signature import Identity
from strict.state import StoredObject

BODY = b"some bytes of a file\n" * 3
OBJECT = "/the-bucket/a/b.csv"
ODD_KEYS = [
    "a b", "a+b", "a%41", "Zürich/日本語", "~tilde", "a&b=c?d#e", "*'();:@,$!", "é\u0301", "\U0001f600", "...",
]  # fmt: skip
NO_KEYS_OF_OBSTORE = ["a//b", "\x7f"]


def test_the_crcs_are_those_of_the_catalogue() -> None:
    """CRC-32C and CRC-64/NVME give their check values."""
    assert bytes.fromhex("e3069283") == checksums.ALGORITHMS["crc32c"](b"123456789")
    assert bytes.fromhex("ae8b14860a799888") == checksums.ALGORITHMS["crc64nvme"](b"123456789")


# --- what is right is taken --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ODD_KEYS + NO_KEYS_OF_OBSTORE)
def test_botocore_puts_and_gets(server: StrictServer, key: str) -> None:
    """What botocore signs is taken, whatever the key, and comes back."""
    client = by_botocore(server)
    client.put_object(Bucket="the-bucket", Key=key, Body=BODY)
    assert {key: BODY} == server.buckets["the-bucket"].bodies()
    assert client.get_object(Bucket="the-bucket", Key=key)["Body"].read() == BODY
    assert [key] == [entry["Key"] for entry in client.list_objects_v2(Bucket="the-bucket")["Contents"]]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_obstore_puts_and_gets(server: StrictServer, key: str) -> None:
    """What obstore signs is taken, whatever the key, and comes back."""
    store = by_obstore(server)
    obstore.put(store, key, BODY, mode="create", use_multipart=False)
    assert {key: BODY} == server.buckets["the-bucket"].bodies()
    assert bytes(obstore.get(store, key).bytes()) == BODY
    assert len(BODY) == obstore.head(store, key)["size"]
    assert [key] == [entry["path"] for entry in obstore.list(store).collect()]


@pytest.mark.parametrize("algorithm", sorted(checksums.ALGORITHMS))
def test_a_right_checksum_is_kept_and_shown(server: StrictServer, algorithm: str) -> None:
    """A checksum that fits is kept with the object, and HEAD shows it when asked."""
    value = checksums.encoded(checksums.ALGORITHMS[algorithm](BODY))
    name = f"x-amz-checksum-{algorithm}"
    assert ask(server, signed(server, OBJECT, body=BODY, headers={name: value})).status == 200
    plain = ask(server, signed(server, OBJECT, method="HEAD"))
    shown = ask(server, signed(server, OBJECT, method="HEAD", headers={"x-amz-checksum-mode": "ENABLED"}))
    assert name not in plain.headers
    assert (value, "FULL_OBJECT") == (shown.headers[name], shown.headers["x-amz-checksum-type"])


def test_buckets(server: StrictServer) -> None:
    """A bucket is made once, and says where it is; one that is not there is missed."""
    client = by_botocore(server)
    where = {"LocationConstraint": server.region}
    client.create_bucket(Bucket="another", CreateBucketConfiguration=where)
    assert server.region == client.head_bucket(Bucket="another")["BucketRegion"]
    assert server.region == client.get_bucket_location(Bucket="another")["LocationConstraint"]
    assert (
        _refused(lambda: client.create_bucket(Bucket="another", CreateBucketConfiguration=where))
        == "BucketAlreadyOwnedByYou"
    )
    assert _refused(lambda: client.list_objects_v2(Bucket="missing")) == "NoSuchBucket"


def test_ranges(server: StrictServer) -> None:
    """A range gives just its bytes, and one beyond the end is refused."""
    client = by_botocore(server)
    client.put_object(Bucket="the-bucket", Key="a", Body=b"0123456789")
    for asked, expected in (("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-3", b"789"), ("bytes=8-99", b"89")):
        assert expected == client.get_object(Bucket="the-bucket", Key="a", Range=asked)["Body"].read()
    assert _refused(lambda: client.get_object(Bucket="the-bucket", Key="a", Range="bytes=10-")) == "InvalidRange"


def test_listings_come_in_pages(server: StrictServer) -> None:
    """No page has more than 1,000 keys; together they have each key once, in order."""
    bucket = server.buckets["the-bucket"]
    for number in range(2050):
        bucket.store(objects_like(f"in/{number:04}"))
    bucket.store(objects_like("out"))
    pages = list(by_botocore(server).get_paginator("list_objects_v2").paginate(Bucket="the-bucket", Prefix="in/"))
    assert [len(page["Contents"]) for page in pages] == [1000, 1000, 50]
    assert [f"in/{number:04}" for number in range(2050)] == [it["Key"] for page in pages for it in page["Contents"]]
    folders = by_botocore(server).list_objects_v2(Bucket="the-bucket", Delimiter="/")
    assert [entry["Prefix"] for entry in folders["CommonPrefixes"]] == ["in/"]


def test_a_multipart_upload(server: StrictServer) -> None:
    """Parts become one object on completion; ListParts and ListMultipartUploads show what is there until then."""
    client, place = by_botocore(server), {"Bucket": "the-bucket", "Key": "large"}
    bodies = [bytes([number]) * (5 << 20) for number in (1, 2)] + [b"end"]
    upload = client.create_multipart_upload(**place)["UploadId"]
    parts = []
    for number, body in enumerate(bodies, start=1):
        etag = client.upload_part(**place, UploadId=upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    assert [part["PartNumber"] for part in client.list_parts(**place, UploadId=upload)["Parts"]] == [1, 2, 3]
    assert [upload] == [it["UploadId"] for it in client.list_multipart_uploads(Bucket="the-bucket")["Uploads"]]
    done = client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert f'"{hashlib.md5(digests).hexdigest()}-3"' == done["ETag"]
    assert {"large": b"".join(bodies)} == server.buckets["the-bucket"].bodies()
    assert server.buckets["the-bucket"].uploads == {}
    assert _refused(lambda: client.list_parts(**place, UploadId=upload)) == "NoSuchUpload"


def test_an_aborted_upload_leaves_nothing(server: StrictServer) -> None:
    """After AbortMultipartUpload neither parts nor upload are there."""
    client, place = by_botocore(server), {"Bucket": "the-bucket", "Key": "large"}
    upload = client.create_multipart_upload(**place)["UploadId"]
    client.upload_part(**place, UploadId=upload, PartNumber=1, Body=BODY)
    client.abort_multipart_upload(**place, UploadId=upload)
    assert (server.buckets["the-bucket"].uploads, server.buckets["the-bucket"].bodies()) == ({}, {})


@pytest.mark.parametrize("wrong", ["order", "missing", "etag", "small", "exists", "xml"])
def test_a_wrong_completion_is_refused(server: StrictServer, wrong: str) -> None:
    """CompleteMultipartUpload is refused for parts out of order, unknown or too small, a taken key, and no XML."""
    codes = {"order": "InvalidPartOrder", "missing": "InvalidPart", "etag": "InvalidPart", "small": "EntityTooSmall",
             "exists": "PreconditionFailed", "xml": "MalformedXML"}  # fmt: skip
    client, place = by_botocore(server), {"Bucket": "the-bucket", "Key": "large"}
    server.behaviour.part_bytes_min = 5 << 20 if wrong == "small" else 1
    upload = client.create_multipart_upload(**place)["UploadId"]
    etags = [client.upload_part(**place, UploadId=upload, PartNumber=n, Body=BODY)["ETag"] for n in (1, 2)]
    parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, start=1)]
    if wrong == "order":
        parts.reverse()
    elif wrong == "missing":
        parts.append({"PartNumber": 3, "ETag": etags[0]})
    elif wrong == "etag":
        parts[0]["ETag"] = '"0123456789abcdef0123456789abcdef"'
    elif wrong == "exists":
        client.put_object(**place, Body=b"other")
    if wrong == "xml":
        target = f"/the-bucket/large?uploadId={upload}"
        assert codes[wrong] == ask(server, signed(server, target, method="POST", body=b"<Complete")).code
    else:
        arguments = {**place, "UploadId": upload, "MultipartUpload": {"Parts": parts}, "IfNoneMatch": "*"}
        assert codes[wrong] == _refused(lambda: client.complete_multipart_upload(**arguments))
    assert (b"other" if wrong == "exists" else None) == server.buckets["the-bucket"].bodies().get("large")


def test_parts_must_have_the_checksum_of_their_upload(server: StrictServer) -> None:
    """An upload that was created with an algorithm takes no part without it, and gets a composite checksum."""
    client, place = by_botocore(server), {"Bucket": "the-bucket", "Key": "large"}
    upload = client.create_multipart_upload(**place, ChecksumAlgorithm="SHA256")["UploadId"]
    bare = signed(server, f"/the-bucket/large?partNumber=1&uploadId={upload}", body=BODY)
    assert ask(server, bare).code == "InvalidRequest"
    digest = checksums.encoded(hashlib.sha256(BODY).digest())
    etag = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=BODY, ChecksumSHA256=digest)["ETag"]
    part = {"PartNumber": 1, "ETag": etag, "ChecksumSHA256": digest}
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": [part]})
    whole = checksums.encoded(hashlib.sha256(hashlib.sha256(BODY).digest()).digest()) + "-1"
    shown = client.head_object(**place, ChecksumMode="ENABLED")
    assert (whole, "COMPOSITE") == (shown["ChecksumSHA256"], shown["ChecksumType"])


def test_versions(server: StrictServer) -> None:
    """A bucket with versions keeps what was under a key before."""
    server.make_bucket("kept", versioned=True)
    client = by_botocore(server)
    first = client.put_object(Bucket="kept", Key="a", Body=b"1")["VersionId"]
    client.put_object(Bucket="kept", Key="a", Body=b"2")
    assert client.get_object(Bucket="kept", Key="a", VersionId=first)["Body"].read() == b"1"
    assert client.get_object(Bucket="kept", Key="a")["Body"].read() == b"2"
    assert _refused(lambda: client.get_object(Bucket="kept", Key="a", VersionId="none")) == "NoSuchVersion"


def test_one_connection_carries_many_requests(server: StrictServer) -> None:
    """A connection stays open from one request to the next, after refusals too; the server closes it when told to."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for number in range(50):
        good = signed(server, f"/the-bucket/{number}", body=BODY)
        assert ask_on(connection, good).status == 200
        assert ask_on(connection, good._replace(body=BODY[:-1] + b"x")).status == 400
    sock = connection.sock
    server.close_connections()
    assert sock.recv(1) == b""
    connection.close()


def test_virtual_hosted_style(server: StrictServer) -> None:
    """On a host beneath localhost the first label is the bucket."""

    class Virtual:
        endpoint_url, region = f"http://the-bucket.localhost:{server.port}", server.region

    request = signed(Virtual, "/a/b", body=BODY).but(host=f"the-bucket.localhost:{server.port}")  # type: ignore[arg-type]
    assert ask(server, request).status == 200
    assert server.buckets["the-bucket"].bodies() == {"a/b": BODY}


# --- what is wrong is refused -------------------------------------------------------------------------------------


def test_any_altered_digit_of_the_signature_is_refused(server: StrictServer) -> None:
    """Each of the 64 digits counts."""
    request = signed(server, OBJECT, body=BODY)
    head, signature = request.header("authorization")[:-64], request.header("authorization")[-64:]
    for at in range(64):
        other = "0" if signature[at] != "0" else "1"
        altered = request.but(authorization=f"{head}{signature[:at]}{other}{signature[at + 1 :]}")
        assert _said(server, altered) == (403, "SignatureDoesNotMatch")
    assert server.buckets["the-bucket"].bodies() == {}


def test_any_altered_byte_of_the_body_is_refused(server: StrictServer) -> None:
    """Each byte of the body counts, and its length."""
    request = signed(server, OBJECT, body=BODY)
    for at in range(len(BODY)):
        flipped = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
        assert _said(server, request._replace(body=flipped)) == (400, "XAmzContentSHA256Mismatch")
    for other in (BODY[:-1], BODY + b"\0", b""):
        assert _said(server, request._replace(body=other)) == (400, "XAmzContentSHA256Mismatch")
    assert server.buckets["the-bucket"].bodies() == {}


@pytest.mark.parametrize("algorithm", [*sorted(checksums.ALGORITHMS), "md5"])
def test_any_altered_bit_of_a_checksum_is_refused(server: StrictServer, algorithm: str) -> None:
    """Each bit of a checksum counts, even where everything is signed as it is; so does its form."""
    name = "content-md5" if algorithm == "md5" else f"x-amz-checksum-{algorithm}"
    right = checksums.md5(BODY) if algorithm == "md5" else checksums.ALGORITHMS[algorithm](BODY)
    for bit in range(0, 8 * len(right), 3):
        wrong = bytearray(right)
        wrong[bit // 8] ^= 1 << bit % 8
        request = signed(server, OBJECT, body=BODY, headers={name: base64.b64encode(wrong).decode()})
        assert _said(server, request) == (400, "BadDigest")
    for odd in ("no base64!", base64.b64encode(right[:-1]).decode(), "="):
        code = "InvalidDigest" if algorithm == "md5" else "InvalidRequest"
        assert (400, code) == _said(server, signed(server, OBJECT, body=BODY, headers={name: odd}))
    assert server.buckets["the-bucket"].bodies() == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda request: request.but(x_amz_date="20200101T000000Z"), "SignatureDoesNotMatch"),
        (lambda request: request.but(x_amz_meta_mine="2"), "SignatureDoesNotMatch"),
        (lambda request: request.but(x_amz_meta_mine=None), "SignatureDoesNotMatch"),
        (lambda request: request.but(x_amz_meta_other="1"), "AccessDenied"),
        (lambda request: request.but(x_amz_content_sha256="UNSIGNED-PAYLOAD"), "SignatureDoesNotMatch"),
        (lambda request: request.but(x_amz_content_sha256=None), "InvalidRequest"),
        (lambda request: request.but(authorization=None), "AccessDenied"),
        (lambda request: request.but(authorization="AWS4-HMAC-SHA256 Credential=x"), "AuthorizationHeaderMalformed"),
        (lambda request: request._replace(target="/the-bucket/a/c.csv"), "SignatureDoesNotMatch"),
        (lambda request: request._replace(target="/the-bucket/a/b.csv?acl"), "SignatureDoesNotMatch"),
        (lambda request: request._replace(method="POST"), "SignatureDoesNotMatch"),
    ],
)  # fmt: skip
def test_an_altered_request_is_refused(server: StrictServer, change: Callable[[Signed], Signed], code: str) -> None:
    """Method, path, query and each signed header are as they were signed."""
    request = signed(server, OBJECT, body=BODY, headers={"x-amz-meta-mine": "1"})
    assert ask(server, request).status == 200
    assert code == ask(server, change(request)).code


@pytest.mark.parametrize("seconds", [-901, 901, 86400 * 365])
def test_a_wrong_clock_is_refused(server: StrictServer, seconds: float) -> None:
    """More than 15 minutes either way are too much; a little less is not."""
    server.behaviour.clock_offset_seconds = seconds
    assert _said(server, signed(server, OBJECT, body=BODY)) == (403, "RequestTimeTooSkewed")
    server.behaviour.clock_offset_seconds = 890 if seconds > 0 else -890
    assert _said(server, signed(server, OBJECT, body=BODY)) == (200, "")


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ((ACCESS_KEY, "wrong", ""), "SignatureDoesNotMatch"),
        (("AKIDNOBODY", SECRET_KEY, ""), "InvalidAccessKeyId"),
        ((ACCESS_KEY, SECRET_KEY, "a token it has not"), "InvalidToken"),
        (("ASIALATE", "late", "its token"), "ExpiredToken"),
        (("ASIAGOOD", "good", ""), "InvalidAccessKeyId"),
        (("ASIAGOOD", "good", "another token"), "InvalidToken"),
        (("ASIAGOOD", "good", "its token"), ""),
    ],
)
def test_who_may_ask(server: StrictServer, credentials: tuple[str, str, str], code: str) -> None:
    """Key, secret and session token belong together, and are not expired."""
    server.identities["ASIALATE"] = Identity("late", "its token", expired=True)
    server.identities["ASIAGOOD"] = Identity("good", "its token")
    assert code == ask(server, signed(server, OBJECT, body=BODY, credentials=credentials)).code


def test_regions(server: StrictServer) -> None:
    """A signature for another region is refused with the right one; a bucket elsewhere is a redirect without Location."""
    malformed = ask(server, signed(server, OBJECT, body=BODY, region="us-east-1"))
    assert (malformed.status, malformed.code) == (400, "AuthorizationHeaderMalformed")
    assert b"<Region>eu-north-1</Region>" in malformed.body
    server.make_bucket("elsewhere", region="ap-south-1")
    redirect = ask(server, signed(server, "/elsewhere/a", body=BODY))
    assert (redirect.status, redirect.code) == (301, "PermanentRedirect")
    assert redirect.headers["x-amz-bucket-region"] == "ap-south-1"
    assert "location" not in redirect.headers


def test_conditions(server: StrictServer) -> None:
    """If-None-Match: * creates and never replaces; If-Match replaces what it names and nothing else."""
    create = {"if-none-match": "*"}
    assert _said(server, signed(server, OBJECT, body=b"1", headers=create)) == (200, "")
    assert _said(server, signed(server, OBJECT, body=b"2", headers=create)) == (412, "PreconditionFailed")
    assert _said(server, signed(server, OBJECT, body=b"2", headers={"if-none-match": "abc"})) == (501, "NotImplemented")
    wrong, right = hashlib.md5(b"2").hexdigest(), hashlib.md5(b"1").hexdigest()
    assert _said(server, signed(server, OBJECT, body=b"3", headers={"if-match": wrong})) == (412, "PreconditionFailed")
    assert server.buckets["the-bucket"].bodies() == {"a/b.csv": b"1"}
    assert _said(server, signed(server, OBJECT, body=b"3", headers={"if-match": f'"{right}"'})) == (200, "")
    assert server.buckets["the-bucket"].bodies() == {"a/b.csv": b"3"}
    assert ask(server, signed(server, "/the-bucket/new", body=b"3", headers={"if-match": right})).code == "NoSuchKey"


def test_owner_key_length_and_lock(server: StrictServer) -> None:
    """Another owner is refused; so are a key of 1,025 bytes, and a bare upload to a bucket with Object Lock."""
    owner = {"x-amz-expected-bucket-owner": "999999999999"}
    assert _said(server, signed(server, OBJECT, body=BODY, headers=owner)) == (403, "AccessDenied")
    assert _said(server, signed(server, "/the-bucket/" + "k" * 1024, body=BODY)) == (200, "")
    assert _said(server, signed(server, "/the-bucket/" + "k" * 1025, body=BODY)) == (400, "KeyTooLongError")
    assert _said(server, signed(server, "/the-bucket/" + "%C3%A9" * 513, body=BODY)) == (400, "KeyTooLongError")
    server.buckets["the-bucket"].locked = True
    assert _said(server, signed(server, OBJECT, body=BODY)) == (400, "InvalidRequest")
    digest = {"content-md5": base64.b64encode(checksums.md5(BODY)).decode()}
    assert _said(server, signed(server, OBJECT, body=BODY, headers=digest)) == (200, "")


def test_several_checksums_and_trailers_are_refused(server: StrictServer) -> None:
    """One checksum at most, and no aws-chunked body."""
    two = {"x-amz-checksum-sha256": checksums.encoded(hashlib.sha256(BODY).digest()),
           "x-amz-checksum-crc32": checksums.encoded(zlib.crc32(BODY).to_bytes(4, "big"))}  # fmt: skip
    assert _said(server, signed(server, OBJECT, body=BODY, headers=two)) == (400, "InvalidRequest")
    trailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert _said(server, signed(server, OBJECT, body=BODY).but(x_amz_content_sha256=trailer)) == (501, "NotImplemented")


def test_what_obstore_signs_wrongly_is_refused(server: StrictServer) -> None:
    """A wrong secret is seen in obstore's requests too."""
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        obstore.put(by_obstore(server, secret="wrong"), "a", BODY)


def test_the_log_has_every_request(server: StrictServer) -> None:
    """Operation, bucket, key, status and code of each, refused ones too, in order."""
    by_botocore(server).put_object(Bucket="the-bucket", Key="a", Body=b"12345")
    ask(server, signed(server, "/the-bucket/b", method="HEAD"))
    expected = [("PutObject", "the-bucket", "a", 200, "", 5), ("HeadObject", "the-bucket", "b", 404, "NoSuchKey", 0)]
    assert expected == [(it.operation, it.bucket, it.key, it.status, it.code, it.length) for it in server.log]


def test_what_is_no_request_is_refused(server: StrictServer) -> None:
    """Garbage gets 400 and the connection is closed."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.connect()
    connection.sock.sendall(b"no request\r\n\r\n")
    data = connection.sock.recv(1 << 16)
    connection.close()
    assert data.startswith(b"HTTP/1.1 400")


def objects_like(key: str) -> StoredObject:
    """An object of no bytes."""
    return StoredObject(key, b"", hashlib.md5(b"").hexdigest())


def _said(server: StrictServer, request: Signed) -> tuple[int, str]:
    got: Got = ask(server, request)
    return got.status, got.code


def _refused(call: Callable[[], object]) -> str:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])
