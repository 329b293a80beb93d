"""A small S3 client of the standard library alone, so that a check shares no code with what it checks.

Path-style requests over one HTTP connection, signed with Signature Version 4 with the payload's SHA-256. An
answer that breaks off is asked for once more on a fresh connection; there are no other retries, no redirects
and no multipart uploads. A `Client` is for one thread.

Signature: AWS General Reference, "Create a signed AWS API request".
"""

import hashlib
import hmac
import http.client
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote_plus, urlsplit

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """One object in a listing; `etag` is without its quotes."""

    key: str
    size: int
    etag: str


class Refused(Exception):
    """The server answered with a status that the call does not expect."""

    def __init__(self, request: str, reply: Reply) -> None:
        super().__init__(f"{request}: {reply.status} {reply.body[:500]!r}")
        self.reply = reply


class Client:
    """The few calls that tests need: make a bucket, put, get, head, list."""

    def __init__(self, endpoint_url: str, access_key: str, secret_key: str, region: str) -> None:
        parts = urlsplit(endpoint_url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"only http://host:port is supported, not {endpoint_url!r}")
        self._host = parts.netloc
        self._access_key, self._secret_key, self._region = access_key, secret_key, region
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        self._connection.close()

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket; raises Refused where the server does not."""
        self._expect({200}, self.request("PUT", bucket), f"PUT {bucket}")

    def buckets(self) -> list[str]:
        """The names of all buckets."""
        reply = self._expect({200}, self.request("GET"), "GET /")
        return [_text(node, "Name") for node in _all(ElementTree.fromstring(reply.body), "Bucket")]

    def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """Store an object; raises Refused where the server does not take it."""
        reply = self.request("PUT", bucket, key, body=body, headers=headers)
        return self._expect({200}, reply, f"PUT {bucket}/{key}")

    def get(self, bucket: str, key: str) -> bytes:
        """All bytes of an object."""
        return self._expect({200}, self.request("GET", bucket, key), f"GET {bucket}/{key}").body

    def head(self, bucket: str, key: str) -> Reply | None:
        """The headers of an object, or None where there is none."""
        reply = self.request("HEAD", bucket, key)
        return None if reply.status == 404 else self._expect({200}, reply, f"HEAD {bucket}/{key}")

    def list(self, bucket: str, prefix: str = "", page: int = 1000) -> Iterator[Listed]:
        """Every object whose key starts with `prefix`, asked for in pages of that size."""
        query = {"list-type": "2", "encoding-type": "url", "max-keys": str(page), "prefix": prefix}
        while True:
            reply = self._expect({200}, self.request("GET", bucket, query=query), f"LIST {bucket}/{prefix}")
            tree = ElementTree.fromstring(reply.body)
            encoded = _text(tree, "EncodingType") == "url"
            for node in _all(tree, "Contents"):
                found = {child.tag.rpartition("}")[2]: child.text or "" for child in node}
                key = unquote_plus(found["Key"]) if encoded else found["Key"]
                yield Listed(key, int(found["Size"]), found["ETag"].strip('"'))
            if _text(tree, "IsTruncated") != "true":
                return
            query["continuation-token"] = _text(tree, "NextContinuationToken")

    def request(
        self,
        method: str,
        bucket: str = "",
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one signed request and read the whole answer, whatever its status is."""
        path = "/" + "/".join(quote(part, safe="/-_.~") for part in (bucket, key) if part)
        pairs = sorted((query or {}).items())
        search = "&".join(f"{_escape(name)}={_escape(value)}" for name, value in pairs)
        signed = self._signed(method, path, search, body, headers or {})
        target = f"{path}?{search}" if search else path
        try:
            return self._send(method, target, body, signed)
        except (http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionError):
            return self._send(method, target, body, signed)

    def _send(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        try:
            self._connection.request(method, target, body=body, headers=dict(headers))
            response = self._connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def _signed(self, method: str, path: str, search: str, body: bytes, extra: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request with its signature."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        payload = hashlib.sha256(body).hexdigest()
        headers = {name.lower(): value for name, value in extra.items()}
        headers |= {"host": self._host, "x-amz-content-sha256": payload, "x-amz-date": stamp}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
        canonical = "\n".join((method, path, search, lines, names, payload))
        scope = f"{stamp[:8]}/{self._region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        secret = f"AWS4{self._secret_key}".encode()
        for part in scope.split("/"):
            secret = hmac.digest(secret, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(secret, text.encode(), "sha256").hex()
        credential = f"Credential={self._access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return headers | {"authorization": f"AWS4-HMAC-SHA256 {credential}"}

    @staticmethod
    def _expect(statuses: set[int], reply: Reply, request: str) -> Reply:
        if reply.status not in statuses:
            raise Refused(request, reply)
        return reply


def _escape(text: str) -> str:
    return quote(text, safe="-_.~")


def _all(tree: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Elements of that name at any depth, in any XML namespace."""
    return tree.iterfind(f".//{{*}}{name}")


def _text(tree: ElementTree.Element, name: str) -> str:
    return tree.findtext(f"{{*}}{name}") or ""
