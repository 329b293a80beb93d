"""The scenarios of the way back: many small files out of bundles beside as many objects, and one file out of a bundle.

True here: servers are real ones and are filled once, outside the measured time; s5cmd and rclone fetch an object for each file,
outhaul reads bundles by its ledger, and checks every digest. Each trial fetches into a fresh directory, and every file there
is compared with the plan. What one file costs is counted between client and server, byte by byte, by a relay of the
benchmark's own.
Not done here: how bundles came to be (comparisons.py).
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import tools, trees, trial
from bench.losses.proxy import Proxy
from bench.processes import BenchError
from bench.real_server import MotoServer, RealServer
from bench.results import Bar, Outcome, Series, Trial
from bench.tools import Target, Tool
from bench.workplace import Server, Workplace

RATIO = Bar(2.0, 4.0, "x", at_least=True, decimals=1)
ONE_GET = Bar(1)
BEYOND = Bar(64 << 10, unit=" bytes")
LARGE_BUNDLE, FULL = "64MiB", 13_200
"""Files of 4 KiB that fill one, with what each adds to it."""
MOTO_RUNS = 3
FETCHERS = ("s5cmd", "rclone")


@dataclass(frozen=True)
class Filled:
    """A server with something in it, and the ledger of who put it there."""

    server: RealServer
    state: Path


def restore_small(
    place: Workplace, bundler: Tool, peers: Sequence[Tool], files: int, runs: int, *, moto: bool = False
) -> Outcome:
    """Bring many small files back, in turn: out of bundles, and one object for each."""
    peers = [tool for tool in peers if tool.name in FETCHERS]
    runs = min(runs, MOTO_RUNS) if moto else runs
    name = "restore-small" + ("-moto" if moto else "")
    with contextlib.ExitStack() as open_servers:
        bundled = open_servers.enter_context(_filled(place, bundler, files, moto=moto))
        outcome = Outcome(name, f"fetch {files:,} files of 4 KiB", bundled.server.kind, ours=bundler.name)
        work = [(bundler, bundled)]
        if peers:
            alone = open_servers.enter_context(_filled(place, peers[0], files, moto=moto))
            work += [(tool, alone) for tool in peers]
        outcome.series = [Series(tool.name) for tool, _ in work]
        for _ in range(runs):
            for (tool, where), series in zip(work, outcome.series, strict=True):
                series.trials.append(_fetch(place, tool, where, files))
                trial.tell(name, series)
    _judge(outcome)
    return outcome


def one_member(place: Workplace, bundler: Tool, runs: int) -> Outcome:
    """Bring one file back out of a large bundle, as it is and compressed, and count what goes over the wire."""
    outcome = Outcome("one-member", f"fetch 1 file of 4 KiB out of a bundle of {LARGE_BUNDLE}", "")
    for codec in ("none", "zstd"):
        options = ["--bundle", LARGE_BUNDLE, *(["--compress", codec] if codec != "none" else [])]
        series = Series(f"outhaul, {codec}", in_ms=True)
        outcome.series.append(series)
        with _filled(place, bundler, FULL, options) as where:
            outcome.server = where.server.kind
            proxy = Proxy(where.server.port)
            try:
                for number in range(runs):
                    wanted = trees.plan(FULL, trial.SIZE)[FULL * (number + 1) // (runs + 2)]
                    series.trials.append(_one(place, bundler, where, proxy, wanted))
                    trial.tell("one-member", series)
            finally:
                proxy.stop()
        sound = not series.problems
        asked = [one.requests for one in series.trials if one.requests is not None]
        came = [one.received for one in series.trials if one.received is not None]
        beyond = max(came) - trial.SIZE if came else None
        outcome.verdicts.append(ONE_GET.verdict(f"requests, {codec}", max(asked, default=None), sound))
        outcome.verdicts.append(BEYOND.verdict(f"bytes beside its own, {codec}", beyond, sound))
    return outcome


@contextlib.contextmanager
def _filled(
    place: Workplace, tool: Tool, files: int, options: Sequence[str] = (), *, moto: bool = False
) -> Iterator[Filled]:
    """Copy the files to a fresh real server with a tool."""
    source, state = place.fresh(place.files, "source"), trial.state_directory(place)
    server = _real_server(place, moto=moto)
    try:
        trees.make(source, files, trial.SIZE)
        target = Target(server.url)
        command = [*tools.copying(tool.move(source, target, state)), *options]
        cost = trial.run(place, Server(server, target), command, files * (5 if moto else 1))
        if problems := trial.program_problems(tool.name, cost):
            raise BenchError(f"a server could not be filled: {problems[0]}")
        shutil.rmtree(source)
        yield Filled(server, state)
    finally:
        server.stop()
        shutil.rmtree(source, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def _real_server(place: Workplace, *, moto: bool) -> RealServer:
    directory = place.fresh(place.state, "server")
    if moto:
        program = Path(sys.executable).with_name("moto_server")
        if not program.exists():
            raise BenchError("moto_server is not installed beside this Python (pip install 'moto[s3,server]')")
        return MotoServer(program, directory, tools.BUCKET)
    assert place.rclone is not None
    return RealServer(place.rclone, directory, tools.BUCKET)


def _fetch(place: Workplace, tool: Tool, where: Filled, files: int) -> Trial:
    into, target = place.fresh(place.files, "fetched"), Target(where.server.url)
    command = tools.fetching(tool.name, tool.program, into, target, where.state)
    try:
        cost = trial.run(place, Server(where.server, target), command, files * 5)
        problems = trial.program_problems(tool.name, cost) + trees.problems(into, files, trial.SIZE)
        return trial.as_trial(files, cost, Server(where.server, target), problems)
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _one(place: Workplace, tool: Tool, where: Filled, proxy: Proxy, wanted: trees.PlannedFile) -> Trial:
    into, target = place.fresh(place.files, "fetched"), Target(proxy.url)
    options = tools.outhaul_options(target, where.state)
    command = [str(tool.program), "restore", wanted.path, "--to", str(into), *options]
    requests, answered = len(proxy.seen), proxy.answered
    try:
        cost = trial.run(place, Server(where.server, target), command, 1)
        problems = trial.program_problems("outhaul", cost) + trees.differences(into, [wanted])
        done = trial.as_trial(1, cost, Server(where.server, target), problems)
        return replace(done, requests=len(proxy.seen) - requests, received=proxy.answered - answered)
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _judge(outcome: Outcome) -> None:
    ours, theirs = outcome.of(outcome.ours), outcome.of("s5cmd")
    if ours is None or theirs is None:
        return
    sound = not ours.problems and not theirs.problems
    value = ours.rate.middle / theirs.rate.middle if sound else None
    outcome.verdicts.append(RATIO.verdict(f"{outcome.ours} to s5cmd", value, sound))
