"""What an agenda is told, and what it decides, as plain values: one line of a recording each. Pure.

What no decision hangs on is left out: results, payloads, what runs have saved. Arguments, and a program's environment
and folder, are there as digests only: enough to tell one definition from another, and nothing to be read.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import tzinfo
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from dms.background_tasks.agenda import decision as decided
from dms.background_tasks.store import (
    Change,
    DropTask,
    PutExecution,
    PutLife,
    PutSchedulerPause,
    PutState,
    PutTask,
    Stored,
    StoredTask,
    TaskState,
)
from dms.background_tasks.tasks.definition import definition, program_from, task_from
from dms.background_tasks.tasks.task import Event, Execution, Overlap, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.exclusion import Calendar
from dms.background_tasks.triggers.trigger import OWN_TRIGGERS, Trigger, trigger_from, zone_of
from dms.errors import InvalidInput
from dms.instant import Instant

FORMAT = 1
"""The number of the form that a recording has; it goes up where older ones can't be read any more."""

_LONGEST = 200


def instant_document(now: Instant) -> list[int]:
    """Both clocks; a third number says that the wall clock was not trusted."""
    return [now.wall, now.boot] if now.trusted else [now.wall, now.boot, 0]


def instant_of(document: list[int]) -> Instant:
    """The moment that `instant_document` told."""
    return Instant(document[0], document[1], len(document) == 2)


# ── tasks ──


def task_document(task: Task) -> dict[str, Any]:
    """A task that is given to the agenda."""
    foreign = [trigger for trigger in task.triggers if not isinstance(trigger, OWN_TRIGGERS)]
    channels = [trigger.topic for trigger in task.triggers if isinstance(trigger, EventTrigger) and trigger.channel]
    return {
        "name": task.name,
        "definition": _without_secrets(definition(task)),
        "channels": channels,
        "asked": any(callable(getattr(trigger, "next_after", None)) for trigger in foreign),
        "parked": task.parked,
        "restored": task.restored,
    }


def task_of(document: Mapping[str, Any]) -> Task:
    """A task that the agenda can't tell from the one that was recorded; nothing can be run of it. InvalidInput where a
    trigger of it is a third party's that says its own times: they are not recorded."""
    if document["asked"]:
        raise InvalidInput(f"{document['name']}: a third party's trigger says its own times, which are not recorded")
    kept, channels = document["definition"], iter(document["channels"])
    task = task_from({**kept, "triggers": []}, document["name"], _function(kept), document["parked"])
    task.triggers = tuple(_trigger(each, channels) for each in kept["triggers"])
    task.restored = document["restored"]
    return task


def _function(kept: Mapping[str, Any]) -> Any:
    """A function of the same name, or the same program; of one that has no name, another that has none."""
    program = program_from(kept)
    return kept["call"] or (lambda: None) if program is None else program


def _trigger(document: dict[str, Any], channels: Iterator[str]) -> Trigger:
    trigger = trigger_from(document)
    if trigger is not None:
        return trigger
    if document["type"] != "event":
        return _third_partys(document["class"])
    waits = {name: wait for name, wait in document.items() if name in ("debounce", "max_wait")}
    return EventTrigger(channel=_Channel(next(channels)), **{name: wait / 1e6 for name, wait in waits.items()})


class _Channel:
    """A channel on which nothing is sent; what was is recorded as events."""

    def __init__(self, topic: str) -> None:
        self.topic = topic

    def connect(self, emit: Callable[[str, Any], None]) -> None:
        """Nothing comes."""

    def disconnect(self, emit: Callable[[str, Any], None]) -> None:
        """Nothing comes."""


def _third_partys(name: str) -> Trigger:
    """A trigger of that class, which is asked by nobody: that it was ready is recorded."""
    module, _, qualified = name.partition(":")
    kind = type(qualified, (), {"is_ready": _never, "reset": _never, "__module__": module, "__qualname__": qualified})
    made: Trigger = kind()
    return made


def _never(self: object, now: object) -> bool:
    return False


def _without_secrets(kept: Mapping[str, Any]) -> dict[str, Any]:
    program, args = kept["program"], [[_digest(kept["args"])], {}]
    if program is not None:
        args = [[], {}]
        rest = _digest([program["argv"][1:], program.get("cwd"), program.get("env")])
        program = {"argv": [program["argv"][0], rest], "cwd": None, "env": {}}
    return {**kept, "program": program, "args": args}


def _digest(value: Any) -> str:
    return sha256(msgspec.json.encode(value)).hexdigest()[:12]


# ── what the store knew ──


def stored_document(stored: Stored) -> Any:
    """What the agenda began with."""
    return msgspec.to_builtins(
        replace(
            stored,
            tasks=[_plain_task(task) for task in stored.tasks],
            unfinished=[_plain_execution(execution) for execution in stored.unfinished],
            last={task_id: _plain_execution(execution) for task_id, execution in stored.last.items()},
        )
    )


def stored_of(document: Any) -> Stored:
    """What `stored_document` told."""
    return msgspec.convert(document, Stored, strict=False)


def _plain_task(task: StoredTask) -> StoredTask:
    return replace(task, definition=_without_secrets(task.definition), state=_plain_state(task.state))


def _plain_state(state: TaskState) -> TaskState:
    return replace(state, saved={})


def _plain_execution(execution: Execution) -> Execution:
    event = None if execution.event is None else Event(execution.event.topic, None, execution.event.at)
    return replace(execution, event=event, results=None, error=_short(execution.error))


def _short(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()[:_LONGEST]


# ── what it is told ──

Encode = Callable[..., list[Any]]
Decode = Callable[..., list[Any]]


def _as_they_are(*values: Any) -> list[Any]:
    return list(values)


def _event_document(event: Event | None) -> list[Any] | None:
    return None if event is None else [event.topic, event.at]


def _event_of(document: list[Any] | None) -> Event | None:
    return None if document is None else Event(document[0], None, document[1])


def _calendar_document(calendar: Calendar) -> dict[str, Any]:
    zone = calendar.timezone
    told = {"dates": calendar.dates, "weekdays": calendar.weekdays, "windows": calendar.windows}
    return {**told, "timezone": None if zone is None else str(zone)}


def calendars_document(calendars: Mapping[str, Calendar] | None) -> dict[str, Any]:
    """Calendars by name."""
    return {name: _calendar_document(calendar) for name, calendar in (calendars or {}).items()}


def calendars_of(document: Mapping[str, Any]) -> dict[str, Calendar]:
    """What `calendars_document` told."""
    return {name: Calendar(**fields) for name, fields in document.items()}


def _outcome_document(outcome: decided.Outcome) -> dict[str, Any]:
    if not isinstance(outcome, decided.Failed):
        return {"type": type(outcome).__name__}
    return {
        "type": "Failed",
        "error": _short(outcome.error),
        "kinds": outcome.kinds,
        "retry_after": outcome.retry_after,
        "gives_up": outcome.gives_up,
    }


def _outcome_of(document: Mapping[str, Any]) -> decided.Outcome:
    fields = {name: value for name, value in document.items() if name != "type"}
    match document["type"]:
        case "Failed":
            return decided.Failed(**fields | {"kinds": tuple(fields["kinds"])})
        case "Cancelled":
            return decided.Cancelled()
    return decided.Succeeded()


CALLS: dict[str, tuple[Encode, Decode]] = {
    "add": (lambda task, number: [task_document(task), number], lambda task, number: [task_of(task), number]),
    "replace": (lambda task, number: [task_document(task), number], lambda task, number: [task_of(task), number]),
    "remove": (_as_they_are, _as_they_are),
    "drop_undeclared": (_as_they_are, _as_they_are),
    "resize": (_as_they_are, _as_they_are),
    "age_by": (_as_they_are, _as_they_are),
    "go_by": (lambda zone: [str(zone)], lambda name: [zone_named(name)]),
    "keep_to": (lambda calendars: [calendars_document(calendars)], lambda document: [calendars_of(document)]),
    "pause": (_as_they_are, _as_they_are),
    "resume": (_as_they_are, _as_they_are),
    "skip_next": (_as_they_are, _as_they_are),
    "fire": (
        lambda task, event, ticket=None, overlap=None: [task, _event_document(event), ticket is not None, overlap],
        lambda task, event, ticket, overlap: [task, _event_of(event), ticket or None, overlap and Overlap(overlap)],
    ),
    "backfill": (
        lambda task, due, ticket=None: [task, due, ticket is not None],
        lambda task, due, ticket: [task, due, ticket or None],
    ),
    "emit": (lambda event: [_event_document(event)], lambda event: [_event_of(event)]),
    "poll_fired": (_as_they_are, _as_they_are),
    "observe": (_as_they_are, _as_they_are),
    "save_state": (
        lambda execution, packed, ticket: [execution, packed is not None],
        lambda execution, saves: [execution, b"null" if saves else None, True],
    ),
    "stop": (_as_they_are, _as_they_are),
    "advance": (_as_they_are, _as_they_are),
    "attempts.finished": (
        lambda execution, outcome: [execution, _outcome_document(outcome)],
        lambda execution, outcome: [execution, _outcome_of(outcome)],
    ),
    "attempts.saved": (_as_they_are, _as_they_are),
    "attempts.save_failed": (
        lambda batch, message: [batch, _short(message)],
        _as_they_are,
    ),
    "attempts.beat": (_as_they_are, _as_they_are),
    "attempts.cancel_running": (_as_they_are, _as_they_are),
    "attempts.abandon": (_as_they_are, _as_they_are),
}
"""All that an agenda is told, by the method's name: its arguments but for `now` as plain values, and back."""

AFTER_NOW = {"fire": 2, "backfill": 1}
"""How many arguments stand after `now`, where any do."""


def zone_named(name: str) -> tzinfo:
    """The zone that goes by that name."""
    zone = zone_of(name)
    assert zone is not None
    return zone


# ── what it decides ──


def decision_document(decision: decided.Decision) -> list[Any]:
    """A decision as far as another one would be another."""
    match decision:
        case decided.Start(attempt):
            return ["start", attempt.id, attempt.task.name, attempt.due, attempt.attempt]
        case decided.Save(batch, changes):
            return ["save", batch, [_change_document(change) for change in changes]]
        case decided.Accept(_, execution):
            return ["accept", execution.id]
        case decided.Refuse(_, message):
            return ["refuse", message]
        case decided.End(execution, final):
            return ["end", execution.id, execution.status.value, execution.retry_at, final]
        case decided.Cancel(execution_id) | decided.Kill(execution_id):
            return [type(decision).__name__.lower(), execution_id]
    return [type(decision).__name__.lower(), *msgspec.structs.astuple(decision)]


def _change_document(change: Change) -> list[Any]:
    match change:
        case PutTask(task):
            return ["task", task.id, [mark.done for mark in task.state.marks]]
        case PutState(task_id, state):
            return ["state", task_id, [mark.done for mark in state.marks]]
        case PutExecution(execution):
            return ["execution", execution.id, execution.status.value]
        case DropTask(task_id):
            return ["drop", task_id]
        case PutSchedulerPause(pause):
            return ["pause", None if pause is None else pause.until]
        case PutLife(life):
            return ["life", life.start]
