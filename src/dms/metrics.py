"""What is measured: each instrument defined once, as a plain value, and the counts that it has come to.

Names, units and kinds go by OpenTelemetry's semantic conventions. Where figures go to is known in `init` only: whoever
wants them calls `Metrics.read`, and until then counting costs an entry of a dictionary.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

MOST_SERIES = 2_000
"""Series of one instrument; what comes beyond them is counted together, under `OTHER`."""

OTHER = "(other)"
"""The label of what has none of its own: no task and no method goes by such a name."""

Labels = tuple[str, ...]
"""The values of an instrument's labels, in their order."""


class Kind(StrEnum):
    """A counter only grows; an up-down counter is a sum that also falls, a gauge is none that could be added up."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up-down counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Instrument(msgspec.Struct, frozen=True):
    """Something that is measured. `unit` is UCUM's, with words in braces; `bounds` are a histogram's upper bounds."""

    name: str
    kind: Kind
    unit: str
    description: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


_TASK = ("dms.task.name",)
_SHORT = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600)
_LONG = (0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400)
_SIZE = tuple(2.0**power for power in range(24, 37))
_CALL = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

EXECUTIONS = Instrument(
    "dms.task.executions",
    Kind.COUNTER,
    "{execution}",
    "Attempts that have ended, by task and how.",
    (*_TASK, "dms.execution.status"),
)
DURATION = Instrument("dms.task.duration", Kind.HISTOGRAM, "s", "How long attempts took, by task.", _TASK, bounds=_LONG)
TASK_CPU = Instrument(
    "dms.task.cpu.time",
    Kind.HISTOGRAM,
    "s",
    "Processor time that attempts used, by task; of a coroutine the time of its own steps.",
    _TASK,
    bounds=_LONG,
)
TASK_MEMORY = Instrument(
    "dms.task.memory.peak",
    Kind.HISTOGRAM,
    "By",
    "Memory that attempts of programs had resident at most, by task.",
    _TASK,
    bounds=_SIZE,
)
LATENESS = Instrument(
    "dms.task.lateness", Kind.HISTOGRAM, "s", "How long after they were due attempts started.", bounds=_SHORT
)
WAIT = Instrument(
    "dms.task.wait",
    Kind.HISTOGRAM,
    "s",
    "How long attempts that might start waited for a slot and for their record.",
    bounds=_SHORT,
)
RUNNING = Instrument(
    "dms.scheduler.running", Kind.UP_DOWN_COUNTER, "{execution}", "Attempts of the users' tasks that run."
)
WAITING = Instrument(
    "dms.scheduler.waiting", Kind.UP_DOWN_COUNTER, "{execution}", "Attempts of the users' tasks that wait for a slot."
)
SLOTS = Instrument("dms.scheduler.slots", Kind.UP_DOWN_COUNTER, "{slot}", "How many of the users' tasks run at once.")
COMMANDS = Instrument(
    "rpc.server.call.duration",
    Kind.HISTOGRAM,
    "s",
    "How long commands took, by method, how they ended and the door they came in by.",
    ("rpc.method", "dms.command.state", "dms.door"),
    bounds=_CALL,
)
SOCKETS = Instrument("dms.sockets", Kind.UP_DOWN_COUNTER, "{socket}", "Who is connected, by door.", ("dms.door",))
REVISION = Instrument("dms.config.revision", Kind.GAUGE, "{revision}", "The configuration's revision in force.")
FINDINGS = Instrument(
    "dms.findings", Kind.UP_DOWN_COUNTER, "{finding}", "What wants a look, by its code.", ("dms.finding.code",)
)
OVERDUE = Instrument(
    "dms.task.overdue",
    Kind.UP_DOWN_COUNTER,
    "{task}",
    "Tasks that have not succeeded within the time that they were expected to: 1 for each.",
    _TASK,
)
ABANDONED = Instrument(
    "dms.task.abandoned",
    Kind.UP_DOWN_COUNTER,
    "{run}",
    "Runs that were given up and go on all the same, by task: each keeps a thread that nobody gets back.",
    _TASK,
)
COMMITS = Instrument("dms.store.commits", Kind.COUNTER, "{commit}", "Transactions that the store has committed.")
WRITTEN = Instrument(
    "dms.store.written",
    Kind.COUNTER,
    "By",
    "What the store has written into its log; about as much wears the disk again.",
)
LOOP_LAG = Instrument(
    "dms.event_loop.lag",
    Kind.HISTOGRAM,
    "s",
    "How much later than asked the node's loop comes round.",
    bounds=_SHORT,
)
LOG_SUPPRESSED = Instrument(
    "dms.log.suppressed", Kind.COUNTER, "{line}", "Lines of the log that were counted and not written: floods."
)
LOG_LOST = Instrument(
    "dms.log.lost",
    Kind.COUNTER,
    "{line}",
    "Lines of the log that could not be written, by where they were to go.",
    ("dms.log.output",),
)
EXPORT_LOST = Instrument(
    "dms.export.lost",
    Kind.COUNTER,
    "{record}",
    "Lines, spans and figures that a collector never got, by signal.",
    ("dms.signal",),
)
CPU_TIME = Instrument(
    "process.cpu.time", Kind.COUNTER, "s", "Processor time of this process, without programs it ran.", ("cpu.mode",)
)
MEMORY = Instrument("process.memory.usage", Kind.UP_DOWN_COUNTER, "By", "Memory that this process has resident.")
THREADS = Instrument("process.thread.count", Kind.UP_DOWN_COUNTER, "{thread}", "Threads of this process.")
DESCRIPTORS = Instrument(
    "process.unix.file_descriptor.count", Kind.UP_DOWN_COUNTER, "{file_descriptor}", "Files that this process has open."
)
UPTIME = Instrument("process.uptime", Kind.GAUGE, "s", "How long this process has run.")

INSTRUMENTS = (
    EXECUTIONS, DURATION, TASK_CPU, TASK_MEMORY, LATENESS, WAIT, RUNNING, WAITING, SLOTS, COMMANDS, SOCKETS, REVISION,
    FINDINGS, OVERDUE, ABANDONED, COMMITS, WRITTEN, LOOP_LAG, LOG_SUPPRESSED, LOG_LOST, EXPORT_LOST, CPU_TIME, MEMORY,
    THREADS, DESCRIPTORS, UPTIME,
)  # fmt: skip
"""All of them."""


class Distribution(msgspec.Struct):
    """What a histogram has come to: how many values, by the bound that each did not exceed (the last: none), and their
    sum."""

    counts: list[int]
    sum: float = 0.0


class Reading(msgspec.Struct, frozen=True):
    """An instrument with the value of each of its series at one moment."""

    instrument: Instrument
    points: Mapping[Labels, float | Distribution]


class Counter:
    """Counts, by labels. Not for two threads at once; any thread may read."""

    __slots__ = ("_values", "instrument")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._values: dict[Labels, float] = {}

    def add(self, *labels: str) -> None:
        """One more of these."""
        try:
            self._values[labels] += 1
        except KeyError:
            labels = _room_for(self._values, labels)
            self._values[labels] = self._values.get(labels, 0) + 1

    def read(self) -> Mapping[Labels, float]:
        """The counts so far."""
        return self._values.copy()

    def forget(self, labels: Labels) -> None:
        """There is no such thing any more."""
        self._values.pop(labels, None)


class Histogram:
    """Values, by labels and size. Not for two threads at once; any thread may read."""

    __slots__ = ("_values", "instrument")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._values: dict[Labels, Distribution] = {}

    def record(self, value: float, *labels: str) -> None:
        """One more value."""
        known = self._values.get(labels)
        if known is None:
            labels = _room_for(self._values, labels)
            empty = Distribution([0] * (len(self.instrument.bounds) + 1))
            known = self._values.setdefault(labels, empty)
        known.counts[bisect_left(self.instrument.bounds, value)] += 1
        known.sum += value

    def read(self) -> Mapping[Labels, Distribution]:
        """What was recorded so far."""
        return {labels: Distribution(known.counts.copy(), known.sum) for labels, known in self._values.copy().items()}

    def forget(self, labels: Labels) -> None:
        """There is no such thing any more."""
        self._values.pop(labels, None)


def _room_for(known: Mapping[Labels, object], labels: Labels) -> Labels:
    return labels if len(known) < MOST_SERIES else (OTHER,) * len(labels)


Ask = Callable[[], Mapping[Labels, float]]
"""Tells what an instrument shows at this moment, by labels; from whatever thread."""


class Metrics:
    """All figures of a node: those that are counted as things happen, and those that are asked for when they are read.

    `has_task` tells whether there is a task of that name: what is known of others is dropped at each reading.
    """

    def __init__(self, has_task: Callable[[str], bool] = lambda name: True) -> None:
        self._has_task = has_task
        self.executions, self.duration = Counter(EXECUTIONS), Histogram(DURATION)
        self.task_cpu, self.task_memory = Histogram(TASK_CPU), Histogram(TASK_MEMORY)
        self.lateness, self.wait = Histogram(LATENESS), Histogram(WAIT)
        self.commands, self.loop_lag = Histogram(COMMANDS), Histogram(LOOP_LAG)
        self._asked: list[tuple[Instrument, Ask]] = []

    def observe(self, instrument: Instrument, ask: Ask) -> None:
        """Ask for this at each reading; answers under several labels may come from several."""
        self._asked.append((instrument, ask))

    def read(self) -> list[Reading]:
        """Everything, as it is now. From whatever thread."""
        self._drop_tasks_that_are_gone()
        by_task = (self.executions, self.duration, self.task_cpu, self.task_memory)
        counted = (*by_task, self.lateness, self.wait, self.commands, self.loop_lag)
        points = {each.instrument: dict[Labels, float | Distribution](each.read()) for each in counted}
        for instrument, ask in self._asked:
            points.setdefault(instrument, {}).update(_answer(ask))
        return [Reading(instrument, points[instrument]) for instrument in INSTRUMENTS if instrument in points]

    def _drop_tasks_that_are_gone(self) -> None:
        for by_task in (self.executions, self.duration, self.task_cpu, self.task_memory):
            for labels in by_task.read():
                if labels[0] != OTHER and not self._has_task(labels[0]):
                    by_task.forget(labels)


def _answer(ask: Ask) -> Mapping[Labels, float]:
    try:
        return ask()
    except Exception:  # noqa: BLE001 - what can't be told, at the stop say, hides none of the rest
        return {}
