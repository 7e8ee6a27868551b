"""The forms in which tasks and executions are told outside: times are RFC 3339 with offset, statuses are words."""

from typing import Any

import msgspec

from dms.background_tasks.asking.view import RunEvent, TaskView
from dms.background_tasks.running.run import Progress
from dms.background_tasks.tasks.task import Event, Execution, Usage
from dms.instant import SECOND, rfc3339


class EventDocument(msgspec.Struct, frozen=True):
    """What fired a run: its topic, what came with it, and when. Where several were gathered, it is the latest of so
    many, and `first` the one that came first."""

    topic: str
    payload: Any
    at: str | None
    count: int = 1
    first: "EventDocument | None" = None

    @classmethod
    def of(cls, event: Event) -> "EventDocument":
        """The document of an event."""
        at = rfc3339(event.at) if event.at else None
        return cls(event.topic, event.payload, at, event.count, None if event.first is None else cls.of(event.first))


class UsageDocument(msgspec.Struct, frozen=True):
    """What an attempt used, in seconds: how long it waited once it might start, how long it took, its processor time;
    and the memory that it had at most, in bytes. Null where that is not known."""

    waited: float
    took: float
    cpu: float | None
    memory: int | None

    @classmethod
    def of(cls, usage: Usage | None) -> "UsageDocument | None":
        """The document of a usage, None of none."""
        if usage is None:
            return None
        cpu = None if usage.cpu is None else usage.cpu / SECOND
        return cls(usage.waited / SECOND, usage.took / SECOND, cpu, usage.memory)


class ExecutionDocument(msgspec.Struct, frozen=True):
    """One attempt of one run. `retry_at` is when the next attempt comes, where one does; `trace_id` is what its lines
    in the log bear; `usage` is there once it has run and ended."""

    id: str
    run_id: str
    task: str
    task_id: int
    attempt: int
    status: str
    cause: str
    due_at: str | None
    started_at: str | None
    ended_at: str | None
    error: str | None
    event: EventDocument | None
    results: Any
    retry_at: str | None
    trace_id: str | None = None
    usage: UsageDocument | None = None

    @classmethod
    def of(cls, execution: Execution) -> "ExecutionDocument":
        """The document of an execution."""
        return cls(
            id=execution.id,
            run_id=execution.run_id,
            task=execution.task,
            task_id=execution.task_id,
            attempt=execution.attempt,
            status=execution.status.value,
            cause=execution.cause,
            due_at=rfc3339(execution.due),
            started_at=rfc3339(execution.started),
            ended_at=rfc3339(execution.ended),
            error=execution.error,
            event=None if execution.event is None else EventDocument.of(execution.event),
            results=execution.results,
            retry_at=rfc3339(execution.retry_at),
            trace_id=execution.trace_id,
            usage=UsageDocument.of(execution.usage),
        )


class ProgressDocument(msgspec.Struct, frozen=True):
    """How far a run has come: so much done of a total, where that is known."""

    done: float
    total: float | None
    text: str

    @classmethod
    def of(cls, progress: Progress | None) -> "ProgressDocument | None":
        """The document of a progress, None of none."""
        return None if progress is None else cls(*progress)


class TaskDocument(msgspec.Struct, frozen=True):
    """A task as it stands: what it is, when it comes next, how it last went, what it does now."""

    id: int
    name: str
    description: str
    state: str
    enabled: bool
    priority: int
    triggers: list[str]
    lane: str
    origin: str
    next_fire: str | None
    last: ExecutionDocument | None
    running: int
    waiting: int
    skipped: dict[str, int]
    reason: str
    progress: ProgressDocument | None
    skip_next: bool
    paused_until: str | None

    @classmethod
    def of(cls, view: TaskView) -> "TaskDocument":
        """The document of a scheduler's view of a task."""
        return cls(
            id=view.id,
            name=view.name,
            description=view.description,
            state=view.state,
            enabled=view.enabled,
            priority=view.priority,
            triggers=list(view.triggers),
            lane=view.lane,
            origin=view.origin,
            next_fire=rfc3339(view.next_fire),
            last=None if view.last is None else ExecutionDocument.of(view.last),
            running=view.running,
            waiting=view.waiting,
            skipped=dict(view.skipped),
            reason=view.reason,
            progress=ProgressDocument.of(view.progress),
            skip_next=view.skip_next,
            paused_until=rfc3339(view.paused_until),
        )


def run_event_document(event: RunEvent, at: int) -> dict[str, Any]:
    """An event of the topic `task.runs`, at wall microseconds; the members that one may filter by stand at its top."""
    return {
        "at": rfc3339(at),
        "kind": event.kind,
        "task": event.task,
        "run_id": None if event.execution is None else event.execution.run_id,
        "text": event.text,
        "final": event.final,
        "progress": ProgressDocument.of(event.progress),
        "execution": None if event.execution is None else ExecutionDocument.of(event.execution),
    }
