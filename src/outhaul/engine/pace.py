"""How many files at once, on how many threads, and how many in one batch. Pure arithmetic.

On a local link a few requests at once fill the processors, and more only cost switching; at 50 ms a request only
numbers help. Both follow from two measured times: how long a store takes to answer when nobody queues (the shortest answer of
late), and how much processor time a file costs. A store that fails under the load gets half of it, and then slowly more.
"""

from __future__ import annotations

AT_ONCE_MIN = 8
"""For each thread."""
AT_ONCE_MAX = 512
THREADS_MIN = 4
THREADS_MAX = 256
FEW_THREADS = 3
"""Where one thread keeps many requests under way: one sends, one reads and removes files, one is on its way between."""
FAR_THREADS = 8
"""The same, where most of a thread's time is waiting for answers."""
FAR_AT_ONCE = 128
LARGE_BODY = 1 << 18
"""Bytes. From here on an upload's time is the link's width rather than its length, and more at once gain little."""
AT_ONCE_MAX_LARGE = 24
BATCH_MIN = 32
BATCH_MAX = 256
BATCH_BYTES_MIN = 4 << 20
BATCH_BYTES_MAX = 16 << 20
"""Sixteen files of a mebibyte are digested side by side, at up to four times the rate of four."""
_NEAR_NS = 200 * 10**6
"""A store that answers sooner takes a batch in a moment. Elsewhere receipts are not to wait for many bytes."""
_BATCH_NS = 8 * 10**6
_COST_FILES = 256


class Pace:
    """The two times, and what follows from them."""

    __slots__ = ("_answer_ns", "_bearable", "_cores", "_cpu_ns", "_large", "_many", "_mark")

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._answer_ns = 0
        self._cpu_ns = 100_000
        self._large = False
        self._many = False
        self._bearable = AT_ONCE_MAX
        self._mark = (0, 0)

    def suit(self, *, many_at_once: bool) -> None:
        """Whether one thread can keep many requests under way (`Store.many_at_once`)."""
        self._many = many_at_once

    def learn(self, answer_ns: int, largest: int, cpu_ns_per_file: int) -> None:
        """Take in a batch.

        Args:
            answer_ns: The shortest time in it from sending a file to its answer; 0 where none was sent.
            largest: Size in bytes of its largest file.
            cpu_ns_per_file: Processor time of the whole process for each file carried of late; 0 while that is not known.
        """
        if not answer_ns:
            return
        self._bearable = min(AT_ONCE_MAX, self._bearable + 1)
        self._large = largest > LARGE_BODY
        # The shortest of late: it follows a link that became slower, but not one that is merely busy.
        self._answer_ns = min(answer_ns, self._answer_ns + self._answer_ns // 16) if self._answer_ns else answer_ns
        if cpu_ns_per_file:
            self._cpu_ns = cpu_ns_per_file

    def cost(self, files: int, cpu_ns: int) -> int:
        """Processor time of a file of late, in nanoseconds; 0 while that is not known.

        Measured over some hundred files, from the first on: what starting the program took is no file's cost.

        Args:
            files: How many have been carried so far.
            cpu_ns: What the whole process has taken so far.
        """
        before, then_ns = self._mark
        more = files - before
        if not before or more >= _COST_FILES:
            self._mark = (files, cpu_ns)
        return (cpu_ns - then_ns) // more if before and more >= _COST_FILES else 0

    def ease(self) -> None:
        """The store did not answer, or asked for less: half as many at once, and one more with each batch that succeeds."""
        self._bearable = max(1, min(self._bearable, self.at_once) // 2)

    @property
    def at_once(self) -> int:
        """How many files should be on their way at the same time."""
        return min(self._bearable, self._wanted)

    @property
    def _wanted(self) -> int:
        if not self._answer_ns:
            return FEW_THREADS * AT_ONCE_MIN
        # Twice what would just fill the processors: answers do not come evenly.
        wanted = 2 * self._cores * (self._answer_ns + self._cpu_ns) // self._cpu_ns
        return max(FEW_THREADS * AT_ONCE_MIN, min(AT_ONCE_MAX_LARGE if self._large else AT_ONCE_MAX, wanted))

    @property
    def threads(self) -> int:
        """How many threads that takes."""
        if self._many:
            return FAR_THREADS if self.at_once >= FAR_AT_ONCE else FEW_THREADS
        return max(THREADS_MIN, min(THREADS_MAX, self.at_once // 2))

    @property
    def at_once_each(self) -> int:
        """How many requests one thread should keep under way."""
        return max(1, self.at_once // self.threads) if self._many else 1

    @property
    def batch(self) -> int:
        """How many small files one worker takes at a time."""
        if not self._answer_ns:
            return AT_ONCE_MIN
        if self._many:
            return max(BATCH_MIN, min(BATCH_MAX, self.at_once_each))
        return max(1, min(BATCH_MIN, _BATCH_NS // self._answer_ns))

    @property
    def batch_bytes(self) -> int:
        """How many bytes of small files one worker takes at a time, about."""
        return BATCH_BYTES_MAX if 0 < self._answer_ns < _NEAR_NS else BATCH_BYTES_MIN
