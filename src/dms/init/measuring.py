"""What a node measures of itself: what happens to its runs and commands, how late its loop is, what it uses."""

import asyncio
from collections import Counter as Tally

from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import Usage
from dms.clock import monotonic
from dms.command.command import Command
from dms.config.live import LiveConfig
from dms.errors import UnknownMethod
from dms.health import Health
from dms.init import process_usage
from dms.init.logger import NodeLog
from dms.instant import SECOND
from dms.metrics import (
    ABANDONED,
    COMMITS,
    CPU_TIME,
    DESCRIPTORS,
    FINDINGS,
    LOG_LOST,
    LOG_SUPPRESSED,
    MEMORY,
    OTHER,
    OVERDUE,
    REVISION,
    RUNNING,
    SLOTS,
    THREADS,
    UPTIME,
    WAITING,
    WRITTEN,
    Metrics,
)

BETWEEN_LOOKS = 5
"""Seconds between two looks at how late the loop comes round: few enough for a battery."""


class Measuring:
    """Counts runs and commands as they end, and the loop's lag from `start` to `stop`."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._timer: asyncio.TimerHandle | None = None

    def run_event(self, event: RunEvent) -> None:
        """Something has happened to a run."""
        execution = event.execution
        if execution is None or execution.started is None:
            return
        if event.kind == "started":
            self.metrics.lateness.record(max(0, execution.started - execution.due) / SECOND)
            self.metrics.wait.record(max(0, event.waited) / SECOND)
        elif event.kind == "ended" and execution.took is not None:
            self.metrics.executions.add(execution.task, execution.status.value)
            self.metrics.duration.record(execution.took / SECOND, execution.task)
            if execution.usage is not None:
                self._used(execution.usage, execution.task)

    def _used(self, usage: Usage, task: str) -> None:
        if usage.cpu is not None:
            self.metrics.task_cpu.record(usage.cpu / SECOND, task)
        if usage.memory is not None:
            self.metrics.task_memory.record(usage.memory, task)

    def command(self, command: Command) -> None:
        """A command has ended. Names of methods that are none could be anything, and any number."""
        method = OTHER if isinstance(command.error, UnknownMethod) else command.command
        self.metrics.commands.record(command.took, method, command.state._value_, command.caller.door)

    def start(self) -> None:
        """Look at the running loop from now on."""
        due = monotonic() + BETWEEN_LOOKS * SECOND
        self._timer = asyncio.get_running_loop().call_later(BETWEEN_LOOKS, self._look, due)

    def _look(self, due: int) -> None:
        self.metrics.loop_lag.record(max(0, monotonic() - due) / SECOND)
        self.start()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()


def measure(scheduler: Scheduler, live: LiveConfig, store: SqliteStore, health: Health, log: NodeLog) -> Measuring:
    """Measure a node from now on: what happens, and at each reading how it is."""
    metrics = Metrics(scheduler.has_task)
    measuring = Measuring(metrics)
    scheduler.subscribe(measuring.run_event)
    metrics.observe(RUNNING, lambda: {(): scheduler.running_tasks_count()})
    metrics.observe(WAITING, lambda: {(): scheduler.waiting_count()})
    metrics.observe(SLOTS, lambda: {(): scheduler.max_running_tasks})
    metrics.observe(REVISION, lambda: {(): live.revision})
    metrics.observe(COMMITS, lambda: {(): store.commits})
    metrics.observe(WRITTEN, lambda: {(): store.written})
    metrics.observe(FINDINGS, lambda: Tally((finding.code,) for finding in health.findings()))
    metrics.observe(OVERDUE, lambda: {(each.subject,): 1 for each in health.findings() if each.code == "overdue"})
    metrics.observe(ABANDONED, lambda: {(task,): count for task, count in scheduler.abandoned().items()})
    metrics.observe(LOG_SUPPRESSED, lambda: {(): log.suppressed})
    metrics.observe(LOG_LOST, lambda: {(output,): count for output, count in log.lost.items()})
    _observe_process(metrics)
    return measuring


def _observe_process(metrics: Metrics) -> None:
    began = monotonic()
    metrics.observe(CPU_TIME, process_usage.cpu_time)
    metrics.observe(MEMORY, process_usage.memory)
    metrics.observe(THREADS, process_usage.threads)
    metrics.observe(DESCRIPTORS, process_usage.descriptors)
    metrics.observe(UPTIME, lambda: {(): (monotonic() - began) / SECOND})
