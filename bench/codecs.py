"""Codecs side by side with the ordinary programs, and how small they stay: `python -m bench.codecs`.

Each contender is a process of its own that reads one file and writes to nowhere; they take turns. Only ratios within a run mean
anything. Not measured here: compression within a whole run of outhaul.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from outhaul.codecs import FORMATS, Codec, open_codec

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SMALL = 4096
SPARSE = 10 << 30
SPARSE_LIMIT = 128_000_000
"""Bytes of data and stacks that may be written to. Address space is another matter: the C library reserves 64 MiB a thread."""


class File:
    """A file as a source."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.length = os.fstat(self._descriptor).st_size

    def pread(self, length: int, offset: int) -> bytes:
        """See `model.evidence.ByteSource`."""
        return os.pread(self._descriptor, length, offset)


def write_table(path: Path, megabytes: float) -> None:
    """A table as loggers write them: times, names, and values that wander."""
    chance = random.Random(7)
    now, values = 1.7e9, [20.0, 1013.0, 55.0, 230.0]
    with path.open("wb") as file:
        while file.tell() < megabytes * 1e6:
            now += chance.random() * 2
            values = [value + chance.gauss(0, 0.05) for value in values]
            line = f"{now:.3f},sensor-{chance.randrange(12):02d},{','.join(f'{value:.3f}' for value in values)}\n"
            file.write(line.encode())


def child(name: str, level: int, cores: int, path: str) -> None:
    """Encode a file; say how many bytes came out and what the memory was at most."""
    source = File(path)
    size = sum(len(chunk) for chunk in open_codec(name, level).encode(source, source.length, cores))
    print(size, _peak_memory())


def child_one_stream(path: str) -> None:
    """What a program would do that takes Python's bz2 as it is."""
    import bz2

    stream, size = bz2.BZ2Compressor(9), 0
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            size += len(stream.compress(data))
    print(size + len(stream.flush()), _peak_memory())


def _peak_memory() -> int:
    """Of this program alone; what wait4 tells may be the peak of who started it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def ourselves(name: str, level: int, cores: int, path: Path) -> tuple[str, ...]:
    """The command that encodes a file with a codec of outhaul."""
    return (sys.executable, "-m", "bench.codecs", "--child", name, str(level), str(cores), str(path))


def timed(command: tuple[str, ...], limit: int = 0) -> tuple[float, int, int]:
    """Seconds, bytes that came out, and the peak of memory where it is told."""

    def confine() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=confine if limit else None)
    assert process.stdout is not None
    with process, process.stdout as output:
        if command[0] == sys.executable:
            size, memory = (int(word) for word in output.read().split() or (0, 0))
        else:
            size, memory = sum(len(data) for data in iter(lambda: output.read(1 << 20), b"")), 0
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return time.perf_counter() - started, size, memory


def in_turn(contenders: dict[str, tuple[str, ...]], runs: int) -> dict[str, list[tuple[float, int, int]]]:
    """A B C, A B C ..."""
    results: dict[str, list[tuple[float, int, int]]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, command in contenders.items():
            results[name].append(timed(command))
    return results


def compare(title: str, path: Path, contenders: dict[str, tuple[str, ...]], runs: int) -> None:
    """Print one line a contender; ratios are those of the first to each."""
    print(f"\n{title}, {path.stat().st_size / 1e6:.0f} MB, {runs} runs")
    results = in_turn(contenders, runs)
    first = next(iter(results.values()))
    for name, trials in results.items():
        times = [trial[0] for trial in trials]
        ratios = sorted(other[0] / ours[0] for ours, other in zip(first, trials, strict=True))
        memory = f"{max(trial[2] for trial in trials) / 1e6:4.0f} MB" if trials[0][2] else "       "
        print(
            f"  {name:<26} {statistics.median(times):7.2f} s ({min(times):.2f} to {max(times):.2f})"
            f"  {trials[0][1] / 1e6:8.3f} MB  {memory}  the first is {statistics.median(ratios):5.2f} times as fast"
            f" ({ratios[0]:.2f} to {ratios[-1]:.2f}), size {first[0][1] / trials[0][1]:.4f}"
        )


def bzip2(path: Path, runs: int) -> None:
    """The bar: 1.8 times one stream of Python's bz2, no slower than `bzip2`, within 2 % of its size."""
    contenders = {
        f"outhaul, {CORES} cores": ourselves("bzip2", 9, CORES, path),
        "outhaul, one core": ourselves("bzip2", 9, 1, path),
        "bz2 of Python, one stream": (sys.executable, "-m", "bench.codecs", "--one-stream", str(path)),
    }
    for program in ("bzip2", "lbzip2", "pbzip2"):
        if shutil.which(program):
            contenders[f"the program {program}"] = (program, "-9", "-c", str(path))
    compare("bzip2", path, contenders, runs)


def each(path: Path, runs: int) -> None:
    """Every other codec on all cores, on one, and its program."""
    for name in ("gzip", "zstd", "xz", "lz4"):
        level = FORMATS[name].default
        contenders = {
            f"outhaul, {CORES} cores": ourselves(name, level, CORES, path),
            "outhaul, one core": ourselves(name, level, 1, path),
        }
        if shutil.which(name):
            contenders[f"the program {name}"] = (name, f"-{level}", "-c", str(path))
        compare(f"{name}, level {level}", path, contenders, runs)


def sparse(folder: Path) -> None:
    """The bar: 10 GiB of nothing through zstd within 128 MB."""
    path = folder / "sparse"
    with path.open("wb") as file:
        file.truncate(SPARSE)
    print(f"\n{SPARSE >> 30} GiB, sparse, with at most {SPARSE_LIMIT / 1e6:.0f} MB of data")
    for name in ("zstd", "lz4"):
        seconds, size, memory = timed(ourselves(name, FORMATS[name].default, CORES, path), SPARSE_LIMIT)
        print(f"  {name:<6} {seconds:6.1f} s  {size / 1e6:8.3f} MB  {memory / 1e6:4.0f} MB of memory at most")


def small(path: Path) -> None:
    """Microseconds for a file of 4 KiB in one call."""
    data = path.read_bytes()[:SMALL]
    print(f"\n{SMALL} bytes in one call, and back")
    for name in FORMATS:
        codec = open_codec(name)
        stored = codec.encode_bytes(data)
        there = _microseconds(partial(codec.encode_bytes, data))
        back = _microseconds(partial(_decoded, codec, stored))
        print(f"  {name:<6} {there:8.1f} µs  {back:8.1f} µs  {len(stored)} bytes")


def _decoded(codec: Codec, stored: bytes) -> bytes:
    return b"".join(codec.decode((stored,), SMALL))


def _microseconds(call: Callable[[], object], times: int = 300) -> float:
    best = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(times):
            call()
        best.append((time.perf_counter() - started) / times * 1e6)
    return min(best)


def main() -> None:
    """Choose and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.codecs", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT", help="bzip2, each, sparse, small; all of them by default")
    parser.add_argument("--megabytes", type=float, default=200, help="of the table for bzip2; the others take a tenth")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--one-stream", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], int(options.child[1]), int(options.child[2]), options.child[3])
        return
    if options.one_stream:
        child_one_stream(options.one_stream)
        return
    wanted = options.what or ["bzip2", "each", "sparse", "small"]
    print(f"{CORES} cores, Python {sys.version.split()[0]}, load before {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        if "bzip2" in wanted:
            write_table(path, options.megabytes)
            bzip2(path, options.runs)
        write_table(path, options.megabytes / 10)
        if "each" in wanted:
            each(path, options.runs)
        if "sparse" in wanted:
            sparse(Path(folder))
        if "small" in wanted:
            small(path)


if __name__ == "__main__":
    main()
