"""What a program's own scheduler logs to: the standard library's logging."""

import logging

import pytest

from dms.background_tasks.agenda.decision import Alert, Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.host import Host
from dms.background_tasks.running.run import Run, Sinks
from dms.background_tasks.tasks.task import Task


@pytest.mark.parametrize(
    ("level", "number"),
    [("debug", logging.DEBUG), ("info", logging.INFO), ("warning", logging.WARNING), ("error", logging.ERROR)],
)
def test_a_runs_line_goes_to_its_tasks_logger(level: str, number: int, caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    run = Run(Attempt(Entry(Task("copy", print), 1, False), "1-1", 0, "operator", None), None, Sinks(host.log, print))
    with caplog.at_level(logging.DEBUG, "dms.task"):
        getattr(run.log, level)("100 % done", files=3, to="/srv")
    assert [("dms.task.copy", number, "100 % done files=3 to='/srv'")] == caplog.record_tuples


def test_an_alert_is_a_warning_and_its_withdrawal_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    Host().alert(Alert("store", "executions", "no room left"))
    Host().alert(Alert("store", "executions", ""))
    assert [("dms", logging.WARNING, "executions: no room left")] == caplog.record_tuples
