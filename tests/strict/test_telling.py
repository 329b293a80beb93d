"""A device that tells of itself has no more permissions than `outhaul policy` prints, on a server that enforces them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from outhaul.frontends.cli.main import main
from strict.journeys import Journey
from strict.signature import Identity
from strict.state import StoredObject

CONFIG = """
[fleet]
to = "s3://the-bucket/all"
device = "logger-17"
interval = "1s"
[[job]]
name = "a"
source = "{source}"
to = "s3://the-bucket/site"
settle = {{ quiet = "0s" }}
"""


def test_the_policy_lets_a_device_look_for_orders(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two GETs, and what is not there is no fault, though nobody may list."""
    key = "ed25519:" + "A" * 43 + "="
    config = tmp_path / "outhaul.toml"
    text = CONFIG.format(source=journey.source).replace("interval", f'control-key = "{key}"\ninterval')
    config.write_text(text)
    words = [str(config), "--state", str(journey.state)]
    assert main(["policy", *words]) == 0
    policy = json.loads(capsys.readouterr().out)
    journey.server.identities["AKIDDEVICE"] = Identity("a-secret-of-the-tests", policy=policy)
    for name, value in journey.server.environ("AKIDDEVICE").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", journey.server.endpoint_url)
    journey.begin()
    assert (main(["run", *words, "-q"]), capsys.readouterr().err) == (0, "")
    told = [(each.operation, each.key.split("/")[3]) for each in journey.server.log if "/.outhaul/" in each.key]
    assert told == [
        ("GetObject", "control"),
        ("GetObject", "control"),
        ("PutObject", "receipts"),
        ("PutObject", "status"),
    ]
    journey.server.buckets["the-bucket"].store(
        StoredObject("all/.outhaul/fleet/control/_all.json", b"nonsense", "e" * 32)
    )
    os.unlink(journey.state / "fleet.json")
    os.unlink(journey.state / "fleet-control.json")
    assert main(["run", *words, "-q"]) == 0
    assert "refused: the order for all: it is no signed order" in capsys.readouterr().err


def test_the_policy_lets_a_device_tell(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It puts under its own name, and nothing was denied; the name of another device is."""
    config = tmp_path / "outhaul.toml"
    config.write_text(CONFIG.format(source=journey.source))
    words = [str(config), "--state", str(journey.state)]
    assert main(["policy", *words]) == 0
    policy = json.loads(capsys.readouterr().out)
    journey.server.identities["AKIDDEVICE"] = Identity("a-secret-of-the-tests", policy=policy)
    for name, value in journey.server.environ("AKIDDEVICE").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", journey.server.endpoint_url)
    journey.begin()
    assert (main(["run", *words, "-q"]), capsys.readouterr().err) == (0, "")
    told = [each for each in journey.server.log if "/.outhaul/" in each.key]
    assert [(each.operation, each.key.split("/")[3]) for each in told] == [
        ("PutObject", "receipts"),
        ("PutObject", "status"),
    ]
    assert {"s3:PutObject"} == {action for each in told for action in each.actions}
    config.write_text(config.read_text().replace("logger-17", "another"))
    os.unlink(journey.state / "fleet.json")
    assert main(["run", *words, "-q"]) == 0
    assert "AccessDenied" in capsys.readouterr().err
