"""The inbox: every message is delivered once, in order, however many threads post; the loop is woken once for many."""

import asyncio
from threading import Barrier, Thread
from typing import Any

import pytest

from dms.background_tasks.loop.inbox import Inbox
from dms.instant import Instant

NOW = Instant(0, 0)


class Receiver:
    """Remembers what it was told; `raise_` raises."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, what: Any, now: Instant) -> None:
        self.told.append(what)

    def raise_(self, now: Instant) -> None:
        raise ZeroDivisionError

    def post_more(self, inbox: "Inbox[Receiver]", now: Instant) -> None:
        inbox.post(Receiver.post_more, inbox)


@pytest.fixture
def inbox() -> Inbox[Receiver]:
    return Inbox()


def test_messages_come_in_the_order_in_which_they_were_posted(inbox: Inbox[Receiver]) -> None:
    receiver = Receiver()
    for number in range(3):
        inbox.post(Receiver.tell, number)
    inbox.deliver(receiver, NOW)
    inbox.deliver(receiver, NOW)
    assert [0, 1, 2] == receiver.told


async def test_the_loop_is_woken_once_for_many_messages(inbox: Inbox[Receiver]) -> None:
    turns: list[int] = []
    inbox.open(lambda: turns.append(1))
    for number in range(3):
        inbox.post(Receiver.tell, number)
    await asyncio.sleep(0)
    assert 1 == len(turns)
    inbox.deliver(Receiver(), NOW)
    inbox.post(Receiver.tell, 4)
    await asyncio.sleep(0)
    assert 2 == len(turns)


async def test_what_came_before_the_loop_wakes_it_once_it_is_there(inbox: Inbox[Receiver]) -> None:
    turned = asyncio.Event()
    inbox.post(Receiver.tell, 1)
    inbox.open(turned.set)
    await asyncio.wait_for(turned.wait(), 5)


async def test_a_message_that_raises_loses_no_other(inbox: Inbox[Receiver]) -> None:
    receiver, turned = Receiver(), asyncio.Event()
    inbox.open(turned.set)
    inbox.post(Receiver.tell, 1)
    inbox.post(Receiver.raise_)
    inbox.post(Receiver.tell, 2)
    await turned.wait()
    turned.clear()
    with pytest.raises(ZeroDivisionError):
        inbox.deliver(receiver, NOW)
    await asyncio.wait_for(turned.wait(), 5)
    inbox.deliver(receiver, NOW)
    assert [1, 2] == receiver.told


async def test_messages_that_breed_messages_leave_the_loop_its_turns(inbox: Inbox[Receiver]) -> None:
    receiver, turned = Receiver(), asyncio.Event()
    inbox.open(turned.set)
    inbox.post(Receiver.post_more, inbox)
    for _ in range(3):
        await asyncio.wait_for(turned.wait(), 5)
        turned.clear()
        inbox.deliver(receiver, NOW)


async def test_threads_that_post_at_once_lose_nothing(inbox: Inbox[Receiver]) -> None:
    receiver, all_there, together = Receiver(), asyncio.Event(), Barrier(4)

    def turn() -> None:
        inbox.deliver(receiver, NOW)
        if len(receiver.told) == 4000:
            all_there.set()

    def post(thread: int) -> None:
        together.wait(5)
        for number in range(1000):
            inbox.post(Receiver.tell, (thread, number))

    inbox.open(turn)
    threads = [Thread(target=post, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    await asyncio.wait_for(all_there.wait(), 10)
    for thread in range(4):
        assert list(range(1000)) == [number for which, number in receiver.told if which == thread]


async def test_what_was_posted_is_delivered_before_another_thread_is_answered(inbox: Inbox[Receiver]) -> None:
    receiver = Receiver()
    inbox.open(lambda: inbox.deliver(receiver, NOW))

    def ask() -> int:
        inbox.post(Receiver.tell, 1)
        inbox.settle()
        return len(receiver.told)

    assert [1, 2, 3] == [await asyncio.to_thread(ask) for _ in range(3)]


async def test_a_turn_that_is_passed_has_seen_the_clock_as_it_was_before(inbox: Inbox[Receiver]) -> None:
    clock, seen = [0], []

    def turn() -> None:
        now = clock[0]
        inbox.deliver(Receiver(), NOW)
        seen.append(now)

    def count() -> None:
        for reading in range(1, 200):
            clock[0] = reading
            inbox.pass_turn()
            assert reading in seen

    inbox.open(turn)
    await asyncio.to_thread(count)


def test_a_question_before_the_loop_is_there_waits_for_nothing(
    inbox: Inbox[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dms.background_tasks.loop.inbox.Event", None)  # without which nobody can wait
    inbox.post(Receiver.tell, 1)
    inbox.settle()
    inbox.pass_turn()


async def test_a_closed_inbox_gives_back_what_it_has_and_takes_nothing(inbox: Inbox[Receiver]) -> None:
    receiver = Receiver()
    inbox.open(lambda: None)
    assert inbox.on_loop()
    inbox.post(Receiver.tell, 1)
    assert [(1,)] == inbox.close()
    inbox.post(Receiver.tell, 2)
    inbox.settle()
    inbox.deliver(receiver, NOW)
    assert ([], True, False) == (receiver.told, inbox.closed, inbox.on_loop())
