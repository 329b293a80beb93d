"""A clock that moves when it is told to, and can be set wrong as real ones are.

Nothing moves it but `advance`, `sleep` and, where asked, each look at it (`tick_ns`). It knows no leap seconds and no drift.
"""

from __future__ import annotations

from outhaul.ports import Moment

SECOND_NS = 10**9
START_WALL_NS = 1_750_000_000 * SECOND_NS
START_BOOT_NS = 100_000 * SECOND_NS


class SimulatedClock:
    """The `Clock` of the simulated machine, up for a bit more than a day when it begins."""

    def __init__(self, *, tick_ns: int = 0) -> None:
        self.boot_id = "boot-1"
        self.boot_ns = START_BOOT_NS
        self.set_to_ns = START_WALL_NS
        """What the wall clock shows."""
        self.elapsed_ns = 0
        """How much time has truly gone by, whatever the clocks show: for whoever checks."""
        self.tick_ns = tick_ns
        """How far each look at the clock moves it."""
        self.slept_seconds: list[float] = []
        self._boots = 1

    def moment(self) -> Moment:
        """Now."""
        self._forward(self.tick_ns)
        return Moment(self.boot_id, self.boot_ns, self.set_to_ns)

    def wall_ns(self) -> int:
        """Since 1970, right or wrong."""
        self._forward(self.tick_ns)
        return self.set_to_ns

    def monotonic_ns(self) -> int:
        """Since boot."""
        self._forward(self.tick_ns)
        return self.boot_ns

    def cpu_ns(self) -> int:
        """No work takes any time here."""
        return 0

    def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self.slept_seconds.append(seconds)
        self.advance(seconds)

    # --- what happens to a clock ------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Time passes, on all clocks."""
        self._forward(int(seconds * SECOND_NS))

    def jump_wall(self, seconds: float) -> None:
        """Somebody, or NTP, sets the wall clock; the boot clock goes on."""
        self.set_to_ns += int(seconds * SECOND_NS)

    def reboot(self, *, off_seconds: float = 30, up_seconds: float = 60) -> None:
        """The machine is off, and comes up again with its wall clock right."""
        self._boots += 1
        self.elapsed_ns += max(0, int((off_seconds + up_seconds) * SECOND_NS))
        self.boot_id = f"boot-{self._boots}"
        self.set_to_ns += int((off_seconds + up_seconds) * SECOND_NS)
        self.boot_ns = int(up_seconds * SECOND_NS)

    def _forward(self, nanoseconds: int) -> None:
        self.elapsed_ns += nanoseconds
        self.boot_ns += nanoseconds
        self.set_to_ns += nanoseconds
