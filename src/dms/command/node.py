"""`node.*`: which node this is, and how it is."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dms.access.caller import NODE_READ
from dms.background_tasks.asking.view import TaskView
from dms.background_tasks.scheduler import Scheduler
from dms.command.command import Command
from dms.command.operation import Effect, Nothing, Operation
from dms.health import Finding, Health
from dms.instant import Clock, rfc3339


class NodeInfo(msgspec.Struct, frozen=True):
    """Which node it is. `started` is wall microseconds, `doors` are texts such as `socket /srv/dms/dms.sock`, `facts`
    is what is known of its machine; `revision` and `config_hash` tell its
    configuration from others."""

    name: str
    version: str
    pid: int
    started: int
    data_dir: str
    config_file: str | None
    doors: list[str]
    facts: Mapping[str, Any] = {}
    revision: int = 0
    config_hash: str = ""


class InfoDocument(msgspec.Struct, frozen=True):
    """Which node this is, where it lives, and the facts of its machine as they were last gathered."""

    name: str
    version: str
    pid: int
    started_at: str | None
    data_dir: str
    config_file: str | None
    doors: list[str]
    facts: dict[str, Any]


class TaskCounts(msgspec.Struct, frozen=True):
    """How many tasks are the users' and the node's own, and how busy the users' slots are; `paused` counts those of the
    users that are held back."""

    declared: int
    own: int
    running: int
    waiting: int
    slots: int
    paused: int


class NextTask(msgspec.Struct, frozen=True):
    """Which of the users' tasks comes next, and when."""

    name: str
    at: str | None


class StatusDocument(msgspec.Struct, frozen=True):
    """How a node is: its state with everything that was found, its tasks, its doors. `now` is the node's own clock,
    `clock_trusted` whether that is known to be right."""

    name: str
    state: str
    version: str
    pid: int
    now: str | None
    clock_trusted: bool
    started_at: str | None
    findings: list[Finding]
    tasks: TaskCounts
    next: NextTask | None
    doors: list[str]
    data_dir: str
    config_file: str | None
    revision: int
    config_hash: str


def node_operations(
    node: Callable[[], NodeInfo], scheduler: Scheduler, health: Health, clock: Clock
) -> list[Operation]:
    """`node.info` and `node.status`."""

    def info(params: Nothing, command: Command) -> InfoDocument:
        it = node()
        return InfoDocument(
            name=it.name,
            version=it.version,
            pid=it.pid,
            started_at=rfc3339(it.started),
            data_dir=it.data_dir,
            config_file=it.config_file,
            doors=it.doors,
            facts=dict(it.facts),
        )

    def status(params: Nothing, command: Command) -> StatusDocument:
        it, views, now = node(), scheduler.tasks(), clock.now()
        return StatusDocument(
            name=it.name,
            state=health.state(),
            version=it.version,
            pid=it.pid,
            now=rfc3339(now.wall),
            clock_trusted=now.trusted,
            started_at=rfc3339(it.started),
            findings=health.findings(),
            tasks=_counts(views, scheduler.max_running_tasks),
            next=_next(views),
            doors=it.doors,
            data_dir=it.data_dir,
            config_file=it.config_file,
            revision=it.revision,
            config_hash=it.config_hash,
        )

    return [
        Operation("node.info", Nothing, InfoDocument, NODE_READ, Effect.READ, info, "Tells which node this is.", ({},)),
        Operation(
            "node.status",
            Nothing,
            StatusDocument,
            NODE_READ,
            Effect.READ,
            status,
            "Tells how the node is and what it does.",
            ({},),
        ),
    ]


def _users(views: list[TaskView]) -> list[TaskView]:
    return [view for view in views if view.lane == "user"]


def _counts(views: list[TaskView], slots: int) -> TaskCounts:
    users = _users(views)
    return TaskCounts(
        declared=len(users),
        own=len(views) - len(users),
        running=sum(view.running for view in users),
        waiting=sum(view.waiting for view in users),
        slots=slots,
        paused=sum(view.state == "paused" for view in users),
    )


def _next(views: list[TaskView]) -> NextTask | None:
    due = [(view.next_fire, view.name) for view in _users(views) if view.next_fire is not None]
    return NextTask(min(due)[1], rfc3339(min(due)[0])) if due else None
