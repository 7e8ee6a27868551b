from dms.init.outbox import Outbox


def filled(count: int, most: int = 10) -> Outbox[int]:
    outbox: Outbox[int] = Outbox(most)
    for number in range(count):
        outbox.put(number)
    return outbox


def test_the_oldest_comes_first() -> None:
    outbox = filled(3)
    assert [0, 1] == outbox.take(2)
    outbox.sent()
    assert [2] == outbox.take(2)


def test_putting_tells_how_many_wait() -> None:
    assert 4 == filled(3).put(3)


def test_where_there_is_no_room_the_oldest_goes_and_is_counted() -> None:
    outbox = filled(13)
    assert 3 == outbox.lost
    assert list(range(3, 13)) == outbox.take(100)


def test_what_could_not_be_sent_is_the_oldest_again() -> None:
    outbox = filled(4)
    outbox.give_back(outbox.take(2))
    assert [0, 1, 2, 3] == outbox.take(10)


def test_what_is_given_back_has_no_more_room_than_the_rest() -> None:
    outbox = filled(10)
    taken = outbox.take(4)
    for number in range(10, 13):
        outbox.put(number)
    outbox.give_back(taken)
    assert 3 == outbox.lost
    assert list(range(3, 13)) == outbox.take(100)


def test_what_is_on_its_way_is_left_until_it_has_arrived() -> None:
    outbox = filled(3)
    outbox.take(2)
    assert 3 == outbox.left()
    outbox.sent()
    assert (1, 0) == (outbox.left(), outbox.lost)


def test_what_is_refused_is_lost() -> None:
    outbox = filled(3)
    outbox.take(2)
    outbox.refused()
    assert (1, 2) == (outbox.left(), outbox.lost)
