"""Files that travel on a stick, by the real command and a real server."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from cli.program import Program, Ran
from outhaul.ledgers.opening import lock
from servers.server import Server
from sticks.places import new_stick
from stores.test_object_settings import asking


class Journey:
    """A device with a source, a stick, and a bucket that only the carrier reaches."""

    def __init__(self, outhaul: Program, server: Server) -> None:
        self.outhaul, self.server, self.bucket = outhaul, server, server.make_bucket("stick")
        self.stick, self.key = new_stick(outhaul.home / "stick"), outhaul.home / "key"
        self.folder = self.stick / "outhaul-stick"
        self.access = {name: value for name, value in server.environ().items() if name.startswith("AWS_")}
        self.configuration = outhaul.home / "outhaul.toml"
        self.configure()
        assert self.outhaul("export", "--make-key", str(self.key)).code == 0

    def configure(self, more: str = "") -> None:
        """The device's one job."""
        self.configuration.write_text(
            f'[[job]]\nname = "logger"\nsource = "{self.outhaul.source}"\nto = "s3://{self.bucket}/site-7"\n'
            f'settle = {{ quiet = "0s" }}\nendpoint-url = "{self.server.endpoint_url}"\n{more}\n'
        )

    def export(self, *options: str, stick: Path | None = None, signed: bool = True, state: str = "state") -> Ran:
        """The device has the stick. It has no credentials, nor does it need any."""
        keyed = ["--key-file", str(self.key)] if signed else []
        return self.outhaul(*self.exporting(stick or self.stick, state), *keyed, *options)

    def exporting(self, stick: Path, state: str = "state") -> list[str]:
        """The command."""
        return ["export", str(self.configuration), "--to", str(stick), "--state", str(self.outhaul.home / state)]

    def carry(self, *options: str, stick: Path | None = None, signed: bool = True, to: str = "") -> Ran:
        """The carrier has it."""
        return self.outhaul(
            *self.carrying(stick or self.stick, to), *(["--key-file", str(self.key)] * signed), *options, **self.access
        )

    def carrying(self, stick: Path, to: str = "") -> list[str]:
        """The command."""
        return [
            "carry",
            str(stick),
            "--to",
            to or f"s3://{self.bucket}/site-7",
            "--endpoint-url",
            self.server.endpoint_url,
            "--state",
            str(self.outhaul.home / "desk"),
        ]

    def stored(self) -> dict[str, bytes]:
        """What the bucket holds, but for what was written to try it."""
        with self.server.client() as client:
            return {
                each.key: client.get(self.bucket, each.key)
                for each in client.list(self.bucket)
                if ".outhaul-probe" not in each.key
            }

    def left(self) -> list[str]:
        """What is in the source."""
        return sorted(
            str(path.relative_to(self.outhaul.source)) for path in self.outhaul.source.rglob("*") if path.is_file()
        )

    def on_stick(self) -> list[str]:
        """The kinds of files that are on the stick."""
        return sorted({path.suffix for path in self.folder.iterdir()} - {".json", ".txt"})


@pytest.fixture
def journey(outhaul: Program, ministack_server: Server) -> Journey:
    """Ready to go."""
    return Journey(outhaul, ministack_server)


def test_there_and_back(journey: Journey) -> None:
    """Written, carried, proved, back, and only then let go."""
    journey.outhaul.write("a/one.csv", b"1")
    journey.outhaul.write("ä%:?.csv", b"odd")
    assert "2 packages written" in journey.export().out
    assert journey.left() == ["a/one.csv", "ä%:?.csv"]
    assert journey.carry().out.startswith("2 packages carried (4 B); bring the stick back")
    assert journey.stored() == {"site-7/a/one.csv": b"1", "site-7/ä%25:?.csv": b"odd"}
    assert (journey.on_stick(), journey.left()) == ([".manifest", ".receipt"], ["a/one.csv", "ä%:?.csv"])
    ran = journey.export()
    assert (ran.code, "2 receipts taken" in ran.out, journey.left(), journey.on_stick()) == (0, True, [], [])
    receipts = journey.outhaul("ls", "--json", "--state", str(journey.outhaul.state)).events
    assert {"carried"} == {each["proof"] for each in receipts}


@pytest.mark.slow
def test_who_is_believed(journey: Journey) -> None:
    """Without the key nothing is let go, unless a person says so; with another key neither."""
    journey.outhaul.write("one", b"1")
    assert journey.export(signed=False).code == 0
    assert journey.carry(signed=False).code == 0
    ran = journey.export(signed=False)
    assert (ran.code, journey.left(), "1 receipt not believed" in ran.err) == (1, ["one"], True)
    assert (journey.export().code, journey.left()) == (1, ["one"])
    assert (journey.export("--trust-stick", signed=False).code, journey.left()) == (0, [])


def test_a_desk_that_forgets_the_key(journey: Journey) -> None:
    """Nothing goes before it is named; then all is as ever. A stick that was written without one needs none."""
    journey.outhaul.write("one", b"1")
    assert journey.export().code == 0
    ran = journey.carry(signed=False)
    assert (ran.code, ran.out, ran.err.count("\n"), "name it with --key-file FILE" in ran.err) == (2, "", 1, True)
    assert (journey.stored(), journey.on_stick()) == ({}, [".manifest", ".pack"])
    assert (journey.carry().code, journey.export().code, journey.left()) == (0, 0, [])


@pytest.mark.slow
def test_what_went_with_another_stick_is_not_on_its_way(journey: Journey) -> None:
    """The first stick may never come back: what is counted is what the device still waits for."""
    journey.outhaul.write("one", b"1")
    other = new_stick(journey.outhaul.home / "other")
    assert "1 on their way" in journey.export().out
    assert "1 package written (1 B), 1 on their way" in journey.export("--again", stick=other).out
    assert journey.carry(stick=other).code == 0
    assert "1 receipt taken" in journey.export(stick=other).out
    ran = journey.export(stick=other)
    assert (journey.left(), ran.code, "0 on their way" in ran.out) == ([], 0, True)
    journey.outhaul.write("two", b"2")
    assert "1 package written (1 B), 1 on their way" in journey.export(stick=other).out
    assert "0 packages written (0 B), 1 on their way" in journey.export().out
    assert journey.carry().code == 0
    ran = journey.export()
    assert (ran.code, journey.left(), journey.on_stick(), "1 on their way" in ran.out) == (0, ["two"], [], True)


def _with_another_job(journey: Journey, settle: str = "0s") -> None:
    """Besides the device's job, one with the name `b`."""
    journey.configure()
    with journey.configuration.open("a") as file:
        file.write(
            f'[[job]]\nname = "b"\nsource = "{journey.outhaul.home / "b"}"\nto = "s3://{journey.bucket}/site-7/b"\n'
            f'settle = {{ quiet = "{settle}" }}\nendpoint-url = "{journey.server.endpoint_url}"\n'
        )


@pytest.mark.slow
@pytest.mark.parametrize("why", ["not named", "paused", "not settled", "its source is not there"])
def test_receipts_of_a_job_whose_turn_it_is_not(journey: Journey, why: str) -> None:
    """They stay on the stick until it is, and no file travels twice. What is taken is not waited for any more."""
    journey.outhaul.write("one", b"1")
    source = journey.outhaul.home / "b"
    source.mkdir()
    (source / "two").write_bytes(b"2")
    _with_another_job(journey)
    assert "2 packages written" in journey.export().out
    assert journey.carry().code == 0
    pause = ["b", "--state", str(journey.outhaul.state)]
    if why == "paused":
        assert journey.outhaul("pause", *pause).code == 0
    elif why == "not settled":  # As after a start of the machine, when all have to be seen anew.
        _with_another_job(journey, "1h")
    elif why == "its source is not there":
        source.rename(journey.outhaul.home / "away")
    for taken in ("1 receipt taken, ", ""):
        ran = journey.export(*(["--job", "logger"] if why == "not named" else []))
        assert (ran.code, journey.left(), journey.on_stick()) == (
            int(why == "its source is not there"),
            [],
            [".manifest", ".receipt"],
        )
        assert f": {taken}0 packages written (0 B), 0 on their way" in ran.out
    if why == "paused":
        assert journey.outhaul("resume", *pause).code == 0
    elif why == "not settled":
        _with_another_job(journey)
    elif why == "its source is not there":
        (journey.outhaul.home / "away").rename(source)
    ran = journey.export()
    assert ": 1 receipt taken, 0 packages written (0 B), 0 on their way" in ran.out
    assert (ran.code, list(source.iterdir()), journey.on_stick()) == (0, [], [])


@pytest.mark.slow
def test_a_file_in_use_when_its_receipt_comes(journey: Journey) -> None:
    """The receipt waits for it."""
    for name in ("one", "two"):
        journey.outhaul.write(name, name.encode())
    assert (journey.export().code, journey.carry().code) == (0, 0)
    with (journey.outhaul.source / "two").open("ab"):
        ran = journey.export()
        assert ("1 receipt taken, 0 packages written" in ran.out, journey.left()) == (True, ["two"])
    ran = journey.export()
    assert ("1 receipt taken, 0 packages written" in ran.out, journey.left()) == (True, [])
    assert journey.on_stick() == []


@pytest.mark.slow
@pytest.mark.parametrize("change", [False, True])
def test_a_pack_that_is_carried_in_two_parts(journey: Journey, change: bool) -> None:
    """Beside a file that is always in use: each part is taken when it comes, and in the end nothing is left of the pack."""
    for name in ("one", "two"):
        journey.outhaul.write(name, name.encode())
    assert "2 packages written" in journey.export().out
    with journey.server.client() as client:
        client.put(journey.bucket, "site-7/two", b"theirs")
    with journey.outhaul.write("log").open("ab"):
        assert journey.carry("--on-conflict", "hold").code == 1
        assert "1 receipt taken, 0 packages written (0 B), 1 on their way" in journey.export().out
        assert (journey.left(), journey.on_stick()) == (["log", "two"], [".manifest", ".pack", ".receipt"])
        assert "stick" in journey.export().out
        if change:
            journey.outhaul.write("two", b"another")
        assert journey.carry().code == 0
        journey.export()
        if change:
            assert (journey.carry().code, journey.export().code) == (0, 0)
        assert (journey.left(), journey.on_stick()) == (["log"], [])
    memory = journey.outhaul.state / "sticks"
    assert [path.name for path in memory.iterdir()] == ["device"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 5 << 20], ids=["small", "large"])
def test_half_of_a_group_beside_a_file_in_use(journey: Journey, size: int) -> None:
    """The receipt of the group waits for that of its manifest; then both are taken, and nothing is left on the stick."""
    journey.configure('group = "run-*"')
    journey.outhaul.write("run-1/one", os.urandom(size))
    with journey.outhaul.write("log").open("ab"):
        assert journey.export().code == 0
        with journey.server.client() as client:
            client.put(journey.bucket, "site-7/run-1.tar.manifest.json", b"theirs")
        assert journey.carry("--on-conflict", "hold").code == 1
        assert "receipt" not in journey.export().out
        assert journey.carry().code == 0
        assert "2 receipts taken, 0 packages written (0 B), 0 on their way" in journey.export().out
        assert (journey.left(), journey.on_stick()) == (["log"], [])


@pytest.mark.slow
def test_receipts_without_the_key(journey: Journey) -> None:
    """Where the desk has carried without it nevertheless, both machines say so, and --again has the files carried once more."""
    journey.outhaul.write("one", b"1")
    assert journey.export().code == 0
    assert journey.carry("--trust-stick", signed=False).out.startswith("1 package carried")
    ran = journey.carry()
    assert (ran.code, "1 package went before, without this key" in ran.err) == (1, True)
    ran = journey.export()
    assert (ran.code, "1 receipt not believed: not signed" in ran.err, "say --trust-stick" in ran.err) == (
        1,
        True,
        True,
    )
    assert ("--again" in ran.err, "Name it" in ran.err, journey.left()) == (True, False, ["one"])
    ran = journey.export("--again")
    assert ("1 package written" in ran.out, "--again" in ran.err, journey.left()) == (True, False, ["one"])
    assert journey.carry().out.startswith("1 package carried")
    assert (journey.export().code, journey.left(), journey.on_stick()) == (0, [], [])


@pytest.mark.slow
def test_receipts_with_another_key(journey: Journey) -> None:
    """Or with none named here: it is said which, and every way out."""
    journey.outhaul.write("one", b"1")
    assert (journey.export().code, journey.carry().code) == (0, 0)
    ran = journey.export(signed=False)
    assert (
        "1 receipt not believed: signed, and no key was named here. Name it with --key-file FILE; or, where nobody"
        in ran.err
    )
    other = journey.outhaul.home / "other"
    assert journey.outhaul("export", "--make-key", str(other)).code == 0
    ran = journey.export("--key-file", str(other), signed=False)
    assert "1 receipt not believed: not signed with this key. Name the key that they were signed with" in ran.err
    assert (journey.export().code, journey.left()) == (0, [])


@pytest.mark.slow
def test_a_tampered_package_does_not_go(journey: Journey) -> None:
    """What is on the stick must be what the device has packed; the others go."""
    journey.outhaul.write("one", b"one")
    journey.outhaul.write("two", b"two")
    assert journey.export().code == 0
    (pack,) = journey.folder.glob("*.pack")
    pack.write_bytes(pack.read_bytes().replace(b"two", b"TWO"))
    ran = journey.carry()
    assert (ran.code, journey.stored()) == (1, {"site-7/one": b"one"})
    assert "1 package left on the stick: its bytes on the stick are not those that its device has packed" in ran.err
    ran = journey.export()
    assert (ran.code, journey.left(), "1 receipt taken, 1 package written" in ran.out) == (0, ["two"], True)
    assert journey.carry().code == 0
    assert (journey.export().code, journey.left(), journey.on_stick()) == (0, [], [])


@pytest.mark.slow
def test_a_pack_that_is_damaged_as_a_whole(journey: Journey) -> None:
    """Also where nothing of it could be carried, and where its manifest is torn: it is written again."""
    journey.outhaul.write("one", b"one")
    assert journey.export().code == 0
    (pack,) = journey.folder.glob("*.pack")
    pack.write_bytes(b"")
    assert journey.carry().code == 1
    assert "1 package written" in journey.export().out
    for manifest in journey.folder.glob("*.manifest"):
        manifest.write_bytes(manifest.read_bytes()[:99])
    assert "1 package written" in journey.export().out
    assert journey.carry().code == 0
    assert (journey.export().code, journey.left(), journey.on_stick()) == (0, [], [])


@pytest.mark.slow
def test_a_tampered_receipt_lets_nothing_go(journey: Journey) -> None:
    """A receipt that says more than the carrier did is none."""
    journey.outhaul.write("one", b"one")
    journey.outhaul.write("two", b"two")
    assert journey.export().code == 0
    assert journey.carry().code == 0
    (receipts,) = journey.folder.glob("*.receipt")
    lines = [json.loads(line) for line in receipts.read_text().splitlines()]
    lines[0]["etag"] = "other"
    lines[1]["mac"] = "0" * 64
    receipts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert (journey.export().code, journey.left()) == (1, ["one", "two"])


@pytest.mark.slow
def test_receipts_of_another_device_and_of_another_trip(journey: Journey) -> None:
    """Only a pack that this very device has given away, and not yet taken back, is answered by a receipt."""
    journey.outhaul.write("one", b"1")
    assert journey.export(state="another").code == 0
    assert journey.carry().code == 0
    kept = journey.stick.with_name("kept")
    shutil.copytree(journey.stick, kept)
    ran = journey.export()
    assert (ran.code, journey.left(), "1 package written" in ran.out) == (0, ["one"], True)
    assert (journey.export(state="another").code, journey.left()) == (0, [])
    journey.outhaul.write("one", b"1")
    assert (journey.export(stick=kept, state="another").code, journey.left()) == (0, ["one"])


@pytest.mark.slow
def test_two_sticks_and_the_network(journey: Journey) -> None:
    """What travels on one stick is not written to a second, unless asked for; and the network may come first."""
    other = journey.outhaul.home / "other"
    other.mkdir()
    journey.outhaul.write("one", b"1")
    assert "1 package written" in journey.export().out
    assert "0 packages written" in journey.export(stick=other).out
    assert "1 package written" in journey.export("--again", stick=other).out
    ran = journey.outhaul("run", str(journey.configuration), "--state", str(journey.outhaul.state), **journey.access)
    assert (ran.code, journey.left()) == (0, [])
    assert (journey.carry().code, journey.carry(stick=other).code) == (0, 0)
    assert (journey.export().code, journey.export(stick=other).code) == (0, 0)
    assert (journey.stored(), journey.on_stick()) == ({"site-7/one": b"1"}, [])


@pytest.mark.slow
@pytest.mark.parametrize("torn", [("stick.json",), ("stick.json", "manifest", "receipt")], ids=["name", "all"])
def test_a_stick_that_has_lost_its_name(journey: Journey, torn: tuple[str, ...]) -> None:
    """A power cut on FAT empties files: its packs say which stick it is, and nothing waits for one that there never was."""
    journey.outhaul.write("one", b"1")
    assert journey.export().code == 0
    assert journey.carry().code == 0
    for path in journey.folder.iterdir():
        if path.name.endswith(torn):
            path.write_bytes(b"")
    for _ in range(2):
        assert journey.export().code == 0
        assert journey.carry().code == 0
    assert (journey.export().code, journey.left(), journey.on_stick()) == (0, [], [])


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 5 << 20], ids=["small", "large"])
def test_a_group_in_one_trip(journey: Journey, size: int) -> None:
    """Its object and its manifest, in this order; and back comes every file. Loose files go beside it."""
    journey.configure('group = "run-*"')
    contents = {"run-1/a/one": os.urandom(size), "run-1/two": b"2", "loose": b"3"}
    for name, content in contents.items():
        journey.outhaul.write(name, content)
    assert "3 packages written" in journey.export().out
    assert journey.carry().code == 0
    assert sorted(journey.stored()) == ["site-7/loose", "site-7/run-1.tar", "site-7/run-1.tar.manifest.json"]
    assert (journey.left(), journey.export().code, journey.left(), journey.on_stick()) == (sorted(contents), 0, [], [])
    back = journey.outhaul.home / "back"
    ran = journey.outhaul("restore", "**", "--to", str(back), "--state", str(journey.outhaul.state), **journey.access)
    assert (ran.code, {name: (back / name).read_bytes() for name in contents}) == (0, contents)


@pytest.mark.slow
def test_half_of_a_group_comes_back(journey: Journey) -> None:
    """Without the receipt of its manifest nothing goes; the next trip brings that, and nothing is sent twice."""
    journey.configure('group = "run-*"')
    for name in ("one", "two"):
        journey.outhaul.write(f"run-1/{name}", name.encode())
    assert journey.export().code == 0
    with journey.server.client() as client:  # Nobody may have a manifest there.
        client.put(journey.bucket, "site-7/run-1.tar.manifest.json", b"theirs")
    assert journey.carry("--on-conflict", "hold").code == 1
    for _ in range(2):
        assert (journey.export().code, len(journey.left())) == (0, 2)
    assert journey.carry().code == 0
    assert (journey.export().code, journey.left(), journey.on_stick()) == (0, [], [])
    assert len([key for key in journey.stored() if key.endswith(".tar")]) == 1


@pytest.mark.slow
def test_a_group_that_changes_on_its_way(journey: Journey) -> None:
    """What was packed arrives whole, and so does what it has become; nothing goes that did not arrive."""
    journey.configure('group = "run-*"')
    journey.outhaul.write("run-1/one", b"1")
    assert journey.export().code == 0
    journey.outhaul.write("run-1/two", b"2")
    assert (journey.carry().code, journey.export().code) == (0, 0)
    assert journey.left() == ["run-1/one", "run-1/two"]
    assert (journey.carry().code, journey.export().code, journey.left(), journey.on_stick()) == (0, 0, [], [])
    assert [key.endswith(".manifest.json") for key in sorted(journey.stored())].count(True) == 2


@pytest.mark.slow
def test_a_file_that_changes_on_its_way(journey: Journey) -> None:
    """What it was and what it is are two objects, and each takes one trip."""
    journey.outhaul.write("one", b"first")
    assert journey.export().code == 0
    journey.outhaul.write("one", b"second")
    for left in (["one"], []):
        assert (journey.carry().code, journey.export().code, journey.left()) == (0, 0, left)
    assert (sorted(journey.stored().values()), journey.on_stick()) == ([b"first", b"second"], [])


@pytest.mark.slow
def test_where_a_package_may_go(journey: Journey) -> None:
    """The carrier says where to; nothing on the stick does. Nor does it say how, unless it is signed."""
    journey.configure('object = { tags = { site = "7" } }\ncompress = "zstd"')
    journey.outhaul.write("one", b"1" * 1000)
    assert journey.export().code == 0
    assert "its key is not beneath" in journey.carry(to=f"s3://{journey.bucket}/other").err
    elsewhere = journey.server.make_bucket("elsewhere")
    assert f"and not to s3://{elsewhere}" in journey.carry(to=f"s3://{elsewhere}").err
    unsigned = new_stick(journey.outhaul.home / "unsigned")
    assert journey.export("--again", stick=unsigned, signed=False).code == 0
    assert "object settings" in journey.carry(stick=unsigned, signed=False).err
    assert (journey.stored(), journey.carry().code, list(journey.stored())) == ({}, 0, ["site-7/one.zst"])
    assert (journey.export().code, journey.left()) == (0, [])
    back = journey.outhaul.home / "back"
    ran = journey.outhaul(
        "restore",
        f"s3://{journey.bucket}/site-7",
        "--to",
        str(back),
        "--endpoint-url",
        journey.server.endpoint_url,
        **journey.access,
    )
    assert (ran.code, (back / "one").read_bytes()) == (0, b"1" * 1000)


@pytest.mark.slow
def test_other_bytes_under_its_key(journey: Journey) -> None:
    """They stay, the package goes to a second key, and the device learns which."""
    with journey.server.client() as client:
        client.put(journey.bucket, "site-7/one", b"theirs")
    journey.outhaul.write("one", b"ours")
    assert journey.export().code == 0
    assert "left on the stick: other bytes" in journey.carry("--on-conflict", "hold").err
    assert journey.carry().code == 0
    assert (journey.export().code, journey.left()) == (0, [])
    (row,) = journey.outhaul("ls", "--json", "--state", str(journey.outhaul.state)).events
    assert {"site-7/one": b"theirs", row["key"]: b"ours"} == journey.stored()


@pytest.mark.slow
def test_what_is_told_in_one_line(journey: Journey, outhaul: Program) -> None:
    """No stick, no key, a key on the stick, a key for all, both meanings of `export`, jobs that do not travel."""
    nowhere = outhaul.home / "nowhere"
    assert ((ran := journey.export(stick=nowhere)).code, "is it mounted?" in ran.err) == (4, True)
    assert ((ran := journey.carry()).code, "holds nothing of outhaul" in ran.err) == (4, True)
    assert "--to DIR" in outhaul("export").err
    assert "leave one out" in journey.export("--format", "csv").err
    assert "write s3://" in journey.carry(to="/tmp/x").err
    assert "nothing is ever written over" in outhaul("export", "--make-key", str(journey.key)).err
    os.chmod(journey.key, 0o644)
    assert "others may read it" in journey.export().err
    os.chmod(journey.key, 0o600)
    lost = journey.stick / "key"
    shutil.copy(journey.key, lost)
    assert "lies on the stick" in outhaul(*journey.exporting(journey.stick), "--key-file", str(lost)).err
    held = lock(str(outhaul.home / "watching"))
    ran = journey.export(state="watching")
    assert (ran.code, len(ran.err.splitlines()), "`systemctl stop outhaul`" in ran.err) == (3, 1, True)
    os.close(held)
    journey.configure('on-conflict = "replace"')
    assert ((ran := journey.export()).code, "does not travel on a stick" in ran.err) == (2, True)


@pytest.mark.slow
def test_killed_anywhere(journey: Journey, record_property: object) -> None:
    """Both commands are killed again and again (SIGKILL); every file is in the source, or in the bucket; in the end all, once."""
    chance = random.Random(7)
    contents = {f"{number:03}": f"{number}".encode() * 5000 for number in range(300)}
    for name, content in contents.items():
        journey.outhaul.write(name, content)
    journey.outhaul.write("large", os.urandom(20 << 20))
    contents["large"] = (journey.outhaul.source / "large").read_bytes()
    keyed = ["--key-file", str(journey.key)]
    for number in range(16):
        command = [journey.carrying(journey.stick), journey.exporting(journey.stick)][number % 2]
        _killed(journey, [*command, *keyed], chance.uniform(0.15, 1.2))
        stored = journey.stored()
        for name, content in contents.items():
            path = journey.outhaul.source / name
            assert content in (path.read_bytes() if path.exists() else b"", stored.get(f"site-7/{name}"))
    for _ in range(2):
        assert journey.export().code == 0
        assert journey.carry().code == 0
    assert (journey.export().code, journey.left()) == (0, [])
    assert {f"site-7/{name}": content for name, content in contents.items()} == journey.stored()
    assert journey.on_stick() == []


@pytest.mark.slow
def test_a_large_upload_of_a_killed_carrier_goes_on(journey: Journey) -> None:
    """The parts that have arrived are not sent again, and none is left behind. What is remembered is not on the stick."""
    content = os.urandom(96 << 20)  # Twelve parts: four go at a time, and end together.
    journey.outhaul.write("large", content)
    assert journey.export().code == 0
    keyed = ["--key-file", str(journey.key)]
    client = asking(journey.server)

    def parts() -> dict[int, str]:
        """Of the one upload that there is: number, and when it came."""
        for begun in client.list_multipart_uploads(Bucket=journey.bucket).get("Uploads", ()):
            asked = {"Bucket": journey.bucket, "Key": begun["Key"], "UploadId": begun["UploadId"]}
            return {each["PartNumber"]: each["LastModified"] for each in client.list_parts(**asked).get("Parts", ())}
        return {}

    def have(least: int) -> bool:
        return len(parts()) >= least

    for least in (2, 5):
        before = parts()
        slowly = [*journey.carrying(journey.stick), *keyed, "--bandwidth", "8MiB/s"]
        _killed(journey, slowly, partial(have, least))
        assert before.items() <= parts().items()
        assert have(least)
    (remembered,) = (journey.outhaul.home / "desk" / "carrying").glob("*.upload")
    assert journey.carry().code == 0
    assert (journey.stored(), remembered.exists()) == ({"site-7/large": content}, False)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=journey.bucket)
    assert (journey.export().code, journey.left(), journey.on_stick()) == (0, [], [])


@pytest.mark.slow
def test_what_a_desk_never_went_on_with_is_abandoned(journey: Journey) -> None:
    """After a month; until then the stick may come back. What stands in its place and is no hint of ours is no matter."""
    client, desk = asking(journey.server), journey.outhaul.home / "desk" / "carrying"
    begun = client.create_multipart_upload(Bucket=journey.bucket, Key="site-7/x")["UploadId"]
    desk.mkdir(parents=True)
    said = {
        "endpoint": journey.server.endpoint_url,
        "bucket": journey.bucket,
        "key": "site-7/x",
        "upload": begun,
        "part_bytes": 1,
    }
    for name, age in (("a" * 64, 31), ("b" * 64, 1)):
        when = time.time_ns() - age * 86_400 * 10**9
        (desk / f"{name}.upload").write_text(json.dumps({**said, "begun_ns": when}))
    (desk / f"{'c' * 64}.upload").write_text("torn")
    journey.outhaul.write("one", b"1")
    assert (journey.export().code, journey.carry().code) == (0, 0)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=journey.bucket)
    assert sorted(path.name[0] for path in desk.iterdir()) == ["b", "c"]


@pytest.mark.slow
def test_a_desk_that_can_remember_nothing(journey: Journey) -> None:
    """Small packages go; a large one stays, says why, and leaves no parts: it goes from a desk that can."""
    journey.outhaul.write("large", os.urandom(20 << 20))
    journey.outhaul.write("small", b"1")
    state = journey.outhaul.write("state-file")
    assert journey.export().code == 0
    ran = journey.carry("--state", str(state))
    assert (ran.code, list(journey.stored())) == (1, ["site-7/small", "site-7/state-file"])
    assert "1 package left on the stick: " in ran.err
    assert "Not a directory; --state names another place for it" in ran.err
    assert "Uploads" not in asking(journey.server).list_multipart_uploads(Bucket=journey.bucket)
    assert (journey.carry().code, journey.export().code, journey.left()) == (0, 0, [])


def _killed(journey: Journey, command: list[str], when: float | Callable[[], bool]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "outhaul", *command],
        env={**journey.outhaul.environment, **journey.access},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if isinstance(when, float):
        time.sleep(when)
    else:
        while not when() and process.poll() is None:
            time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def small_stick(journey: Journey, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A stick of 8 MiB: a tmpfs, or a FAT file system of its own."""
    at = journey.outhaul.home / "small"
    if request.param == "vfat" and (there := os.environ.get("OUTHAUL_TEST_SMALL_STICK")):
        yield Path(there)
        return
    at.mkdir()
    if request.param == "tmpfs":
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(at)], capture_output=True)
    else:
        image = journey.outhaul.home / "image"
        image.write_bytes(b"")
        os.truncate(image, 8 << 20)
        if (make := shutil.which("mkfs.vfat", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")) is None:
            pytest.skip("there is no mkfs.vfat here")
        subprocess.run([make, str(image)], capture_output=True, check=True)
        made = subprocess.run(["mount", "-o", "loop", str(image), str(at)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no {request.param} may be mounted here: {made.stderr.decode().strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("small_stick", ["tmpfs", "vfat"], indirect=True)
def test_a_stick_that_is_too_small_goes_several_times(journey: Journey, small_stick: Path) -> None:
    """What fits goes, the rest waits for the next trip, and there is always room for the receipts."""
    contents = {f"{number:02}": os.urandom(1 << 20) for number in range(20)}
    for name, content in contents.items():
        journey.outhaul.write(name, content)
    trips = 0
    while journey.left():
        ran = journey.export(stick=small_stick)
        assert ran.code in (0, 4)
        assert (ran.code == 4) == ("is full: have it carried" in ran.err)
        assert journey.carry(stick=small_stick).code == 0
        trips += 1
        assert trips < 9
    assert trips > 3
    assert {f"site-7/{name}": content for name, content in contents.items()} == journey.stored()
