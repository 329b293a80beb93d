"""The command line of the races: choose races and tools, install the peers, play, print the table.

Exit code 0: outhaul lost, altered and overwrote nothing, and every moment was met; 1: it did, or one was not;
2: nothing could run, or wrong usage. What a peer loses is a result, not an error.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import machine, peers
from bench.losses import table
from bench.losses.movers import SETTINGS, TITLES, Mover
from bench.losses.proxy import Proxy
from bench.losses.races import RACES, Race
from bench.losses.store import Store
from bench.losses.trials import Theatre, Trial
from bench.processes import BenchError, end_as_by_keyboard


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the races and return the exit code."""
    options = _options(arguments)
    if options.list:
        print("\n".join(f"{race.name:20} {race.title}" for race in RACES))
        return 0
    end_as_by_keyboard(signal.SIGTERM)
    try:
        return _run(options)
    except BenchError as error:
        print(f"losses: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("losses: interrupted", file=sys.stderr)
        return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="losses", description="the same races for all movers: who loses a byte?")
    parser.add_argument("races", nargs="*", metavar="RACE", help="which to play (all; see --list)")
    parser.add_argument("--runs", type=int, help="how often each tool plays each race (5; with --quick once)")
    parser.add_argument("--quick", action="store_true", help="once each, with fewer files: in less than a minute")
    parser.add_argument("--tools", default=",".join(TITLES), help="which tools (%(default)s)")
    parser.add_argument("--seed", type=int, help="of contents and of the moments of kills (a random one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every trial there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a table for a page there")
    parser.add_argument("--list", action="store_true", help="name the races and end")
    options = parser.parse_args(arguments)
    options.tools = options.tools.split(",")
    for kind, given, known in (("race", options.races, [race.name for race in RACES]), ("tool", options.tools, TITLES)):
        for name in given:
            if name not in known:
                parser.error(f"there is no {kind} {name!r}, only {', '.join(known)}")
    if options.runs is not None and options.runs < 1:
        parser.error("--runs must be at least 1")
    return options


def _run(options: argparse.Namespace) -> int:
    races = [race for race in RACES if not options.races or race.name in options.races]
    runs = options.runs or (1 if options.quick else 5)
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    programs = _programs(options.tools)
    tools = [name for name in TITLES if name in options.tools]
    movers = [Mover(name, programs[name]) for name in tools]
    with tempfile.TemporaryDirectory(prefix="outhaul-losses-", ignore_cleanup_errors=True) as place:
        root = Path(place)
        facts = {
            "measured": time.strftime("%Y-%m-%d", time.gmtime()),
            "runs": runs,
            "seed": seed,
            "server": f"{Store.kind} ({peers.version('rclone', programs['rclone'])}), plain HTTP on loopback",
            "versions": {name: peers.version(name, programs[name]) for name in tools},
            "settings": {name: SETTINGS[name] for name in tools},
            "machine": machine.facts(root, root),
        }
        began = time.monotonic()
        trials = _play(root, programs["rclone"], races, movers, runs, seed, 100 if options.quick else 200)
        facts["seconds"] = round(time.monotonic() - began, 1)
    rows = table.matrix(trials, races, tools)
    _show(rows, table.details(trials, races, tools), facts)
    if options.json:
        table.write_json(options.json, trials, facts)
    if options.markdown:
        options.markdown.write_text(table.markdown(rows, facts))
    return _exit_code(trials)


def _programs(tools: Sequence[str]) -> dict[str, Path]:
    """Return the programs; rclone is always there, for it is the server."""
    programs = peers.ensure(dict.fromkeys([*(name for name in tools if name != "outhaul"), "rclone"]))
    if "outhaul" in tools:
        ours = peers.outhaul()
        if ours is None:
            raise BenchError("outhaul is not installed in this environment")
        programs["outhaul"] = ours
    return programs


def _play(
    root: Path, rclone: Path, races: Sequence[Race], movers: Sequence[Mover], runs: int, seed: int, small_files: int
) -> list[Trial]:
    """Play everything against one server, and say on standard error how each trial went."""
    store = Store(rclone, root / "server")
    proxy = Proxy(store.port)
    trials = []
    try:
        theatre = Theatre(store, proxy, root / "trials", small_files, seed)
        for trial in theatre.play_all(races, movers, runs):
            trials.append(trial)
            print(f"{trial.race} {trial.number} {trial.tool}: {table.cell([trial])}", file=sys.stderr, flush=True)
    finally:
        proxy.stop()
        store.stop()
    return trials


def _show(rows: list[list[str]], details: list[list[str]], facts: dict[str, object]) -> None:
    print(table.text(rows))
    print()
    print(table.text(details))
    print()
    for name in ("versions", "settings", "machine"):
        section = facts[name]
        assert isinstance(section, dict)
        print(f"{name}: " + "; ".join(f"{key}: {value}" for key, value in section.items()))
    print(
        f"{facts['measured']}, {facts['runs']} runs each, seed {facts['seed']}, {facts['seconds']} s, {facts['server']}"
    )


def _exit_code(trials: Sequence[Trial]) -> int:
    """Only outhaul is judged, and only where every moment was met is it judged well."""
    bad = [trial for trial in trials if not trial.met or (trial.tool == "outhaul" and trial.outcome not in table.SAFE)]
    for trial in bad:
        print(
            f"losses: {trial.tool} {trial.race} {trial.seed}: {trial.outcome}: {trial.final.findings}", file=sys.stderr
        )
        print(f"  it said: {[attempt.said for attempt in (*trial.first, *trial.later)]}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
