"""A private authority and a forward proxy on the way to the store, by the real command."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.forward_proxy import ForwardProxy, forward_proxy
from strict.certificates import Authority
from strict.journeys import FILES, Journey
from strict.server import StrictServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that no system trusts."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def over_tls(authority: Authority, tmp_path: Path) -> Iterator[Journey]:
    """Three small files and a large one, on their way to a server whose certificate is of that authority."""
    with StrictServer(tls=authority.server_context()) as server:
        server.make_bucket()
        (tmp_path / "source").mkdir()
        files = dict(FILES) | {"in/large": os.urandom((16 << 20) + 9)}
        yield Journey(server, tmp_path / "source", tmp_path / "state", files)


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    """A forward proxy."""
    with forward_proxy() as proxy:
        yield proxy


def test_a_ca_file_is_enough(over_tls: Journey, authority: Authority) -> None:
    """Small ones, large ones, and whatever is read: each client trusts it. Without it none does, and nothing goes."""
    over_tls.begin()
    outcome = over_tls.run_as_process()
    assert (outcome.exit_code, over_tls.server.log) == (4, [])
    assert "ca-file (or AWS_CA_BUNDLE) names a CA" in outcome.said
    outcome = over_tls.run_as_process("--ca-file", str(authority.path), "--proof", "read-back")
    assert outcome.exit_code == 0, outcome.said
    over_tls.check_carried()


def test_a_ca_file_that_is_not_there(over_tls: Journey) -> None:
    """One line names it."""
    over_tls.begin()
    outcome = over_tls.run_as_process("--ca-file", "/nowhere/ca.pem")
    assert outcome.exit_code == 4
    assert "ca-file (or AWS_CA_BUNDLE): /nowhere/ca.pem: No such file or directory" in outcome.said


@pytest.mark.parametrize("more", [(), ("--storage-class", "STANDARD_IA")], ids=["by obstore", "by botocore"])
def test_everything_goes_through_the_proxy(
    over_tls: Journey, authority: Authority, proxy: ForwardProxy, more: tuple[str, ...]
) -> None:
    """By CONNECT where it is TLS, for each client."""
    over_tls.begin()
    options = ("--ca-file", str(authority.path), "--proxy", proxy.url, "--proof", "read-back", *more)
    outcome = over_tls.run_as_process(*options)
    assert outcome.exit_code == 0, outcome.said
    over_tls.check_carried()
    assert {f"CONNECT 127.0.0.1:{over_tls.server.port}"} == set(proxy.asked)
    assert over_tls.server.connections == len(proxy.asked)


@pytest.mark.parametrize("more", [(), ("--storage-class", "STANDARD_IA")], ids=["by obstore", "by botocore"])
def test_plain_http_goes_through_it_too(journey: Journey, proxy: ForwardProxy, more: tuple[str, ...]) -> None:
    """By whole URLs."""
    journey.begin()
    outcome = journey.run_as_process("--proxy", proxy.url, *more)
    assert outcome.exit_code == 0, outcome.said
    journey.check_carried()
    assert len(proxy.asked) == len(journey.server.log)
    assert all(f" {journey.server.endpoint_url}/the-bucket" in asked for asked in proxy.asked)


def test_a_proxy_that_is_not_there(journey: Journey) -> None:
    """Nothing goes past it."""
    journey.begin()
    outcome = journey.run_as_process("--proxy", "http://127.0.0.1:9")
    assert (outcome.exit_code, journey.server.log) == (4, [])
