import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from dms.access.caller import ADMIN, Caller
from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.tasks.task import Execution, Status
from dms.command.command import Command
from dms.command.operation import Effect, Nothing, Operation, by_name
from dms.errors import Conflict, DmsError
from dms.init import measuring, process_usage
from dms.init.measuring import Measuring
from dms.instant import SECOND
from dms.metrics import OTHER, Distribution, Metrics

CALLER = Caller("ana", "websocket", frozenset({ADMIN}))
DUE = 1_000 * SECOND


def execution(status: Status, started: int | None = DUE, ended: int | None = None) -> Execution:
    return Execution("1-1", "1-1", "backup", 1, 1, status, DUE, started, ended)


def of(points: dict[tuple[str, ...], Distribution]) -> dict[tuple[str, ...], tuple[int, float]]:
    """How many values, and their sum."""
    return {labels: (sum(known.counts), known.sum) for labels, known in points.items()}


@pytest.fixture
def measured() -> Measuring:
    return Measuring(Metrics())


def test_a_start_tells_how_late_it_is_and_how_long_it_waited(measured: Measuring) -> None:
    started = execution(Status.RUNNING, DUE + 3 * SECOND)
    measured.run_event(RunEvent("started", "backup", started, waited=2 * SECOND))
    assert {(): (1, 3.0)} == of(dict(measured.metrics.lateness.read()))
    assert {(): (1, 2.0)} == of(dict(measured.metrics.wait.read()))


def test_an_end_counts_and_tells_how_long_it_took(measured: Measuring) -> None:
    measured.run_event(RunEvent("ended", "backup", execution(Status.FAILED, ended=DUE + 4 * SECOND)))
    assert {("backup", "failed"): 1} == measured.metrics.executions.read()
    assert {("backup",): (1, 4.0)} == of(dict(measured.metrics.duration.read()))


def test_the_length_is_that_of_the_clock_that_nobody_sets(measured: Measuring) -> None:
    ended = replace(
        execution(Status.SUCCESS, ended=DUE - SECOND), waited=0, ran=3 * SECOND, cpu=SECOND // 2, memory=5_000_000
    )
    measured.run_event(RunEvent("ended", "backup", ended))
    assert {("backup",): (1, 3.0)} == of(dict(measured.metrics.duration.read()))
    assert {("backup",): (1, 0.5)} == of(dict(measured.metrics.task_cpu.read()))
    assert {("backup",): (1, 5_000_000)} == of(dict(measured.metrics.task_memory.read()))


def test_processor_time_that_nobody_counted_is_no_figure(measured: Measuring) -> None:
    ended = replace(execution(Status.ABANDONED, ended=DUE), waited=0, ran=3 * SECOND)
    measured.run_event(RunEvent("ended", "backup", ended))
    assert {} == measured.metrics.task_cpu.read() == measured.metrics.task_memory.read()


def test_no_length_is_negative_where_the_clock_was_set_back(measured: Measuring) -> None:
    measured.run_event(RunEvent("started", "backup", execution(Status.RUNNING, DUE - SECOND)))
    measured.run_event(RunEvent("ended", "backup", execution(Status.SUCCESS, ended=DUE - SECOND)))
    assert {(): (1, 0.0)} == of(dict(measured.metrics.lateness.read()))
    assert {("backup",): (1, 0.0)} == of(dict(measured.metrics.duration.read()))


def test_what_never_began_counts_as_no_execution(measured: Measuring) -> None:
    measured.run_event(RunEvent("skipped", "backup", None, "paused"))
    measured.run_event(RunEvent("ended", "backup", execution(Status.CANCELLED, started=None, ended=DUE)))
    assert {} == measured.metrics.executions.read()


def test_commands_are_counted_by_method_and_how_they_ended_and_door(measured: Measuring) -> None:
    def fail(params: Nothing, command: Command) -> str:
        raise Conflict("no")

    async def wait(params: Nothing, command: Command) -> str:
        await asyncio.sleep(0)
        return "done"

    handlers: dict[str, Any] = {"fail": fail, "wait": wait}
    operations = by_name(
        Operation(name, Nothing, str, "test", Effect.READ, handler, name) for name, handler in handlers.items()
    )
    operations.ended = measured.command

    async def ask(method: str, **params: Any) -> None:
        try:
            await Command(method, params, caller=CALLER).run(operations)
        except DmsError:
            pass

    async def all_of_them() -> None:
        await ask("wait")
        await ask("wait")
        await ask("fail")
        await ask("wait", unknown=1)
        await ask("none.such-1")
        await ask("none.such-2")

    asyncio.run(all_of_them())
    counts = {labels: count for labels, (count, _) in of(dict(measured.metrics.commands.read())).items()}
    assert {
        ("wait", "succeeded", "websocket"): 2,
        ("fail", "failed", "websocket"): 1,
        ("wait", "rejected", "websocket"): 1,
        (OTHER, "rejected", "websocket"): 2,
    } == counts


async def test_the_loop_is_looked_at_until_the_stop(measured: Measuring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "BETWEEN_LOOKS", 0)
    measured.start()
    while not measured.metrics.loop_lag.read():  # noqa: ASYNC110 - it is the loop itself that is looked at
        await asyncio.sleep(0)
    measured.stop()
    looks = of(dict(measured.metrics.loop_lag.read()))
    for _ in range(10):
        await asyncio.sleep(0)
    assert looks == of(dict(measured.metrics.loop_lag.read()))


def test_a_process_uses_time_memory_threads_and_files() -> None:
    assert {("user",), ("system",)} == set(process_usage.cpu_time())
    asked = (process_usage.cpu_time, process_usage.memory, process_usage.threads, process_usage.descriptors)
    assert all(value > 0 for ask in asked for value in ask().values() if ask is not process_usage.cpu_time)
    assert sum(process_usage.cpu_time().values()) > 0
