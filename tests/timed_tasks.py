"""Tasks that come by time and do nothing, for tests of when they come."""

from datetime import UTC, datetime
from typing import Any

from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger


def nothing() -> None:
    """What they do."""


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def every(interval: Any, name: str = "tick", **fields: Any) -> Task:
    """One that comes by interval; `fields` are its trigger's and its own."""
    trigger = {key: fields.pop(key) for key in ("jitter", "at_start", "mode", "start", "end") if key in fields}
    return Task(name, nothing, triggers=[PeriodicTrigger(interval, **trigger)], **fields)


def cron(expression: str, name: str = "job", timezone: str | None = "UTC", **fields: Any) -> Task:
    """One that comes by a calendar; `fields` are its trigger's and its own."""
    trigger = {key: fields.pop(key) for key in ("jitter", "start", "end") if key in fields}
    return Task(name, nothing, triggers=[PeriodicTrigger(cron=expression, timezone=timezone, **trigger)], **fields)
