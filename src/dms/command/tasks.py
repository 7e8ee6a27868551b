"""`task.*`: look at tasks, run them, hold them back; and the topic of what they do."""

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dms.access.caller import TASK_READ, TASK_RUN
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import Overlap
from dms.command.command import Command
from dms.command.document import ExecutionDocument, TaskDocument, run_event_document
from dms.command.operation import Effect, Nothing, Operation
from dms.command.parameters import Name, moment
from dms.command.topic import Topic
from dms.errors import WaitTimeout
from dms.instant import Clock, parse_duration


class TaskParameters(msgspec.Struct, frozen=True):
    """The task's name or ID."""

    name: Name


class RunParameters(msgspec.Struct, frozen=True):
    """The task's name or ID; whether to wait for the run's end and how long at most; what the run gets as its event;
    what counts for this once instead of its `overlap`, where it is busy."""

    name: Name
    wait: bool = False
    event: Any = None
    timeout: str | float | None = None
    overlap: Overlap | None = None


class PauseParameters(msgspec.Struct, frozen=True):
    """The task's name or ID (None: everything), until when (RFC 3339; None: until resumed), and why."""

    name: Name | None = None
    until: str | None = None
    reason: Annotated[str, Meta(max_length=1000)] = ""


class ResumeParameters(msgspec.Struct, frozen=True):
    """The task's name or ID; None for everything that was paused as a whole."""

    name: Name | None = None


class HistoryParameters(msgspec.Struct, frozen=True):
    """The task's name or ID, how many executions at most, and the ID of the one than which they are to be older."""

    name: Name
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    before: str | None = None


def task_operations(scheduler: Scheduler) -> list[Operation]:
    """`task.list`, `get`, `run`, `pause`, `resume` and `history` of this scheduler."""

    def list_tasks(params: Nothing, command: Command) -> list[TaskDocument]:
        return [TaskDocument.of(view) for view in scheduler.tasks()]

    def get(params: TaskParameters, command: Command) -> TaskDocument:
        return TaskDocument.of(scheduler.view(params.name))

    async def run(params: RunParameters, command: Command) -> ExecutionDocument:
        length = None if params.timeout is None else parse_duration(params.timeout, "timeout").total_seconds()
        handle = scheduler.run_task(params.name, params.event, overlap=params.overlap)
        try:
            async with asyncio.timeout(length):
                return ExecutionDocument.of(await (handle if params.wait else handle.accepted()))
        except TimeoutError:
            raise WaitTimeout(f"{params.name} has not ended within {params.timeout}; the run goes on") from None

    def pause(params: PauseParameters, command: Command) -> list[TaskDocument]:
        scheduler.pause(params.name, until=moment(params.until, "until"), reason=params.reason)
        return changed(params.name)

    def resume(params: ResumeParameters, command: Command) -> list[TaskDocument]:
        scheduler.resume(params.name)
        return changed(params.name)

    async def history(params: HistoryParameters, command: Command) -> list[ExecutionDocument]:
        name = params.name if isinstance(params.name, str) else scheduler.get_task(params.name).name
        found = await scheduler.history(name, params.limit, params.before)
        return [ExecutionDocument.of(execution) for execution in found]

    def changed(name: Name | None) -> list[TaskDocument]:
        views = scheduler.tasks() if name is None else [scheduler.view(name)]
        return [TaskDocument.of(view) for view in views]

    tasks, executions = list[TaskDocument], list[ExecutionDocument]
    return [
        Operation("task.list", Nothing, tasks, TASK_READ, Effect.READ, list_tasks, "Lists every task.", ({},)),
        Operation(
            "task.get",
            TaskParameters,
            TaskDocument,
            TASK_READ,
            Effect.READ,
            get,
            "Tells all about one task.",
            ({"name": "backup"},),
        ),
        Operation(
            "task.run",
            RunParameters,
            ExecutionDocument,
            TASK_RUN,
            Effect.ONCE,
            run,
            "Runs a task now; with `wait` the answer comes when the run has ended.",
            ({"name": "backup"}, {"name": "backup", "wait": True, "timeout": "10m"}),
        ),
        Operation(
            "task.pause",
            PauseParameters,
            tasks,
            TASK_RUN,
            Effect.IDEMPOTENT,
            pause,
            "Holds a task back, or all; what runs goes on.",
            ({"name": "backup", "until": "2026-12-24T18:00:00+02:00", "reason": "disk is being replaced"},),
        ),
        Operation(
            "task.resume",
            ResumeParameters,
            tasks,
            TASK_RUN,
            Effect.IDEMPOTENT,
            resume,
            "Lets a paused task come due again, or all.",
            ({"name": "backup"},),
        ),
        Operation(
            "task.history",
            HistoryParameters,
            executions,
            TASK_READ,
            Effect.READ,
            history,
            "Lists a task's executions, newest first.",
            ({"name": "backup", "limit": 10},),
        ),
    ]


def task_runs_topic(scheduler: Scheduler, clock: Clock, epoch: int) -> Topic:
    """`task.runs`: each start, progress, end and skipped fire, from now on."""
    topic = Topic("task.runs", scope=TASK_READ, epoch=epoch, fields=("task", "kind", "run_id"))
    scheduler.subscribe(lambda event: topic.publish(run_event_document(event, clock.now().wall)))
    return topic
