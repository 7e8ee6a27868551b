"""Polling a third party's trigger: asked in a thread of its own, reset once it is ready, reported where it fails."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest

from dms.background_tasks.loop.polling import Poller
from dms.testing import FakeClock

PATIENCE = 10
MILLISECOND = 1000


class Scripted:
    """Answers what the script says, one answer a question: a value, or an error to raise; then False for ever."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: SimpleQueue[datetime] = SimpleQueue()
        self.resets: SimpleQueue[datetime] = SimpleQueue()

    def is_ready(self, now: datetime) -> bool:
        self.asked.put(now)
        answer = self._answers.pop(0) if self._answers else False
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    def reset(self, now: datetime) -> None:
        self.resets.put(now)


class Poll:
    """A poller, and what it says."""

    def __init__(self, trigger: Any) -> None:
        self.fired: SimpleQueue[None] = SimpleQueue()
        self.reports: SimpleQueue[str] = SimpleQueue()
        self.clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.poller = Poller(trigger, self.clock, MILLISECOND, lambda: self.fired.put(None), self.reports.put)

    def report(self) -> str:
        return self.reports.get(timeout=PATIENCE)


@pytest.fixture
def poll() -> Iterator[Callable[[Any], Poll]]:
    made: list[Poll] = []

    def make(trigger: Any) -> Poll:
        made.append(Poll(trigger))
        return made[-1]

    yield make
    for each in made:
        each.poller.stop()


def test_a_trigger_that_is_ready_is_reset_and_fires(poll: Callable[[Any], Poll]) -> None:
    trigger = Scripted(False, True)
    asking = poll(trigger)
    asking.fired.get(timeout=PATIENCE)
    assert datetime(2026, 1, 1, tzinfo=UTC) == trigger.resets.get(timeout=PATIENCE)
    assert datetime(2026, 1, 1, tzinfo=UTC) == trigger.asked.get(timeout=PATIENCE)


def test_a_trigger_that_takes_no_now_is_asked_without(poll: Callable[[Any], Poll]) -> None:
    class Bare:
        def __init__(self) -> None:
            self.ready = True

        def is_ready(self) -> bool:
            return self.ready

        def reset(self) -> None:
            self.ready = False

    trigger = Bare()
    poll(trigger).fired.get(timeout=PATIENCE)
    assert not trigger.ready


def test_the_same_fault_is_reported_once_another_again_and_all_is_taken_back(poll: Callable[[Any], Poll]) -> None:
    asking = poll(Scripted(OSError("a"), OSError("a"), KeyError("b"), False, OSError("a"), True))
    assert [
        "its trigger raised OSError: a",
        "its trigger raised KeyError: 'b'",
        "",
        "its trigger raised OSError: a",
        "",
    ] == [asking.report() for _ in range(5)]


def test_a_reset_that_raises_does_not_fire(poll: Callable[[Any], Poll]) -> None:
    class Stuck(Scripted):
        def reset(self, now: datetime) -> None:
            raise OSError("stuck")

    asking = poll(Stuck(True))
    assert "its trigger raised OSError: stuck" == asking.report()
    assert "" == asking.report()
    assert asking.fired.empty()


def test_an_answer_that_is_outstanding_is_known(poll: Callable[[Any], Poll]) -> None:
    begun, let_go = Event(), Event()

    class Slow(Scripted):
        def is_ready(self, now: datetime) -> bool:
            begun.set()
            assert let_go.wait(PATIENCE)
            return super().is_ready(now)

    trigger = Slow(True)
    asking = poll(trigger)
    assert begun.wait(PATIENCE)
    asking.clock.advance("31s")
    assert 31_000_000 == asking.poller.silent_for(asking.clock.now().boot)
    asking.poller.suspect("silent")
    asking.poller.suspect("silent")
    let_go.set()
    assert ["silent", ""] == [asking.report(), asking.report()]
    asking.fired.get(timeout=PATIENCE)


def test_a_poller_that_is_stopped_takes_back_its_report_and_asks_no_more(poll: Callable[[Any], Poll]) -> None:
    asking = poll(Scripted(*[OSError("unplugged")] * 100_000))
    assert "its trigger raised OSError: unplugged" == asking.report()
    asking.poller.stop()
    assert "" == asking.report()


def test_a_trigger_that_has_answered_is_not_silent_however_long_it_is_not_asked(poll: Callable[[Any], Poll]) -> None:
    asking = poll(Scripted(True))
    asking.fired.get(timeout=PATIENCE)
    asking.poller.stop()
    for thread in threading.enumerate():
        if thread.name == "dms-poll":
            thread.join(PATIENCE)
    asking.clock.advance("1h")
    assert 0 == asking.poller.silent_for(asking.clock.now().boot)
