import threading
from collections.abc import Sequence
from typing import Any

import pytest

from dms.init.sender import BATCH, MOST_WAITING, Sender, Sent

PATIENCE = 10.0
NEVER = 3_600.0


class Receiver:
    """Takes batches as it is told to, and remembers them and what was told of it."""

    def __init__(self, answer: Sent = Sent()) -> None:  # noqa: B008 - a plain value
        self.answer = answer
        self.batches: list[list[Any]] = []
        self.told: list[str] = []
        self.closed = False
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._news = threading.Condition()

    def send(self, batch: Sequence[Any]) -> Sent:
        with self._news:
            self.batches.append(list(batch))
            self._news.notify_all()
        self.may_answer.wait(PATIENCE)
        return self.answer

    def close(self) -> None:
        self.closed = True

    def troubled(self, problem: str) -> None:
        with self._news:
            self.told.append(problem)
            self._news.notify_all()

    def until(self, holds: Any) -> None:
        assert self.comes_to(holds, PATIENCE)

    def comes_to(self, holds: Any, within: float) -> bool:
        with self._news:
            return bool(self._news.wait_for(holds, within))


def sender_to(receiver: Receiver, interval: float = NEVER, **more: Any) -> Sender:
    return Sender("dms-otlp-test", lambda: receiver, interval, receiver.troubled, **more)


def test_what_is_put_is_sent_each_interval() -> None:
    receiver = Receiver()
    sender = sender_to(receiver, interval=0.01)
    sender.put("a")
    receiver.until(lambda: receiver.batches == [["a"]])
    sender.put("b")
    receiver.until(lambda: receiver.batches == [["a"], ["b"]])
    sender.close()
    assert sender.ended(PATIENCE)


def test_much_is_sent_sooner_and_in_batches() -> None:
    receiver = Receiver()
    sender = sender_to(receiver)
    for number in range(BATCH):
        sender.put(number)
    receiver.until(lambda: BATCH == sum(map(len, receiver.batches)))
    sender.close()
    assert sender.ended(PATIENCE)


def test_another_pace_counts_at_once() -> None:
    receiver = Receiver()
    sender = sender_to(receiver)
    sender.put("a")
    sender.pace(0.01)
    receiver.until(lambda: receiver.batches == [["a"]])
    sender.put("b")
    receiver.until(lambda: receiver.batches == [["a"], ["b"]])
    sender.close()
    assert sender.ended(PATIENCE)


def test_at_the_end_all_that_waits_is_sent() -> None:
    receiver = Receiver()
    sender = sender_to(receiver)
    for number in range(BATCH - 1):
        sender.put(number)
    sender.close()
    assert sender.ended(PATIENCE)
    assert (BATCH - 1, 0, 0) == (sum(map(len, receiver.batches)), sender.left, sender.lost)
    assert receiver.closed


def test_what_was_put_before_it_had_connected_is_sent_at_the_end_too() -> None:
    receiver, may_connect = Receiver(), threading.Event()

    def connect() -> Receiver:
        may_connect.wait(PATIENCE)
        return receiver

    sender = Sender("dms-otlp-test", connect, NEVER, receiver.troubled)
    sender.put("a")
    sender.close()
    may_connect.set()
    assert sender.ended(PATIENCE)
    assert ([["a"]], 0) == (receiver.batches, sender.left)


def test_what_a_receiver_can_not_take_now_it_gets_later_in_its_order() -> None:
    receiver = Receiver(Sent("down", again=True))
    sender = sender_to(receiver, interval=0.01)
    sender.put("a")
    receiver.until(lambda: "down" in receiver.told)
    sender.put("b")
    receiver.answer = Sent()
    receiver.until(lambda: receiver.told[-1] == "")
    receiver.until(lambda: receiver.batches[-1][-1] == "b")
    sender.close()
    assert sender.ended(PATIENCE)
    assert 0 == sender.lost


def test_what_a_receiver_never_wants_is_lost_and_keeps_nothing_else_waiting() -> None:
    receiver = Receiver(Sent("it answers 400"))
    sender = sender_to(receiver, interval=0.01)
    sender.put("a")
    receiver.until(lambda: "it answers 400" in receiver.told)
    receiver.answer = Sent()
    sender.put("b")
    receiver.until(lambda: receiver.batches[-1] == ["b"])
    sender.close()
    assert sender.ended(PATIENCE)
    assert 1 == sender.lost


def test_a_receiver_that_was_down_before_the_end_is_not_asked_once_more() -> None:
    receiver = Receiver(Sent("down", again=True))
    sender = sender_to(receiver)
    for number in range(BATCH):
        sender.put(number)
    receiver.until(lambda: "down" in receiver.told)
    sender.close()
    assert sender.ended(PATIENCE)
    assert (1, BATCH, 0) == (len(receiver.batches), sender.left, sender.lost)


def test_what_comes_meanwhile_does_not_hurry_a_receiver_that_is_down() -> None:
    """Log lines about a failing export once made the next ones (open-telemetry/opentelemetry-python#2701)."""
    receiver = Receiver(Sent("down", again=True))
    sender = sender_to(receiver)
    for number in range(BATCH):
        sender.put(number)
    receiver.until(lambda: receiver.told == ["down"])
    for number in range(2 * MOST_WAITING):
        sender.put(number)
    assert not receiver.comes_to(lambda: len(receiver.batches) > 1, within=0.1)
    assert (MOST_WAITING, MOST_WAITING + BATCH) == (sender.left, sender.lost)
    sender.close()
    assert sender.ended(PATIENCE)


def test_what_is_put_right_before_the_end_is_sent_whatever_is_under_way() -> None:
    receiver = Receiver()

    def put_more_and_end(problem: str) -> None:
        if len(receiver.batches) == 1:
            sender.put("b")
            sender.close()

    sender = Sender("dms-otlp-test", lambda: receiver, 0.01, put_more_and_end)
    sender.put("a")
    assert sender.ended(PATIENCE)
    assert [["a"], ["b"]] == receiver.batches


def test_nobody_waits_for_a_receiver_that_never_answers() -> None:
    receiver = Receiver()
    receiver.may_answer.clear()
    sender = sender_to(receiver, interval=0.01)
    sender.put("a")
    receiver.until(lambda: receiver.batches)
    sender.put("b")
    sender.close()
    assert not sender.ended(0.01)
    assert 2 == sender.left
    receiver.may_answer.set()
    assert sender.ended(PATIENCE)


def test_what_is_gathered_is_sent_at_each_turn_and_the_last() -> None:
    receiver = Receiver()
    sender = sender_to(receiver, interval=0.01, gather=lambda: ["figures"])
    receiver.until(lambda: len(receiver.batches) == 2)
    sender.close()
    assert sender.ended(PATIENCE)
    assert {"figures"} == {figures for batch in receiver.batches for figures in batch}


@pytest.mark.parametrize("error", [ImportError, ValueError])
def test_where_it_can_not_connect_at_all_that_is_told_and_nothing_waits(error: type[Exception]) -> None:
    told: list[str] = []

    def connect() -> Receiver:
        raise error("opentelemetry is missing")

    sender = Sender("dms-otlp-test", connect, 0.01, told.append)
    assert sender.ended(PATIENCE)
    sender.put("a")
    assert (["opentelemetry is missing"], 0, 0) == (told, sender.left, sender.lost)


@pytest.mark.parametrize("signals", [1, 3])
def test_a_thread_that_sends_holds_no_process(signals: int) -> None:
    senders = [sender_to(Receiver()) for _ in range(signals)]
    mine = [thread for thread in threading.enumerate() if thread.name == "dms-otlp-test"]
    assert all(thread.daemon for thread in mine)
    for sender in senders:
        sender.close()
        assert sender.ended(PATIENCE)
