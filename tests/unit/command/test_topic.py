import pytest

from dms.command.topic import Topic
from dms.errors import CursorExpired, InvalidParameters


def topic(events: int, capacity: int = 3) -> Topic:
    made = Topic("logs", scope="logs:read", epoch=7, capacity=capacity)
    for number in range(1, events + 1):
        made.publish({"n": number})
    return made


def test_what_follows_a_position_is_read_with_its_numbers() -> None:
    assert (0, [(2, {"n": 2}), (3, {"n": 3})]) == topic(3).read(1, 10)


def test_at_most_the_limit_is_read() -> None:
    assert (0, [(1, {"n": 1}), (2, {"n": 2})]) == topic(3).read(0, 2)


def test_what_left_the_ring_is_counted() -> None:
    assert (2, [(3, {"n": 3}), (4, {"n": 4}), (5, {"n": 5})]) == topic(5).read(0, 10)


def test_at_the_end_there_is_nothing() -> None:
    assert (0, []) == topic(5).read(5, 10)


def test_no_cursor_means_now() -> None:
    assert 5 == topic(5).position(None)


@pytest.mark.parametrize("number", [2, 3, 5])
def test_a_cursor_from_which_nothing_is_missing_is_a_position(number: int) -> None:
    assert number == topic(5).position(f"7-{number}")


@pytest.mark.parametrize("cursor", ["7-1", "7-6", "6-3"])
def test_one_that_is_too_old_or_of_another_start_has_expired_and_the_oldest_is_told(cursor: str) -> None:
    with pytest.raises(CursorExpired) as raised:
        topic(5).position(cursor)
    assert "7-2" == raised.value.oldest


@pytest.mark.parametrize("cursor", ["", "7", "7-", "-3", "seven-3", "7-3-1", "7-" + "9" * 5000, "٧-3"])
def test_what_no_node_gave_is_no_cursor(cursor: str) -> None:
    with pytest.raises(InvalidParameters, match="is not a cursor"):
        topic(5).position(cursor)


def test_the_tail_ends_at_the_cursor_it_comes_with() -> None:
    logs = topic(5)
    cursor, lines = logs.tail(2)
    assert [{"n": 4}, {"n": 5}] == lines
    logs.publish({"n": 6})
    assert (0, [(6, {"n": 6})]) == logs.read(logs.position(cursor), 10)


def test_a_follower_is_woken_until_it_has_enough() -> None:
    logs, woken = topic(0), []
    unfollow = logs.follow(lambda: woken.append(1))
    logs.publish({})
    unfollow()
    logs.publish({})
    assert [1] == woken
