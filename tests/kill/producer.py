"""A live producer of logger files, as its own process: `python -m kill.producer SOURCE JOURNAL --seed N`.

It writes location/YYYY/MM/DD/HH/mm-topic.dat beneath SOURCE in every style that loggers have (see `STYLES`):
one file for each byte that it reads from standard input. When the input ends, or after a bounded time, it finishes
what is open and says so in JOURNAL. A content is journalled when it is durable and closed. Files are only made
with O_EXCL or by rename, and only made longer through an open descriptor or by opening the name without O_CREAT:
what was carried away is not brought back.
"""

import argparse
import heapq
import itertools
import os
import random
import select
import time
from collections.abc import Callable, Generator
from hashlib import sha256
from pathlib import Path

from kill.content import content, steps
from kill.journal import Content, JournalWriter

Pauses = Generator[float, None, None]
"""One file's life: it yields how many seconds to wait before its next step."""

LONGEST_WAIT_SECONDS = 5.0
"""A call to open a file that takes longer than this was hindered."""

LOCATIONS = ("harbour", "powerhouse", "roof-3")
TOPICS = ("wind", "temp", "flow_rate", "co2")


class Producer:
    """Writes many files at once, one step at a time."""

    def __init__(self, source: Path, journal: JournalWriter, seed: int) -> None:
        self._source, self._journal, self._seed = source, journal, seed
        self._ending = False
        self._granted = 0
        self._rng = random.Random(seed)
        self._number = self._name = 0

    def run(self, rate: float, seconds: float) -> None:
        """Begin files until the input ends or the time is over, then finish those begun."""
        styles = list(STYLES.values())
        due: list[tuple[float, int, Pauses]] = []
        order = itertools.count()
        next_begin = time.monotonic()
        last = next_begin + seconds
        while due or not self._ending:
            if not self._ending:
                self._await_grant(0.0)  # However far behind it is, it hears that it is to end.
            now = time.monotonic()
            self._ending = self._ending or now > last
            if self._granted and not self._ending and now >= next_begin:
                heapq.heappush(due, (now, next(order), self._rng.choice(styles)(self)))
                self._granted -= 1
                next_begin = now + 1 / rate
            elif due and (due[0][0] <= now or self._ending):
                _, begun, life = heapq.heappop(due)
                pause = self._step(life)
                if pause is not None:
                    heapq.heappush(due, (time.monotonic() + pause, begun, life))
            else:
                moments = [last, *(entry[0] for entry in due[:1]), *([next_begin] if self._granted else [])]
                self._await_grant(max(0.0, min(moments) - now))
        self._journal.end()

    def _await_grant(self, seconds: float) -> None:
        """Wait that long at most: each byte of input allows one more file, its end ends the work."""
        if select.select([0], [], [], seconds)[0]:
            grant = os.read(0, 65536)
            self._granted += len(grant)
            self._ending = not grant

    def plain(self) -> Pauses:
        """Write, fsync, close."""
        yield from self._create(self._new_path(), "plain")

    def renamed(self) -> Pauses:
        """Write under a temporary dot-name, then rename to the name."""
        path = self._new_path()
        number, data = self._write_temporary(path)
        yield self._pause(0.05)
        self._take_name(path, number, data, "renamed")

    def slow(self) -> Pauses:
        """Keep the file open and write a little now and then."""
        yield from self._create(self._new_path(), "slow", writes=8, pause=0.1)

    def idle(self) -> Pauses:
        """Write, leave the file open and idle for some 100 ms, write more, close."""
        yield from self._create(self._new_path(), "idle", writes=2, pause=0.6)

    def reopened(self) -> Pauses:
        """Close the file, open it again by its name later and write more, several times."""
        path = self._new_path()
        number = yield from self._create(path, "reopened")
        for step in (2, 4, 6):
            yield self._pause(0.5)
            self._journal.append(path, number)
            try:
                descriptor = self._open(path, os.O_WRONLY | os.O_APPEND)
            except FileNotFoundError:
                number = yield from self._create(path, "reopened")
                return
            yield from self._fill(descriptor, path, number, range(step - 1, step + 1), "reopened", 0.2)

    def replaced(self) -> Pauses:
        """Replace the file by another one of the same name: the former is discarded if it is there."""
        path = self._new_path()
        former = yield from self._create(path, "replaced")
        yield self._pause(0.4)
        if not (self._source / path).exists():
            yield from self._create(path, "replaced")
            return
        number, data = self._write_temporary(path)
        self._journal.discard(path, former)
        self._take_name(path, number, data, "replaced")

    def reused(self) -> Pauses:
        """Wait until the file has been carried away, then write another one under its name."""
        path = self._new_path()
        for _ in range(3):
            yield from self._create(path, "reused")
            while (self._source / path).exists():
                yield 0.1
                if self._ending:
                    return

    def _step(self, life: Pauses) -> float | None:
        try:
            return next(life)
        except (StopIteration, FileExistsError):  # the mover may put back a file that it had in hand
            return None
        except OSError as error:
            self._journal.hindered(str(error.filename), repr(error))
            return None

    def _new_path(self) -> str:
        self._name += 1
        minutes, kind = divmod(self._name, len(LOCATIONS) * len(TOPICS))
        location, topic = LOCATIONS[kind % len(LOCATIONS)], TOPICS[kind // len(LOCATIONS)]
        day, hour = 1 + minutes // 1440 % 28, minutes // 60 % 24
        return f"{location}/2026/03/{day:02}/{hour:02}/{minutes % 60:02}-{topic}.dat"

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _pause(self, longest: float) -> float:
        return 0.0 if self._ending else self._rng.uniform(0.0, longest)

    def _create(self, path: str, style: str, writes: int = 1, pause: float = 0.0) -> Generator[float, None, int]:
        """Make a new file and write it, with it open all the time; returns its number."""
        number = self._next_number()
        descriptor = self._open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        yield from self._fill(descriptor, path, number, range(writes), style, pause)
        return number

    def _fill(self, descriptor: int, path: str, number: int, wanted: range, style: str, pause: float) -> Pauses:
        """Write those steps of a file through an open descriptor, close it and journal what it holds now."""
        sizes = (0, *steps(self._seed, number))
        data = content(self._seed, number, sizes[wanted.stop])
        for step in wanted:
            _write(descriptor, data[sizes[step] : sizes[step + 1]])
            if step != wanted[-1]:
                yield self._pause(pause)
        os.fsync(descriptor)
        os.close(descriptor)
        self._durable(path, number, data, style)

    def _write_temporary(self, path: str) -> tuple[int, bytes]:
        """Write a whole file under its temporary name; returns its number and bytes."""
        number = self._next_number()
        data = content(self._seed, number, steps(self._seed, number)[0])
        descriptor = self._open(_temporary(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        _write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)
        return number, data

    def _take_name(self, path: str, number: int, data: bytes, style: str) -> None:
        (self._source / _temporary(path)).rename(self._source / path)
        self._durable(path, number, data, style)

    def _durable(self, path: str, number: int, data: bytes, style: str) -> None:
        """Make the name durable, then journal the content; a directory that is gone held nothing any more."""
        try:
            directory = os.open((self._source / path).parent, os.O_RDONLY)
        except FileNotFoundError:
            directory = None
        if directory is not None:
            os.fsync(directory)
            os.close(directory)
        self._journal.content(Content(path, number, len(data), sha256(data).hexdigest(), style))

    def _open(self, path: str, flags: int) -> int:
        start = time.monotonic()
        if flags & os.O_CREAT:
            (self._source / path).parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._source / path, flags, 0o644)
        if time.monotonic() - start > LONGEST_WAIT_SECONDS:
            self._journal.hindered(path, f"open took {time.monotonic() - start:.1f} s")
        return descriptor


STYLES: dict[str, Callable[[Producer], Pauses]] = {
    "plain": Producer.plain,
    "renamed": Producer.renamed,
    "slow": Producer.slow,
    "idle": Producer.idle,
    "reopened": Producer.reopened,
    "replaced": Producer.replaced,
    "reused": Producer.reused,
}


def _temporary(path: str) -> str:
    directory, _, name = path.rpartition("/")
    return f"{directory}/.{name}.tmp"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def main() -> None:
    """Read the command line and produce."""
    parser = argparse.ArgumentParser(description="Writes logger files and journals what became durable.")
    parser.add_argument("source", type=Path)
    parser.add_argument("journal", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rate", type=float, default=100.0, help="most files begun in a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="stop after this time, if not before")
    options = parser.parse_args()
    producer = Producer(options.source, JournalWriter(options.journal), options.seed)
    producer.run(options.rate, options.seconds)


if __name__ == "__main__":
    main()
