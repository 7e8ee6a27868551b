"""A fire while the task still runs: what its overlap policy says. Pure."""

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.tasks.task import Overlap, Task
from dms.errors import InvalidInput


def may_queue(entry: Entry) -> bool:
    """Whether another fire of a busy task may wait for it."""
    if entry.task.overlap is Overlap.QUEUE:
        return len(entry.queued()) < entry.task.queue_limit
    return entry.task.overlap is Overlap.CANCEL_RUNNING


def overtaken_by(entry: Entry, told: Overlap | None) -> tuple[Attempt, ...]:
    """What runs and waits of a task that another fire ends; `told` is what somebody wants instead of its policy."""
    if (told or entry.task.overlap) is not Overlap.CANCEL_RUNNING:
        return ()
    return (*(entry.attempts or ()), *entry.queued())


def told_overlap(given: Overlap | str | None) -> Overlap | None:
    """What somebody who asks for a run wants where the task is busy; None where its own policy is to count.
    InvalidInput where that is none."""
    try:
        return None if given is None else Overlap(given)
    except ValueError:
        raise InvalidInput(f"overlap: {given!r} is not one of {', '.join(Overlap)}") from None


def why_busy(task: Task, waits_for: str) -> str:
    """Why another run of it is not taken on; `waits_for` is what it waits for where none of it runs."""
    busy = f"{task.name} waits already, {waits_for}" if waits_for else f"{task.name} is running already"
    match task.overlap:
        case Overlap.QUEUE:
            return f"{busy}, and as many wait for it as its queue_limit allows: {task.queue_limit}"
        case Overlap.ALLOW:
            return f"{busy}, as often at once as its max_instances allows: {task.max_instances}"
    return f"{busy}; its overlap is {task.overlap}"
