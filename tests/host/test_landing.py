"""Where restored files are written: beneath one directory, whole, through no link, over nothing (T13, hazards 122 and 125)."""

from __future__ import annotations

import errno
import os
import resource
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from outhaul.host.landing import HostLanding, landing_error
from outhaul.host.syncing import SharedSync, _tells
from outhaul.model.errors import InTheWay, LandingError, NameRefused, NoRoom, NotWritten, Taken


def put(landing: HostLanding, path: str, content: bytes, *, replace: bool = False, mtime_ns: int | None = None) -> None:
    """Write one file, as a restore does."""
    directory, _, name = path.rpartition("/")
    folder = landing.folder(directory, make=True)
    assert folder is not None
    with folder, folder.create() as new:
        new.write(content)
        landing.sync([new])
        new.name(name, mtime_ns, replace=replace)
        landing.sync([folder])


def tree(top: Path) -> dict[str, bytes | str]:
    """All that is beneath a directory: contents, or where a link leads."""
    return {
        str(path.relative_to(top)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture(params=["nameless", "by name"])
def inside(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is restored to, beside one that nothing may reach; with O_TMPFILE, and where there is none."""
    if request.param == "by name":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    (tmp_path / "outside").mkdir()
    (tmp_path / "inside").mkdir()
    return tmp_path / "inside"


def test_a_file_is_written_with_its_time_and_the_usual_mode(inside: Path) -> None:
    """Directories are made, the modification time is set, the mode is that of a new file, and nothing else is left."""
    before = os.umask(0o027)
    try:
        with HostLanding(str(inside)) as landing:
            put(landing, "a/b/c.csv", b"content", mtime_ns=1_600_000_000_123_456_789)
    finally:
        os.umask(before)
    state = (inside / "a/b/c.csv").stat()
    assert (state.st_mtime_ns, stat.S_IMODE(state.st_mode)) == (1_600_000_000_123_456_789, 0o640)
    assert tree(inside) == {"a/b/c.csv": b"content"}


@pytest.mark.parametrize(
    ("mode", "found"),
    [(0o600, 0o600), (0o444, 0o444), (0o775, 0o775), (0o4755, 0o755), (0o2777, 0o777), (0o1666, 0o666), (0, 0)],
)
@pytest.mark.parametrize("replace", [False, True])
def test_a_known_mode_is_given_back(inside: Path, mode: int, found: int, replace: bool) -> None:
    """Whatever the umask; never setuid, setgid or sticky. Until it is named, nobody but the owner can open it."""
    if replace:
        (inside / "a").write_bytes(b"old")
    before = os.umask(0o027)
    try:
        with HostLanding(str(inside)) as landing:
            folder = landing.folder("", make=True)
            assert folder is not None
            with folder, folder.create(mode) as new:
                new.write(b"content")
                assert stat.S_IMODE(os.fstat(new.descriptor).st_mode) == 0o600
                landing.sync([new])
                new.name("a", 1_600_000_000_123_456_789, replace=replace)
    finally:
        os.umask(before)
    state = (inside / "a").stat()
    assert (stat.S_IMODE(state.st_mode), state.st_mtime_ns) == (found, 1_600_000_000_123_456_789)
    assert tree(inside) == {"a": b"content"}


@pytest.mark.parametrize("mtime_ns", [0, 1, -1, -123_456_789_012_345_678])
def test_a_known_time_is_given_back(inside: Path, mtime_ns: int) -> None:
    """1970 is a time as any other, and so is one before it."""
    with HostLanding(str(inside)) as landing:
        put(landing, "a", b"content", mtime_ns=mtime_ns)
    assert mtime_ns == (inside / "a").stat().st_mtime_ns


def test_a_time_that_nobody_knows_is_that_of_writing(inside: Path) -> None:
    """It is not 1970."""
    before = time.time_ns()
    with HostLanding(str(inside)) as landing:
        put(landing, "a", b"content", mtime_ns=None)
    assert abs((inside / "a").stat().st_mtime_ns - before) < 60 * 10**9


def test_nothing_is_written_over(inside: Path) -> None:
    """A name that is taken raises `Taken`, and the file that has it is as it was; with `replace` it is replaced whole."""
    (inside / "a.csv").write_bytes(b"mine")
    with HostLanding(str(inside)) as landing:
        with pytest.raises(Taken):
            put(landing, "a.csv", b"theirs")
        assert tree(inside) == {"a.csv": b"mine"}
        put(landing, "a.csv", b"theirs", replace=True)
    assert tree(inside) == {"a.csv": b"theirs"}


def test_no_link_is_followed(inside: Path) -> None:
    """A link in place of a directory or a file, planted in the directory, leads nowhere: neither read, written nor replaced."""
    outside = inside.parent / "outside"
    (outside / "victim").write_bytes(b"victim")
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "victim")
    (inside / "dangling").symlink_to(outside / "new")
    (inside / "real").mkdir()
    (inside / "real" / "up").symlink_to("../..")
    links = tree(inside)
    with HostLanding(str(inside)) as landing:
        for path in ("folder/victim", "folder/new", "real/up/outside/victim", "real/up/new"):
            with pytest.raises(InTheWay):
                put(landing, path, b"evil")
        for replace in (False, True):
            for path in ("file", "dangling"):
                with pytest.raises((InTheWay, Taken)):
                    put(landing, path, b"evil", replace=replace)
        folder = landing.folder("", make=False)
        assert folder is not None
        with folder, pytest.raises(InTheWay):
            folder.existing("file")
    assert (links, {"victim": b"victim"}) == (tree(inside), tree(outside))


@pytest.mark.parametrize("path", ["../outside/x", "a/../../outside/x", "..", "/etc/x", "a/\0", "a//b", ""])
def test_no_name_leads_out(inside: Path, path: str) -> None:
    """A path that should have been refused before is refused here too: making directories part by part would follow '..'."""
    with HostLanding(str(inside)) as landing, pytest.raises(NameRefused):
        put(landing, path, b"evil")
    assert tree(inside.parent) == {}


def test_a_directory_that_is_swapped_meanwhile(inside: Path) -> None:
    """An attacker renames the directory away and puts a link in its place: files go on into the one that was opened."""
    outside = inside.parent / "outside"
    with HostLanding(str(inside)) as landing:
        put(landing, "a/1", b"1")
        folder = landing.folder("a", make=True)
        assert folder is not None
        os.rename(inside / "a", inside / "b")
        (inside / "a").symlink_to(outside)
        with folder, folder.create() as new:
            new.write(b"2")
            new.name("2", 0, replace=False)
        with pytest.raises(InTheWay):
            put(landing, "a/3", b"3")
        os.rename(inside, inside.parent / "moved")
        inside.symlink_to(outside)
        put(landing, "c/4", b"4")
    assert tree(outside) == {}
    assert {"a": str(outside), "b/1": b"1", "b/2": b"2", "c/4": b"4"} == tree(inside.parent / "moved")


def test_what_stands_in_the_way(inside: Path) -> None:
    """A file where a directory should be, a directory where a file should be, a FIFO: each is told, none waited for."""
    (inside / "file").write_bytes(b"file")
    (inside / "folder").mkdir()
    os.mkfifo(inside / "pipe")
    with HostLanding(str(inside)) as landing:
        with pytest.raises(InTheWay):
            put(landing, "file/below", b"x")
        for name in ("folder", "pipe"):
            with pytest.raises(InTheWay):
                put(landing, name, b"x", replace=True)
            with pytest.raises(Taken):
                put(landing, name, b"x")
        top = landing.folder("", make=False)
        assert top is not None
        with top:
            for name in ("folder", "pipe"):
                with pytest.raises(InTheWay):
                    top.existing(name)
            with pytest.raises(NameRefused):
                top.existing("n" * 300)


def test_a_full_disk_leaves_nothing_half(inside: Path) -> None:
    """A write that fails in the middle leaves no file, under no name."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with HostLanding(str(inside)) as landing:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        try:
            with pytest.raises(NotWritten):
                put(landing, "a/large", b"x" * 20_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert tree(inside) == {}


def test_a_file_that_is_not_named_is_gone(inside: Path) -> None:
    """What was damaged is never named: nothing of it is left."""
    with HostLanding(str(inside)) as landing:
        folder = landing.folder("", make=True)
        assert folder is not None
        with folder, folder.create() as new:
            new.write(b"damaged")
    assert list(inside.iterdir()) == []


def test_what_is_there_is_read(inside: Path) -> None:
    """Its size, time and bytes; None where there is none; no directory is made by asking."""
    (inside / "a").write_bytes(b"12345")
    os.utime(inside / "a", ns=(5, 7_000_000_000))
    with HostLanding(str(inside)) as landing:
        folder = landing.folder("", make=False)
        assert folder is not None
        with folder:
            there = folder.existing("a")
            assert there is not None
            with there:
                assert (there.size, there.mtime_ns, b"".join(there.chunks())) == (5, 7_000_000_000, b"12345")
            assert folder.existing("b") is None
        assert landing.folder("x/y", make=False) is None
    assert tree(inside) == {"a": b"12345"}


def test_where_nothing_is_to_be_made(tmp_path: Path) -> None:
    """Without `make`, a directory that is missing stays missing; a file in its place is told."""
    with HostLanding(str(tmp_path / "missing"), make=False) as landing:
        assert landing.folder("a", make=False) is None
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LandingError):
        HostLanding(str(tmp_path / "file"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_many_are_made_durable_together(inside: Path) -> None:
    """Thirty files in one sync are there, each with its own bytes."""
    with HostLanding(str(inside)) as landing:
        folder = landing.folder("", make=True)
        assert folder is not None
        with folder:
            files = [folder.create() for _ in range(30)]
            for number, new in enumerate(files):
                new.write(b"%d" % number)
            landing.sync(files)
            for number, new in enumerate(files):
                with new:
                    new.name(str(number), 0, replace=False)
            landing.sync([folder])
    assert {str(number): b"%d" % number for number in range(30)} == tree(inside)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, NoRoom),
        (errno.EDQUOT, NoRoom),
        (errno.EROFS, NoRoom),
        (errno.EIO, NotWritten),
        (errno.EACCES, NotWritten),
        (errno.ELOOP, InTheWay),
        (errno.EXDEV, InTheWay),
        (errno.ENAMETOOLONG, NameRefused),
    ],
)
def test_errors_in_our_terms(number: int, kind: type[LandingError]) -> None:
    """Each error of the system is the one that says what may help."""
    assert type(landing_error(OSError(number, os.strerror(number)))) is kind


@pytest.mark.parametrize(
    ("release", "tells"),
    [("5.8.0-1-arm64", True), ("6.18.44", True), ("5.7.19", False), ("4.19", False), ("odd", False)],
)
def test_from_which_kernel_on_a_sync_tells_of_errors(release: str, tells: bool) -> None:
    """syncfs(2): before Linux 5.8 a failed write was not told, and each file is synced by itself."""
    assert _tells(release) is tells


def test_a_failed_sync_is_final(tmp_path: Path) -> None:
    """The kernel tells of a failed write once: whoever syncs after that is told so too (L11)."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    shared = SharedSync(descriptor)
    shared.sync()
    os.close(descriptor)
    for _ in range(2):
        with pytest.raises(OSError, match="Bad file descriptor"):
            shared.sync()


def test_a_sync_is_shared(tmp_path: Path) -> None:
    """Of many threads that wait for a sync each comes back, and each after one that began after its call."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    shared = SharedSync(descriptor)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: shared.sync(), range(64)))
    os.close(descriptor)
    assert 1 <= shared._done == shared._begun <= 64
