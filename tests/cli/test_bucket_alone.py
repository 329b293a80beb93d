"""The way back with nothing but the bucket: no ledger, bundles, compressed files; by the real command and real servers."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import tarfile
from pathlib import Path

import pytest

from cli.program import Program
from cli.test_restore import There
from outhaul.model.bundle import INDEX_SUFFIX
from servers.server import Server

pytestmark = pytest.mark.slow

MTIME_NS = 1_600_000_000_123_456_789


def contents(files: int = 150) -> dict[str, bytes]:
    """Small files of two directories, some of them alike, with odd names."""
    rng = random.Random(5)
    made = {f"d{number % 2}/{number}.csv": b"%d;" % number * 150 + rng.randbytes(9) for number in range(files)}
    return made | {"d0/100%.csv": b"odd", "d1/new\nline": b"", "d1/\udcff": b"no UTF-8"}


def carry(there: Program, files: dict[str, bytes], *options: str) -> None:
    """Move these."""
    for name, content in files.items():
        os.utime(there.write(name, content), ns=(0, MTIME_NS))
    address = there.address if isinstance(there, There) else str(there.target)
    ran = there("move", str(there.source), address, *options, *_state(there))
    assert ran.code == 0, ran.err


def _state(there: Program) -> list[str]:
    return [] if isinstance(there, There) else ["--state", str(there.state)]


def back(directory: Path) -> dict[str, bytes]:
    """What has come back."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(
    params=["moto", pytest.param("rclone", marks=pytest.mark.slow), pytest.param("ministack", marks=pytest.mark.slow)]
)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> There:
    """On each of the servers."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return There(tmp_path, server)


def test_bundles_and_compressed_files_without_a_ledger(there: There, tmp_path: Path) -> None:
    """Every file has its name, its bytes and its time; the tars and their indexes are not among them. Then all are there."""
    bundled, alone, plain = (
        contents(),
        {"e/large.log": b"line\n" * 30_000, "e/empty": b""},
        {"own.tar": b"x", "own.gz": b"y"},
    )
    carry(there, bundled, "--bundle", "64KiB", "--compress", "zstd")
    carry(there, alone, "--compress", "gzip")
    carry(there, plain)
    shutil.rmtree(there.state)
    ran = there("restore", there.address, "--to", str(there.back), "--json")
    assert ran.code == 0, ran.err
    assert back(there.back) == bundled | alone | plain
    times = {
        path.stat().st_mtime_ns for path in there.back.rglob("*") if path.is_file() and not path.name.startswith("own")
    }
    assert times == {MTIME_NS}
    assert {event["event"] for event in ran.events} <= {"restored", "marker", "summary"}
    again = there("restore", there.address, "--to", str(there.back), "--json")
    assert (again.code, {event["event"] for event in again.events}) == (0, {"there", "marker", "summary"})
    assert there("restore", there.address, "d0/1*.csv", "e", "--to", str(tmp_path / "some")).code == 0
    expected = {name for name in bundled if name.startswith("d0/1") and name.endswith(".csv")} | set(alone)
    assert set(back(tmp_path / "some")) == expected
    mirrored = there("mirror", there.address, "--to", str(tmp_path / "mirror"))
    assert mirrored.code == 0
    assert len([name for name in back(tmp_path / "mirror") if name.endswith(INDEX_SUFFIX)]) > 1
    assert not there.state.exists()


def test_large_compressed_files_by_their_names(there: There, tmp_path: Path) -> None:
    """Of those nothing is noted: they come back as they are stored, or decompressed where that is asked for."""
    content = random.Random(1).randbytes(17 << 20)
    carry(there, {"large": content}, "--compress", "gzip", "--level", "1")
    assert there("restore", there.address, "--to", str(there.back)).code == 0
    assert set(back(there.back)) == {"large.gz"}
    ran = there("restore", there.address, "--to", str(tmp_path / "plain"), "--decompress")
    assert (ran.code, back(tmp_path / "plain") == {"large": content}) == (0, True)


def test_from_a_directory(tmp_path: Path) -> None:
    """Nothing is noted beside a file: bundles are undone, and a name is believed where that is asked for."""
    local = Program(tmp_path)
    files = contents(40)
    carry(local, files, "--bundle", "64KiB", "--compress", "zstd")
    carry(local, {"e/alone": b"alone " * 99}, "--compress", "zstd")
    address = f"file://{local.target}"
    assert local("restore", address, "--to", "back", "--state", "none", "--decompress").code == 0
    assert back(tmp_path / "back") == files | {"e/alone": b"alone " * 99}
    assert local("restore", address, "--to", "as-stored", "--state", "none").code == 0
    assert set(back(tmp_path / "as-stored")) == set(files) | {"e/alone.zst"}


def test_an_index_that_somebody_has_changed(tmp_path: Path) -> None:
    """No path of it leads out, no file of it is written with other bytes, and what is wrong is told."""
    local = Program(tmp_path)
    carry(local, contents(40), "--bundle", "64KiB")
    (index,) = local.target.glob(f"*{INDEX_SUFFIX}")
    told = json.loads(index.read_text())
    first, second, third, fourth = told["members"][:4]
    first["path"], second["path"], third["sha256"] = "../outside", "/etc/outhaul-was-here", "00" * 32
    fourth["path"] = told["members"][4]["path"]
    index.write_text(json.dumps(told))
    ran = local("restore", f"file://{local.target}", "--to", "back", "--state", "none")
    assert ran.code == 1
    assert len(back(tmp_path / "back")) == 43 - 4
    for said in ("refused-name ../outside", "refused-name /etc/outhaul-was-here", "damaged", "collides"):
        assert said in ran.err
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("codec", ["none", "zstd", "gzip"])
def test_bundles_that_have_lost_their_indexes(there: There, tmp_path: Path, codec: str) -> None:
    """Gone or damaged: the one inside each bundle serves, one line says so, and a new ledger has every file."""
    files = contents()
    carry(there, files, "--bundle", "64KiB", "--compress", codec)
    shutil.rmtree(there.state)
    with there.server.client() as client:
        damaged, *gone = keys = [one.key for one in client.list(there.bucket) if one.key.endswith(INDEX_SUFFIX)]
        client.put(there.bucket, damaged, client.get(there.bucket, damaged)[:-20])
        for key in gone:
            client.request("DELETE", there.bucket, key)
    ran = there("restore", there.address, "--to", str(there.back))
    assert ran.code == 0, ran.err
    found = back(there.back)
    assert len(found.pop(damaged.removeprefix("site/"))) > 0
    assert found == files
    assert len(keys) > 1
    for key in gone:
        of = key.removesuffix(INDEX_SUFFIX)
        assert f"restore: {of} has no index beside it: the one inside the bundle is used\n" in ran.err
    assert f"restore: {damaged} is no index, and comes back as it is: the one inside the bundle is used\n" in ran.err
    made = there("rebuild", there.address, "--source", str(there.source), "--json")
    assert made.code == 0, made.err
    outcomes = made.events[-1]["outcomes"]  # The damaged text has no digest that a store keeps.
    assert outcomes.get("recorded", 0) + outcomes.get("recorded-read", 0) == len(files) + 1
    audited = there("audit", "--all", "--json")
    assert audited.code == 1
    wrong = {event["key"]: event["event"] for event in audited.events[:-1] if not event["well"]}
    assert wrong == {damaged: "changed"} | dict.fromkeys(gone, "missing")
    assert there("restore", "**", "--to", str(tmp_path / "again")).code == 0
    assert {name: content for name, content in back(tmp_path / "again").items() if name in files} == files


def test_groups_without_a_ledger(there: There, tmp_path: Path) -> None:
    """The files of a directory and their companion, by the manifest, with their modes; and so by a new ledger."""
    files = {f"runs/{run}/raw/{number}": b"%d" % number * 900 for run in range(3) for number in range(4)}
    files |= {f"logs/{run}.log": b"log" for run in range(3)}
    for name, content in files.items():
        there.write(name, content).chmod(0o640)
    group = ("--group", "runs/*", "--companion", "logs/{name}.log")
    assert there("move", str(there.source), there.address, *group, "--compress", "zstd").code == 0
    shutil.rmtree(there.state)
    assert there("restore", there.address, "--to", str(there.back)).code == 0
    assert back(there.back) == files
    assert {path.stat().st_mode & 0o777 for path in there.back.rglob("*") if path.is_file()} == {0o640}
    assert there("restore", f"{there.address}/runs", "--to", str(tmp_path / "runs")).code == 0
    assert set(back(tmp_path / "runs")) == {name[5:] for name in files if name.startswith("runs/")}
    assert there("rebuild", there.address, "--source", str(there.source)).code == 0
    assert there("audit", "--all", "--read-back").code == 0
    again = there("restore", "**", "--to", str(there.back), "--json")
    assert (again.code, {event["event"] for event in again.events}) == (0, {"there", "summary"})


def test_a_compressed_group_without_its_manifest(there: There) -> None:
    """Killed before that was sent, or lost: it comes back as the tar that it is, by what is noted beside it."""
    there.write("run/a", b"a" * 900)
    there.write("run/b", b"b" * 70)
    assert there("move", str(there.source), there.address, "--group", "*", "--compress", "zstd").code == 0
    with there.server.client() as client:
        assert client.request("DELETE", there.bucket, "site/run.tar.zst.manifest.json").status == 204
    assert there("restore", there.address, "--to", str(there.back)).code == 0
    with tarfile.open(there.back / "run.tar") as tar:
        assert [member.name for member in tar.getmembers()] == ["run/a", "run/b"]


def test_a_new_ledger(there: There, tmp_path: Path) -> None:
    """Made of the bucket, it lists, finds, audits and restores as the lost one did."""
    bundled, alone = contents(), {"z/alone": b"alone"}
    files = bundled | alone
    carry(there, bundled, "--bundle", "64KiB", "--compress", "zstd")
    carry(there, alone, "--compress", "gzip")
    shutil.rmtree(there.state)
    made = there("rebuild", there.address, "--source", str(there.source), "--job", "old")
    assert made.code == 0, made.err
    assert f"  {len(files)} recorded" in made.err
    receipts = Program.__call__(there, "ls", "--job", "old", "--json", "--state", str(there.state)).events
    assert {receipt["path_base64"] for receipt in receipts} >= {_base64(name) for name in files}
    assert there("audit", "--all").code == 0
    assert there("audit", "--all", "--read-back").code == 0
    assert there("restore", "**", "--to", str(there.back)).code == 0
    assert back(there.back) == files
    again = there("audit", "--rebuild-ledger", there.address, "--source", str(there.source), "--read-back")
    assert again.code == 0
    assert there("audit", "--rebuild-ledger", there.address).code == 2


def _base64(name: str) -> str:
    return base64.b64encode(name.encode("utf-8", "surrogateescape")).decode()


def test_nothing_goes_by_a_rebuilt_ledger(there: There) -> None:
    """Files that are still in the source are proved anew; where the bucket has lost them they are sent, not removed."""
    files = contents(30)
    for name, content in files.items():
        there.write(name, content)
    assert there("copy", str(there.source), there.address).code == 0
    shutil.rmtree(there.state)
    assert there("rebuild", there.address, "--source", str(there.source)).code == 0
    lost = "d0/0.csv"
    with there.server.client() as client:
        client.request("DELETE", there.bucket, f"site/{lost}")
    ran = there("move", str(there.source), there.address, "--json")
    assert ran.code == 0, ran.err
    assert back(there.source) == {}
    with there.server.client() as client:
        assert client.get(there.bucket, f"site/{lost}") == files[lost]
    refused = there("rebuild", there.address, "--source", str(there.source))
    assert refused.code == 2
    assert f"has {len(files)} receipts" in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rebuild", "s3://x", "--source", "a"], "ADDRESS"),
        (["rebuild", "s3://bucket/p", "--source", ""], "--source"),
        (["rebuild", "my-bucket", "--source", "a"], "my-bucket does not exist; for a bucket write s3://my-bucket\n"),
        (["audit", "--rebuild-ledger", "my-bucket", "--source", "a"], "; for a bucket write s3://my-bucket\n"),
        (["restore", "**", "--to", "b", "--decompress"], "--decompress is for an address"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], said: str) -> None:
    """One line says what is wrong."""
    before = sorted(tmp_path.iterdir())
    ran = Program(tmp_path)(*arguments, "--state", str(tmp_path / "state"))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert said in ran.err
    assert sorted(tmp_path.iterdir()) == [*before, tmp_path / "source"]


def test_an_address_with_nothing_beneath_it(there: There, tmp_path: Path) -> None:
    """It is one clear line, and no reply of the server."""
    ran = there("restore", f"{there.address}/nowhere", "--to", str(tmp_path / "back"))
    assert ran.code == 1
    nowhere = f"{there.address}/nowhere"
    assert ran.err == f"outhaul: {nowhere}: there is nothing beneath it, and no such object; correct it\n"


def test_a_ledger_of_nothing(there: There, tmp_path: Path) -> None:
    """A mistyped prefix gets no ledger, and no objects with which the store is tried."""
    ran = there("rebuild", f"{there.address}/typo", "--source", str(there.source))
    assert ran == (1, "", f"outhaul: there is nothing beneath {there.address}/typo\n")
    with there.server.client() as client:
        assert list(client.list(there.bucket)) == []
    assert not there.state.exists()
    (tmp_path / "empty").mkdir()
    ran = there("rebuild", str(tmp_path / "empty"), "--source", str(there.source))
    assert (ran.code, list((tmp_path / "empty").iterdir())) == (1, [])
