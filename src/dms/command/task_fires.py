"""`task.skip_next`, `task.backfill`: one fire that is left out, past ones that are run."""

import msgspec

from dms.access.caller import TASK_RUN
from dms.background_tasks.scheduler import Scheduler
from dms.command.command import Command
from dms.command.document import ExecutionDocument, TaskDocument
from dms.command.operation import Effect, Operation
from dms.command.parameters import Name, moment, required_moment


class SkipNextParameters(msgspec.Struct, frozen=True):
    """The task's name or ID; whether its next fire is to be left out, or (false) is not after all."""

    name: Name
    skip: bool = True


class BackfillParameters(msgspec.Struct, frozen=True):
    """The task's name or ID, from when on, and until before when (RFC 3339; None: now)."""

    name: Name
    since: str
    until: str | None = None


def task_fire_operations(scheduler: Scheduler) -> list[Operation]:
    """`task.skip_next` and `backfill` of this scheduler."""

    def skip_next(params: SkipNextParameters, command: Command) -> TaskDocument:
        scheduler.skip_next(params.name, params.skip)
        return TaskDocument.of(scheduler.view(params.name))

    async def backfill(params: BackfillParameters, command: Command) -> list[ExecutionDocument]:
        handles = scheduler.backfill(params.name, required_moment(params.since, "since"), moment(params.until, "until"))
        return [ExecutionDocument.of(await handle.accepted()) for handle in handles]

    return [
        Operation(
            "task.skip_next",
            SkipNextParameters,
            TaskDocument,
            TASK_RUN,
            Effect.IDEMPOTENT,
            skip_next,
            "Leaves out a task's next fire, and only that.",
            ({"name": "backup"}, {"name": "backup", "skip": False}),
        ),
        Operation(
            "task.backfill",
            BackfillParameters,
            list[ExecutionDocument],
            TASK_RUN,
            Effect.ONCE,
            backfill,
            "Runs a task for its fires in a span of the past, oldest first; the answer is the runs taken on.",
            ({"name": "backup", "since": "2026-11-01T00:00:00+01:00", "until": "2026-11-08T00:00:00+01:00"},),
        ),
    ]
