"""One failing system call: which call fails, how, the how-manieth time, and what became of the run and of the bytes.

strace lets the call fail. Calls that the start of the interpreter makes as well are failed only where they touch a path
of the trial; the others are the program's own from the first on. strace counts for each thread: call number 3 is the
third of every thread.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.runs import move
from faults.world import World, fresh

ERRNOS = ("EIO", "ENOSPC", "EACCES", "EROFS", "EMFILE", "ENOMEM", "EINTR", "EDQUOT", "ESTALE")
OWN_CALLS = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "renameat2",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "flock",
    "ftruncate",
)
"""Calls that no start of an interpreter makes."""
SHARED_CALLS = (
    "openat", "openat2", "read", "pread64", "newfstatat", "statx", "fcntl", "getdents64", "unlink", "close",
)  # fmt: skip
FILES = 3
_LONGEST_SECONDS = 8.0
KILLED = "inject=unlinkat:error=EIO:signal=KILL:when=2"


@dataclass(frozen=True, slots=True)
class Point:
    """A call that fails, its error, and its number; `onwards` lets every later one fail as well."""

    call: str
    errno: str
    number: int
    onwards: bool = False
    interrupted: bool = False
    """Whether the run finds what a run that was killed between rename and unlink has left."""

    def __str__(self) -> str:
        return f"{self.call}:error={self.errno}:when={self.number}{'+' if self.onwards else ''}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a point came to: whether the call was made at all, and everything that went wrong."""

    point: Point
    met: bool
    faults: list[str]
    first: str = ""

    def __str__(self) -> str:
        after = " after a kill" if self.point.interrupted else ""
        return f"{self.point}{after}: " + "; ".join(self.faults) + f"\n{self.first}"


def strike(strace: str, point: Point) -> Result:
    """A run in which that call fails, and one in which none does: nothing is lost, and the second carries everything."""
    with tempfile.TemporaryDirectory(prefix="outhaul-calls-") as name:
        root = Path(name)
        world = fresh(root)
        world.plant(FILES)
        if point.interrupted:
            move(world, before=[strace, "-f", "-qq", "-o", "/dev/null", "-e", KILLED])
        trace = root / "trace"
        inject = [f"trace={point.call}", "-e", f"inject={point}"]
        paths = [] if point.call in OWN_CALLS else [part for path in _paths(world) for part in ("-P", path)]
        first = move(world, before=[strace, "-f", "--seccomp-bpf", "-qq", "-o", str(trace), *paths, "-e", *inject],
                     seconds=_LONGEST_SECONDS)  # fmt: skip
        if b"(INJECTED)" not in trace.read_bytes():
            return Result(point, False, [f"without a fault: {fault}" for fault in first.faults], str(first))
        faults = world.faults() if _frees_a_lock(trace) else first.faults + world.faults()
        second = move(world)
        faults += [f"the second run: {fault}" for fault in [*second.faults, *world.faults(complete=True)]]
        if second.code:
            faults.append(f"the second run: code {second.code}: {second}")
        return Result(point, True, faults, str(first))


def _frees_a_lock(trace: Path) -> bool:
    """SQLite tries for ever where it cannot give a lock back; no kernel refuses that, so only the bytes are looked at."""
    return any("(INJECTED)" in line and "F_UNLCK" in line for line in trace.read_text().splitlines())


def once(number: int, call: str) -> Iterator[Point]:
    """One point, with an error that changes with the number."""
    turn = number + (*OWN_CALLS, *SHARED_CALLS).index(call)
    yield Point(call, ERRNOS[turn % len(ERRNOS)], number, interrupted=turn % 3 == 0)


def every(number: int, call: str) -> Iterator[Point]:
    """Each error of a call, once and from there on; a call that is interrupted for ever can only be tried for ever."""
    for errno in ERRNOS:
        yield Point(call, errno, number)
        yield Point(call, errno, number, interrupted=True)
        if errno != "EINTR":
            yield Point(call, errno, number, onwards=True)


def _paths(world: World) -> Iterator[str]:
    """All that a run touches: source, state, private directory and store."""
    from hashlib import sha256

    private = world.state / "private" / sha256(os.fsencode(world.source)).hexdigest()[:16]
    yield from map(str, (world.source, world.state, world.state / "private", private, world.store))
    for name in ("lock", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        yield str(world.state / name)
    for path in sorted(world.source.rglob("*")):
        yield str(path)
        yield str(world.store / path.relative_to(world.source))
