"""What a node tells a collector follows the configuration: where it goes, and how often."""

import threading
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from functools import partial

from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.running.loop_thread import in_thread
from dms.command.command import Command
from dms.config import Config, ConfigChange
from dms.config.store import Revision
from dms.health import Finding, Health
from dms.init.collector import Collector
from dms.init.logger import NodeLog, get_logger
from dms.init.records import Attributes, Figures, Span, change_span, command_span, execution_span
from dms.init.sender import Exporter
from dms.instant import SECOND, Clock, microseconds
from dms.metrics import EXPORT_LOST, Labels, Metrics
from dms.trace import CURRENT

TROUBLE = "otlp"
"""The code of the finding that a collector does not get what it should."""

FAREWELL = 2.0
"""Seconds in which a collector that is no longer wanted may still get what waits for it."""


class LiveTelemetry:
    """Sends log, spans and figures to the collector that the configuration names, if any.

    A collector that is down, slow or mad holds nobody: what it does not take waits, bounded, and is counted where it is
    lost; a finding says so meanwhile.
    """

    name = "telemetry"

    def __init__(self, log: NodeLog, health: Health, metrics: Metrics, attributes: Attributes, clock: Clock) -> None:
        self._log, self._health, self._metrics = log, health, metrics
        self._attributes, self._clock = attributes, clock
        self._since = clock.now().wall
        self._collector: Collector | None = None
        self._endpoint = ""
        self._counted, self._counting = list[Collector](), threading.Lock()
        self._lost_before: Tally[str] = Tally()
        self._links: dict[str, str] = {}
        metrics.observe(EXPORT_LOST, self._lost)

    def start(self, config: Config) -> None:
        """Begin, where a collector is named. Nothing is waited for."""
        endpoint = config.observability.otlp_endpoint
        if endpoint is not None:
            self._endpoint = endpoint
            connect = partial(_connect, endpoint, self._attributes)
            told = partial(self._troubled, endpoint)
            self._collector = collector = Collector(connect, _interval(config), self._gather, told)
            with self._counting:
                self._counted.append(collector)
            self._log.set_forward(collector.line)

    async def prepare(self, change: ConfigChange) -> None:
        """Whether somebody listens there shows only in time, and is no reason to refuse."""

    async def apply(self, change: ConfigChange) -> None:
        """Send there from now on, or nowhere; what waits for the one before still goes there, for a moment."""
        config = change.new.config
        if change.touches("observability.otlp_endpoint"):
            self._leave()
            self.start(config)
        elif change.touches("observability.flush_interval") and self._collector is not None:
            self._collector.pace(_interval(config))

    async def abandon(self, change: ConfigChange) -> None:
        """Nothing was made ready."""

    def _leave(self) -> None:
        collector, self._collector = self._collector, None
        self._log.set_forward(None)
        if collector is not None:
            end = partial(self._end, self._hushed(collector), self._endpoint, FAREWELL)
            threading.Thread(target=end, name="dms-telemetry-end", daemon=True).start()

    def _hushed(self, collector: Collector) -> Collector:
        """Here and not where it ends: by then the same endpoint may be in force again, with a trouble of its own."""
        collector.hush()
        self._health.clear(TROUBLE, self._endpoint)
        return collector

    async def flush(self, within: float) -> Sequence[str]:
        """At the stop: send what waits, in so many seconds, and say how much has not arrived. Nothing is left behind
        that anybody would have to wait for."""
        if self._collector is not None:
            await in_thread(partial(self._end, self._hushed(self._collector), self._endpoint, within))
        return []

    def _end(self, collector: Collector, endpoint: str, within: float) -> None:
        missing = collector.close(within)
        if self._collector is collector:
            self._collector = None
            self._log.set_forward(None)
        with self._counting:
            self._counted.remove(collector)
            self._lost_before.update(collector.lost)
        if missing:
            get_logger("telemetry").warning(f"{missing} records did not reach {endpoint}", lost=missing)

    # ── what is told ──

    def command(self, command: Command) -> None:
        """A command has ended."""
        if self._collector is not None:
            self._put(command_span(command, self._clock.now().wall))

    def run_event(self, event: RunEvent) -> None:
        """Something has happened to a run."""
        execution = event.execution
        if self._collector is None:
            self._links.clear()
        elif execution is None:
            return
        elif event.kind == "started" and event.link:
            self._links[execution.id] = event.link
        elif event.kind == "ended":
            self._put(execution_span(execution, self._links.pop(execution.id, "")))

    def revision(self, revision: Revision) -> None:
        """A change of the configuration is in force, within whose span this is."""
        self._put(change_span(revision, CURRENT.get(), self._clock.now().wall))

    def _put(self, span: Span | None) -> None:
        if span is not None and self._collector is not None:
            self._collector.span(span)

    def _gather(self) -> Sequence[Figures]:
        return [Figures(self._metrics.read(), self._since, self._clock.now().wall)]

    def _lost(self) -> Mapping[Labels, float]:
        with self._counting:
            lost = self._lost_before.copy()
            for collector in self._counted:
                lost.update(collector.lost)
        return {(signal,): count for signal, count in lost.items()}

    def _troubled(self, endpoint: str, problem: str) -> None:
        """Said once when it begins and once when it is over, however long that is."""
        if problem:
            message = f"observability.otlp_endpoint: {endpoint} does not get what this node tells: {problem}"
            self._health.report(Finding(TROUBLE, endpoint, message))
            get_logger("telemetry").warning(message)
        else:
            self._health.clear(TROUBLE, endpoint)
            get_logger("telemetry").info(f"{endpoint} gets what this node tells again")


def _interval(config: Config) -> float:
    return microseconds(config.observability.flush_interval) / SECOND


def _connect(endpoint: str, attributes: Attributes, signal: str) -> Exporter:
    """In the thread that sends: the SDK takes a tenth of a second to import."""
    try:
        from dms.init.telemetry import exporter_of
    except ImportError as error:
        raise ImportError(f"{error.name or error} is missing; install it with: pip install 'dms-node[otel]'") from error
    return exporter_of(signal, endpoint, attributes)
