"""The composition root: every long-lived thing of a node is made here, and nowhere else."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dms import __version__
from dms.access.caller import SCOPES
from dms.access.tokens import Tokens
from dms.adapters.folder import DataFolder
from dms.adapters.sqlite import SqliteStore
from dms.adapters.transcripts import Bounds, FileTranscripts
from dms.background_tasks.asking.recording import Recording
from dms.background_tasks.host import Host
from dms.background_tasks.running.loop_thread import in_thread
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import Task
from dms.clock import SystemClock
from dms.command.command import Command
from dms.command.config import config_operations, config_topic
from dms.command.events import event_operations
from dms.command.logs import logs_operations
from dms.command.node import node_operations
from dms.command.operation import Operations, by_name
from dms.command.rpc import rpc_operations
from dms.command.subscription import subscription_operations
from dms.command.task_declarations import task_declaration_operations
from dms.command.task_fires import task_fire_operations
from dms.command.task_logs import task_log_operations
from dms.command.task_questions import task_question_operations
from dms.command.tasks import task_operations, task_runs_topic
from dms.command.tokens import token_operations
from dms.command.topic import Topic
from dms.config import Loaded
from dms.config.live import LiveConfig
from dms.config.store import Revision
from dms.declared_tasks import Declared
from dms.declared_tasks.live import ORIGIN, LiveTasks
from dms.errors import Conflict
from dms.health import Finding, Health
from dms.http.listening import files_of
from dms.init.configuring import Configuring, WorkFolder, make_folder
from dms.init.describing import Description
from dms.init.doors import Doors
from dms.init.exposition import exposition
from dms.init.live_log import LiveLog
from dms.init.live_telemetry import LiveTelemetry
from dms.init.logger import NodeLog, get_logger
from dms.init.measuring import measure
from dms.init.reporting import Reporting
from dms.init.run_event_log import RunEventLog
from dms.init.shutdown import Stage
from dms.init.stopping import Stopping
from dms.metrics import SOCKETS
from dms.node_tasks import ORIGIN as NODE
from dms.node_tasks import node_tasks
from dms.plugins.context import NodeContext
from dms.plugins.entry_point import EntryPoint
from dms.plugins.registration import Registration
from dms.plugins.taking import ORIGIN as PLUGIN
from dms.plugins.taking import take_gates, take_plugins


class Foundation(NamedTuple):
    """What a node stands on, made before it: its configuration, the tasks that this declares and how they are built
    from it, what plugins offer, its store (open), the data folder (held), its name and its tokens, and the ID that no
    other node has."""

    live: LiveConfig
    declared: Declared
    build: Callable[[Loaded], Declared]
    offered: Sequence[EntryPoint]
    store: SqliteStore
    folder: DataFolder
    name: str
    tokens: Tokens
    id: str


class Node:
    """A node: made whole, then started, then stopped stage by stage. All of it on one loop."""

    def __init__(self, on: Foundation, logs: Topic, log: NodeLog) -> None:
        self.name, self.health, self.logger = on.name, Health(), get_logger("dms")
        self._reporting, self._tokens = Reporting(self.logger, self.health), on.tokens
        self._live, self._declared, self._folder, self._store = on.live, on.declared, on.folder, on.store
        self._offered = on.offered
        self._clock = SystemClock()
        self._trust_clock()
        self._started = self._clock.now().wall
        self._live_log = LiveLog(log, self.health, self._clock)
        self._live_log.start(on.live.config)
        self._transcripts = self._make_transcripts()
        self.scheduler = self._make_scheduler()
        self._description = self._describe(on.id)
        self._operations = Operations()
        self._registration = Registration(self.scheduler, self._operations)
        own = self._registration.tasks(node_tasks(self._context("dms")), NODE, self.logger.error)
        self.scheduler.subscribe(RunEventLog(self.logger, self._clock, own).tell)
        self._measuring = measure(self.scheduler, self._live, self._store, self.health, log)
        self._telemetry = LiveTelemetry(
            log, self.health, self._measuring.metrics, self._description.resource, self._clock
        )
        self._telemetry.start(on.live.config)
        self.scheduler.subscribe(self._telemetry.run_event)
        changes = config_topic(self._started)
        self._configuring = Configuring(self._live, self.logger, self.health, changes, self._refresh)
        self._live_tasks = LiveTasks(self.scheduler, self._declared, on.build)
        self._doors = self._make_doors()
        self._measuring.metrics.observe(SOCKETS, self._doors.peers)
        self._offer_own_operations(logs, changes)
        self._follow_configuration()

    def _make_transcripts(self) -> FileTranscripts:
        def bounds() -> Bounds:
            it = self._live.config.scheduler
            return Bounds(it.log_max_run * 1_000, it.log_max_task * 1_000_000, it.log_max_all * 1_000_000)

        troubled = self._reporting.transcripts_troubled
        return FileTranscripts(self._folder.path / "runs", bounds, clock=self._clock, troubled=troubled)

    def _make_scheduler(self) -> Scheduler:
        it, tell = self._live.config.scheduler, self._reporting
        return Scheduler(
            it.max_running_tasks,
            store=self._store,
            clock=self._clock,
            snapshot=lambda: self._live.config,
            timezone=it.timezone,
            aging_quantum=it.aging_quantum,
            poll_interval=it.poll_interval,
            history_limit=it.history_max_count,
            quarantine_after=it.quarantine_after,
            catch_up_spread=it.catch_up_spread,
            transcripts=self._transcripts,
            calendars=self._declared.calendars,
            record=self._make_recording(it.record_size),
            host=Host(tell.run_said, tell.alert, self.name, own_coroutine_loop=True, bounds_history=True, traces=True),
        )

    def _make_recording(self, megabytes: int) -> Recording | None:
        return Recording(self._folder.path / "decisions.jsonl", megabytes * 1_000_000) if megabytes else None

    def _describe(self, node_id: str) -> Description:
        return Description(
            id=node_id,
            name=self.name,
            started=self._started,
            folder=self._folder.path,
            live=self._live,
            scheduler=self.scheduler,
            places=lambda: self._doors.places,
        )

    def _make_doors(self) -> Doors:
        return Doors(
            self._folder.path,
            self._live,
            self._operations,
            self._tokens.authenticate,
            node=(self.name, str(self._started)),
            health=self.health,
            metrics=lambda: exposition(self._measuring.metrics.read(), self._description.resource()),
            clock=self._clock,
        )

    def _follow_configuration(self) -> None:
        """Who is asked before a change of the configuration, and who is told after it, in this order."""
        for subscriber in (self._live_log, self._telemetry, WorkFolder(), self._live_tasks, self._doors.http):
            self._live.subscribe(subscriber)
        self._live.listen(lambda _: self._trust_clock())
        self._live.listen(self._told)
        self._live.listen(self._telemetry.revision)

    def _trust_clock(self) -> None:
        self._clock.trust_always = self._live.config.scheduler.trust_clock == "always"

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
            task_fire_operations(self.scheduler),
            task_question_operations(self.scheduler),
            task_log_operations(self.scheduler, self._transcripts),
            task_declaration_operations(self.scheduler, self._live),
            event_operations(self.scheduler),
            config_operations(self._live),
            node_operations(self._description.info, self.scheduler, self.health, self._clock),
            logs_operations(logs),
            token_operations(self._tokens, self._clock, known_scopes, self._doors.hang_up),
            subscription_operations([runs, changes, logs]),
            rpc_operations(lambda: operations.values(), __version__),
        )

    def _command_ended(self, command: Command) -> None:
        self._measuring.command(command)
        self._telemetry.command(command)

    async def start(self) -> None:
        """Open the store, recover, take the tasks in, open the doors. StoreError where the store or the socket can't be
        used, ConfigError where the working folder can't be made, AddressInUse where somebody else has the port."""
        self._doors.claim()
        make_folder(self._live.config.general.work_dir)
        self._configuring.found([*self._live.loaded.findings, *self._declared.findings, *self._doors.findings])
        await take_gates(self._offered, self._context, self.scheduler, self._reporting.found)
        for task in self._declared.tasks:
            self._declare(task)
        has_all_plugins = await take_plugins(self._offered, self._context, self._registration, self._reporting.found)
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
        async with self._live.unchanging() as loaded:
            await self._doors.refresh(loaded)
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
            self._reporting.found(Finding("name_taken", f"tasks.{task.name}", f"tasks.{task.name}: {error}"))

    def stages(self) -> Sequence[Stage]:
        """How it stops, in this order."""
        return Stopping(
            self.logger,
            self.health,
            self._measuring,
            self._configuring,
            self.scheduler,
            self._live,
            self._store,
            self._operations,
            self._doors,
            self._tokens,
            self._telemetry,
        ).stages()
