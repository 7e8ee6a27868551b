"""Host: what surrounds a scheduler. A node gives its own; a program of its own gets the standard library's logging."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.running.run import LogSink, Run

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def log_to_logging(run: Run, level: str, event: str, fields: Mapping[str, Any]) -> None:
    """Where a run logs to: the standard library's logger `dms.task.NAME`."""
    logger, number = logging.getLogger(f"dms.task.{run.task}"), _LEVELS[level]
    if logger.isEnabledFor(number):
        told = " ".join([event, *(f"{name}={value!r}" for name, value in fields.items())])
        logger.log(number, "%s", told)


def alert_to_logging(alert: Alert) -> None:
    """Where alerts go: the standard library's logger `dms`."""
    if alert.message:
        logging.getLogger("dms").warning("%s: %s", alert.subject, alert.message)


class Host(NamedTuple):
    """Where runs log to, who hears of what wants a look, a name that tells this node's jitter from others', whether
    coroutine tasks get a loop of their own, so that one that blocks stops nothing else, whether the host itself bounds
    the history in the store, and whether each execution begins a trace."""

    log: LogSink = log_to_logging
    alert: Callable[[Alert], None] = alert_to_logging
    name: str = ""
    own_coroutine_loop: bool = False
    bounds_history: bool = False
    traces: bool = False
