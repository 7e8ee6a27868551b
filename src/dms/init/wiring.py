"""The composition root: every long-lived thing of a node is made here, and nowhere else."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dms import __version__
from dms.adapters.folder import DataFolder
from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.decision import Alert
from dms.background_tasks.host import Host
from dms.background_tasks.loop_thread import in_thread
from dms.background_tasks.run import Run
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.task import Task
from dms.clock import SystemClock
from dms.command.config import config_operations
from dms.command.events import event_operations
from dms.command.logs import logs_operations
from dms.command.node import NodeInfo, node_operations
from dms.command.operation import Operation, by_name
from dms.command.rpc import rpc_operations
from dms.command.subscription import subscription_operations
from dms.command.tasks import task_operations, task_runs_topic
from dms.command.topic import Topic
from dms.config import Loaded
from dms.declared_tasks import Declared
from dms.errors import ConfigError, Conflict
from dms.health import Finding, Health
from dms.init.log_line import RESERVED
from dms.init.logger import LEVELS, get_logger
from dms.init.run_event_log import RunEventLog
from dms.init.shutdown import CANCEL_SHARE, DRAIN_SHARE, Stage
from dms.instant import SECOND, microseconds
from dms.local.door import LocalDoor
from dms.node_tasks import facts
from dms.node_tasks.retention import retention_task

DECLARED = "declared"
"""The origin of tasks that the configuration declares."""


class Node:
    """A node: made whole, then started, then stopped stage by stage. All of it on one loop."""

    def __init__(self, loaded: Loaded, declared: Declared, folder: DataFolder, name: str, logs: Topic) -> None:
        config = loaded.config
        self.name, self.health, self.logger = name, Health(), get_logger("dms")
        self._loaded, self._declared, self._folder = loaded, declared, folder
        self._clock = SystemClock()
        self._started = self._clock.now().wall
        self._store = SqliteStore(folder.database)
        self.scheduler = Scheduler(
            config.scheduler.max_running_tasks,
            store=self._store,
            clock=self._clock,
            snapshot=lambda: config,
            timezone=config.scheduler.timezone,
            aging_quantum=config.scheduler.aging_quantum,
            poll_interval=config.scheduler.poll_interval,
            history_limit=config.scheduler.history_max_count,
            host=Host(log=self._log_run, alert=self._alert, name=name, own_coroutine_loop=True, bounds_history=True),
        )
        own = [facts.facts_task(__version__), retention_task(self._store, self._clock)]
        for task in own:
            self.scheduler.add_task(task)
        self.scheduler.subscribe(RunEventLog(self.logger, self._clock, {task.name for task in own}).tell)
        self._doors: list[str] = []
        self._door = LocalDoor(folder.path, self._operations(logs))

    def _operations(self, logs: Topic) -> Mapping[str, Operation]:
        runs = task_runs_topic(self.scheduler, self._clock, self._started)
        operations: dict[str, Operation] = {}
        operations |= by_name(
            task_operations(self.scheduler),
            event_operations(self.scheduler),
            config_operations(lambda: self._loaded),
            node_operations(self._info, self.scheduler, self.health, self._clock),
            logs_operations(logs),
            subscription_operations([runs, logs]),
            rpc_operations(lambda: operations.values(), __version__),
        )
        return operations

    def _info(self) -> NodeInfo:
        file = self._loaded.file
        return NodeInfo(
            name=self.name,
            version=__version__,
            pid=os.getpid(),
            started=self._started,
            data_dir=str(self._folder.path),
            config_file=None if file is None else os.path.abspath(file),
            doors=list(self._doors),
            facts=self._facts(),
        )

    def _facts(self) -> Mapping[str, Any]:
        """What the task that gathers them found last; nothing where it has not run yet, or failed."""
        last = self.scheduler.view(facts.NAME).last
        return last.results if last is not None and isinstance(last.results, dict) else {}

    async def start(self) -> None:
        """Open the store, recover, take the tasks in, open the door. StoreError where the store or the socket can't be
        used, ConfigError where the working folder can't be made."""
        self._make_work_dir()
        for finding in (*self._loaded.findings, *self._declared.findings):
            self._found(finding.for_health())
        for task in self._declared.tasks:
            self._declare(task)
        await self.scheduler.astart()
        if self._says_all_tasks():
            self.scheduler.drop_undeclared(DECLARED)
        self.scheduler.drop_undeclared("node")
        self._doors.append(f"socket {await self._door.start()}")
        self.health.ready(True)

    def _says_all_tasks(self) -> bool:
        """Whether a task that the configuration does not name is meant to be gone, and not just lost with what could
        not be read."""
        return not any(finding.path in ((), ("tasks",)) for finding in self._loaded.findings)

    def _make_work_dir(self) -> None:
        folder = self._loaded.config.general.work_dir
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"general.work_dir: {folder} can't be made: {error.strerror}; name a folder that this user may make"
            ) from None

    def running(self) -> Sequence[str]:
        """The names of the tasks that run; nothing where that can't be told. From whatever thread."""
        try:
            return [view.name for view in self.scheduler.tasks() if view.running]
        except RuntimeError:  # the loop changes them at this moment
            return []

    def _declare(self, task: Task) -> None:
        try:
            self.scheduler.add_task(task)
        except Conflict as error:
            self._found(Finding("name_taken", f"tasks.{task.name}", f"tasks.{task.name}: {error}"))

    def stages(self) -> Sequence[Stage]:
        """How it stops, in this order."""
        return [
            Stage("readiness", self._refuse),
            Stage("tasks", self._stop_tasks),
            Stage("doors", self._close_doors),
            Stage("store", self._close_store),
        ]

    async def _refuse(self) -> Sequence[str]:
        self.health.ready(False)
        return []

    async def _stop_tasks(self) -> Sequence[str]:
        timeout = microseconds(self._loaded.config.shutdown.timeout) / SECOND
        return await self.scheduler.astop(drain=timeout * DRAIN_SHARE, cancel=timeout * CANCEL_SHARE)

    async def _close_doors(self) -> Sequence[str]:
        await self._door.stop()
        return []

    async def _close_store(self) -> Sequence[str]:
        await in_thread(self._store.close)
        return []

    def _found(self, finding: Finding) -> None:
        self.health.report(finding)
        self.logger.warning(finding.message)

    def _alert(self, alert: Alert) -> None:
        if alert.message:
            self._found(Finding(alert.code, alert.subject, alert.message))
        else:
            self.health.clear(alert.code, alert.subject)

    def _log_run(self, run: Run, level: str, event: str, fields: Mapping[str, Any]) -> None:
        told = {name if name not in _TAKEN else f"{name}_": value for name, value in fields.items()}
        self.logger.log(LEVELS[level], event, task=run.task, execution=run.id, **told)


_TAKEN = RESERVED | {"self", "method_name"}
"""Names that a run's own fields can't take: what the node says of a line is not for a task to say."""


def shown(path: Path) -> str:
    """A path as people write it from here."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) and path != here else str(path)
