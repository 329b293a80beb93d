"""Credentials of the token exchange service of Greengrass, through every way that requests go: fast, obstore, botocore."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from contracts.test_stores import open_s3
from outhaul.model.errors import Denied, Misconfigured, NotThere, StoreError
from outhaul.stores.s3 import S3Store
from servers.server import Server
from servers.token_exchange import TokenExchange, token_exchange

LARGE = 20 << 20


@pytest.fixture
def service(rclone_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenExchange]:
    """A service, and an environment that tells of nothing else."""
    with token_exchange(rclone_server) as running:
        for name in list(rclone_server.environ()):
            if name.startswith("AWS_"):
                monkeypatch.delenv(name, raising=False)
        for name, value in {**running.environ, "HOME": "/nonexistent"}.items():
            monkeypatch.setenv(name, value)
        yield running


def test_they_are_found_and_asked_for_once(service: TokenExchange, rclone_server: Server) -> None:
    """While they last, no request asks for them again."""
    store = open_s3(rclone_server, rclone_server.make_bucket())
    store.put("p/a", b"1")
    assert store.head("p/a").length == 1
    assert (service.asked, service.refused) == (1, 0)


def refused(store: S3Store, number: int) -> list[type[StoreError]]:
    """What each way meets; NotThere is no refusal."""
    found: list[type[StoreError]] = []
    for ask in (
        lambda: store.put(f"p/{number}", b"1"),
        lambda: store.head("p/none"),
        lambda: store.begin_large(f"p/large-{number}", LARGE),
    ):
        try:
            ask()
        except NotThere:
            continue
        except StoreError as error:
            found.append(type(error))
    return found


@pytest.mark.slow
def test_they_are_renewed_while_the_store_is_open(service: TokenExchange, rclone_server: Server) -> None:
    """Keys with an end are asked for again before it, on every way; what is signed is what was given last."""
    service.lifetime_seconds = 1
    store = open_s3(rclone_server, rclone_server.make_bucket())
    assert refused(store, 1) == []
    right, service.keys = service.keys, ("nobody", "nothing-that-is-known")
    time.sleep(1.1)
    assert refused(store, 2) == [Misconfigured, Denied, Denied]
    service.keys = right
    time.sleep(1.1)
    assert refused(store, 3) == []


@pytest.mark.slow  # botocore asks three times, a second apart.
def test_the_token_is_shown_and_may_change(
    service: TokenExchange, rclone_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read when credentials are asked for."""
    bucket = rclone_server.make_bucket()
    service.token = "another-token-0123456789"
    with pytest.raises(Misconfigured, match="403"):
        open_s3(rclone_server, bucket)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", service.token)
    assert open_s3(rclone_server, bucket).put("p/a", b"1")


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "never"}']
)
def test_nonsense_is_a_fault_of_the_destination(service: TokenExchange, rclone_server: Server, body: bytes) -> None:
    """One line, and no traceback; the next attempt asks again."""
    bucket = rclone_server.make_bucket()
    service.body = body
    with pytest.raises(Misconfigured, match="AWS credentials cannot be had"):
        open_s3(rclone_server, bucket)
    service.body = None
    assert open_s3(rclone_server, bucket).put("p/a", b"1")
