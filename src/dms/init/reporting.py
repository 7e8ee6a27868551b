"""What a scheduler and those who bring it tasks have to say goes to the node's log and to its health answer."""

from collections.abc import Mapping
from typing import Any

from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.running.run import Run
from dms.health import Finding, Health
from dms.init.log_line import RESERVED
from dms.init.logger import DISABLED, Logger

_TAKEN = RESERVED | {"self", "method_name"}
"""Names that a run's own fields can't take: what the node says of a line is not for a task to say."""


class Reporting:
    """Tells, from whatever thread."""

    def __init__(self, logger: Logger, health: Health) -> None:
        self._logger, self._health = logger, health

    def found(self, finding: Finding) -> None:
        """Something wants a look."""
        self._health.report(finding)
        self._logger.warning(finding.message)

    def alert(self, alert: Alert) -> None:
        """Something wants a look, or no longer does."""
        if alert.message:
            self.found(Finding(alert.code, alert.subject, alert.message))
        else:
            self._health.clear(alert.code, alert.subject)

    def transcripts_troubled(self, error: OSError | None) -> None:
        """What runs log and print can't be kept, or is again."""
        if error is None:
            self._health.clear("run_logs", "runs")
        else:
            why = f"what runs log and print can't be kept: {error.strerror or error}; lines are missing since"
            self.found(Finding("run_logs", "runs", why))

    def run_said(self, run: Run, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """A run logs a line. Of a level that is off nothing is made: programs may print millions."""
        write = getattr(self._logger, level)
        if write is DISABLED:
            return
        told = {name if name not in _TAKEN else f"{name}_": value for name, value in fields.items()}
        if run.trace_id is not None:
            told["trace_id"] = run.trace_id  # also of what is read from a program, by a thread of another trace
        write(event, task=run.task, execution=run.id, **told)
