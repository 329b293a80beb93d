"""What was measured, as plain data: trials, series of trials, verdicts on the bars, and outcomes.

True here: a series is summed up by its median and its range, never by its best trial; a bar is never
reached by a series in which any trial failed its checks. All of this goes into the JSON as it stands.
Not done here: measuring and printing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Trial:
    """One run of one program. `problems` is empty when every check passed."""

    files: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    requests: int | None = None
    received: int | None = None
    """Bytes of answers, where these were counted."""
    most_in_flight: int | None = None
    connections: int | None = None
    server_cpu_seconds: float | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A median with its range."""

    middle: float
    low: float
    high: float


@dataclass
class Series:
    """The trials of one tool in one scenario; `in_ms` when a trial's time is of interest and not its rate."""

    tool: str
    trials: list[Trial] = field(default_factory=list)
    in_ms: bool = False

    def figure(self, value: Callable[[Trial], float]) -> Figure:
        """Return median and range of a value over the trials (zeros where there is none)."""
        values = [value(trial) for trial in self.trials] or [0.0]
        return Figure(median(values), min(values), max(values))

    @property
    def rate(self) -> Figure:
        """Files per second."""
        return self.figure(lambda trial: trial.files / trial.seconds)

    @property
    def milliseconds(self) -> Figure:
        """Wall time of a trial, in ms."""
        return self.figure(lambda trial: trial.seconds * 1e3)

    @property
    def cpu(self) -> Figure:
        """CPU time a file, in microseconds."""
        return self.figure(lambda trial: trial.cpu_seconds / trial.files * 1e6)

    @property
    def peak(self) -> Figure:
        """Peak resident memory, in MB (10^6 bytes)."""
        return self.figure(lambda trial: trial.peak_bytes / 1e6)

    @property
    def requests(self) -> float | None:
        """Requests a file (the median), or None where the server does not count."""
        counted = [trial.requests / trial.files for trial in self.trials if trial.requests is not None]
        return median(counted) if counted else None

    @property
    def problems(self) -> list[str]:
        """Everything that any trial failed."""
        return [problem for trial in self.trials for problem in trial.problems]


@dataclass(frozen=True)
class Verdict:
    """One bar: what was asked, what was measured, and whether it was `reached` (None: could not be told)."""

    about: str
    bar: str
    measured: str
    reached: bool | None
    stretch: bool = False


@dataclass
class Outcome:
    """All that one scenario yielded."""

    scenario: str
    title: str
    server: str
    series: list[Series] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ours: str = "outhaul"
    """The series that the others are compared with."""

    def of(self, tool: str) -> Series | None:
        """Return the series of a tool, if it has any trial."""
        return next((series for series in self.series if series.tool == tool and series.trials), None)


@dataclass(frozen=True)
class Bar:
    """A limit that a measured value is held against; `stretch` is the better one that is hoped for."""

    limit: float
    stretch: float | None = None
    unit: str = ""
    at_least: bool = False
    decimals: int = 0

    def verdict(self, about: str, value: float | None, sound: bool = True) -> Verdict:
        """Judge a value; `sound` is False when it comes from trials that failed their checks."""
        sign = ">=" if self.at_least else "<="
        text = f"{sign} {self._number(self.limit)}{self.unit}"
        text += f" ({self._number(self.stretch)})" if self.stretch is not None else ""
        if value is None:
            return Verdict(about, text, "-", None if sound else False)
        reached = sound and self._passes(value, self.limit)
        stretch = reached and self.stretch is not None and self._passes(value, self.stretch)
        return Verdict(about, text, f"{self._number(value)}{self.unit}", reached, stretch)

    def _passes(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit

    def _number(self, value: float) -> str:
        return f"{value:,.{self.decimals}f}"
