"""Fails the first, second, third ... of each system call until a run has no failing call any more.

`survey` takes one error for a number, in turn; `exhaust` takes every error, once and from there on.
"""

import argparse
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from faults.call_points import OWN_CALLS, SHARED_CALLS, Point, Result, every, once, strike
from faults.places import need

AT_ONCE = 2
LOW_MAX = 5
SPARSE_STEP = 15


def survey(strace: str, *, each: bool = False) -> Iterator[Result]:
    """Numbers of each call, all the low ones and where not `each` some of the high ones, with one error."""
    for call in (*OWN_CALLS, *SHARED_CALLS):
        yield from _until_clean(strace, partial(once, call=call), 1 if each else SPARSE_STEP)


def exhaust(strace: str) -> Iterator[Result]:
    """Each number of each call with each error."""
    for call in (*OWN_CALLS, *SHARED_CALLS):
        yield from _until_clean(strace, partial(every, call=call), 1)


def _until_clean(strace: str, points: Callable[[int], Iterable[Point]], step: int) -> Iterator[Result]:
    """Results of rising numbers, some at the same time, to the first numbers that no call had."""
    with ThreadPoolExecutor(AT_ONCE) as workers:
        for numbers in _groups(step):
            wanted = [point for number in numbers for point in points(number)]
            results = list(workers.map(partial(strike, strace), wanted))
            yield from results
            if not any(result.met for result in results):
                return


def _groups(step: int) -> Iterator[list[int]]:
    """1, 2, 3 ... in groups; beyond the low numbers in steps."""
    numbers = itertools.chain(range(1, LOW_MAX + 1), itertools.count(LOW_MAX + 1, step))
    while True:
        yield list(itertools.islice(numbers, AT_ONCE))


def figures(results: Iterable[Result]) -> str:
    """How many calls failed, by call."""
    met = Counter(result.point.call for result in results if result.met)
    return f"{met.total()} failed calls: " + ", ".join(f"{call} {count}" for call, count in met.most_common())


def main(arguments: list[str]) -> int:
    """The command line: prints each fault and the figures."""
    parser = argparse.ArgumentParser(description="Fail each system call of a run, and look whether a byte is lost.")
    parser.add_argument("--all", action="store_true", help="every error of each call, once and from there on")
    parser.add_argument("--each", action="store_true", help="every number of each call, with one error")
    options = parser.parse_args(arguments)
    strace = need("strace")
    results = []
    for result in exhaust(strace) if options.all else survey(strace, each=options.each):
        results.append(result)
        if result.faults:
            print(result, flush=True)
    print(figures(results))
    return 1 if any(result.faults for result in results) else 0
