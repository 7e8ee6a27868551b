import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.clock import SystemClock
from dms.command.events import event_operations
from dms.command.operation import Operation
from dms.command.task_fires import task_fire_operations
from dms.command.task_questions import task_question_operations
from dms.command.tasks import task_operations, task_runs_topic
from dms.errors import Conflict, InvalidInput, InvalidParameters, InvalidTrigger, NotFound, WaitTimeout

Ask = Callable[..., Any]


class Breaking(Exception):
    pass


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    """`answer` gives 42, `hold` runs until it is let go, `broken` fails twice, `listen` waits for door.opened."""
    let_go = asyncio.Event()

    async def hold() -> None:
        await let_go.wait()

    def broken() -> None:
        raise Breaking("no route to host")

    async with Scheduler(max_running_tasks=4) as running:
        running.add_task(Task("answer", lambda: 42, description="The answer.", triggers=[PeriodicTrigger("1h")]))
        running.add_task(Task("hold", hold))
        running.add_task(Task("broken", broken, retry_policy=RetryPolicy(1, "1ms")))
        running.add_task(Task("listen", lambda run: run.event.payload, triggers=[EventTrigger("door.opened")]))
        yield running
        let_go.set()


@pytest.fixture
def operations(scheduler: Scheduler) -> list[Operation]:
    families = task_operations, task_fire_operations, task_question_operations, event_operations
    return [operation for family in families for operation in family(scheduler)]


async def test_a_task_is_told_as_it_stands(operations: list[Operation], ask: Ask) -> None:
    told = await ask(operations, "task.get", name="answer")
    assert {
        "id": 1, "name": "answer", "description": "The answer.", "state": "ready", "enabled": True, "priority": 0,
        "triggers": ["every 1h"], "lane": "user", "origin": "code", "last": None, "running": 0, "waiting": 0,
        "skipped": {}, "reason": "", "progress": None, "skip_next": False,
        "paused_until": None,
    } == {name: value for name, value in told.items() if name != "next_fire"}  # fmt: skip
    assert told["next_fire"].endswith("+00:00")


async def test_a_task_goes_by_its_id_too(operations: list[Operation], ask: Ask) -> None:
    assert "hold" == (await ask(operations, "task.get", name=2))["name"]


async def test_the_list_holds_every_task(operations: list[Operation], ask: Ask) -> None:
    assert ["answer", "hold", "broken", "listen"] == [each["name"] for each in await ask(operations, "task.list")]


async def test_a_run_that_is_waited_for_gives_its_final_execution(operations: list[Operation], ask: Ask) -> None:
    execution = await ask(operations, "task.run", name="answer", wait=True)
    assert ("answer", "success", 42, None, "operator") == tuple(
        execution[name] for name in ("task", "status", "results", "error", "cause")
    )
    assert execution["due_at"] <= execution["started_at"] <= execution["ended_at"]


async def test_what_a_run_used_is_told_in_seconds(operations: list[Operation], ask: Ask) -> None:
    usage = (await ask(operations, "task.run", name="answer", wait=True))["usage"]
    assert {"waited", "took", "cpu", "memory"} == set(usage)
    assert 0 <= usage["cpu"] <= usage["took"] + usage["waited"] < 10


async def test_one_that_fails_gives_its_last_attempt(operations: list[Operation], ask: Ask) -> None:
    execution = await ask(operations, "task.run", name="broken", wait=True)
    assert ("failed", 2, None) == (execution["status"], execution["attempt"], execution["retry_at"])
    assert "no route to host" in execution["error"]


async def test_a_run_that_is_not_waited_for_is_told_as_accepted(operations: list[Operation], ask: Ask) -> None:
    execution = await ask(operations, "task.run", name="hold")
    assert execution["status"] in ("waiting", "starting", "running")
    assert execution["ended_at"] is None


async def test_the_event_reaches_the_run(operations: list[Operation], ask: Ask) -> None:
    execution = await ask(operations, "task.run", name="listen", event={"door": "north"}, wait=True)
    assert ({"door": "north"}, {"door": "north"}) == (execution["results"], execution["event"]["payload"])


async def test_a_caller_may_run_out_of_patience_and_the_run_goes_on(operations: list[Operation], ask: Ask) -> None:
    with pytest.raises(WaitTimeout, match="hold has not ended within 1ms; the run goes on"):
        await ask(operations, "task.run", name="hold", wait=True, timeout="1ms")
    assert "running" == (await ask(operations, "task.get", name="hold"))["state"]


async def test_a_second_run_of_a_task_that_skips_overlaps_is_a_conflict(operations: list[Operation], ask: Ask) -> None:
    await ask(operations, "task.run", name="hold")
    with pytest.raises(Conflict):
        await ask(operations, "task.run", name="hold")


@pytest.mark.parametrize("method", ["get", "run", "pause", "resume", "skip_next", "explain", "history"])
async def test_an_unknown_task_is_not_found_and_the_nearest_is_named(
    method: str, operations: list[Operation], ask: Ask
) -> None:
    with pytest.raises(NotFound, match=r"Did you mean answer\?"):
        await ask(operations, f"task.{method}", name="anwser")


async def test_the_history_is_newest_first_and_goes_on_before_an_execution(
    operations: list[Operation], ask: Ask
) -> None:
    ids = [(await ask(operations, "task.run", name="answer", wait=True))["id"] for _ in range(3)]
    told = await ask(operations, "task.history", name="answer", limit=2)
    assert ids[:0:-1] == [execution["id"] for execution in told]
    older = await ask(operations, "task.history", name=1, before=told[-1]["id"])
    assert ids[:1] == [execution["id"] for execution in older]


async def test_a_paused_task_says_why_until_it_is_resumed(operations: list[Operation], ask: Ask) -> None:
    (paused,) = await ask(operations, "task.pause", name="answer", reason="disk is being replaced")
    assert ("paused", "disk is being replaced", None) == (paused["state"], paused["reason"], paused["next_fire"])
    (resumed,) = await ask(operations, "task.resume", name="answer")
    assert ("ready", "") == (resumed["state"], resumed["reason"])


async def test_the_next_fire_is_left_out_until_that_is_taken_back(operations: list[Operation], ask: Ask) -> None:
    for skip in (True, True, False):
        told = await ask(operations, "task.skip_next", name="answer", skip=skip)
        assert (skip, skip) == (told["skip_next"], (await ask(operations, "task.get", name="answer"))["skip_next"])


async def test_what_nothing_fires_has_no_next_fire_to_skip(operations: list[Operation], ask: Ask) -> None:
    with pytest.raises(Conflict, match="hold has no next fire to skip: it has no trigger"):
        await ask(operations, "task.skip_next", name="hold")


async def test_past_fires_are_run_and_told_as_taken_on(operations: list[Operation], ask: Ask) -> None:
    now = datetime.now(UTC)
    told = await ask(operations, "task.backfill", name="answer", since=(now - timedelta(hours=3)).isoformat())
    assert ["backfill"] * 3 == [each["cause"] for each in told]
    assert told == sorted(told, key=lambda each: each["due_at"])


@pytest.mark.parametrize(
    ("span", "error", "problem"),
    [
        ({"since": "yesterday"}, InvalidParameters, "since: 'yesterday' is not a moment"),
        ({"since": "2126-01-01T00:00Z"}, InvalidInput, "since: 2126-01-01T00:00:00.000000.00:00 does not lie before"),
        ({"since": "2026-01-01T00:00Z", "until": "2126-01-01T00:00Z"}, InvalidInput, "until: .* lies ahead"),
        ({"since": "2020-01-01T00:00Z"}, InvalidInput, "more than 1000 fires lie before it"),
    ],
)
async def test_a_span_that_can_t_be_run_is_refused(
    span: Any, error: Any, problem: str, operations: list[Operation], ask: Ask
) -> None:
    with pytest.raises(error, match=problem):
        await ask(operations, "task.backfill", name="answer", **span)


async def test_how_it_stands_with_a_task_is_explained(
    scheduler: Scheduler, operations: list[Operation], ask: Ask
) -> None:
    told = await ask(operations, "task.explain", name="hold")
    assert {
        "task": "hold", "at": None, "verdict": "ready", "sentence": "hold runs when somebody asks.", "facts": [],
        "zone": str(scheduler.timezone),
    } == told  # fmt: skip


async def test_why_a_task_ran_at_a_moment_is_explained(operations: list[Operation], ask: Ask) -> None:
    execution = await ask(operations, "task.run", name="answer", wait=True)
    told = await ask(operations, "task.explain", name=1, at=execution["started_at"])
    assert ("ran", execution["started_at"]) == (told["verdict"], told["at"])
    assert f"Execution {execution['id']}, attempt 1 of run {execution['id']}." == told["facts"][-1]


async def test_what_is_to_come_is_told_for_as_many_days_as_are_asked_for(operations: list[Operation], ask: Ask) -> None:
    told = await ask(operations, "task.preview", days=0.5)
    assert [("answer", 12)] == [(each["task"], each["runs"]) for each in told["tasks"]]
    assert [] == (await ask(operations, "task.preview", days=1, tasks=["hold"]))["tasks"]


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_a_number_of_days_that_can_t_be_looked_at_is_refused(
    operations: list[Operation], ask: Ask, days: float
) -> None:
    with pytest.raises(InvalidInput, match="days: "):
        await ask(operations, "task.preview", days=days)


async def test_everything_can_be_paused_at_once(operations: list[Operation], ask: Ask) -> None:
    assert {"paused"} == {each["state"] for each in await ask(operations, "task.pause")}
    assert {"ready"} == {each["state"] for each in await ask(operations, "task.resume")}


@pytest.mark.parametrize("moment", ["tomorrow", "2026-12-24T18:00", "9999-12-31T23:59:59-12:00", ""])
async def test_until_must_be_a_moment_with_its_offset(moment: str, operations: list[Operation], ask: Ask) -> None:
    with pytest.raises(InvalidParameters, match="until: "):
        await ask(operations, "task.pause", name="answer", until=moment)


async def test_a_reason_is_no_book(operations: list[Operation], ask: Ask) -> None:
    with pytest.raises(InvalidParameters, match="reason: "):
        await ask(operations, "task.pause", name="answer", reason="x" * 1001)


async def test_an_event_fires_whoever_listens(scheduler: Scheduler, operations: list[Operation], ask: Ask) -> None:
    ended = asyncio.get_running_loop().create_future()
    scheduler.subscribe(lambda event: ended.set_result(event.execution) if event.kind == "ended" else None)
    assert {"topic": "door.opened"} == await ask(operations, "event.emit", topic="door.opened", payload=[1])
    execution = await asyncio.wait_for(ended, 5)
    assert ("listen", [1]) == (execution.task, execution.results)


async def test_what_can_t_be_a_topic_is_said(operations: list[Operation], ask: Ask) -> None:
    with pytest.raises(InvalidTrigger, match="topic: 'a b' is not words joined by dots"):
        await ask(operations, "event.emit", topic="a b")


async def test_the_topic_of_runs_tells_start_and_end(
    scheduler: Scheduler, operations: list[Operation], ask: Ask
) -> None:
    topic = task_runs_topic(scheduler, SystemClock(), epoch=1)
    await ask(operations, "task.run", name="answer", wait=True)
    _, events = topic.tail(10)
    assert [("started", "answer"), ("ended", "answer")] == [(event["kind"], event["task"]) for event in events]
    assert ("success", "42") == (events[-1]["execution"].status, events[-1]["text"])


async def test_a_skipped_fire_is_told_with_its_reason(
    scheduler: Scheduler, operations: list[Operation], ask: Ask
) -> None:
    topic = task_runs_topic(scheduler, SystemClock(), epoch=1)
    await ask(operations, "task.pause", name="listen")
    await ask(operations, "event.emit", topic="door.opened")
    await ask(operations, "task.list")
    _, events = topic.tail(10)
    assert [("skipped", "listen", "paused", None)] == [
        (event["kind"], event["task"], event["text"], event["execution"]) for event in events
    ]
