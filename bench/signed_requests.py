"""A small S3 client to check what a real server holds: AWS Signature Version 4 in the standard library.

True here: nothing is shared with outhaul or with a peer, so that none of them vouches for itself; a listing
is read to its end. The signature follows the AWS General Reference, "Signature Version 4 signing process",
with the payload hash in a header.
Not done here: retry, streaming, anything that a listing and the creation of a bucket do not need.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.processes import BenchError


@dataclass(frozen=True)
class Listed:
    """One object in a listing."""

    size: int
    etag: str


class Client:
    """Signed requests to one server over one connection."""

    def __init__(self, url: str, key: str, secret: str, ca_file: Path | None, region: str = "us-east-1") -> None:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
        self._host, self._key, self._secret, self._region = f"{host}:{port}", key, secret, region
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            trust = ssl.create_default_context(cafile=str(ca_file))
            self._connection = http.client.HTTPSConnection(host, port, timeout=60, context=trust)
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=60)

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket. Raises BenchError when the server refuses."""
        self._send("PUT", f"/{bucket}", {})

    def list_objects(self, bucket: str, prefix: str) -> dict[str, Listed]:
        """Return every object whose key starts with `prefix`, by key."""
        found: dict[str, Listed] = {}
        query = {"list-type": "2", "max-keys": "1000", "prefix": prefix}
        while True:
            root = ElementTree.fromstring(self._send("GET", f"/{bucket}", query))
            for item in root.iterfind("{*}Contents"):
                texts = {child.tag.rpartition("}")[2]: child.text or "" for child in item}
                found[texts["Key"]] = Listed(int(texts["Size"]), texts.get("ETag", "").strip('"'))
            token = root.findtext("{*}NextContinuationToken")
            if root.findtext("{*}IsTruncated") != "true" or not token:
                return found
            query = {**query, "continuation-token": token}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _send(self, method: str, path: str, query: Mapping[str, str]) -> bytes:
        encoded = "&".join(f"{_quote(name)}={_quote(value)}" for name, value in sorted(query.items()))
        headers = self._signed(method, path, encoded)
        self._connection.request(method, f"{path}?{encoded}" if encoded else path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchError(f"{method} {path}: the server answered {answer.status}: {body[:300]!r}")
        return body

    def _signed(self, method: str, path: str, query: str) -> dict[str, str]:
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        payload = hashlib.sha256(b"").hexdigest()
        headers = {"host": self._host, "x-amz-content-sha256": payload, "x-amz-date": when}
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
        scope = f"{when[:8]}/{self._region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self._secret}".encode()
        for step in scope.split("/"):
            key = hmac.digest(key, step.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"Credential={self._key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**headers, "authorization": f"AWS4-HMAC-SHA256 {credential}"}


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")
