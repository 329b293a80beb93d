"""Time, as the product may ask for it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Moment(NamedTuple):
    """One instant on three clocks."""

    boot_id: str
    """Names the present boot of the machine; another value means that `boot_ns` began anew."""
    boot_ns: int
    """Since boot, counting suspended time; nobody can set it."""
    wall_ns: int
    """Since 1970, UTC; may be wrong and may jump."""


class Clock(Protocol):
    """Time."""

    def moment(self) -> Moment:
        """Now."""

    def wall_ns(self) -> int:
        """Now, on the wall clock alone."""

    def monotonic_ns(self) -> int:
        """For measuring how long something took, in nanoseconds."""

    def cpu_ns(self) -> int:
        """Processor time of this process so far, in nanoseconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
