"""`restore`, `mirror` and `audit` as processes of their own, against real servers and a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.program import Program, Ran
from servers.server import Server


class There(Program):
    """The program with a bucket on a real server."""

    def __init__(self, home: Path, server: Server) -> None:
        super().__init__(home)
        self.bucket = server.make_bucket()
        self.environment = {**self.environment, **server.environ(), "HOME": str(home), "COLUMNS": "80"}
        self.server = server
        self.address = f"s3://{self.bucket}/site"
        self.back = home / "back"

    def __call__(self, *arguments: str, **more: str) -> Ran:
        """With the state directory and the server."""
        return super().__call__(
            *arguments, "--state", str(self.state), "--endpoint-url", self.server.endpoint_url, **more
        )

    def there(self) -> dict[str, bytes]:
        """What has come back."""
        return {str(path.relative_to(self.back)): path.read_bytes() for path in self.back.rglob("*") if path.is_file()}


@pytest.fixture(params=["rclone_server", pytest.param("moto_server", marks=pytest.mark.slow)])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> There:
    """On each of two servers."""
    return There(tmp_path, request.getfixturevalue(request.param))


def test_there_and_back(there: There) -> None:
    """Files are carried away and come back with name, bytes and time; a second time they are there already."""
    contents = {
        "a.csv": b"one", "d/b.csv": b"two" * 1000, "d/e/100%.txt": b"", "odd\nname": b"odd", "large": os.urandom(17 << 20),
    }  # fmt: skip
    for name, content in contents.items():
        os.utime(there.write(name, content), ns=(0, 1_600_000_000_123_456_789))
    assert there("move", str(there.source), there.address).code == 0
    assert list(there.source.rglob("*.csv")) == []
    first = there("restore", "**", "--to", str(there.back))
    assert (first.code, there.there()) == (0, contents)
    assert "restore: 5 files asked for, 5 restored" in first.err
    assert {path.stat().st_mtime_ns for path in there.back.rglob("*") if path.is_file()} == {1_600_000_000_123_456_789}
    again = there("restore", "**", "--to", str(there.back))
    assert (again.code, again.err) == (0, "restore: 5 files asked for\n  5 there already, with the same bytes\n")


def test_what_is_asked_for(there: There) -> None:
    """A path, a directory, a pattern, a key; a word that fits nothing is told, and makes the exit code 1."""
    for name in ("a.csv", "d/b.csv", "d/c.log"):
        there.write(name, name.encode())
    assert there("copy", str(there.source), there.address).code == 0
    for words, found in (
        ([str(there.source / "a.csv")], {"a.csv"}),
        (["d"], {"d/b.csv", "d/c.log"}),
        (["*.csv"], {"a.csv", "d/b.csv"}),
        (["--key", "site/d/b.csv"], {"d/b.csv"}),
        (["--prefix", f"{there.address}/d/"], {"d/b.csv", "d/c.log"}),
        (["--job", "copy"], {"a.csv", "d/b.csv", "d/c.log"}),
    ):
        ran = there("restore", *words, "--to", str(there.back), "--json")
        assert (ran.code, {event["path"] for event in ran.events[:-1]}) == (0, found)
        assert ran.events[-1]["seen"] == len(found)
    ran = there("restore", "a.csv", "b.cvs", "--to", str(there.back))
    assert ran.code == 1
    assert "restore: nothing fits b.cvs\n" in ran.err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--key", "site/b.csv"], "--key site/b.csv"),
        (["--prefix", "sites/"], "--prefix sites/"),
        (["--as-of", "2020-01-01T12:00Z"], "--as-of 2020-01-01T12:00:00Z"),
        (["--job", "move", "--prefix", "s3://else/"], "--job move --prefix s3://else/"),
        (["--prefix", "sites/", "--dry-run"], "--prefix sites/"),
        (["**", "--as-of", "2020-01-01"], "--as-of 2020-01-01T23:59:59Z"),
        (["b.csv", "--prefix", "a"], "b.csv"),
        (["b.csv", "--prefix", "b"], "--prefix b"),
    ],
)
def test_options_that_nothing_fits(local: Program, asked: list[str], said: str) -> None:
    """They are told as a path is that nothing fits, and in its place, in one line, and the exit code is 1."""
    local.write("a.csv")
    assert local.move().code == 0
    ran = local("restore", *asked, "--to", "back", "--state", str(local.state))
    assert ran == (1, "", f"restore: nothing fits {said}\nrestore: 0 files asked for\n")
    events = local("restore", *asked, "--to", "back", "--state", str(local.state), "--json").events
    assert [said] == events[-1]["unmatched"]


def test_an_empty_bucket(there: There) -> None:
    """To a restore it is nothing of what was asked for (exit code 1); whoever follows a bucket waits for its first object."""
    bucket = f"s3://{there.bucket}"
    ran = there("restore", bucket, "--to", str(there.back))
    assert ran == (1, "", f"restore: nothing fits {bucket}\nrestore: 0 files asked for\n")
    ran = there("mirror", bucket, "--to", str(there.back))
    assert ran == (0, "", f"mirror: there is nothing in {bucket} so far\nmirror: 0 files asked for\n")
    ran = there("mirror", there.address, "--to", str(there.back))
    assert ran == (1, "", f"outhaul: {there.address}: there is nothing beneath it, and no such object; correct it\n")
    there.write("a.csv")
    assert there("copy", str(there.source), there.address).code == 0
    for _ in range(2):  # The second time there is nothing new.
        assert there("mirror", there.address, "--to", str(there.back)).code == 0


def test_as_of(there: There) -> None:
    """The latest receipt counts, or the latest at or before a time."""
    path = there.write("a.csv", b"old")
    assert there("copy", str(there.source), there.address).code == 0
    (old,) = Program.__call__(there, "find", "--json", "--state", str(there.state)).events
    path.write_bytes(b"newer")
    assert there("copy", str(there.source), there.address).code == 0
    then = f"{old['recorded_ns'] / 1e9:.6f}"
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(float(then) + 0.000002, UTC).isoformat()
    assert there("restore", "**", "--to", str(there.back), "--as-of", moment).code == 0
    assert there.there() == {"a.csv": b"old"}
    ran = there("restore", "**", "--to", str(there.back))
    assert (ran.code, there.there()) == (1, {"a.csv": b"old"})
    assert "other-bytes  a.csv\n" in ran.err
    assert there("restore", "**", "--to", str(there.back), "--overwrite").code == 0
    assert there.there() == {"a.csv": b"newer"}


def test_from_the_bucket_alone(there: There, tmp_path: Path) -> None:
    """Without a ledger all objects come back, under their names and second keys; one object alone does, too."""
    contents = {"a.csv": b"one", "d/100%.csv": b"two", "d/\x01.csv": b"three"}
    for name, content in contents.items():
        there.write(name, content)
    assert there("move", str(there.source), there.address).code == 0
    there.write("a.csv", b"other")
    assert there("move", str(there.source), there.address).code == 0
    there.state = tmp_path / "no-state"
    assert there("restore", there.address, "--to", str(there.back)).code == 0
    second = next(name for name in there.there() if "~" in name)
    assert there.there() == {**contents, second: b"other"} and second.startswith("a.csv~")
    assert there("restore", there.address, "d/*", "--to", str(tmp_path / "some")).code == 0
    assert {path.name for path in (tmp_path / "some").rglob("*.csv")} == {"100%.csv", "\x01.csv"}
    assert there("restore", f"{there.address}/a.csv", "--to", str(tmp_path / "one")).code == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["a.csv"]
    assert there("restore", f"{there.address}/missing", "--to", str(tmp_path / "none")).code == 1
    assert not there.state.exists()


@pytest.mark.slow
def test_missing_and_damaged(there: There) -> None:
    """What is gone and what is altered is told by name, is not written, and makes the exit code 1; an audit finds both."""
    for number in range(40):
        there.write(f"{number}.csv", b"%d" % number * 50)
    assert there("move", str(there.source), there.address).code == 0
    with there.server.client() as client:
        client.request("DELETE", there.bucket, "site/7.csv")
        client.request("PUT", there.bucket, "site/9.csv", body=b"x" * 50)
    ran = there("restore", "**", "--to", str(there.back))
    assert (ran.code, len(there.there())) == (1, 38)
    assert "missing      7.csv" in ran.err and "damaged      9.csv" in ran.err
    for options in (["--all"], ["--all", "--read-back"], ["--sample", "100%"], ["--sample", "40"]):
        ran = there("audit", *options)
        assert ran.code == 1
        assert "missing      7.csv" in ran.err and "changed      9.csv" in ran.err
        assert "audit: 40 objects looked at\n" in ran.err and "  38 as the receipt says\n" in ran.err
    assert "audit: 1 object looked at\n" in there("audit").err


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [["--bundle", "1MiB"], ["--bundle", "1MiB", "--compress", "zstd"], ["--compress", "gzip"]]
)
@pytest.mark.parametrize("left", [0, 100])
def test_an_object_that_has_lost_its_end(there: There, options: list[str], left: int) -> None:
    """Each file of it is told as damaged, with the key, by ledger and bucket alone; nothing is written. An audit finds it."""
    made = {"d/a.csv": 3000, "d/b.csv": 3000} if "--bundle" in options else {"large": 17 << 20}
    for name, size in made.items():
        there.write(name, os.urandom(size))
    assert there("move", str(there.source), there.address, *options).code == 0
    with there.server.client() as client:
        (key,) = (
            one.key for one in client.list(there.bucket) if ".outhaul-probe" not in one.key and ".json" not in one.key
        )
        client.request("PUT", there.bucket, key, body=client.get(there.bucket, key)[:left])
    ways = [["**"], [there.address, "--decompress"]]
    for way in ways:
        ran = there("restore", *way, "--to", str(there.back), "--json")
        assert ran.code == 1
        told = [event for event in ran.events[:-1] if event["event"] not in ("marker", "notice")]
        assert {"damaged"} == {event["event"] for event in told}
        assert set(made) == {event["path"] for event in told}
        assert all(key in event["detail"] for event in told)
        assert there.there() == {}
    index = {"as-proved": 1} if "--bundle" in options else {}
    assert {"changed": 1, **index} == there("audit", "--all", "--read-back", "--json").events[-1]["outcomes"]


@pytest.mark.slow
def test_mirror(there: There) -> None:
    """It fetches what is new, at most so many, deletes nothing, and says when there is more."""
    for number in range(10):
        there.write(f"{number}.csv", b"%d" % number)
    assert there("copy", str(there.source), there.address).code == 0
    there.back.mkdir()
    (there.back / "mine").write_bytes(b"mine")
    ran = there("mirror", there.address, "--to", str(there.back), "--max-files", "4")
    assert (ran.code, len(there.there())) == (0, 5)
    assert "stopped at --max-files: run it again for more\n" in ran.err
    ran = there("mirror", there.address, "--to", str(there.back))
    assert (ran.code, len(there.there())) == (0, 11)
    there.write("new.csv", b"new")
    (there.source / "1.csv").unlink()
    with there.server.client() as client:
        client.request("DELETE", there.bucket, "site/1.csv")
    assert there("copy", str(there.source), there.address).code == 0
    ran = there("mirror", there.address, "--to", str(there.back), "--json")
    assert (ran.code, [event["path"] for event in ran.events if event["event"] == "restored"]) == (0, ["new.csv"])
    assert len(there.there()) == 12


def test_a_link_that_stands_there(there: There) -> None:
    """A link in --to is not followed, and what it leads to is as it was."""
    there.write("d/a.csv", b"theirs")
    assert there("copy", str(there.source), there.address).code == 0
    outside = there.home / "outside"
    outside.mkdir()
    there.back.mkdir()
    (there.back / "d").symlink_to(outside)
    ran = there("restore", "**", "--to", str(there.back))
    assert (ran.code, list(outside.iterdir())) == (1, [])
    assert "in-the-way   d/a.csv" in ran.err


@pytest.fixture
def local(tmp_path: Path) -> Program:
    """The program alone."""
    return Program(tmp_path)


def test_from_a_directory(local: Program, tmp_path: Path) -> None:
    """A directory is a store, too: from the ledger, and alone, where nothing speaks for the bytes and that is said."""
    local.write("a/b.csv", b"content")
    assert local.move().code == 0
    state = ("--state", str(local.state))
    assert local("restore", "**", "--to", str(tmp_path / "1"), *state).code == 0
    ran = local("restore", f"file://{local.target}", "--to", str(tmp_path / "2"), *state)
    assert (ran.code, (tmp_path / "2/a/b.csv").read_bytes()) == (0, b"content")
    assert "unverified   a/b.csv\n" in ran.err
    assert local("audit", "--all", *state).code == 0
    (local.target / "a/b.csv").write_bytes(b"CONTENT")
    assert local("audit", "--all", *state).code == 1


def test_not_into_a_source(local: Program) -> None:
    """A job would carry the files away again: refused, unless it is asked for (hazard 126)."""
    local.write("a.csv")
    assert local.move().code == 0
    state = ("--state", str(local.state))
    ran = local("restore", "**", "--to", str(local.source / "below"), *state)
    assert (ran.code, ran.out, list(local.source.iterdir())) == (2, "", [])
    assert "add --into-source" in ran.err
    assert local("restore", "**", "--to", str(local.source), "--into-source", *state).code == 0
    assert (local.source / "a.csv").read_bytes() == b"content"


def test_a_dry_run_writes_nothing(local: Program, tmp_path: Path) -> None:
    """It names what would come, and makes no directory."""
    local.write("a.csv")
    assert local.move().code == 0
    ran = local("restore", "**", "--to", str(tmp_path / "back"), "--dry-run", "-v", "--state", str(local.state))
    assert (ran.code, (tmp_path / "back").exists()) == (0, False)
    assert "planned      a.csv\n" in ran.err


def test_files_of_two_jobs(local: Program, tmp_path: Path) -> None:
    """One path in two sources: the same bytes come back once, other bytes are told and not mixed up."""
    for name in ("one", "two"):
        for file, content in (("same", b"same"), ("other", name.encode())):
            path = tmp_path / name / file
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        assert local("copy", str(tmp_path / name), str(tmp_path / f"to-{name}"), "--state", str(local.state)).code == 0
    ran = local("restore", "**", "--to", str(tmp_path / "back"), "--state", str(local.state))
    assert (ran.code, {path.name for path in (tmp_path / "back").iterdir()}) == (1, {"same"})
    assert ran.err.count("collides     other") == 2
    ran = local("restore", str(tmp_path / "two"), "--to", str(tmp_path / "back"), "--state", str(local.state))
    assert (ran.code, (tmp_path / "back/other").read_bytes()) == (0, b"two")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["restore", "--to", "x"], "say what to restore"),
        (["restore", "s3://bucket/a", "--job", "a", "--to", "x"], "--job asks the ledger"),
        (["restore", "s3://", "--to", "x"], "names no bucket"),
        (["restore", "a", "--as-of", "yesterday", "--to", "x"], "'yesterday' is no time"),
        (["restore", "a"], "--to"),
        (["mirror", "gs://bucket", "--to", "x"], "no kind of store"),
        (
            ["mirror", "my-bucket", "--to", "x"],
            "outhaul: my-bucket does not exist; for a bucket write s3://my-bucket\n",
        ),
        (["mirror", "my-bucket/in/2026", "--to", "x"], "; for a bucket write s3://my-bucket/in/2026\n"),
        (["mirror", "./my-bucket", "--to", "x"], "outhaul: ./my-bucket does not exist\n"),
        (["restore", "file:///nowhere/at/all", "--to", "x"], "outhaul: file:///nowhere/at/all does not exist\n"),
        (["audit", "--sample", "0%"], "is no sample"),
        (["audit", "--sample", "1%", "--all"], "not allowed with"),
    ],
)
def test_wrong_usage(local: Program, arguments: list[str], said: str) -> None:
    """One line that says what to write instead, exit code 2, and nothing is made."""
    ran = local(*arguments, "--state", str(local.state))
    assert (ran.code, ran.out, (local.home / "x").exists()) == (2, "", False)
    assert said in ran.err


def test_a_store_that_cannot_be_reached(local: Program) -> None:
    """Exit code 4 and one line that names it, without the request; the ledger's answer needs no network."""
    local.write("a.csv")
    assert local.move().code == 0
    (local.target / "a.csv").unlink()
    ran = local("restore", "**", "--to", "x", "--state", str(local.state))
    assert (ran.code, "missing      a.csv" in ran.err) == (1, True)
    down = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    said = "outhaul: s3://bucket/a: LIST a/: http://127.0.0.1:9 cannot be reached: Connection refused\n"
    for command in (["restore", "--to", "x"], ["mirror", "--to", "x"], ["rebuild", "--source", "x"]):
        assert local(*command, "s3://bucket/a", "--state", "new", **down) == (4, "", said)
    ran = local("mirror", "s3://bucket/a", "--to", "x", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (ran.code, ran.err.startswith("outhaul: s3://bucket/a: no AWS credentials found")) == (4, True)


def test_a_bucket_that_cannot_be_used(there: There) -> None:
    """One line that names it, and exit code 4. Nobody who wants files back is told to make a bucket."""
    wrong = {"AWS_SECRET_ACCESS_KEY": "not-the-secret"} if there.server.name == "rclone" else {}
    for command in (["restore", "--to", "x"], ["mirror", "--to", "x"], ["rebuild", "--source", "x"]):
        ran = there(*command, "s3://no-such-bucket/a")
        assert (ran.code, ran.err.startswith("outhaul: s3://no-such-bucket/a: LIST a/: 404 NoSuchBucket")) == (4, True)
        assert ran.err.endswith("; there is no such bucket there: correct its name, or the endpoint\n")
        if wrong:
            ran = there(*command, there.address, **wrong)
            assert (ran.code, ran.err.startswith(f"outhaul: {there.address}: LIST site/: 403")) == (4, True)
            assert ran.err.endswith("; correct the secret key\n")


def test_a_place_that_cannot_be_made(local: Program) -> None:
    """One line that names it, and exit code 1."""
    local.write("a.csv")
    assert local.move().code == 0
    ran = local("restore", "**", "--to", "/proc/nowhere", "--state", str(local.state))
    assert ran == (1, "", "outhaul: /proc/nowhere: No such file or directory\n")


@pytest.mark.parametrize(
    "options",
    [(), ("--bundle", "1MiB"), ("--bundle", "1MiB", "--compress", "zstd"), ("--compress", "gzip"), ("--group", "d")],
)
def test_no_mode_and_1970_come_back(there: There, options: tuple[str, ...]) -> None:
    """A file that nobody may read, and times in 1970 and before it: 0 is what the file had, and not what nobody knows."""
    mode = 0 if os.geteuid() == 0 else 0o400  # Only root can carry what nobody may read.
    had = {"epoch": 0, "before": -1_500_000_000, "long-before": -2_000_000_000_123_456_789}
    for name, mtime_ns in had.items():
        path = there.write(f"d/{name}", name.encode())
        path.chmod(mode)
        os.utime(path, ns=(0, mtime_ns))
    assert there("move", str(there.source), there.address, *options).code == 0

    def found(directory: Path) -> dict[str, tuple[int, int]]:
        states = {path.name: path.stat() for path in (directory / "d").iterdir()}
        return {name: (state.st_mode & 0o7777, state.st_mtime_ns) for name, state in states.items()}

    expected = {name: (mode, mtime_ns) for name, mtime_ns in had.items()}
    assert there("restore", "**", "--to", str(there.back)).code == 0
    assert expected == found(there.back)
    if not options:  # An object that is the file itself says nothing of its mode.
        return
    assert there("restore", there.address, "--to", str(there.home / "alone")).code == 0
    alone = found(there.home / "alone")
    assert {name: mtime_ns for name, (_, mtime_ns) in alone.items()} == had
    if "--compress" not in options or "--bundle" in options:  # An index, or a manifest, knows the mode.
        assert expected == alone
        there.state = there.home / "rebuilt"
        assert there("rebuild", there.address, "--source", str(there.source)).code == 0
        assert there("restore", "**", "--to", str(there.home / "again")).code == 0
        assert expected == found(there.home / "again")
