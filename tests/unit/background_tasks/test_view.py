"""A task as others see it: its state, why it is so, and the few words that sum up how it went."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import dms
from dms.background_tasks.asking.view import summary
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import Execution, Lane, Status
from dms.testing import FakeClock

Make = Callable[..., Any]


def answer() -> int:
    return 42


def test_a_view_tells_what_a_task_is() -> None:
    triggers = [dms.PeriodicTrigger("5m"), dms.EventTrigger("task.b.success"), dms.OneTimeTrigger("1h")]
    task = dms.Task("a", answer, description="answers", triggers=triggers, priority=3, lane=Lane.NODE, origin="node")
    with Scheduler() as scheduler:
        scheduler.add_task(task)
        view = scheduler.view("a")
    assert (1, "a", "answers", True, 3, "node", "node") == (
        view.id, view.name, view.description, view.enabled, view.priority, view.lane, view.origin
    )  # fmt: skip
    assert ["every 5m", "after b success", "once after 1h"] == view.triggers
    assert ("ready", "", None, 0, 0, {}, None) == (
        view.state, view.reason, view.last, view.running, view.waiting, view.skipped, view.progress
    )  # fmt: skip


def test_a_task_that_runs_is_running_and_counts_its_runs(gate: Make) -> None:
    work = gate()
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work, overlap="queue"))
        scheduler.run_task("a")
        scheduler.run_task("a")
        work.await_begin()
        view = scheduler.view("a")
        assert ("running", 1, 1) == (view.state, view.running, view.waiting)
        work.open()


def test_a_task_that_waits_says_what_for(gate: Make) -> None:
    work = gate()
    with Scheduler(max_running_tasks=1) as scheduler:
        scheduler.add_tasks([dms.Task("busy", work), dms.Task("a", answer)])
        scheduler.run_task("busy")
        work.await_begin()
        scheduler.run_task("a")
        view = scheduler.view("a")
        assert ("waiting", "no free slot", 0, 1) == (view.state, view.reason, view.running, view.waiting)
        work.open()


def test_a_task_that_waits_says_how_many_go_before_it(gate: Make) -> None:
    """Case low-priority-run-overtaken-for-ever (multica-ai/multica#8551): its status names the true reason."""
    work = gate()
    day = datetime(2026, 3, 1, tzinfo=UTC)
    with Scheduler(max_running_tasks=1, clock=FakeClock(day)) as scheduler:
        scheduler.add_tasks([dms.Task("busy", work), dms.Task("low", answer, priority=3)])
        scheduler.add_tasks([dms.Task("urgent", answer), dms.Task("next", answer)])
        scheduler.run_task("busy")
        work.await_begin()
        for name in ("low", "urgent", "next"):
            scheduler.run_task(name)
        waiting = {name: scheduler.view(name).reason for name in ("urgent", "next", "low")}
        told = scheduler.explain("low", day).sentence
        work.open()
    assert waiting == {
        "urgent": "no free slot",
        "next": "no free slot, 1 run ahead",
        "low": "no free slot, 2 runs ahead",
    }
    assert told.endswith("and waits for its turn: no free slot, 2 runs ahead.")


@pytest.mark.parametrize(
    ("concurrency", "why"),
    [
        (dms.Concurrency("disk"), "its key disk is taken: 1 of them runs, the most at once"),
        (dms.Concurrency("disk", rate="1/h"), "its key disk is taken: 1 of them started within 1h"),
    ],
)
def test_a_task_that_waits_for_its_key_says_so(concurrency: dms.Concurrency, why: str, gate: Make) -> None:
    work = gate()
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("busy", work, concurrency=concurrency))
        scheduler.add_task(dms.Task("a", answer, concurrency=concurrency))
        scheduler.run_task("busy")
        work.await_begin()
        scheduler.run_task("a")
        view = scheduler.view("a")
        assert ("waiting", why) == (view.state, view.reason)
        work.open()


def test_a_task_of_the_nodes_own_lane_is_not_held_by_a_pause_of_the_whole() -> None:
    with Scheduler() as scheduler:
        scheduler.add_tasks([dms.Task("own", answer, lane=Lane.NODE), dms.Task("users", answer)])
        scheduler.pause(reason="repairs")
        assert [("ready", ""), ("paused", "repairs")] == [(view.state, view.reason) for view in scheduler.tasks()]


@pytest.mark.parametrize(
    ("reason", "expected"), [("", "paused from then on"), ("tired", "paused from then on (tired)")]
)
def test_that_a_running_task_is_paused_shows(reason: str, expected: str, gate: Make) -> None:
    work = gate()
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work))
        scheduler.run_task("a")
        work.await_begin()
        scheduler.pause("a", reason=reason)
        view = scheduler.view("a")
        assert ("running", expected) == (view.state, view.reason)
        work.open()


def test_a_paused_task_has_no_next_fire() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", answer, triggers=[dms.PeriodicTrigger("5m")]))
        assert scheduler.view("a").next_fire is not None
        scheduler.pause("a")
        assert scheduler.view("a").next_fire is None


def test_the_last_execution_is_told() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", answer))
        end = scheduler.run_task("a").wait("5s")
        assert end == scheduler.view("a").last


def test_a_trigger_whose_text_can_not_be_made_spoils_no_view() -> None:
    class Nameless:
        def is_ready(self) -> bool:
            return False

        def reset(self) -> None:
            pass

        def __str__(self) -> str:
            raise ValueError("no name")

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", answer, triggers=[Nameless()]))
        assert ["Nameless"] == scheduler.view("a").triggers


def execution(error: str | None = None, results: Any = None) -> Execution:
    return Execution("1-1", "1-1", "a", 1, 1, Status.SUCCESS, 0, error=error, results=results)


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (execution(error="OSError: no route"), "OSError: no route"),
        (execution(error="exit status 1", results={"output": "x"}), "exit status 1"),
        (execution(results={"exit_status": 0, "output": "one\ntwo\n"}), "two"),
        (execution(results={"output": ""}), ""),
        (execution(results={"output": 3}), ""),
        (execution(results="/ is 81 % full"), "/ is 81 % full"),
        (execution(results=42), "42"),
        (execution(results=[1, 2]), ""),
        (execution(), ""),
    ],
)
def test_an_execution_is_summed_up_in_a_few_words(ended: Execution, text: str) -> None:
    assert text == summary(ended)
