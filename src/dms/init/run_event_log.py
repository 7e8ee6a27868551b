"""What happens to runs, as log lines: each end, what is skipped, and now and then how far a long one has come."""

from collections.abc import Collection

from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.running.run import Progress
from dms.background_tasks.tasks.task import Execution, Status
from dms.init.logger import Logger
from dms.instant import SECOND, Clock, duration_text

BETWEEN_PROGRESS = 5 * SECOND
"""Least time between two lines about the progress of one run."""


class RunEventLog:
    """Writes a line for what listeners of a scheduler are told. Of the node's `own` tasks only failures are told."""

    def __init__(self, logger: Logger, clock: Clock, own: Collection[str]) -> None:
        self._logger, self._clock, self._own = logger, clock, own
        self._progress_told: dict[str, int] = {}

    def tell(self, event: RunEvent) -> None:
        """Something has happened to a run."""
        match event.kind:
            case "ended" if event.execution is not None:
                self._ended(event, event.execution)
            case "progress" if event.execution is not None and event.progress is not None:
                self._progressed(event.execution, event.progress)
            case "skipped":
                self._logger.info(event.text, task=event.task, status="skipped")
            case "closed":
                self._logger.info(event.text, task=event.task)

    def _ended(self, event: RunEvent, execution: Execution) -> None:
        self._progress_told.pop(execution.id, None)
        good = execution.status is Status.SUCCESS
        if good and execution.task in self._own:
            return
        log = self._logger.info if good else self._logger.warning
        log(
            _what(event, execution),
            task=execution.task,
            execution=execution.id,
            status=execution.status.value,
            **_took(execution),
            **_traced(execution),
        )

    def _progressed(self, execution: Execution, progress: Progress) -> None:
        now = self._clock.now().boot
        if now - self._progress_told.get(execution.id, 0) >= BETWEEN_PROGRESS:
            self._progress_told[execution.id] = now
            self._logger.info(
                _how_far(progress),
                task=execution.task,
                execution=execution.id,
                status="running",
                **_traced(execution),
            )


def _traced(execution: Execution) -> dict[str, str]:
    return {} if execution.trace_id is None else {"trace_id": execution.trace_id}


def _what(event: RunEvent, execution: Execution) -> str:
    parts = [event.text]
    if execution.retry_at is not None and execution.ended is not None:
        parts.append(f"again in {_whole(execution.retry_at - execution.ended)}")
    elif execution.attempt > 1:
        parts.append(f"on attempt {execution.attempt}")
    return "; ".join(part for part in parts if part)


def _how_far(progress: Progress) -> str:
    share = f"{100 * progress.done / progress.total:.0f} %" if progress.total else f"{progress.done:g}"
    return f"{progress.text}  {share}" if progress.text else share


def _took(execution: Execution) -> dict[str, str]:
    return {} if execution.took is None else {"took": _length(execution.took)}


def _length(took: int) -> str:
    if took < SECOND:
        return f"{took // 1000} ms"
    return f"{took / SECOND:.1f} s" if took < 60 * SECOND else _whole(took)


def _whole(length: int) -> str:
    """In whole seconds, at least one: `7 s`, `1m30s`."""
    seconds = max(1, round(length / SECOND))
    return f"{seconds} s" if seconds < 60 else duration_text(seconds * SECOND)
