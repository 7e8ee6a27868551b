"""The composition root: every long-lived thing of a node is made here, and nowhere else."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dms import __version__
from dms.access.caller import SCOPES
from dms.access.tokens import Tokens
from dms.adapters.folder import DataFolder
from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.decision import Alert
from dms.background_tasks.host import Host
from dms.background_tasks.loop_thread import in_thread
from dms.background_tasks.run import Run
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.task import Task
from dms.clock import SystemClock
from dms.command.command import Command
from dms.command.config import config_operations, config_topic
from dms.command.events import event_operations
from dms.command.logs import logs_operations
from dms.command.node import NodeInfo, node_operations
from dms.command.operation import Operations, by_name
from dms.command.rpc import rpc_operations
from dms.command.subscription import subscription_operations
from dms.command.task_declarations import task_declaration_operations
from dms.command.tasks import task_operations, task_runs_topic
from dms.command.tokens import token_operations
from dms.command.topic import Topic
from dms.config.live import LiveConfig
from dms.config.store import Revision
from dms.declared_tasks import Declared
from dms.declared_tasks.live import ORIGIN, LiveTasks
from dms.errors import Conflict, StoreError
from dms.health import Finding, Health
from dms.http.listening import files_of
from dms.init.configuring import Configuring, WorkFolder, make_folder
from dms.init.doors import Doors
from dms.init.exposition import exposition
from dms.init.live_log import LiveLog
from dms.init.live_telemetry import LiveTelemetry
from dms.init.log_line import RESERVED
from dms.init.logger import NodeLog, get_logger
from dms.init.measuring import measure
from dms.init.run_event_log import RunEventLog
from dms.init.shutdown import CANCEL, DOORS, DRAIN, SETTLE, STORE, TELEMETRY, Stage
from dms.metrics import SOCKETS
from dms.node_tasks import ORIGIN as NODE
from dms.node_tasks import facts, node_tasks
from dms.plugins.context import NodeContext
from dms.plugins.registration import Registration
from dms.plugins.taking import ORIGIN as PLUGIN
from dms.plugins.taking import take_plugins


class Foundation(NamedTuple):
    """What a node stands on, made before it: its configuration, the tasks that this declares, its store (open), the
    data folder (held), its name and its tokens, and the ID that no other node has."""

    live: LiveConfig
    declared: Declared
    store: SqliteStore
    folder: DataFolder
    name: str
    tokens: Tokens
    id: str


class Node:
    """A node: made whole, then started, then stopped stage by stage. All of it on one loop."""

    def __init__(self, on: Foundation, logs: Topic, log: NodeLog) -> None:
        self.name, self.health, self.logger = on.name, Health(), get_logger("dms")
        self._id, self._tokens = on.id, on.tokens
        self._live, self._declared, self._folder, self._store = on.live, on.declared, on.folder, on.store
        self._clock = SystemClock()
        self._started = self._clock.now().wall
        self._live_log = LiveLog(log, self.health, self._clock)
        self._live_log.start(on.live.config)
        self.scheduler = self._make_scheduler()
        self._operations = Operations()
        self._registration = Registration(self.scheduler, self._operations)
        own = self._registration.tasks(node_tasks(self._context("dms")), NODE, self.logger.error)
        self.scheduler.subscribe(RunEventLog(self.logger, self._clock, own).tell)
        self._measuring = measure(self.scheduler, self._live, self._store, self.health, log)
        self._telemetry = LiveTelemetry(log, self.health, self._measuring.metrics, self._resource, self._clock)
        self._telemetry.start(on.live.config)
        self.scheduler.subscribe(self._telemetry.run_event)
        changes = config_topic(self._started)
        self._configuring = Configuring(self._live, self.logger, self.health, changes, self._refresh)
        self._live_tasks = LiveTasks(self.scheduler, self._declared)
        self._doors = self._make_doors()
        self._measuring.metrics.observe(SOCKETS, self._doors.peers)
        self._offer_own_operations(logs, changes)
        self._follow_configuration()

    def _make_scheduler(self) -> Scheduler:
        it = self._live.config.scheduler
        return Scheduler(
            it.max_running_tasks,
            store=self._store,
            clock=self._clock,
            snapshot=lambda: self._live.config,
            timezone=it.timezone,
            aging_quantum=it.aging_quantum,
            poll_interval=it.poll_interval,
            history_limit=it.history_max_count,
            host=Host(self._log_run, self._alert, self.name, own_coroutine_loop=True, bounds_history=True, traces=True),
        )

    def _make_doors(self) -> Doors:
        return Doors(
            self._folder.path,
            self._live,
            self._operations,
            self._tokens.authenticate,
            node=(self.name, str(self._started)),
            health=self.health,
            metrics=self._exposition,
            clock=self._clock,
        )

    def _follow_configuration(self) -> None:
        """Who is asked before a change of the configuration, and who is told after it, in this order."""
        for subscriber in (self._live_log, self._telemetry, WorkFolder(), self._live_tasks, self._doors.http):
            self._live.subscribe(subscriber)
        self._live.listen(self._told)
        self._live.listen(self._telemetry.revision)

    def _context(self, distribution: str) -> NodeContext:
        """What whoever brings tasks and operations gets."""
        return NodeContext(
            name=self.name,
            version=__version__,
            data_dir=self._folder.path,
            clock=self._clock,
            scheduler=self.scheduler,
            config=lambda: self._live.config,
            logger=get_logger(distribution),
        )

    def _offer_own_operations(self, logs: Topic, changes: Topic) -> None:
        runs = task_runs_topic(self.scheduler, self._clock, self._started)
        operations = self._operations
        operations.ended = self._command_ended

        def known_scopes() -> frozenset[str]:
            return SCOPES.union(operation.scope for operation in operations.values())

        operations |= by_name(
            task_operations(self.scheduler),
            task_declaration_operations(self.scheduler, self._live),
            event_operations(self.scheduler),
            config_operations(self._live),
            node_operations(self._info, self.scheduler, self.health, self._clock),
            logs_operations(logs),
            token_operations(self._tokens, self._clock, known_scopes, self._doors.hang_up),
            subscription_operations([runs, changes, logs]),
            rpc_operations(lambda: operations.values(), __version__),
        )

    def _command_ended(self, command: Command) -> None:
        self._measuring.command(command)
        self._telemetry.command(command)

    def _info(self) -> NodeInfo:
        file = self._live.loaded.file
        return NodeInfo(
            name=self.name,
            version=__version__,
            pid=os.getpid(),
            started=self._started,
            data_dir=str(self._folder.path),
            config_file=None if file is None else os.path.abspath(file),
            doors=self._doors.places,
            facts=self._facts(),
            revision=self._live.revision,
            config_hash=self._live.hash,
        )

    def _resource(self) -> Mapping[str, str]:
        """What this node is called by whoever collects figures, logs and traces of many."""
        return {
            "service.name": "dms",
            "service.version": __version__,
            "service.instance.id": self._id,
            "host.name": socket.gethostname(),
            "dms.config.hash": self._live.hash,
        }

    def _exposition(self) -> bytes:
        """The figures as Prometheus reads them, for `/metrics`."""
        return exposition(self._measuring.metrics.read(), self._resource())

    def _facts(self) -> Mapping[str, Any]:
        """What the task that gathers them found last; nothing where it has not run yet, or failed."""
        last = self.scheduler.view(facts.NAME).last
        return last.results if last is not None and isinstance(last.results, dict) else {}

    async def start(self) -> None:
        """Open the store, recover, take the tasks in, open the doors. StoreError where the store or the socket can't be
        used, ConfigError where the working folder can't be made, AddressInUse where somebody else has the port."""
        self._doors.claim()
        make_folder(self._live.config.general.work_dir)
        self._configuring.found([*self._live.loaded.findings, *self._declared.findings, *self._doors.findings])
        for task in self._declared.tasks:
            self._declare(task)
        has_all_plugins = await take_plugins(sys.path, self._context, self._registration, self._found)
        await self.scheduler.astart()
        if self._says_all_tasks():
            self.scheduler.drop_undeclared(ORIGIN)
        if has_all_plugins:
            self.scheduler.drop_undeclared(PLUGIN)
        self.scheduler.drop_undeclared(NODE)
        await self._configuring.record_start()
        self._configuring.watch(lambda: [*self._live.files(), *files_of(self._live.config.rest)])
        self._measuring.start()
        await self._first_token()
        await self._doors.open()
        for url in self._doors.urls:
            self.logger.info(f"listening at {url}")
        self.health.ready(True)

    def _says_all_tasks(self) -> bool:
        """Whether a task that the configuration does not name is meant to be gone, and not just lost with what could
        not be read."""
        return not any(finding.path in ((), ("tasks",)) for finding in self._live.loaded.findings)

    async def _first_token(self) -> None:
        """On a new node make the token that lets its owner in by every door."""
        file = await in_thread(self._tokens.begin)
        if file is not None:
            self.logger.info(f"a first token, which may do everything, is in {file}")

    def reload(self, then: Callable[[], None]) -> None:
        """Read the configuration's files anew, in a while; `then` is called once they were taken or refused."""
        self._configuring.reload_soon(then)

    async def _refresh(self) -> None:
        await self._doors.refresh(self._live.loaded)
        self._tell_findings()

    def _told(self, revision: Revision) -> None:
        self._configuring.changed(revision)
        self._tell_findings()

    def _tell_findings(self) -> None:
        self._configuring.found([*self._live.loaded.findings, *self._live_tasks.findings, *self._doors.findings])

    def _declare(self, task: Task) -> None:
        try:
            self.scheduler.add_task(task)
        except Conflict as error:
            self._found(Finding("name_taken", f"tasks.{task.name}", f"tasks.{task.name}: {error}"))

    def stages(self) -> Sequence[Stage]:
        """How it stops, in this order."""
        return [
            Stage(SETTLE, self._settle),
            Stage(DRAIN, self._drain, self._draining, only_waits=True),
            Stage(CANCEL, self._cancel, self._cancelling),
            Stage(DOORS, self._close_doors),
            Stage(STORE, self._close_store),
            Stage(TELEMETRY, self._flush_telemetry),
        ]

    async def _settle(self, within: float) -> Sequence[str]:
        """Nothing starts by itself any more, and what has happened is on disk: from here on a kill loses nothing."""
        self.health.ready(False)
        self._measuring.stop()
        await self._configuring.stop()
        all_written = await self.scheduler.settle()
        await self._live.settle()
        if not self._configuring.watches:
            return []  # the start did not come so far that there could be anything to write
        await asyncio.wrap_future(self._store.save([]))
        if not all_written:
            self.logger.error("the store did not take what has happened; a part of the history will be missing")
            return ["unwritten history"]
        self.logger.info("what has happened is on disk", running=self.scheduler.running())
        return []

    async def _drain(self, within: float) -> Sequence[str]:
        self._operations.closed = True
        await self.scheduler.drain()
        return []

    def _draining(self) -> str:
        return f"draining {_listed(self.scheduler.running())}"

    async def _cancel(self, within: float) -> Sequence[str]:
        return await self.scheduler.cut_off(within)

    def _cancelling(self) -> str:
        return f"cancelling {_listed(self.scheduler.running())}"

    async def _close_doors(self, within: float) -> Sequence[str]:
        await self._doors.close(within)
        return []

    async def _close_store(self, within: float) -> Sequence[str]:
        try:
            await in_thread(self._tokens.close)
        except StoreError as error:  # a full disk, and no reason to leave the store open
            self.logger.warning(f"when each token was used last is not kept: {error}")
        await in_thread(self._store.close)
        return []

    async def _flush_telemetry(self, within: float) -> Sequence[str]:
        return await self._telemetry.flush(within * 0.8)  # the rest is for saying what did not arrive

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
        if run.trace_id is not None:
            told["trace_id"] = run.trace_id  # also of what is read from a program, by a thread of another trace
        getattr(self.logger, level)(event, task=run.task, execution=run.id, **told)


_TAKEN = RESERVED | {"self", "method_name"}
"""Names that a run's own fields can't take: what the node says of a line is not for a task to say."""


_LISTED = 10
"""Tasks that a service manager is told by name."""


def _listed(names: Sequence[str]) -> str:
    count = f"{len(names)} task{'' if len(names) == 1 else 's'}"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{count}: {', '.join(names[:_LISTED])}{more}" if names else count


def shown(path: Path) -> str:
    """A path as people write it from here."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) and path != here else str(path)
