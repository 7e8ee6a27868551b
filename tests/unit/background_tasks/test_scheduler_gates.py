"""Gates of a running scheduler: asked only while a task waits for them, and refused where they are none."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

import dms
from dms.background_tasks.host import Host
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.definition import definition
from dms.errors import Conflict, InvalidInput, InvalidTask
from dms.testing import FakeClock

Make = Callable[..., Any]


class Paper:
    """A gate that is opened by hand; `asked` once somebody has."""

    def __init__(self) -> None:
        self.asked, self.open, self.questions = Event(), False, 0

    def __call__(self) -> bool:
        self.questions += 1
        self.asked.set()
        return self.open


def test_a_run_waits_for_a_gate_of_the_program_and_says_so(witness: Make) -> None:
    paper = Paper()
    with Scheduler(gates={"paper": paper}, poll_interval="1ms") as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("print", lambda: None, hold_until=["paper"]))
        assert 0 == paper.questions
        scheduler.run_task("print")
        assert paper.asked.wait(10)
        view = scheduler.view("print")
        assert ("waiting", "held until paper") == (view.state, view.reason)
        paper.open = True
        seen.until("ended", "print")
        assert "ready" == scheduler.view("print").state


def test_the_built_in_gates_are_there() -> None:
    with Scheduler(clock=FakeClock(), gates={"network": lambda: True, "mains_power": lambda: True}) as it:
        task = it.add_task(dms.Task("a", lambda: 5, hold_until=["network", "mains_power", "clock_trusted"]))
        assert 5 == it.run_task(task.name).wait(10).results


def test_a_calendar_waits_until_the_clock_is_trusted_and_an_interval_goes_on(witness: Make) -> None:
    """A device without a clock of its own, which wakes in 1970."""
    clock = FakeClock(datetime(1970, 1, 1, 0, 0, 30, tzinfo=UTC))
    clock.trust(False)
    with Scheduler(clock=clock, poll_interval="1ms", timezone="UTC") as scheduler:
        seen = witness(scheduler)
        clock.woken = scheduler.wake
        each_minute = [dms.PeriodicTrigger(cron="* * * * *")]
        scheduler.add_task(dms.Task("calendar", lambda: 1, triggers=each_minute, hold_until=["clock_trusted"]))
        scheduler.add_task(dms.Task("interval", lambda: 2, triggers=[dms.PeriodicTrigger("1m")]))
        clock.advance("1m")
        seen.until("ended", "interval")
        view = scheduler.view("calendar")
        assert ("waiting", "held until clock_trusted") == (view.state, view.reason)
        clock.set_wall(datetime(2026, 5, 5, 12, tzinfo=UTC))
        clock.trust(True)
        seen.until("ended", "calendar")
        assert {} == scheduler.view("calendar").skipped


def test_a_gate_may_be_added_later_once() -> None:
    scheduler = Scheduler()
    with pytest.raises(InvalidTask, match=r"^hold_until: there is no gate paper\. There are: clock_trusted"):
        scheduler.add_task(dms.Task("print", print, hold_until=["paper"]))
    scheduler.add_gate("paper", lambda: True)
    scheduler.add_task(dms.Task("print", print, hold_until=["paper"]))
    with pytest.raises(Conflict, match="there is a gate called paper already"):
        scheduler.add_gate("paper", lambda: True)
    with pytest.raises(InvalidTask, match=r"^hold_until: there is no gate ink"):
        scheduler.update_task(dms.Task("print", print, hold_until=["ink"]))


@pytest.mark.parametrize(("name", "gate"), [("Paper", lambda: True), ("paper", 5), ("9", lambda: True)])
def test_what_is_no_gate_is_refused(name: str, gate: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^gates: "):
        Scheduler(gates={name: gate})
    with pytest.raises(InvalidInput, match=r"^gates: "):
        Scheduler().add_gate(name, gate)


def test_a_gate_that_raises_is_reported_while_it_is_waited_for(witness: Make) -> None:
    alerts: list[tuple[str, str, str]] = []
    told = Event()

    def alert(alert: Any) -> None:
        alerts.append((alert.code, alert.subject, alert.message.partition(" (")[0]))
        told.set()

    def broken() -> bool:
        raise OSError("no such device")

    host = Host(alert=alert)
    with Scheduler(gates={"paper": broken}, host=host) as scheduler:
        scheduler.add_task(dms.Task("print", print, hold_until=["paper"]))
        scheduler.run_task("print")
        assert told.wait(10)
        scheduler.remove_task("print")
        scheduler.tasks()
    assert [
        ("gate", "paper", "it counts as closed: it raised OSError: no such device"),
        ("gate", "paper", ""),
    ] == alerts


def test_a_remembered_task_whose_gate_there_is_not_any_more_is_parked_with_the_reason() -> None:
    store = dms.MemoryStore()
    with Scheduler(store=store, gates={"paper": lambda: True}) as scheduler:
        scheduler.add_task(dms.Task("print", print, hold_until=["paper"]))
        kept = definition(scheduler.get_task("print"))
    assert ["paper"] == kept["hold_until"]
    store.close()
    with Scheduler(store=store) as scheduler:
        view = scheduler.view("print")
    assert ("parked", "hold_until: there is no gate paper") == (view.state, view.reason.partition(".")[0])
