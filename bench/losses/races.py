"""The races: what happens to the files, and at which moment.

True here: each race plants its files, lets the tool run, does to them what its title says, and returns whether the moment
was really met; what came of it is not judged here. Nothing is done to make a moment fit one tool: a proxy
tells it from outside, by the bytes of one upload.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.losses.faults import CutShort, FlipByte, HoldBody, HoldReply
from bench.losses.movers import Running
from bench.losses.stage import Machine, Stage

LOG, LOG_BYTES = "current.log", 6_000_000
"""Less than 8 MiB: from there on `aws` sends a file in parts."""
MIDDLE = 1_000_000
"""Where a body is held. What the sender's kernel buffers beyond this has left the tool, but has not arrived."""
APPENDED, ROTATED, LATER = 1_000, 500, 777
KILLS = 4
"""In each trial; new files come after each."""


@dataclass(frozen=True)
class Race:
    """One race; `play` returns False where its moment never came."""

    name: str
    title: str
    play: Callable[[Stage], bool]
    by_proxy: bool = True


def append_in_upload(stage: Stage) -> bool:
    """The body is held on its way, bytes are appended, the body goes on."""
    _plant(stage)
    return stage.run_into(HoldBody(LOG, MIDDLE), lambda: stage.append(LOG, APPENDED))


def append_after_store(stage: Stage) -> bool:
    """The store has the object and has answered; bytes are appended; then the client gets the answer."""
    _plant(stage)
    return stage.run_into(HoldReply(LOG), lambda: stage.append(LOG, APPENDED))


def rotate_in_upload(stage: Stage) -> bool:
    """The body is held on its way, the log is renamed and a new one of the same name begun, the body goes on."""
    _plant(stage)

    def rotate() -> None:
        stage.rename(LOG, f"{LOG}.1")
        stage.write(LOG, ROTATED)

    return stage.run_into(HoldBody(LOG, MIDDLE), rotate)


def idle_writer(stage: Stage) -> bool:
    """A process (this one) has the log open, does nothing while the tool runs, and writes afterwards."""
    _plant(stage)
    machine = stage.machine()
    descriptor = os.open(machine.source / LOG, os.O_WRONLY | os.O_APPEND)
    try:
        stage.run(machine, stage.store.url)
        stage.append(LOG, LATER, descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


def flip_in_flight(stage: Stage) -> bool:
    """One bit of the body is inverted on the way to the store; the store's answer is passed on as it is."""
    _plant(stage)
    return stage.run_into(FlipByte(LOG, MIDDLE), lambda: None)


def cut_in_flight(stage: Stage) -> bool:
    """The second half of the body is taken away on its way, and Content-Length made to fit."""
    _plant(stage)
    return stage.run_into(CutShort(LOG, LOG_BYTES // 2), lambda: None)


def killed(stage: Stage) -> bool:
    """The tool is killed at random moments; new files come before each kill. Then it runs to completion."""
    machine = stage.machine()
    stage.write("warm/first.dat", 1000)
    stage.run(machine, stage.store.url)
    course = _course(stage, machine)
    stage.attempts.clear()
    return all(any(_kill(stage, machine, f"{kill}-{t}", course.part(t)) for t in range(6)) for kill in range(KILLS))


def two_machines(stage: Stage) -> bool:
    """Two machines have files of the same names; both are moved to one prefix, one after the other."""
    for name in ("north", "south"):
        for number in range(10):
            stage.write(f"2026/11/{number:02}.csv", 3_000 if number % 2 else 3_000 + stage.random.randrange(500), name)
    for name in ("north", "south"):
        stage.run(stage.machine(name), stage.store.url)
    return True


RACES = (
    Race("append-in-upload", "1,000 bytes appended in the middle of the upload", append_in_upload),
    Race("append-after-store", "1,000 bytes appended after the store has answered", append_after_store),
    Race("rotate-in-upload", "rotated in the middle of the upload", rotate_in_upload),
    Race("idle-writer", "a writer has it open, idle, and writes 777 bytes later", idle_writer, by_proxy=False),
    Race("flip-in-flight", "one bit flipped in flight", flip_in_flight),
    Race("cut-in-flight", "cut to half in flight, Content-Length made to fit", cut_in_flight),
    Race("killed", f"SIGKILL at {KILLS} random moments, then run to the end", killed, by_proxy=False),
    Race("two-machines", "the same names from two machines", two_machines, by_proxy=False),
)


def _plant(stage: Stage) -> None:
    """A log, and two finished files beside it."""
    stage.write(LOG, LOG_BYTES)
    stage.write("2026/11/20.csv", 4_000)
    stage.write("2026/11/21.csv", 40_000)


def _plant_many(stage: Stage, directory: str) -> None:
    for number in range(stage.small_files):
        size = 300_000 if number % 50 == 7 else stage.random.randrange(1, 12_000)
        stage.write(f"{directory}/{number % 7}/{number:04}.dat", size)


@dataclass(frozen=True)
class _Course:
    """When things happen in a run that is not disturbed, in seconds: the first file leaves the source, the end."""

    removal: float
    whole: float

    def part(self, misses: int) -> _Course:
        """Return a course from which an earlier moment is taken: after misses, for this machine was busier before."""
        return _Course(self.removal, self.removal + (self.whole - self.removal) / 2**misses)


def _course(stage: Stage, machine: Machine) -> _Course:
    _plant_many(stage, "measured")
    began = time.monotonic()
    running = stage.start(machine, stage.store.url)
    try:
        _wait_for_removal(running, machine, "measured")
        removal = time.monotonic() - began
    finally:
        whole = stage.finish(running).seconds
    return _Course(min(removal, whole), whole)


def _kill(stage: Stage, machine: Machine, directory: str, course: _Course) -> bool:
    """Plant files, start the tool, kill it: at any moment of its run, or of the time in which files leave the source.

    Returns False where the run ended before.
    """
    _plant_many(stage, directory)
    at_any_moment = stage.random.random() < 0.5
    share = stage.random.random()
    running = stage.start(machine, stage.store.url)
    try:
        if at_any_moment:
            _wait(running, share * course.whole)
        else:
            _wait_for_removal(running, machine, directory)
            _wait(running, share * (course.whole - course.removal))
    finally:
        running.kill()
        ended = stage.finish(running)
    return ended.exit_code < 0


def _wait(running: Running, seconds: float) -> None:
    until = time.monotonic() + seconds
    running.wait_until(lambda: time.monotonic() >= until)


def _wait_for_removal(running: Running, machine: Machine, directory: str) -> None:
    """Wait until the first of the new files has left the source."""
    places = [machine.source / directory / str(number) for number in range(7)]

    def files() -> int:
        return sum(len(os.listdir(place)) if place.exists() else 0 for place in places)

    before = files()
    running.wait_until(lambda: files() < before)
