from typing import Any

import pytest

from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.running.run import Progress
from dms.background_tasks.tasks.task import Execution, Status
from dms.init.run_event_log import RunEventLog
from dms.instant import SECOND, Instant


class Clock:
    boot = 100 * SECOND

    def now(self) -> Instant:
        return Instant(wall=0, boot=self.boot)


class Log:
    """A RunEventLog, and the lines that it writes: level, event, fields."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self.clock = Clock()
        self.runs = RunEventLog(self, self.clock, {"node-facts"})  # type: ignore[arg-type]

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.lines.append((level, event, fields))


def execution(status: Status = Status.SUCCESS, took: int = 20_000, task: str = "backup", **more: Any) -> Execution:
    return Execution("1-2", "1-2", task, 1, more.pop("attempt", 1), status, 0, 0, took, **more)


def ended(it: Execution, text: str = "done") -> RunEvent:
    return RunEvent("ended", it.task, it, text)


def test_an_end_is_a_line_with_what_came_of_it() -> None:
    log = Log()
    log.runs.tell(ended(execution()))
    fields = {"task": "backup", "execution": "1-2", "status": "success", "took": "20 ms"}
    assert [("info", "done", fields)] == log.lines


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMED_OUT, Status.CANCELLED, Status.ABANDONED])
def test_what_did_not_succeed_is_a_warning(status: Status) -> None:
    log = Log()
    log.runs.tell(ended(execution(status)))
    assert ["warning"] == [level for level, _, _ in log.lines]


@pytest.mark.parametrize(
    ("it", "told"),
    [
        (execution(Status.FAILED, retry_at=10 * SECOND, took=3 * SECOND), "refused; again in 7 s"),
        (execution(Status.FAILED, retry_at=3 * SECOND + 5, took=3 * SECOND), "refused; again in 1 s"),
        (execution(attempt=2), "refused; on attempt 2"),
        (execution(), "refused"),
    ],
)
def test_attempts_are_told(it: Execution, told: str) -> None:
    log = Log()
    log.runs.tell(ended(it, "refused"))
    assert told == log.lines[0][1]


@pytest.mark.parametrize(
    ("took", "told"),
    [
        (0, "0 ms"),
        (-5, "0 ms"),
        (999_999, "999 ms"),
        (3 * SECOND, "3.0 s"),
        (59 * SECOND, "59.0 s"),
        (95 * SECOND, "1m35s"),
    ],
)
def test_how_long_it_took_is_told_in_few_characters(took: int, told: str) -> None:
    log = Log()
    log.runs.tell(ended(execution(took=took)))
    assert told == log.lines[0][2]["took"]


def test_of_the_nodes_own_tasks_only_failures_are_told() -> None:
    log = Log()
    log.runs.tell(ended(execution(task="node-facts")))
    log.runs.tell(ended(execution(Status.FAILED, task="node-facts"), "bad"))
    assert ["bad"] == [event for _, event, _ in log.lines]


def test_what_is_skipped_is_told_with_its_reason() -> None:
    log = Log()
    log.runs.tell(RunEvent("skipped", "backup", None, "overlap"))
    assert [("info", "overlap", {"task": "backup", "status": "skipped"})] == log.lines


def progress(done: float, total: float | None = None, text: str = "") -> RunEvent:
    return RunEvent("progress", "backup", execution(Status.RUNNING), text, Progress(done, total, text))


def test_progress_is_told_every_few_seconds() -> None:
    log = Log()
    for seconds in (0, 1, 4, 5, 6, 10):
        log.clock.boot = (100 + seconds) * SECOND
        log.runs.tell(progress(seconds, 10))
    assert ["0 %", "50 %", "100 %"] == [event for _, event, _ in log.lines]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (progress(1, 4, "1 of 4 MB"), "1 of 4 MB  25 %"),
        (progress(3), "3"),
        (progress(3, 0), "3"),
        (progress(3, text="x"), "x  3"),
    ],
)
def test_progress_is_told_in_words_and_in_parts_of_the_whole(event: RunEvent, told: str) -> None:
    log = Log()
    log.runs.tell(event)
    assert told == log.lines[0][1]
