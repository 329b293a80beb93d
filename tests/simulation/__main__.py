"""`python -m tests.simulation`: seeds, pairs of faults, and the whole history of one seed."""

import argparse
import math
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from simulation import small
from simulation.machine import scaled
from simulation.scenarios import ONE, TWO
from simulation.world import home
from simulation.worlds import Count, History, play, tell

CORPUS = Path(__file__).with_name("seeds.txt")
SHARES = 200
"""The pairs of a scenario, by their first fault, in so many parts."""
PAIRED = {"one file, and a producer": ONE, "two files": TWO}
_CHUNK = 100
_A = TypeVar("_A")
_B = TypeVar("_B")


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 1 where anything was found."""
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="play N seeds (default 1000)")
    parser.add_argument("--start", type=int, default=0, metavar="S", help="from seed S on (default 0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="on J processors")
    parser.add_argument("--repro", type=int, metavar="SEED", help="print the whole history of a seed")
    parser.add_argument("--pairs", action="store_true", help="every pair of faults for one file and for two")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, metavar="S", help="as many pairs as fit into S, of each"
    )
    options = parser.parse_args(arguments)
    with home() as place, scaled():
        if options.repro is not None:
            return _repro(History(place, options.repro))
    if options.pairs:
        return _pairs(options.jobs, options.seconds)
    return _seeds(range(options.start, options.start + options.seeds), options.jobs)


def run_seeds(seeds: range | list[int]) -> tuple[Count, list[tuple[int, str]]]:
    """Play these seeds: what was played, and each seed that found something, with what it found."""
    count, found = Count(), []
    with home() as place, scaled():
        for seed in seeds:
            try:
                count = count.plus(play(place, seed))
            except Exception as error:
                found.append((seed, "".join(traceback.format_exception_only(error)).strip()))
    return count, found


def _seeds(seeds: range, jobs: int) -> int:
    began, total, found = time.monotonic(), Count(), 0
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    for count, broken in _spread(run_seeds, chunks, jobs):
        total = total.plus(count)
        for seed, text in broken:
            found += 1
            print(f"seed {seed}: {text}\n", flush=True)
    seconds = time.monotonic() - began
    print(f"{summary(total)} in {seconds:.1f} s, {total.seeds / seconds:.0f} seeds a second; {found} found something")
    return min(found, 1)


def _spread(task: Callable[[_A], _B], arguments: Iterable[_A], jobs: int) -> Iterator[_B]:
    if jobs == 1:
        yield from map(task, arguments)
        return
    with ProcessPoolExecutor(jobs) as processes:
        yield from processes.map(task, arguments)


def summary(count: Count) -> str:
    """The figures, in words."""
    return (
        f"{count.seeds} seeds: {count.processes} processes, {count.effects} calls, {count.faults} faults, "
        f"{count.crashes} crashes and power cuts"
    )


def _repro(history: History) -> int:
    try:
        history.play()
    except Exception:
        print(tell(history))
        traceback.print_exc(file=sys.stdout)
        return 1
    print(tell(history))
    return 0


def _pairs(jobs: int, seconds: float) -> int:
    """Share by share, and within the time: the shares that were tried are whole, and stand for the others by chance."""
    found = 0
    for name in PAIRED:
        began = time.monotonic()
        shares = [(name, share, began + seconds) for share in random.Random(0).sample(range(SHARES), SHARES)]
        tried = [part for part in _spread(_share, shares, jobs) if part is not None]
        for part in tried:
            print(*part.broken, sep="\n\n", end="\n" if part.broken else "")
        found += sum(len(part.broken) for part in tried)
        print(
            f"{name}: {len(tried)} of {SHARES} shares, {sum(part.histories for part in tried)} pairs of faults, "
            f"{sum(part.processes for part in tried)} processes, {sum(part.crashes for part in tried)} crashes and "
            f"power cuts in {time.monotonic() - began:.0f} s; {found} found something"
        )
    return min(found, 1)


def _share(asked: tuple[str, int, float]) -> small.Tried | None:
    name, share, end = asked
    if time.monotonic() > end:
        return None
    with home() as place, scaled():
        return small.try_pairs(place, PAIRED[name], (share, SHARES))


if __name__ == "__main__":
    sys.exit(main())
