import pytest

from dms.init.flood import BETWEEN_COUNTS, FloodGuard, HeldBack
from dms.instant import SECOND


def admitted(guard: FloodGuard, count: int, now: int = 0, logger: str = "dms", event: str = "hello") -> int:
    return sum(guard.admits(logger, event, "info", now) for _ in range(count))


def test_a_burst_is_let_through_and_what_comes_after_it_is_held_back() -> None:
    assert 5 == admitted(FloodGuard(burst=5, per_second=2), 20)


@pytest.mark.parametrize(("seconds", "more"), [(0.4, 0), (0.5, 1), (1, 2), (2, 4), (1_000, 5)])
def test_as_time_goes_by_more_are_let_through_and_never_more_than_a_burst(seconds: float, more: int) -> None:
    guard = FloodGuard(burst=5, per_second=2)
    admitted(guard, 20)
    assert more == admitted(guard, 20, now=int(seconds * SECOND))


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    guard = FloodGuard(burst=5, per_second=2)
    admitted(guard, 20, now=10 * SECOND)
    assert 0 == admitted(guard, 20, now=9 * SECOND)


@pytest.mark.parametrize("other", [{"logger": "theirs"}, {"event": "another"}])
def test_one_flood_holds_back_no_other_logger_or_event(other: dict[str, str]) -> None:
    guard = FloodGuard(burst=5)
    admitted(guard, 20)
    assert 5 == admitted(guard, 5, **other)


def test_what_was_held_back_is_told_once_after_a_while() -> None:
    guard = FloodGuard(burst=5)
    admitted(guard, 20)
    assert [] == guard.held_back(BETWEEN_COUNTS - 1)
    assert [HeldBack("dms", "hello", "info", 15)] == guard.held_back(BETWEEN_COUNTS)
    assert [] == guard.held_back(10 * BETWEEN_COUNTS)


def test_a_flood_that_goes_on_is_told_again_and_again_and_no_line_is_told_twice() -> None:
    guard, let_through, counts = FloodGuard(burst=5, per_second=1), 0, []
    for second in range(60):
        let_through += admitted(guard, 10, now=second * SECOND)
        counts += [held.count for held in guard.held_back(second * SECOND)]
    counts += [held.count for held in guard.all_held_back()]
    assert (600, 6) == (let_through + sum(counts), len(counts))


def test_at_the_end_all_is_told() -> None:
    guard = FloodGuard(burst=1)
    admitted(guard, 3)
    admitted(guard, 2, logger="theirs")
    assert [("dms", 2), ("theirs", 1)] == [(held.logger, held.count) for held in guard.all_held_back()]


def test_the_count_bears_the_level_of_the_last_line() -> None:
    guard = FloodGuard(burst=1)
    for level in ("info", "info", "warning"):
        guard.admits("dms", "hello", level, 0)
    assert ["warning"] == [held.level for held in guard.all_held_back()]


def test_the_one_that_was_quiet_for_longest_makes_room_and_its_count_is_not_lost() -> None:
    guard = FloodGuard(burst=1, most_keys=2)
    admitted(guard, 4, event="first")
    admitted(guard, 1, event="second")
    admitted(guard, 1, event="third")
    assert [HeldBack("dms", "first", "info", 3)] == guard.held_back(0)
    assert 0 == admitted(guard, 1, event="second")


def test_events_are_told_apart_by_their_first_hundred_characters() -> None:
    guard = FloodGuard(burst=1)
    assert [True, False, True] == [
        guard.admits("dms", event, "info", 0) for event in ("x" * 100 + "a", "x" * 100 + "b", "x" * 99 + "a")
    ]
