"""How many files at once, and how many in one batch. Pure arithmetic.

On a local link a few threads fill the processors, and more only cost switching; at 50 ms a request only numbers help. Both
follow from two measured times: how long a store takes to answer when nobody queues (the shortest answer seen), and how
much processor time a file costs.
"""

from __future__ import annotations

THREADS_MIN = 4
THREADS_MAX = 256
LARGE_BODY = 1 << 18
"""Bytes. From here on an upload's time is the link's width rather than its length, and more at once gain little."""
THREADS_MAX_LARGE = 16
BATCH_MAX = 32
_BATCH_NS = 8 * 10**6


class Pace:
    """The two times, and what follows from them."""

    __slots__ = ("_answer_ns", "_cores", "_cpu_ns", "_large")

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._answer_ns = 0
        self._cpu_ns = 150_000
        self._large = False

    def learn(self, answer_ns: int, largest: int, cpu_ns_per_file: int) -> None:
        """Take in a batch.

        Args:
            answer_ns: The shortest time in it from sending a file to its answer; 0 where none was sent.
            largest: Size in bytes of its largest file.
            cpu_ns_per_file: Processor time of the whole process so far, for each file carried.
        """
        if not answer_ns:
            return
        self._large = largest > LARGE_BODY
        # The shortest of late: it follows a link that became slower, but not one that is merely busy.
        self._answer_ns = min(answer_ns, self._answer_ns + self._answer_ns // 16) if self._answer_ns else answer_ns
        if cpu_ns_per_file:
            self._cpu_ns = cpu_ns_per_file

    @property
    def threads(self) -> int:
        """How many files should be on their way at once."""
        if not self._answer_ns:
            return THREADS_MIN
        wanted = self._cores * (self._answer_ns + self._cpu_ns) // self._cpu_ns
        return max(THREADS_MIN, min(THREADS_MAX_LARGE if self._large else THREADS_MAX, wanted))

    @property
    def batch(self) -> int:
        """How many small files one worker takes at a time: as many as it carries in some milliseconds."""
        if not self._answer_ns:
            return 2
        return max(1, min(BATCH_MAX, _BATCH_NS // self._answer_ns))
