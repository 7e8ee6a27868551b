"""Which fires are not worth running any more, and why not. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from dms.background_tasks.agenda.decision import CRASH, Attempt
from dms.background_tasks.store import Pause
from dms.background_tasks.tasks.retry import RETRY, RETRY_LATER
from dms.background_tasks.tasks.task import CatchUp, Task
from dms.instant import Instant, duration_text, microseconds

_GOES_ON = frozenset({RETRY, RETRY_LATER, CRASH})


def why_too_late(task: Task, late: int, on_time: bool) -> str:
    """Why a fire that comes so late (microseconds) is not worth running any more; empty where it is."""
    if task.catch_up_window is not None and late > microseconds(task.catch_up_window):
        return outlived(task.catch_up_window)
    return "" if on_time or task.catch_up is not CatchUp.NONE else "its catch_up is none"


def why_not_all(task: Task) -> str:
    """Why not all of several fires that come together run."""
    if task.catch_up is CatchUp.ALL:
        return f"its catch_up_limit is {task.catch_up_limit}"
    return "its catch_up runs only the latest of them"


def outlived(window: timedelta | str | float) -> str:
    """That a fire is older than its task's window."""
    return f"its catch_up_window is {duration_text(microseconds(window))}"


def has_waited_too_long(attempt: Attempt, now: Instant) -> bool:
    """Whether the window of a waiting attempt is over, which begins once its jitter is. A run that had begun goes on
    all the same, and a past fire that an operator wants is late on purpose."""
    window = attempt.task.catch_up_window
    if window is None or attempt.backfills or attempt.cause in _GOES_ON:
        return False
    late = now.wall - attempt.due - microseconds(window)
    return late > 0 and late > max((getattr(trigger, "jitter", 0) for trigger in attempt.task.triggers), default=0)


def held(label: int, pauses: Sequence[Pause]) -> bool:
    """Whether a fire falls into a pause."""
    return any(pause.until is None or label < pause.until for pause in pauses)
