"""What changes of a scheduler while it runs: how many tasks at once, and what a task is."""

from threading import Event
from typing import Any

import pytest

import dms
from dms.background_tasks.scheduler import Scheduler
from dms.errors import Conflict, InvalidInput, InvalidTask, NotFound
from dms.testing import FakeClock


def test_more_slots_let_those_start_that_wait() -> None:
    began, go = [Event(), Event()], Event()

    def work(number: int) -> None:
        began[number].set()
        go.wait(10)

    with Scheduler(1) as scheduler:
        for number in range(2):
            scheduler.add_task(dms.Task(f"work{number}", work, (number,)))
        handles = [scheduler.run_task(f"work{number}") for number in range(2)]
        assert began[0].wait(10)
        assert (1, 1) == (scheduler.running_tasks_count(), scheduler.waiting_count())
        scheduler.adjust(2)
        assert began[1].wait(10)
        assert 2 == scheduler.max_running_tasks
        go.set()
        assert ["success", "success"] == [handle.wait(10).status for handle in handles]


@pytest.mark.parametrize("slots", [0, -1, 10_001, "3", True])
def test_a_number_of_slots_that_can_not_be_is_refused(slots: int) -> None:
    with pytest.raises(InvalidInput, match="max_running_tasks"):
        Scheduler(1).adjust(slots)


def test_what_is_not_given_stays() -> None:
    scheduler = Scheduler(3)
    scheduler.adjust(history_limit=2)
    assert 3 == scheduler.max_running_tasks


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"history_limit": 0}, "history_limit"),
        ({"timezone": "Mars"}, "timezone"),
        ({"aging_quantum": "x"}, "aging_quantum"),
    ],
)
def test_a_setting_that_can_not_be_is_named_and_changes_nothing(given: dict[str, Any], named: str) -> None:
    scheduler = Scheduler(3)
    with pytest.raises(InvalidInput, match=named):
        scheduler.adjust(5, **given)
    assert 3 == scheduler.max_running_tasks


def test_so_many_executions_are_remembered_from_now_on() -> None:
    with Scheduler(1, history_limit=3) as scheduler:
        scheduler.add_task(dms.Task("work", lambda: None))
        for _ in range(3):
            scheduler.run_task("work").wait(10)
        scheduler.adjust(history_limit=2)
        assert 2 == len(scheduler.execution_history("work"))
        scheduler.adjust(history_limit=4)
        for _ in range(3):
            scheduler.run_task("work").wait(10)
        assert 4 == len(scheduler.execution_history("work"))


def test_a_third_partys_trigger_is_asked_so_often_from_now_on() -> None:
    class Ready:
        def is_ready(self) -> bool:
            return True

        def reset(self) -> None: ...

    ran = Event()
    with Scheduler(1, poll_interval="1h") as scheduler:
        scheduler.add_task(dms.Task("work", ran.set, triggers=[Ready()]))
        scheduler.adjust(poll_interval="1ms")
        assert ran.wait(10)


def test_an_updated_task_runs_what_it_says_now_under_its_id() -> None:
    with Scheduler(1) as scheduler:
        before = scheduler.add_task(dms.Task("work", lambda: "old"))
        after = scheduler.update_task(dms.Task("work", lambda: "new", description="changed"))
        assert "new" == scheduler.run_task("work").wait(10).results
        assert (before.id, after, "changed") == (
            after.id,
            scheduler.get_task("work"),
            scheduler.view("work").description,
        )


def test_a_run_of_the_old_definition_is_left_to_finish() -> None:
    began, go = Event(), Event()

    def old() -> str:
        began.set()
        go.wait(10)
        return "old"

    with Scheduler(1) as scheduler:
        scheduler.add_task(dms.Task("work", old))
        handle = scheduler.run_task("work")
        assert began.wait(10)
        scheduler.update_task(dms.Task("work", lambda: "new"))
        go.set()
        assert ("old", "new") == (handle.wait(10).results, scheduler.run_task("work").wait(10).results)


def test_a_task_is_updated_before_the_start_too() -> None:
    scheduler = Scheduler(1, store=dms.MemoryStore())
    scheduler.add_task(dms.Task("work", print))
    scheduler.update_task(dms.Task("work", lambda: "new"))
    with scheduler:
        assert "new" == scheduler.run_task("work").wait(10).results


def test_a_task_that_is_not_there_can_not_be_updated_nor_one_that_is_registered() -> None:
    scheduler = Scheduler(1)
    with pytest.raises(NotFound):
        scheduler.update_task(dms.Task("work", print))
    task = scheduler.add_task(dms.Task("work", print))
    with pytest.raises(Conflict):
        scheduler.update_task(task)


# ── calendars ──

NIGHTS = dms.Calendar(windows=["22:00-06:00"])


def nightly(**fields: Any) -> dms.Task:
    return dms.Task("backup", lambda: 1, triggers=[dms.PeriodicTrigger(cron="0 3 * * *", **fields)])


@pytest.mark.parametrize(
    ("calendars", "there"), [({}, "there are none."), ({"nights": NIGHTS}, "there are nights. Did you mean nights?")]
)
def test_a_calendar_that_is_not_there_is_refused_with_what_there_is(calendars: Any, there: str) -> None:
    scheduler = Scheduler(1, calendars=calendars)
    for register in (scheduler.add_task, scheduler.update_task):
        with pytest.raises(InvalidTask) as caught:
            register(nightly(exclude=["night"]))
        assert f"exclude: no calendar is called 'night'; {there}" == str(caught.value)
    assert not scheduler.has_task("backup")


def test_a_changed_calendar_counts_at_once(witness: Any) -> None:
    clock = FakeClock()
    scheduler = Scheduler(1, clock=clock, timezone="UTC", calendars={"nights": NIGHTS})
    clock.woken, seen = scheduler.wake, witness(scheduler)
    with scheduler:
        task = scheduler.add_task(nightly(exclude=["nights"], timezone="UTC"))
        assert task.next_fire is None
        scheduler.adjust(calendars={"nights": dms.Calendar(windows=["04:00-06:00"])})
        assert "2026-01-01T03:00" == f"{task.next_fire:%Y-%m-%dT%H:%M}"
        clock.advance("4h")
        seen.until("ended", "backup")
        assert ["success"] == [execution.status for execution in task.execution_history]


def test_other_settings_leave_the_calendars_as_they_are() -> None:
    scheduler = Scheduler(1, calendars={"nights": NIGHTS})
    scheduler.adjust(2)
    assert "backup" == scheduler.add_task(nightly(exclude=["nights"])).name


def test_a_task_that_is_used_up_says_so(witness: Any) -> None:
    clock = FakeClock()
    scheduler = Scheduler(1, clock=clock)
    clock.woken, seen = scheduler.wake, witness(scheduler)
    with scheduler:
        scheduler.add_task(dms.Task("tick", lambda: 1, triggers=[dms.PeriodicTrigger("1h", max_runs=2)]))
        clock.advance("1h")
        seen.until("ended", "tick")
        assert "" == scheduler.view("tick").reason
        clock.advance("1h")
        seen.until("ended", "tick", 2)
        view = scheduler.view("tick")
        assert ("ready", "it has had its 2 runs (max_runs)", None) == (view.state, view.reason, view.next_fire)
        told = scheduler.explain("tick")
        assert "tick runs only when somebody asks: it has had its 2 runs (max_runs)." == told.sentence
        with pytest.raises(dms.Conflict, match=r"tick has no next fire to skip: it has had its 2 runs \(max_runs\)"):
            scheduler.skip_next("tick")
