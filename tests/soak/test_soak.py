"""`outhaul watch` beside a live producer, while the link comes and goes, the clock jumps, and it is killed.

OUTHAUL_SOAK says for how many seconds (default 30; `./dev torture` takes ten minutes). The first half is one process, whose
memory and descriptors have to stay flat; in the second half it is killed every few seconds. Then all that was produced has to
have arrived, and nothing may be left behind. OUTHAUL_SEED repeats a seed: the same contents and the same choices.
"""

import os
import random
import secrets
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kill.checker import Checker
from kill.places import BucketStore, files
from kill.processes import TESTS, LiveProducer, live_producer
from servers.start import Unavailable, rclone
from soak.link import Link

SECONDS = float(os.environ.get("OUTHAUL_SOAK", "30"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
FILES_A_SECOND = 100.0
EVENTS_APART_SECONDS = 3.0
KILLS_APART_SECONDS = 5.0
LONG_ENOUGH_SECONDS = 600.0
"""From then on memory and descriptors are compared; a shorter time says nothing."""
PEAK_MIB, GROWTH_MIB, GROWTH_DESCRIPTORS = 100, 6, 16
_CARRIED_SECONDS = 60.0
_PAGE = os.sysconf("SC_PAGESIZE")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + SECONDS)]


@dataclass(slots=True)
class Watch:
    """The program, killed and started again, and what it took."""

    command: list[str]
    environ: dict[str, str]
    output: Path
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0
    memory: list[float] = field(default_factory=list)
    """MiB, at each look."""
    descriptors: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start it; its output goes on where it ended."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=TESTS,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def look(self) -> None:
        """How much it takes at this moment; it has to be alive."""
        assert self.process is not None
        assert self.process.poll() is None, self.output.read_text()[-2000:]
        here = Path(f"/proc/{self.process.pid}")
        self.memory.append(int((here / "statm").read_text().split()[1]) * _PAGE / (1 << 20))
        self.descriptors.append(len(list((here / "fd").iterdir())))

    def kill(self) -> None:
        """With all it has started, at this moment."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def end(self) -> int:
        """Ask it to end, which it does within ten seconds; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def close(self) -> None:
        """Whatever happened, nothing is left running."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Clock:
    """How far off the program's wall clock is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jumps = 0
        self._put(0)

    def jump(self, rng: random.Random) -> None:
        """By up to three days, either way; one time in three it is set right."""
        off = rng.choice([0, rng.uniform(-3, 3), rng.uniform(-0.01, 0.01)])
        self._put(int(off * 86400 * 10**9))
        self.jumps += 1

    def right(self) -> None:
        """As everybody else's."""
        self._put(0)

    def _put(self, off_ns: int) -> None:
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT), "wb") as file:
            file.write(struct.pack("q", off_ns))


def test_a_long_watch_loses_nothing_and_stays_flat(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Everything arrives; memory stays under its bound, and neither it nor descriptors grow with time."""
    rng, source, state, journal = random.Random(SEED), tmp_path / "source", tmp_path / "state", tmp_path / "journal"
    source.mkdir()
    clock = Clock(tmp_path / "clock")
    try:
        with rclone(tmp_path / "objects") as server, server.client() as client:
            bucket, link = server.make_bucket(), Link(server.endpoint_url)
            configuration = tmp_path / "outhaul.toml"
            configuration.write_text(
                f'[[job]]\nname = "site"\nsource = "{source}"\nto = "s3://{bucket}/site-7"\n'
                f'endpoint-url = "{link.url}"\nsettle = {{ quiet = "1s" }}\n'
            )
            command = [sys.executable, "-m", "soak.clocked", str(clock.path), "watch", str(configuration)]
            watch = Watch([*command, "--state", str(state)], dict(server.environ()), tmp_path / "output")
            checker = Checker(SEED, journal, source, state, BucketStore(client, bucket, "site-7", tmp_path / "objects"))
            try:
                with live_producer(source, journal, seed=SEED, rate=FILES_A_SECOND, seconds=2 * SECONDS) as producer:
                    watch.start()
                    losses = _go_on(watch, producer, link, clock, rng, kills=False)
                    calm = _flat(watch)
                    losses += _go_on(watch, producer, link, clock, rng, kills=True)
                    link.up()
                    clock.right()
                    producer.finish()
                    _wait_until_carried(watch, source)
                assert watch.end() == 0
                report = checker.check(full=True)
            finally:
                watch.close()
                link.close()
    except Unavailable as reason:
        pytest.skip(str(reason))
    except BaseException as error:
        error.add_note(f"repeat with OUTHAUL_SEED={SEED} OUTHAUL_SOAK={SECONDS}; the trees are kept in {tmp_path}")
        raise
    assert report.sound, report
    assert report.complete, report
    record_property(
        "figure",
        f"watch for {SECONDS:.0f} s: {watch.kills} kills, {losses} losses of the link, {clock.jumps} jumps of the clock; "
        f"{report.ok} contents whole, {len(report.lost)} lost; at most {max(watch.memory):.0f} MiB; {calm}",
    )


def _go_on(watch: Watch, producer: LiveProducer, link: Link, clock: Clock, rng: random.Random, *, kills: bool) -> int:
    """Half of the time; how often the link was lost."""
    losses, until = 0, time.monotonic() + SECONDS / 2
    next_event, next_kill = time.monotonic(), time.monotonic() + KILLS_APART_SECONDS
    link_returns = 0.0
    while (now := time.monotonic()) < until:
        producer.begin(int(FILES_A_SECOND / 4))
        if now > next_event:
            next_event = now + rng.uniform(0.5, 1.5) * EVENTS_APART_SECONDS
            if rng.random() < 0.5:
                clock.jump(rng)
            elif not link_returns:
                link.down()
                losses, link_returns = losses + 1, now + rng.uniform(0.2, 2) * EVENTS_APART_SECONDS
        if link_returns and now > link_returns:
            link.up()
            link_returns = 0.0
        if kills and now > next_kill:
            watch.kill()
            watch.start()
            next_kill = now + rng.uniform(0.1, 2) * KILLS_APART_SECONDS
        watch.look()
        time.sleep(0.25)
    link.up()
    return losses


def _flat(watch: Watch) -> str:
    """The second fifth of the looks against the last: what it took at least in each, as what is under way comes and goes with the
    link. The first fifth is the start."""
    assert max(watch.memory) <= PEAK_MIB
    fifth = len(watch.memory) // 5
    early, late = slice(fifth, 2 * fifth), slice(-fifth, None)
    memory = [min(watch.memory[some]) for some in (early, late)]
    descriptors = [min(watch.descriptors[some]) for some in (early, late)]
    if SECONDS >= LONG_ENOUGH_SECONDS:
        assert memory[1] <= memory[0] + GROWTH_MIB, watch.memory
        assert descriptors[1] <= descriptors[0] + GROWTH_DESCRIPTORS, watch.descriptors
    return f"early {memory[0]:.1f} MiB and {descriptors[0]} descriptors, late {memory[1]:.1f} MiB and {descriptors[1]}"


def _wait_until_carried(watch: Watch, source: Path) -> None:
    until = time.monotonic() + _CARRIED_SECONDS
    while any(not path.name.startswith(".") for path in files(source)):
        watch.look()
        assert time.monotonic() < until, watch.output.read_text()[-2000:]
        time.sleep(0.25)
