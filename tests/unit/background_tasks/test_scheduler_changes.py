"""What changes of a scheduler while it runs: how many tasks at once, and what a task is."""

from threading import Event

import pytest

import dms
from dms.background_tasks.scheduler import Scheduler
from dms.errors import Conflict, InvalidInput, NotFound


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
        scheduler.resize(2)
        assert began[1].wait(10)
        assert 2 == scheduler.max_running_tasks
        go.set()
        assert ["success", "success"] == [handle.wait(10).status for handle in handles]


@pytest.mark.parametrize("slots", [0, -1, 10_001, "3", True])
def test_a_number_of_slots_that_can_not_be_is_refused(slots: int) -> None:
    with pytest.raises(InvalidInput, match="max_running_tasks"):
        Scheduler(1).resize(slots)


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
