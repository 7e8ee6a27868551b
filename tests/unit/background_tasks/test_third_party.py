"""Third parties that answer, that raise, and that never come back."""

import threading
from collections.abc import Iterator

import pytest

from dms.background_tasks.loop.third_party import ThirdParty


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_an_answer_comes_from_another_thread_and_always_from_the_same() -> None:
    third_party = ThirdParty(10)
    names = {third_party.ask(threading.get_ident) for _ in range(3)}
    assert 1 == len(names - {threading.get_ident()}) == len(names)
    third_party.close()


def test_what_is_raised_there_is_raised_here() -> None:
    third_party = ThirdParty(10)
    with pytest.raises(ZeroDivisionError):
        third_party.ask(lambda: 1 // 0)
    assert 42 == third_party.ask(lambda: 42)
    third_party.close()


def test_one_that_does_not_answer_is_given_up_and_the_next_has_another_thread(let_go: threading.Event) -> None:
    third_party = ThirdParty(0.3)
    with pytest.raises(TimeoutError, match=r"^no answer within 0\.3 s$"):
        third_party.ask(lambda: let_go.wait(10))
    assert 42 == third_party.ask(lambda: 42)
    third_party.close()


def test_a_thread_ends_once_it_is_needed_no_more(let_go: threading.Event) -> None:
    third_party, threads = ThirdParty(10), list[threading.Thread]()
    third_party.ask(lambda: threads.append(threading.current_thread()))
    third_party.close()
    threads[0].join(10)
    assert not threads[0].is_alive()
