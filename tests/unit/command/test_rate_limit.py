import pytest

from dms.command.rate_limit import BURST, RateLimit
from dms.errors import RateLimited
from dms.instant import SECOND, Instant


class Clock:
    """Stands still until a test moves it."""

    boot = 0

    def now(self) -> Instant:
        return Instant(0, self.boot)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(limit: RateLimit, count: int, key: str = "ana") -> int:
    """How many of so many requests at one moment are let through."""
    through = 0
    for _ in range(count):
        try:
            limit.take(key)
            through += 1
        except RateLimited:
            pass
    return through


def test_after_a_rest_as_many_come_through_as_two_seconds_give_and_then_the_rate(clock: Clock) -> None:
    limit = RateLimit(lambda: 10, clock)
    assert 10 * BURST == admitted(limit, 100)
    for seconds, expected in ((1, 10), (1, 10), (0.5, 5), (100, 10 * BURST)):
        clock.boot += round(seconds * SECOND)
        assert expected == admitted(limit, 100)


def test_one_that_comes_too_early_is_told_when_to_come_again_and_may_then(clock: Clock) -> None:
    limit = RateLimit(lambda: 4, clock)
    admitted(limit, 100)
    with pytest.raises(RateLimited, match="more than 4 requests a second by one token; ask again in 250 ms") as caught:
        limit.take("ana")
    clock.boot += caught.value.retry_after_ms * 1000
    limit.take("ana")


def test_asking_too_early_costs_nothing_of_what_comes_later(clock: Clock) -> None:
    limit = RateLimit(lambda: 10, clock)
    admitted(limit, 10_000)
    clock.boot += SECOND // 10
    assert 1 == admitted(limit, 10_000)


def test_each_token_is_counted_for_itself(clock: Clock) -> None:
    limit = RateLimit(lambda: 10, clock)
    admitted(limit, 100, key="ana")
    assert 20 == admitted(limit, 100, key="bob")


def test_the_rate_may_change_and_0_is_none(clock: Clock) -> None:
    rates = [1]
    limit = RateLimit(lambda: rates[0], clock)
    assert 2 == admitted(limit, 100)
    rates[0] = 0
    assert 100 == admitted(limit, 100)
    rates[0], clock.boot = 5, SECOND
    assert 5 == admitted(limit, 100)


def test_many_tokens_do_not_fill_the_memory_and_the_busy_one_stays_counted(clock: Clock) -> None:
    limit = RateLimit(lambda: 1, clock)
    admitted(limit, 2)
    for number in range(5_000):
        limit.take(f"t{number}")
        assert 0 == admitted(limit, 1)
