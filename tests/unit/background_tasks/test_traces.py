"""Where its host wants it, each execution begins a trace, and whatever it does is part of that."""

import asyncio
from typing import Any

import pytest

from dms.adapters.record import execution_of, row_of
from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.host import Host
from dms.background_tasks.running.run import Run
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Execution, Program, Status, Task
from dms.trace import CURRENT, Trace, begin, read_traceparent

PATIENCE = 10


def here(run: Run) -> Trace | None:
    return CURRENT.get()


async def here_on_a_loop(run: Run) -> Trace | None:
    await asyncio.sleep(0)
    return CURRENT.get()


def run_all(host: Host, *tasks: Task) -> tuple[list[Execution], list[RunEvent]]:
    """Run each task once; its executions, and what was told of them."""
    told: list[RunEvent] = []
    with Scheduler(host=host) as scheduler:
        scheduler.subscribe(told.append)
        scheduler.add_tasks(tasks)
        return [scheduler.run_task(task.name).wait(PATIENCE) for task in tasks], told


@pytest.mark.parametrize("own_loop", [True, False])
@pytest.mark.parametrize("function", [here, here_on_a_loop])
def test_what_a_function_does_is_within_the_trace_of_its_execution(function: Any, own_loop: bool) -> None:
    host = Host(traces=True, own_coroutine_loop=own_loop)
    first, second = run_all(host, Task("a", function), Task("b", function))[0]
    assert (first.trace_id, second.trace_id) == (first.results.id, second.results.id)
    assert first.trace_id != second.trace_id


def test_a_program_finds_its_trace_in_its_environment() -> None:
    (execution,), _ = run_all(Host(traces=True), Task("a", Program(("sh", "-c", 'echo "$TRACEPARENT"'))))
    trace = read_traceparent(execution.results["output"].strip())
    assert trace is not None
    assert execution.trace_id == trace.id


def test_without_a_host_that_wants_them_there_are_none() -> None:
    (execution,), _ = run_all(Host(), Task("a", here))
    assert (None, None) == (execution.trace_id, execution.results)


def test_a_run_that_was_asked_for_is_linked_to_who_asked() -> None:
    asking = begin()
    outside = CURRENT.set(asking)
    _, told = run_all(Host(traces=True), Task("a", here))
    CURRENT.reset(outside)
    assert [asking.traceparent] == [event.link for event in told if event.kind == "started"]


def test_the_next_attempt_is_linked_to_the_one_before() -> None:
    def fail(run: Run) -> None:
        if run.attempt == 1:
            raise ConnectionError("no")

    _, told = run_all(Host(traces=True), Task("a", fail, retry_policy=RetryPolicy(1, delay=0)))
    starts = [event for event in told if event.kind == "started"]
    first, second = (event.execution.trace_id for event in starts if event.execution is not None)
    assert first is not None
    assert ["", f"00-{first}-{first[16:]}-01"] == [event.link for event in starts]
    assert first != second


@pytest.mark.parametrize("trace_id", [None, "0af7651916cd43dd8448eb211c80319c"])
def test_a_record_keeps_its_trace(trace_id: str | None) -> None:
    execution = Execution("1-1", "1-1", "a", 1, 1, Status.SUCCESS, 1, trace_id=trace_id)
    assert execution == execution_of(row_of(execution))
