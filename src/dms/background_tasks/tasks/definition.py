"""A task's definition as plain values, and back: what the store keeps and what tells one definition from another."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.limits import Limits
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Lane, Program, Task
from dms.background_tasks.triggers.trigger import definition_of, trigger_from
from dms.errors import InvalidTask

FORMAT = 1


def reference_to(function: Any) -> str | None:
    """`module:qualified.name` of a function that can be found again by it; None for a lambda, a closure, an object."""
    if isinstance(function, str):
        return function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module or not name or "<" in name:
        return None
    return f"{module}:{name}"


def definition(task: Task) -> dict[str, Any]:
    """Every field of a task as plain values."""
    program = task.function if isinstance(task.function, Program) else None
    return {
        "format": FORMAT,
        "call": None if program else reference_to(task.function),
        "program": None if program is None else plain(program),
        "args": plain([list(task.args), dict(task.kwargs)]),
        "triggers": [definition_of(trigger) for trigger in task.triggers],
        "retry_policy": _retry(task.retry_policy),
        "timeout": _seconds(task.timeout),
        "kill_after": _seconds(task.kill_after),
        "catch_up_window": _seconds(task.catch_up_window),
        "lane": task.lane.value,
        **_came_later(task),
        **{field: plain(getattr(task, field)) for field in _COPIED},
    }


def _came_later(task: Task) -> dict[str, Any]:
    """Fields that earlier versions did not have, only where they say something, so that what was kept before is no
    other definition."""
    later = {
        "concurrency": plain(task.concurrency),
        "hold_until": list(task.hold_until),
        "heartbeat_timeout": _seconds(task.heartbeat_timeout),
        "breaker": _breaker(task.breaker),
        "expect_success_within": _seconds(task.expect_success_within),
        "executor": task.executor,
        "limits": _limits(task.limits),
    }
    return {field: value for field, value in later.items() if value}


def task_from(stored: Mapping[str, Any], name: str, function: Any, parked: str = "") -> Task:
    """The task that `definition` described, with its function found again. InvalidTask where a part is missing."""
    if stored["args"] is None:
        raise InvalidTask("args: they are not plain values and could not be kept")
    triggers = [trigger_from(trigger) for trigger in stored["triggers"]]
    if None in triggers:
        raise InvalidTask("triggers: one belongs to the program that added the task and could not be kept")
    args, kwargs = stored["args"]
    durations: dict[str, Any] = {
        field: _length(stored[field]) for field in ("timeout", "kill_after", "catch_up_window")
    }
    for field in ("heartbeat_timeout", "expect_success_within"):  # the first definitions have none
        durations[field] = _length(stored.get(field))
    return Task(
        name,
        function,
        args,
        kwargs,
        triggers=[trigger for trigger in triggers if trigger is not None],
        retry_policy=RetryPolicy(**stored["retry_policy"]),
        lane=Lane(stored["lane"]),
        breaker=_breaker_from(stored.get("breaker")),
        executor=stored.get("executor"),
        limits=_limits_from(stored.get("limits")),
        concurrency=msgspec.convert(stored.get("concurrency"), Concurrency | None),
        hold_until=stored.get("hold_until", ()),
        parked=parked,
        **durations,
        **{field: stored[field] for field in _COPIED},
    )


def program_from(stored: Mapping[str, Any]) -> Program | None:
    """The program of a stored definition; None where it calls a function."""
    return None if stored["program"] is None else msgspec.convert(stored["program"], Program)


def plain(value: Any) -> Any:
    """The value as plain JSON values; None where it is not made of such."""
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        return None


def _retry(policy: RetryPolicy) -> dict[str, Any]:
    """Its fields; those that came later only where they say something, so that what was kept before is no other."""
    later = {
        "jitter": _seconds(policy.jitter),
        "retry_on": list(policy.retry_on),
        "give_up_on": list(policy.give_up_on),
    }
    kept = {} if policy.supersede else {"supersede": False}
    return kept | {
        "max_retries": policy.max_retries,
        "delay": _seconds(policy.delay),
        "backoff": str(policy.backoff),
        "factor": policy.factor,
        "max_delay": _seconds(policy.max_delay),
        **{field: value for field, value in later.items() if value},
    }


def _breaker(breaker: Breaker | None) -> dict[str, Any] | None:
    return None if breaker is None else {"failures": breaker.failures, "probe": _seconds(breaker.probe)}


def _breaker_from(stored: Mapping[str, Any] | None) -> Breaker | None:
    return None if stored is None else Breaker(stored["failures"], _length(stored["probe"]))


def _limits(limits: Limits | None) -> dict[str, Any] | None:
    if limits is None:
        return None
    given = {"memory": limits.memory, "cpu_time": limits.seconds, "output": limits.output}
    return {field: value for field, value in given.items() if value is not None}


def _limits_from(stored: Mapping[str, Any] | None) -> Limits | None:
    return None if stored is None else Limits(**stored)


_COPIED = (
    "description", "enabled", "priority", "overlap", "queue_limit", "max_instances", "catch_up", "catch_up_limit",
    "durability", "origin",
)  # fmt: skip


def _seconds(length: Any) -> float | None:
    return None if length is None else length.total_seconds()


def _length(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
