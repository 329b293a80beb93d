"""Shards in a fleet: each tells of itself, one that does not is missed, and nothing is counted twice."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from cli.program import Program
from fleet.devices import HOUR_NS, SECOND_NS, body
from fleet.test_control import Desk
from fleet.test_reading import MEANINGS
from outhaul.fleet.obeying import Obedience
from outhaul.fleet.shards import FIRST_NS, Totals, totals, with_missing
from outhaul.fleet.status import Found, read_status
from outhaul.model.fleet import Fleet, Malformed
from outhaul.model.job import Connection, Destination
from outhaul.model.shard import Shard
from outhaul.stores.s3_policy import policy
from servers.postgres import durable_postgres

CONFIG = """
[fleet]
to = "meet"
device = "{device}"
interval = "1s"
[[job]]
name = "a"
source = "source"
to = "target"
settle = {{ quiet = "0s" }}
"""
NOW = 10**18


def found(
    number: int, of: int = 3, *, ago_ns: int = 0, sequence: int = 7, shared: str = "", device: str = "scanner"
) -> Found:
    """A shard that was heard of so long ago; three files wait there."""
    name, told = f"{device}.{number}-of-{of}", NOW - ago_ns
    shard = {"of": device, "number": number, "shards": of, "shared": shared}
    tree = body(name, shard=shard, sequence=sequence, told_ns=told, next_by_ns=told + 9 * HOUR_NS)
    return Found(name, told, read_status(tree, name), "")


def missing(*devices: Found) -> list[tuple[str, tuple[int, ...]]]:
    """Which shards are missed, of what."""
    return [(one.device, one.missing) for one in with_missing(devices, NOW) if one.missing]


def test_a_shard_of_which_nothing_was_heard_is_missed() -> None:
    """By the others of its number, and of its device; one that is whole misses none."""
    whole = Found("logger", NOW, read_status(body("logger"), "logger"), "")
    assert missing(found(1), found(3), found(5, 8), whole) == [
        ("scanner.*-of-3", (2,)),
        ("scanner.*-of-8", (1, 2, 3, 4, 6, 7, 8)),
    ]
    assert missing(found(1), found(2), found(3), whole) == []
    text = with_missing([found(5, 8)], NOW)[-1].troubles(NOW, MEANINGS)
    assert text == ["nothing was heard of shards 1, 2, 3, 4, 6 and 2 more"]
    assert with_missing([found(1), found(2)], NOW)[-1].troubles(NOW, MEANINGS) == ["nothing was heard of shard 3"]


def test_those_that_have_just_begun_miss_nobody() -> None:
    """A run tells of itself after an interval, so the first of them comes a while before the last."""
    young = found(1, sequence=1, ago_ns=FIRST_NS - SECOND_NS)
    old = found(1, sequence=1, ago_ns=FIRST_NS + SECOND_NS)
    expected = [("scanner.*-of-3", (2, 3))]
    assert [[], expected, expected] == [missing(young), missing(old), missing(found(1, sequence=2))]


def test_what_is_shared_is_counted_once() -> None:
    """Of a ledger that all shards have together, as the one tells that was heard of last; of their own ones, all of them."""
    one = Totals(3, 3000, 1200, 1_200_000)
    assert totals([]) == Totals(0, 0, 0, 0)
    assert totals([found(1), found(2)]) == Totals(*(2 * count for count in one))
    shared = [found(1, shared="5e"), found(2, shared="5e", ago_ns=5), found(3, shared="77")]
    assert totals(shared) == Totals(*(2 * count for count in one))


@pytest.mark.parametrize(
    ("shard", "expected"),
    [
        ({"of": "other", "number": 1, "shards": 3, "shared": ""}, "shard is that of another device"),
        ({"of": "scanner", "number": 2, "shards": 3, "shared": ""}, "shard is that of another device"),
        ({"of": "scanner", "number": 0, "shards": 3, "shared": ""}, "shard.number is none of shard.shards"),
        ({"of": "scanner", "number": 1, "shards": 10_001, "shared": ""}, "shard.number is none of shard.shards"),
        ({"of": "scanner", "number": True, "shards": 3, "shared": ""}, "shard.number is no number"),
        ({"of": "scanner", "number": 1, "shards": 3}, "shard.shared is no text"),
        ([1], "shard is no table"),
    ],
)
def test_a_device_cannot_pass_for_the_shard_of_another(shard: Any, expected: str) -> None:
    """Its name has to say the same, and under another name it cannot write."""
    with pytest.raises(Malformed) as caught:
        read_status(body("scanner.1-of-3", shard=shard), "scanner.1-of-3")
    assert expected in str(caught.value)


def test_an_order_for_a_device_is_one_for_all_its_shards(tmp_path: Path) -> None:
    """Each obeys it, and keeps its number in a state directory of its own."""
    desk = Desk(tmp_path)
    order = desk.order(5)
    desk.give(order)
    for number in (1, 2):
        (own := tmp_path / f"shard-{number}-of-2").mkdir()
        fleet = desk.fleet._replace(shard=Shard(number, 2))
        assert Obedience(fleet, str(own)).look(desk.meeting) == order


def test_a_policy_for_shards_is_for_all_of_them() -> None:
    """One role for all, and for nothing that is not called so; a device that is whole has what it had."""
    there = Destination("s3://b/p", "s3", "b", "p")
    fleet = Fleet(there, Connection(), "scan*", 1, 2)

    def resources(one: Fleet) -> list[str]:
        place = "arn:aws:s3:::b/p/.outhaul/fleet/"
        return sorted(
            name.removeprefix(place)
            for each in policy([], fleet=one)["Statement"]
            for name in _listed(each["Resource"])
        )

    assert resources(fleet) == ["receipts/scan${*}/*", "status/scan${*}.json"]
    assert resources(fleet._replace(shard=Shard(3, 8))) == [
        "receipts/scan${*}.*-of-8/*", "status/scan${*}.*-of-8.json",
    ]  # fmt: skip


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def test_a_name_that_would_be_too_long_is_refused(outhaul: Program) -> None:
    """Before anything is carried; the device itself may be called so."""
    (outhaul.home / "outhaul.toml").write_text(CONFIG.format(device="d" * 63))
    outhaul.write("a")
    run = ("run", "outhaul.toml", "--state", str(outhaul.state), "-q")
    refused = outhaul(*run, "--shard", "1/2")
    assert (refused.code, "which is too long; write a shorter one" in refused.err, outhaul.stored()) == (2, True, {})
    assert outhaul(*run).code == 0


@pytest.mark.slow
def test_shards_are_seen_and_missed(outhaul: Program) -> None:
    """Each is a device of its own; all together have carried what there was; exit code 1 until the last has told."""
    (outhaul.home / "outhaul.toml").write_text(CONFIG.format(device="scanner"))
    for number in range(20):
        outhaul.write(f"{number}/f")
    for number in (1, 3):
        run = ("run", "outhaul.toml", "--state", str(outhaul.state), "--shard", f"{number}/3", "-q")
        assert outhaul(*run).code == 0
    assert outhaul("fleet", "meet", "-q").code == 0
    time.sleep(1.1)
    outhaul.write("19/g")
    for number in (1, 3):
        (outhaul.state / f"shard-{number}-of-3" / "fleet.json").unlink()
        status = outhaul.home / f"meet/.outhaul/fleet/status/scanner.{number}-of-3.json"
        status.write_text(json.dumps({**json.loads(status.read_text()), "sequence": 2}))
    missed = outhaul("fleet", "meet", "--metrics", "fleet.prom")
    assert (missed.code, "2 devices: 1 shard missing, 2 well" in missed.out) == (1, True)
    metrics = (outhaul.home / "fleet.prom").read_text()
    expected = ["outhaul_fleet_devices 2", 'outhaul_fleet_device_in_trouble{device="scanner.*-of-3"} 1']
    assert [line in metrics for line in expected] == [True, True]
    events = outhaul("fleet", "meet", "--json").events
    assert [event["shards_missing"] for event in events if "shards_missing" in event] == [[2]]
    for number in (1, 2, 3):
        outhaul("run", "outhaul.toml", "--state", str(outhaul.state), "--shard", f"{number}/3", "-q")
    whole = outhaul("fleet", "meet")
    assert (whole.code, "3 devices: 3 well; 0 files waiting (0 B), 21 files carried" in whole.out) == (0, True)


@pytest.mark.slow
def test_shards_with_one_ledger_are_counted_once(outhaul: Program) -> None:
    """Each tells of all, and the first tells the receipts of all."""
    with durable_postgres() as cluster:
        address = cluster.server.address(cluster.server.make_database())
        (outhaul.home / "outhaul.toml").write_text(f'ledger = "{address}"\n' + CONFIG.format(device="scanner"))
        for number in range(20):
            outhaul.write(f"{number}/f")
        for number in (3, 2, 1):
            run = ("run", "outhaul.toml", "--state", str(outhaul.state), "--shard", f"{number}/3", "-q")
            ran = outhaul(*run, PGPASSWORD=cluster.server.password)
            assert (ran.code, ran.err) == (0, "")
    told = outhaul("fleet", "meet")
    assert (told.code, "3 devices: 3 well; 0 files waiting (0 B), 20 files carried" in told.out) == (0, True)
    imported = outhaul("fleet", "import", "meet", "--to", "fleet.sqlite")
    assert (imported.code, "with 20 files; 3 devices" in imported.out) == (0, True)
