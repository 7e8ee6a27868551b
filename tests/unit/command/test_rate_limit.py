import pytest

from dms.command.rate_limit import BURST, RateLimit
from dms.errors import RateLimited
from dms.instant import SECOND


def admitted(limit: RateLimit, count: int, now: int, key: str = "ana") -> int:
    """How many of so many requests at one moment are let through."""
    through = 0
    for _ in range(count):
        try:
            limit.take(key, now)
            through += 1
        except RateLimited:
            pass
    return through


def test_after_a_rest_as_many_come_through_as_two_seconds_give_and_then_the_rate() -> None:
    limit = RateLimit(lambda: 10)
    assert 10 * BURST == admitted(limit, 100, now=0)
    assert [10, 10, 5] == [admitted(limit, 100, now) for now in (SECOND, 2 * SECOND, 2 * SECOND + SECOND // 2)]
    assert 10 * BURST == admitted(limit, 100, now=100 * SECOND)


def test_one_that_comes_too_early_is_told_when_to_come_again_and_may_then() -> None:
    limit = RateLimit(lambda: 4)
    admitted(limit, 100, now=0)
    with pytest.raises(RateLimited, match="more than 4 requests a second by one token; ask again in 250 ms") as caught:
        limit.take("ana", 0)
    limit.take("ana", caught.value.retry_after_ms * 1000)


def test_asking_too_early_costs_nothing_of_what_comes_later() -> None:
    limit = RateLimit(lambda: 10)
    admitted(limit, 10_000, now=0)
    assert 1 == admitted(limit, 10_000, now=SECOND // 10)


def test_each_token_is_counted_for_itself() -> None:
    limit = RateLimit(lambda: 10)
    admitted(limit, 100, now=0, key="ana")
    assert 20 == admitted(limit, 100, now=0, key="bob")


def test_the_rate_may_change_and_0_is_none() -> None:
    rates = [1]
    limit = RateLimit(lambda: rates[0])
    assert 2 == admitted(limit, 100, now=0)
    rates[0] = 0
    assert 100 == admitted(limit, 100, now=0)
    rates[0] = 5
    assert 5 == admitted(limit, 100, now=SECOND)


def test_many_tokens_do_not_fill_the_memory_and_the_busy_one_stays_counted() -> None:
    limit = RateLimit(lambda: 1)
    admitted(limit, 2, now=0)
    for number in range(5_000):
        limit.take(f"t{number}", 0)
        assert 0 == admitted(limit, 1, now=0)
