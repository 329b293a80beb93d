"""How much is under way at once."""

from outhaul.engine.pace import AT_ONCE_MAX, Pace

MS = 10**6


def far(pace: Pace) -> Pace:
    """A store 50 ms away, met by some batches."""
    pace.suit(many_at_once=True)
    for _ in range(50):
        pace.learn(50 * MS, 4096, 100_000)
    return pace


def test_a_far_store_gets_many_at_once() -> None:
    """What is under way is what fills the link, up to a limit."""
    assert far(Pace(2)).at_once == AT_ONCE_MAX


def test_a_store_that_fails_gets_half() -> None:
    """Each failure halves what is under way, down to one; each success adds one."""
    pace = far(Pace(2))
    seen = []
    for _ in range(12):
        seen.append(pace.at_once)
        pace.ease()
    assert seen == [512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 1, 1]
    pace.learn(50 * MS, 4096, 100_000)
    assert (pace.at_once, pace.at_once_each) == (2, 1)
    for _ in range(600):
        pace.learn(50 * MS, 4096, 100_000)
    assert pace.at_once == AT_ONCE_MAX


def test_a_near_store_that_failed_is_not_held_back_for_long() -> None:
    """Where few at once are enough, half of many is no limit."""
    pace = Pace(2)
    pace.suit(many_at_once=True)
    pace.learn(200_000, 4096, 100_000)
    before = pace.at_once
    pace.ease()
    assert pace.at_once == before // 2
    for _ in range(before):
        pace.learn(200_000, 4096, 100_000)
    assert pace.at_once == before
