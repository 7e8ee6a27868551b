"""Functions by reference, and tasks that only the store remembers: made again, or parked with the reason why not."""

import os.path
from typing import Any

import pytest

from dms.background_tasks.restoring import lives_by_itself, restore
from dms.background_tasks.store import StoredTask, TaskState
from dms.background_tasks.tasks.definition import definition
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Program, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger


def stored(task: Task, **changes: Any) -> StoredTask:
    return StoredTask(1, task.name, definition(task) | changes, TaskState())


def test_a_task_comes_back_as_it_was() -> None:
    task = Task(
        "a",
        "os:getcwd",
        (1, "two"),
        {"three": [3]},
        description="where",
        triggers=[
            PeriodicTrigger("5m", jitter="10s", at_start=True),
            PeriodicTrigger(cron="0 3 * * *", timezone="Europe/Helsinki"),
            OneTimeTrigger("1h"),
            OneTimeTrigger(at="2030-01-01T00:00+00:00"),
            EventTrigger("door.opened"),
        ],
        retry_policy=RetryPolicy(3, "2s", "exponential", 3, "1m"),
        enabled=False,
        priority=-3,
        timeout="1m",
        kill_after=0,
        overlap="queue",
        queue_limit=4,
        catch_up="all",
        catch_up_limit=9,
        catch_up_window="1d",
        durability="at_least_once",
    )
    back = restore(stored(task))
    assert definition(task) == definition(back)
    assert ("", True, os.getcwd) == (back.parked, back.restored, back.target)


def test_a_program_comes_back_as_it_was() -> None:
    program = Program(("ls", "-l"), cwd="/", env={"A": "b"})
    back = restore(stored(Task("a", program)))
    assert (program, "program", "") == (back.function, back.calling.executor, back.parked)


class Foreign:
    def is_ready(self) -> bool:
        return False

    def reset(self) -> None:
        pass


@pytest.mark.parametrize(
    ("task", "changes", "reason"),
    [
        (Task("a", lambda: 1), {}, "function: it belongs to the program that added the task"),
        (Task("a", "gone:work"), {}, "function: gone can't be imported"),
        (Task("a", "os:getcwd", (object(),)), {}, "args: they are not plain values"),
        (Task("a", "os:getcwd", triggers=[Foreign()]), {}, "triggers: one belongs to the program"),
        (Task("a", "os:getcwd"), {"priority": "high"}, "priority: 'high' is not a whole number"),
        (Task("a", "os:getcwd"), {"retry_policy": {"tries": 1}}, "tries"),
        (Task("a", "os:getcwd"), {"triggers": [{"type": "periodic", "interval": None}]}, "jitter"),
        (Task("a", Program(("ls",))), {"program": {"argv": []}}, "run: give a list of text"),
    ],
)
def test_what_can_not_come_back_whole_is_parked_with_the_reason(
    task: Task, changes: dict[str, Any], reason: str
) -> None:
    back = restore(stored(task, **changes))
    assert reason in back.parked
    assert ("a", True, "code") == (back.name, back.restored, back.origin)


def test_a_task_whose_function_is_gone_keeps_all_else() -> None:
    back = restore(stored(Task("a", "gone:work", triggers=[PeriodicTrigger("5m")], priority=3)))
    assert (3, (PeriodicTrigger("5m"),)) == (back.priority, back.triggers)


@pytest.mark.parametrize(
    ("origin", "finished", "lives"), [("code", None, True), ("code", 3, False), ("declared", None, False)]
)
def test_a_programs_task_lives_by_itself_until_its_only_time_is_over(
    origin: str, finished: int | None, lives: bool
) -> None:
    kept = StoredTask(1, "a", {"origin": origin}, TaskState(finished=finished))
    assert lives == lives_by_itself(kept)
