"""A task as others see it: what it is, how it is, what comes next."""

from collections.abc import Mapping
from typing import Any

import msgspec

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.running.run import Progress
from dms.background_tasks.store import Pause
from dms.background_tasks.tasks.task import Execution, Status
from dms.background_tasks.triggers.trigger import Trigger


class TaskView(msgspec.Struct, frozen=True):
    """A task at one moment; `next_fire` is wall microseconds. `state` is one of parked, disabled, paused, running,
    waiting, retrying, ready; `reason` says why where that is not plain. `skip_next`: its next fire is left out;
    `paused_until`: when a pause ends by itself, where one does."""

    id: int
    name: str
    description: str
    state: str
    reason: str
    enabled: bool
    priority: int
    triggers: list[str]
    lane: str
    origin: str
    next_fire: int | None
    last: Execution | None
    running: int
    waiting: int
    skipped: Mapping[str, int]
    progress: Progress | None = None
    skip_next: bool = False
    paused_until: int | None = None


class RunEvent(msgspec.Struct, frozen=True):
    """Something that happened to a run: `kind` is started, progress, ended (this attempt) or skipped (a fire; then
    `execution` is None and `text` the reason), or of its task, also without an execution, tripped or closed (its
    breaker), overdue (a success) or quarantined. `waited` is, of a start, the microseconds that it took once it might,
    `link` the `traceparent` of what led to it."""

    kind: str
    task: str
    execution: Execution | None = None
    text: str = ""
    progress: Progress | None = None
    final: bool = False
    waited: int = 0
    link: str = ""


def view_of(entry: Entry, agenda: Agenda, progress: Mapping[str, Progress], closely: bool = False) -> TaskView:
    """A task as the agenda has it; `closely` says too how many runs go before one that waits. Any thread may ask: what
    the loop may change meanwhile is read once."""
    task = entry.task
    attempts = list(entry.attempts or ())
    running = [attempt for attempt in attempts if attempt.status is not Status.WAITING]
    waiting = len(attempts) - len(running) + len(entry.queue or ())
    state, reason = _state(entry, agenda, len(running), waiting, closely)
    return TaskView(
        entry.id,
        task.name,
        task.description,
        state,
        reason,
        task.enabled,
        task.priority,
        [_text_of(trigger) for trigger in task.triggers],
        task.lane.value,
        task.origin,
        None if agenda.paused(entry) else agenda.planning.next_due(entry),
        entry.last,
        len(running),
        waiting,
        entry.skipped,
        next((told for attempt in running if (told := progress.get(attempt.id)) is not None), None),
        entry.skip_next is not None,
        _paused_until(entry, agenda),
    )


def _paused_until(entry: Entry, agenda: Agenda) -> int | None:
    """When the last of its pauses ends; None where it has none, or one without an end."""
    pauses = agenda.orders.pauses(entry)
    ends = [pause.until for pause in pauses if pause.until is not None]
    return max(ends) if pauses and len(ends) == len(pauses) else None


def _state(entry: Entry, agenda: Agenda, running: int, waiting: int, closely: bool) -> tuple[str, str]:
    if entry.task.parked:
        return "parked", entry.task.parked
    if entry.quarantined and not running:
        return "parked", _why(entry.pause)
    if running:
        return "running", _pause_to_come(entry, agenda)
    if waiting:
        why = agenda.attempts.waits_for(entry, closely) if entry.attempts else "its run before has not ended"
        return "waiting", why
    if not entry.task.enabled:
        return "disabled", ""
    if agenda.paused(entry):
        return "paused", _why(entry.pause or agenda.orders.of_all)
    if retries := list(entry.retries or ()):
        return "retrying", f"attempt {retries[0].attempt} waits for its time"
    return "ready", agenda.planning.used_up(entry)


def _text_of(trigger: Trigger) -> str:
    """A trigger in words; a third party's that has none goes by its class."""
    kind = type(trigger)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return kind.__name__
    try:
        return str(trigger)
    except Exception:  # noqa: BLE001 - a third party's fault must not hide the task
        return kind.__name__


def _pause_to_come(entry: Entry, agenda: Agenda) -> str:
    """What runs goes on under a pause; that there is one shows all the same."""
    if not agenda.paused(entry):
        return ""
    why = _why(entry.pause or agenda.orders.of_all)
    return f"paused from then on ({why})" if why else "paused from then on"


def _why(pause: Pause | None) -> str:
    return pause.reason if pause is not None else ""


def summary(execution: Execution) -> str:
    """An execution's outcome in a few words: its error, the last line of its output, or a short result."""
    if execution.error is not None:
        return execution.error
    return _short(execution.results)


def _short(results: Any) -> str:
    if isinstance(results, dict) and isinstance(results.get("output"), str):
        return str(results["output"]).rstrip().rpartition("\n")[2]
    if isinstance(results, (str, int, float)):
        return str(results)
    return ""
