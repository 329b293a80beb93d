"""What a probe asks, and what is said of it: at most ten requests, two of them right and unusual."""

from pathlib import Path
from typing import Any

import pytest

from outhaul.frontends.cli.main import main
from outhaul.model.job import Connection, Destination
from outhaul.ports import Abilities
from outhaul.stores.s3 import S3Store
from outhaul.stores.s3_probe import LONG_NAME, ODD_NAME, long_key
from strict.faults import ALWAYS, Fault, Kind
from strict.journeys import Journey
from strict.rows import KMS, OLD, OPAQUE
from strict.server import StrictServer

LONG, ODD = LONG_NAME, ODD_NAME[:18]


@pytest.fixture(autouse=True)
def environment(server: StrictServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's credentials."""
    for name, value in server.environ().items():
        monkeypatch.setenv(name, value)


def probed(server: StrictServer, prefix: str = "site") -> Abilities:
    """What a store finds out."""
    address = Destination(f"s3://the-bucket/{prefix}", "s3", "the-bucket", prefix)
    return S3Store(address, Connection(server.endpoint_url, server.region)).probe()


def refused(key: str, code: str, **more: Any) -> Fault:
    """Every write under such a key is answered with this error."""
    return Fault("PutObject", Kind.ERROR, key=key, code=code, times=ALWAYS, **more)


@pytest.mark.parametrize("prefix", ["", "site", "Zürich/7", "p" * 1003, "p" * 1020])
def test_a_long_key_is_as_long_as_may_be(prefix: str) -> None:
    """It has 1,024 bytes where the prefix leaves room for that, and no part that a file could not be named."""
    key = long_key(prefix)
    assert len(key.encode()) == 1024 or len(prefix) > 1024 - len(LONG_NAME)
    assert key.startswith(f"{prefix}/{LONG_NAME}"[:-1] if prefix else LONG_NAME)
    assert max(len(part) for part in key.removeprefix(prefix).split("/")) <= 255
    assert not key.endswith("/")


def test_what_a_strict_store_takes(server: StrictServer) -> None:
    """It takes both, each under the very key that was meant."""
    found = probed(server)
    assert (found.takes_long_keys, found.takes_odd_keys) == (True, True)
    keys = set(server.buckets["the-bucket"].objects)
    assert long_key("site") in keys
    assert (
        f"site/{ODD_NAME}".replace("%", "%25").replace("\n", "%0A").replace("\x1b", "%1B").replace("\udcff", "%FF")
        in keys
    )


MANNERS: dict[str, dict[str, Any]] = {
    "strict": {},
    "opaque": OPAQUE,
    "checksums": KMS,
    "replaces": OLD,
    "both": OPAQUE | OLD,
}


@pytest.mark.parametrize("denied", [False, True])
@pytest.mark.parametrize("manners", MANNERS)
def test_a_probe_is_at_most_ten_requests(server: StrictServer, manners: str, denied: bool) -> None:
    """Whatever the store is like, at first and again; also where nothing may be read."""
    for name, value in MANNERS[manners].items():
        setattr(server.behaviour, name, value)
    if denied:
        for identity in server.identities.values():
            identity.denied.update(("GetObject", "HeadObject"))
    for _ in range(2):
        before = len(server.log)
        try:
            probed(server)
        except Exception as error:
            assert denied, error
        assert len(server.log) - before <= 10


@pytest.mark.parametrize(
    ("fault", "long", "odd"),
    [
        (refused(LONG, "KeyTooLongError"), False, True),
        (refused(ODD, "InvalidArgument"), True, False),
        (refused(LONG, "InternalError"), None, True),
        (refused(ODD, "SlowDown"), True, None),
    ],
    ids=str,
)
def test_what_it_refuses_is_told_and_stops_nothing(
    server: StrictServer,
    journey: Journey,
    capsys: pytest.CaptureFixture[str],
    fault: Fault,
    long: bool | None,
    odd: bool | None,
) -> None:
    """A store that does not take such keys is used all the same; where it had no answer, nothing is said."""
    server.have(fault)
    found = probed(server)
    assert (found.takes_long_keys, found.takes_odd_keys) == (long, odd)
    server.mend()
    server.have(fault)
    journey.begin()
    assert journey.run(capsys).exit_code == 0
    journey.check_carried()


SAID = {
    "": ("it takes keys of 1,024 bytes", "it takes keys of unusual characters"),
    LONG: ("it does NOT take a key of 1,024 bytes: such files will be held", "it takes keys of unusual characters"),
    ODD: ("it takes keys of 1,024 bytes", "it does NOT take a key of unusual characters: such files will be held"),
}


@pytest.mark.parametrize("key", SAID)
def test_check_says_so(server: StrictServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    """Two lines of `outhaul check`, and its exit code is 0: such a store can be used."""
    if key:
        server.have(refused(key, "InvalidArgument"))
    code = main(["check", "s3://the-bucket/site", "--endpoint-url", server.endpoint_url, "--state", str(tmp_path)])
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [line for line in said if "key" in line] == list(SAID[key])
