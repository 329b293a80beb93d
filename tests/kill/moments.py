"""When a run is killed: callables that are asked again and again while it works, and say yes at the moment.

Removal is the shortest and the most dangerous part of a run, and a moment taken blindly seldom meets it. So some
moments are told by what shows from outside: the first of some files has left the source.
"""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Moment = Callable[[], bool]

REMOVAL_SECONDS = 0.003


def after(seconds: float) -> Moment:
    """That long after the run began."""
    moment = time.monotonic() + seconds
    return lambda: time.monotonic() >= moment


def after_removal_began(watched: Sequence[Path], seconds: float) -> Moment:
    """That long after the first of the watched files was seen to be gone."""
    began: list[float] = []

    def reached() -> bool:
        now = time.monotonic()
        if not began and not all(path.exists() for path in watched):
            began.append(now)
        return bool(began) and now >= began[0] + seconds

    return reached


def choose(rng: random.Random, idle: float, whole: float, watched: Sequence[Path]) -> Moment:
    """A random moment of a run: at any time, after its start-up, or once it has begun to remove.

    `idle` is how many seconds a run takes that has nothing to do, `whole` how many one takes that has.
    """
    match rng.choice(("any", "work", "removal")):
        case "any":
            return after(rng.uniform(0.0, whole))
        case "work":
            return after(rng.uniform(min(idle, whole), whole))
        case _:
            return after_removal_began(watched, rng.uniform(0.0, REMOVAL_SECONDS))
