"""Clients that share nothing with the server: botocore, obstore, and requests signed by botocore and then altered."""

import functools
import http.client
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.session
from obstore.store import S3Store

from strict.server import ACCESS_KEY, SECRET_KEY, StrictServer

_session = functools.cache(botocore.session.Session)  # It takes longer to make than a test.


def by_botocore(
    server: StrictServer, access_key: str = ACCESS_KEY, secret: str = SECRET_KEY, token: str = "", region: str = ""
) -> Any:
    """A botocore client of S3 that tries once."""
    return _session().create_client(
        "s3",
        region_name=region or server.region,
        endpoint_url=server.endpoint_url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=token or None,
        config=botocore.config.Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path", "payload_signing_enabled": True},
            connect_timeout=5,
            read_timeout=5,
        ),
    )


def by_obstore(server: StrictServer, bucket: str = "the-bucket", secret: str = SECRET_KEY) -> S3Store:
    """An obstore client of one bucket that tries once."""
    return S3Store(
        bucket,
        endpoint=server.endpoint_url,
        region=server.region,
        access_key_id=ACCESS_KEY,
        secret_access_key=secret,
        conditional_put="etag",
        checksum_algorithm="SHA256",
        client_options={"allow_http": True, "timeout": timedelta(seconds=5)},
        retry_config={
            "max_retries": 0,
            "retry_timeout": timedelta(seconds=5),
            "backoff": {"init_backoff": timedelta(0), "max_backoff": timedelta(0), "base": 2},
        },
    )


class Signed(NamedTuple):
    """A request as it goes over the wire; tests alter it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def but(self, **headers: str | None) -> "Signed":
        """With these headers in place of its own ('_' for '-'); None takes one away."""
        changed = dict(self.headers)
        for name, value in headers.items():
            name = name.replace("_", "-")
            for known in [known for known in changed if known.lower() == name.lower()]:
                del changed[known]
            if value is not None:
                changed[name] = value
        return self._replace(headers=changed)

    def header(self, name: str) -> str:
        """The value of one header."""
        return next(value for known, value in self.headers.items() if known.lower() == name.lower())


def signed(
    server: StrictServer,
    target: str,
    *,
    method: str = "PUT",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    credentials: tuple[str, str, str] = (ACCESS_KEY, SECRET_KEY, ""),
    region: str = "",
) -> Signed:
    """A request with a right signature, made by botocore; `target` is encoded already."""
    request = botocore.awsrequest.AWSRequest(method, f"{server.endpoint_url}{target}", dict(headers or {}), body)
    request.context["client_config"] = botocore.config.Config(s3={"payload_signing_enabled": True})
    identity = botocore.credentials.Credentials(credentials[0], credentials[1], credentials[2] or None)
    botocore.auth.S3SigV4Auth(identity, "s3", region or server.region).add_auth(request)
    return Signed(method, target, dict(request.headers.items()), body)


class Got(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of the error; '' for none."""
        _, found, rest = self.body.partition(b"<Code>")
        return rest.partition(b"</Code>")[0].decode() if found else ""


def ask(server: StrictServer, request: Signed) -> Got:
    """Send a request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        return ask_on(connection, request)
    finally:
        connection.close()


def ask_on(connection: http.client.HTTPConnection, request: Signed) -> Got:
    """Send a request on this connection."""
    connection.request(request.method, request.target, request.body, request.headers)
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Got(answer.status, headers, answer.read())
