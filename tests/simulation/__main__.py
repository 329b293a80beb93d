"""`python -m tests.simulation`: seeds, pairs of faults, and the whole history of one seed."""

import argparse
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from simulation import small
from simulation.machine import scaled
from simulation.scenarios import ONE, TWO
from simulation.world import home
from simulation.worlds import Count, History, play, tell

CORPUS = Path(__file__).with_name("seeds.txt")
_CHUNK = 100


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 1 where anything was found."""
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="play N seeds (default 1000)")
    parser.add_argument("--start", type=int, default=0, metavar="S", help="from seed S on (default 0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="on J processors")
    parser.add_argument("--repro", type=int, metavar="SEED", help="print the whole history of a seed")
    parser.add_argument("--pairs", action="store_true", help="every pair of faults for one file and for two")
    options = parser.parse_args(arguments)
    with home() as place, scaled():
        if options.repro is not None:
            return _repro(History(place, options.repro))
    if options.pairs:
        return _pairs()
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
    for count, broken in _spread(chunks, jobs):
        total = total.plus(count)
        for seed, text in broken:
            found += 1
            print(f"seed {seed}: {text}\n", flush=True)
    seconds = time.monotonic() - began
    print(f"{summary(total)} in {seconds:.1f} s, {total.seeds / seconds:.0f} seeds a second; {found} found something")
    return min(found, 1)


def _spread(chunks: list[range], jobs: int) -> Iterator[tuple[Count, list[tuple[int, str]]]]:
    if jobs == 1:
        yield from map(run_seeds, chunks)
        return
    with ProcessPoolExecutor(jobs) as processes:
        yield from processes.map(run_seeds, chunks)


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


def _pairs() -> int:
    found = 0
    for scenario in (ONE, TWO):
        began = time.monotonic()
        with home() as place, scaled():
            tried = small.try_all(place, scenario, pairs=True)
        print(*tried.broken, sep="\n\n")
        print(f"{scenario.name}: {tried.histories} pairs of faults in {time.monotonic() - began:.0f} s")
        found += len(tried.broken)
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
