"""`task.explain`: why a task ran, or did not; `task.preview`: what is to come of all of them."""

from datetime import datetime

import msgspec

from dms.access.caller import TASK_READ
from dms.background_tasks.asking.explanation import Explanation
from dms.background_tasks.running.loop_thread import in_thread
from dms.background_tasks.scheduler import Scheduler
from dms.command.command import Command
from dms.command.operation import Effect, Operation
from dms.command.parameters import Name, moment
from dms.command.preview import TaskPreview, preview_document
from dms.instant import rfc3339


class ExplainParameters(msgspec.Struct, frozen=True):
    """The task's name or ID, and the moment that is asked about (RFC 3339; None: how it stands with it)."""

    name: Name
    at: str | None = None


class PreviewParameters(msgspec.Struct, frozen=True):
    """How many days to look ahead (up to 366), and which tasks to tell of (none: all)."""

    days: float = 7
    tasks: list[Name] = []


class TaskExplanation(msgspec.Struct, frozen=True):
    """A plain sentence about a task at a moment (None: now), and the facts under it, which tell times as they are in
    `zone`. `verdict` is ran, running, waiting, did_not_run, not_due, will_run, will_not_run or unknown; of now, the
    task's state."""

    task: str
    at: str | None
    verdict: str
    sentence: str
    facts: list[str]
    zone: str

    @classmethod
    def of(cls, told: Explanation, zone: str) -> "TaskExplanation":
        """The document of an explanation."""
        return cls(told.task, rfc3339(told.at), told.verdict, told.sentence, told.facts, zone)


def task_question_operations(scheduler: Scheduler) -> list[Operation]:
    """`task.explain` and `task.preview` of this scheduler."""

    async def explain(params: ExplainParameters, command: Command) -> TaskExplanation:
        at: datetime | None = moment(params.at, "at")
        told = await in_thread(lambda: scheduler.explain(params.name, at))
        return TaskExplanation.of(told, str(scheduler.timezone))

    async def preview(params: PreviewParameters, command: Command) -> TaskPreview:
        found = await in_thread(lambda: scheduler.preview(params.days, params.tasks))
        return preview_document(found, scheduler.timezone)

    return [
        Operation(
            "task.explain",
            ExplainParameters,
            TaskExplanation,
            TASK_READ,
            Effect.READ,
            explain,
            "Tells why a task ran, or did not, within a minute from a moment on, or how it stands with it.",
            ({"name": "backup"}, {"name": "backup", "at": "2026-11-25T03:00:00+02:00"}),
        ),
        Operation(
            "task.preview",
            PreviewParameters,
            TaskPreview,
            TASK_READ,
            Effect.READ,
            preview,
            "Tells what is to come: when tasks run, which start together, when all slots are taken.",
            ({}, {"days": 1, "tasks": ["backup"]}),
        ),
    ]
