"""The judge finds each loss that is planted, and finds none where there is none."""

import random

from bench.losses.judge import Places, Verdict, Wanted, judge

_RANDOM = random.Random(1)
OLD, NEW, OTHER = (_RANDOM.randbytes(1000) for _ in range(3))
GROWN = OLD + b"x" * 77


def _judge(
    wanted: list[Wanted],
    objects: dict[str, bytes],
    source: tuple[bytes, ...] = (),
    private: tuple[bytes, ...] = (),
    earlier: tuple[bytes, ...] = (),
) -> Verdict:
    return judge(wanted, earlier, Places(objects, source, private))


def test_nothing_is_missing_where_all_is_somewhere() -> None:
    """An object under whatever key, a file of the source, a private file: each keeps a content."""
    wanted = [Wanted("a", OLD), Wanted("b", NEW), Wanted("c", OTHER)]
    verdict = _judge(wanted, {"a~second": OLD}, (NEW,), (OTHER,))
    assert (verdict.carried, verdict.kept, verdict.aside, verdict.missing, verdict.damaged) == (1, 1, 1, 0, 0)


def test_appended_bytes_that_are_nowhere_are_lost() -> None:
    """What is beyond the longest beginning that is left is counted, and the earlier state is no damage."""
    verdict = _judge([Wanted("a", GROWN)], {"a": OLD}, earlier=(OLD,))
    assert (verdict.lost, verdict.bytes_gone, verdict.damaged) == (1, 77, 0)


def test_a_content_that_is_gone_is_lost_whole() -> None:
    """Its name may hold an older file: that did not take its place."""
    verdict = _judge([Wanted("a.1", OLD), Wanted("a", NEW)], {"a": OLD})
    assert (verdict.lost, verdict.overwritten, verdict.bytes_gone) == (1, 0, len(NEW))


def test_a_later_content_under_the_name_has_overwritten_it() -> None:
    """The first of two machines loses."""
    verdict = _judge([Wanted("a", OLD), Wanted("a", NEW)], {"a": NEW})
    assert (verdict.overwritten, verdict.lost, verdict.bytes_gone) == (1, 0, len(OLD))


def test_an_altered_byte_is_corrupt() -> None:
    """The altered bytes are counted, and the object is damaged."""
    altered = OLD[:500] + bytes([OLD[500] ^ 1]) + OLD[501:]
    verdict = _judge([Wanted("a", OLD)], {"a": altered})
    assert (verdict.corrupt, verdict.bytes_gone, verdict.damaged) == (1, 1, 1)


def test_a_truncated_object_is_corrupt() -> None:
    """The bytes that it lacks are counted."""
    verdict = _judge([Wanted("a", OLD)], {"a": OLD[:400]})
    assert (verdict.corrupt, verdict.bytes_gone, verdict.damaged) == (1, 600, 1)


def test_a_damaged_object_is_seen_beside_the_right_bytes() -> None:
    """Nothing is missing, yet whoever reads that key gets what no file ever had."""
    verdict = _judge([Wanted("a", OLD)], {"a": OLD[:400], "a~second": OLD})
    assert (verdict.carried, verdict.missing, verdict.damaged) == (1, 0, 1)


def test_a_probe_of_outhaul_is_no_damage() -> None:
    """It is told by its name."""
    verdict = _judge([Wanted("a", OLD)], {"a": OLD, "in/.outhaul-probe": b"anything"})
    assert (verdict.carried, verdict.damaged) == (1, 0)
