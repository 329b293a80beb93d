"""The command line of the benchmark: choose scenarios and peers, prepare what they need, run them, report.

True here: with no scenario named all of them run; what cannot run here (no server, no outhaul yet) is said
and left out, never silently. Exit code 0 when every trial passed its checks, 1 when one failed, 2 for wrong
usage or when nothing could run; a bar that was missed is a result, not a failure.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine, null_server, outhaul_alone, peers, plot, report, tools
from bench.comparisons import BUNDLES, COMPARISONS, compare
from bench.floors import floors
from bench.processes import BenchError, end_as_by_keyboard
from bench.results import Outcome
from bench.returning import one_member, restore_small
from bench.tools import Tool
from bench.workplace import Workplace, workplace

PEERS = ("s5cmd", "rclone", "rclone-tuned", "aws")
ALONE = {
    "memory": "peak memory of outhaul, few and many files",
    "idle": "outhaul run with nothing to do",
    "copy-again": "outhaul copy of files that are there already",
}
BACK = {
    "restore-small": "fetch files of 4 KiB, out of bundles and one object each",
    "restore-small-moto": "the same, from another server",
    "one-member": "one file out of a large bundle",
}
REAL = {"move-small-tls", "move-1m", "restore-small", "one-member"}
"""What needs rclone, as a server."""
SCENARIOS = (
    {what.name: what.title for what in COMPARISONS} | BACK | ALONE | {"floors": "the parts of the work, each alone"}
)


@dataclass(frozen=True)
class Amounts:
    """How much work a run of the benchmark does."""

    few: int
    many: int
    runs: int
    idle_runs: int


@dataclass(frozen=True)
class Means:
    """What there is to work with."""

    place: Workplace
    tools: tuple[Tool, ...]
    amounts: Amounts

    @property
    def outhaul(self) -> Tool:
        """Return outhaul itself. Raises BenchError when it is not there."""
        return self._ours("outhaul")

    @property
    def bundler(self) -> Tool:
        """Return outhaul with bundles. Raises BenchError when it is not there."""
        return self._ours(BUNDLES)

    def _ours(self, name: str) -> Tool:
        found = next((tool for tool in self.tools if tool.name == name), None)
        if found is None:
            raise BenchError("outhaul is not installed in this environment")
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit code."""
    options = _options(arguments)
    if options.list:
        print("\n".join(f"{name:16} {title}" for name, title in SCENARIOS.items()))
        return 0
    end_as_by_keyboard(signal.SIGTERM)
    try:
        return _run(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="outhaul and its peers, side by side; see bench/README.md"
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="which to run (all; see --list)")
    parser.add_argument("--runs", type=int, help="trials of each tool (5; with --quick 2)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the files or less: a trial of the benchmark")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every trial there")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a plot there")
    parser.add_argument(
        "--peers", default=",".join(PEERS), help="which peers (s5cmd,rclone,rclone-tuned,aws); 'none' for none"
    )
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    options = parser.parse_args(arguments)
    options.peers = [] if options.peers == "none" else options.peers.split(",")
    for kind, given, known in (("scenario", options.scenarios, SCENARIOS), ("peer", options.peers, PEERS)):
        for name in given:
            if name not in known:
                parser.error(f"there is no {kind} {name!r}, only {', '.join(known)}")
    if options.runs is not None and options.runs < 1:
        parser.error("--runs must be at least 1")
    return options


def _run(options: argparse.Namespace) -> int:
    chosen = options.scenarios or list(SCENARIOS)
    has_null_server = _null_server()
    needs_rclone = bool(REAL & set(chosen)) or not has_null_server
    programs = peers.ensure(dict.fromkeys([*options.peers, *(["rclone"] if needs_rclone else [])]))
    rclone = programs.get("rclone")
    taking_part = {name: program for name, program in programs.items() if name in options.peers}
    ours = peers.outhaul()
    if ours is not None:
        taking_part = {"outhaul": ours, **taking_part}
    amounts = _amounts(options)
    versions = {name: peers.version(name, program) for name, program in taking_part.items()}
    if ours is not None:
        taking_part[BUNDLES] = ours
    versions["nginx"] = null_server.version() if has_null_server else "not there"
    room = max(amounts.few, amounts.many if {"memory", "copy-again"} & set(chosen) else 0) * 4096
    room = max(room, amounts.few // 10 << 20) if "move-1m" in chosen else room
    with workplace(room, rclone, has_null_server) as place:
        machine_facts = machine.facts(place.files, place.state)
        means = Means(place, tuple(tools.tool(*item) for item in taking_part.items()), amounts)
        outcomes = _outcomes(chosen, means)
    if not outcomes:
        raise BenchError("nothing could be measured")
    settings = {name: tools.SETTINGS[name] for name in taking_part}
    facts = {
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": options.quick,
        "machine": machine_facts,
        "versions": versions,
        "settings": settings,
    }
    _show(outcomes, facts)
    if options.json:
        report.write_json(options.json, facts, outcomes)
    if options.svg:
        caption = f"{machine_facts['processor']}, {machine_facts['cores']} cores shared with the server"
        plot.write(options.svg, outcomes, f"{caption}; medians, whiskers from slowest to fastest trial")
    return 1 if report.failed(outcomes) else 0


def _null_server() -> bool:
    if null_server.available():
        return True
    done = null_server.install()
    if null_server.available():
        return True
    print(f"bench: no nginx with Lua: {done}; the real server (rclone) is used alone", file=sys.stderr)
    return False


def _amounts(options: argparse.Namespace) -> Amounts:
    runs = options.runs or (2 if options.quick else 5)
    if options.quick:
        return Amounts(few=2_000, many=20_000, runs=runs, idle_runs=max(5, runs))
    return Amounts(few=10_000, many=200_000, runs=runs, idle_runs=max(15, runs))


def _outcomes(chosen: Sequence[str], means: Means) -> list[Outcome]:
    outcomes = []
    for name in chosen:
        try:
            outcomes.append(_scenario(name)(means))
        except BenchError as error:
            print(f"bench: {name} is left out: {error}", file=sys.stderr)
    return outcomes


def _scenario(name: str) -> Callable[[Means], Outcome]:
    for what in COMPARISONS:
        if what.name == name:
            return lambda with_: compare(with_.place, what, with_.tools, with_.amounts.few, with_.amounts.runs)
    if name.startswith("restore-small"):
        moto = name.endswith("moto")
        return lambda with_: restore_small(
            with_.place, with_.bundler, with_.tools, with_.amounts.few, with_.amounts.runs, moto=moto
        )
    few_runs = 3  # 200,000 files a trial
    return {
        "memory": lambda with_: outhaul_alone.memory(
            with_.place,
            with_.outhaul,
            with_.amounts.few,
            with_.amounts.many,
            min(few_runs, with_.amounts.runs),
        ),
        "idle": lambda with_: outhaul_alone.idle(with_.place, with_.outhaul, with_.amounts.idle_runs),
        "copy-again": lambda with_: outhaul_alone.copy_again(
            with_.place, with_.outhaul, with_.amounts.many, with_.amounts.runs
        ),
        "one-member": lambda with_: one_member(with_.place, with_.bundler, with_.amounts.runs),
        "floors": lambda with_: floors(with_.place, with_.amounts.few, with_.amounts.runs),
    }[name]


def _show(outcomes: Sequence[Outcome], facts: dict[str, object]) -> None:
    print(report.table(outcomes))
    print()
    print(report.notes(outcomes))
    for name in ("machine", "versions", "settings"):
        section = facts[name]
        assert isinstance(section, dict)
        print(f"{name}: " + "; ".join(f"{key}: {value}" for key, value in section.items()))


if __name__ == "__main__":
    sys.exit(main())
