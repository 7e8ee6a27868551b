"""From the `tasks` section to tasks.

One bad task doesn't sink the others. One whose what or when can't be used is parked with the reason: visible, never
run on a guess, and repaired by the next good declaration.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, NoReturn

import msgspec

from dms.background_tasks.registry import check_key
from dms.background_tasks.running.calling import calling_of, checked_calling
from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.chain import circle_of, told, waited_for
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.gate import BUILT_IN, check_gates
from dms.background_tasks.tasks.limits import Limits
from dms.background_tasks.tasks.retry import NO_RETRY, RetryPolicy
from dms.background_tasks.tasks.task import Program, Task, check_function, check_name
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.exclusion import Calendar
from dms.background_tasks.triggers.moment import wall_of
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger, Trigger, zone_of
from dms.config import (
    BreakerDeclaration,
    ConcurrencyDeclaration,
    ConfigFinding,
    KeyPath,
    LimitsDeclaration,
    Loaded,
    RetryDeclaration,
    TaskDeclaration,
)
from dms.declared_tasks.calendars import DeclaredCalendars, calendars_from
from dms.declared_tasks.function_loader import FunctionLoader, Loadable, Unloadable
from dms.errors import InvalidCron, InvalidInput, InvalidTask, Misuse
from dms.instant import to_datetime

Load = Callable[[Collection[str]], Mapping[str, Loadable]]

_WHAT_AND_WHEN = frozenset(
    "run call args kwargs cwd env cron every after at on timezone enabled start end mode max_runs exclude concurrency"
    " hold_until".split()
)
"""Keys without a default that could be meant: a task that loses one of them is parked."""

_IDLE: tuple[object, ...] = (None, False, timedelta(0), [], "fixed_rate")
"""What keys say that say nothing."""

ENDINGS = ("success", "failed", "tripped", "overdue", "quarantined")
"""What events of a task can tell: how it ended, that its breaker opened, that it hasn't succeeded for too long, that it
ran in one crash after another."""

_KEY_OF_FIELD = {"interval": "every", "delay": "after", "topic": "on", "function": "call"}
"""What the declaration calls a field of a Task or trigger."""


class Declared(msgspec.Struct, frozen=True):
    """The declared tasks, what is wrong with them beyond what the configuration's own check found, and the calendars
    that they may keep to."""

    tasks: list[Task]
    findings: list[ConfigFinding]
    calendars: Mapping[str, Calendar] = {}


def tasks_from(loaded: Loaded, load: Load | None = None, *, gates: Collection[str] = BUILT_IN) -> Declared:
    """The tasks that a configuration declares, each with `origin="declared"`; `gates` are those that there are.

    `load` finds the functions of `call:`; by default in the installed packages and `scheduler.import_paths`.
    """
    load = load or FunctionLoader(loaded.config.scheduler.import_paths).load
    calls = {declaration.call for declaration in loaded.config.tasks.values() if declaration.call}
    functions = load({call for call in calls if _is_reference(call)})
    calendars = calendars_from(loaded)
    declared = Declared([], calendars.findings, calendars.good)
    for name in _names(loaded):
        _Building(loaded, name, functions, gates, declared, calendars).build()
    _refuse_circles(loaded, declared)
    return declared


def _refuse_circles(loaded: Loaded, declared: Declared) -> None:
    """Park the tasks that would run each other for ever."""
    tasks = {task.name: task for task in declared.tasks}
    for task in declared.tasks:
        circle = circle_of(task.name, lambda name: waited_for(tasks[name]) if name in tasks else ())
        if circle:
            finding = loaded.finding("invalid_task", ("tasks", task.name, "on"), told(circle))
            declared.findings.append(finding)
            task.parked = "; ".join(filter(None, (task.parked, str(finding))))


def check_tasks(loaded: Loaded, gates: Collection[str] = BUILT_IN) -> list[ConfigFinding]:
    """What is wrong with the declared tasks, without loading anybody's code; a check for `dms.config.validate`."""
    return tasks_from(loaded, lambda references: dict.fromkeys(references, unusable), gates=gates).findings


def unusable(*args: object, **kwargs: object) -> NoReturn:
    """Stands in a parked task for what it should call; it is never called."""
    raise Misuse("the task is parked: its declaration says nothing that could be run")


def _names(loaded: Loaded) -> list[str]:
    """The tasks that are declared, those too of which nothing could be read."""
    lost = {str(finding.path[1]) for finding in loaded.findings if _is_whole_task(finding)}
    return [*loaded.config.tasks, *sorted(lost - set(loaded.config.tasks))]


def _is_whole_task(finding: ConfigFinding) -> bool:
    return finding.code == "bad_value" and len(finding.path) == 2 and finding.path[0] == "tasks"


def _is_reference(call: str) -> bool:
    try:
        check_function(call)
    except InvalidTask:
        return False
    return True


class _Building:
    """One task: each part is made on its own, so that every fault is found, and parks the task if it has to."""

    def __init__(
        self,
        loaded: Loaded,
        name: str,
        functions: Mapping[str, Loadable],
        gates: Collection[str],
        declared: Declared,
        calendars: DeclaredCalendars,
    ) -> None:
        self.loaded = loaded
        self.calendars = calendars
        self.name = name
        self.functions = functions
        self.gates = gates
        self.declared = declared
        self.reasons = [str(finding) for finding in loaded.findings if self._is_fatal(finding)]

    def build(self) -> None:
        """Add the task to what is declared; one whose name can't be used is only a finding."""
        try:
            check_name(self.name)
        except InvalidTask as error:
            self._fault((), error)
            return
        declaration = self.loaded.config.tasks.get(self.name)
        if declaration is None:
            self.declared.tasks.append(self._parked(unusable))
            return
        self._look_for_idle_keys(declaration)
        self._look_at_topic((declaration.on or "").split("."))
        self.declared.tasks.append(self._task(declaration))

    def _task(self, declaration: TaskDeclaration) -> Task:
        function = self._function(declaration)
        triggers = self._triggers(declaration)
        parts = _policies(declaration)
        try:
            arguments = ((), {}) if declaration.call is None else (declaration.args or (), declaration.kwargs or {})
            parts["retry_policy"] = _retry_policy(declaration.retry)
            parts["breaker"] = _breaker(declaration.breaker)
            parts["concurrency"] = _concurrency(declaration.concurrency)
            parts["limits"] = _limits(declaration.limits)
            task = Task(self.name, function, *arguments, triggers=triggers, origin="declared", **parts)
            check_key(task, self.declared.tasks)
            check_gates(task, self.gates)
            if not isinstance(function, str) and function is not unusable:
                checked_calling(task, function, calling_of(function))
        except InvalidInput as error:
            self._fault((), error)
            return self._parked(function)
        task.parked = "; ".join(self.reasons)
        return task

    def _parked(self, function: Any) -> Task:
        """A task of which no more than the name and, where it is known, the function can be kept."""
        return Task(self.name, function, origin="declared", parked="; ".join(self.reasons))

    def _function(self, declaration: TaskDeclaration) -> Any:
        if (declaration.run is None) == (declaration.call is None):
            if not self.reasons:
                self._fault((), InvalidTask("run, call: give exactly one of the two"))
            return unusable
        try:
            return self._program(declaration) if declaration.call is None else self._call(declaration)
        except InvalidInput as error:
            self._fault(("run" if declaration.call is None else "call",), error)
            return unusable

    def _program(self, declaration: TaskDeclaration) -> Program:
        for key in ("args", "kwargs"):
            if getattr(declaration, key) is not None:
                self._fault((key,), InvalidTask("belongs to call; a program takes its arguments in the list of run"))
        folder = declaration.cwd or self.loaded.config.general.work_dir
        return Program(tuple(declaration.run or ()), str(folder), declaration.env or {})

    def _call(self, declaration: TaskDeclaration) -> Any:
        call = str(declaration.call)
        check_function(call)
        for key in ("cwd", "env"):
            if getattr(declaration, key) is not None:
                self._fault((key,), InvalidTask("belongs to run; a function shares the node's process"))
        function = self.functions[call]
        if not isinstance(function, Unloadable):
            return function
        self._fault(("call",), InvalidTask(function.reason))
        return call

    def _triggers(self, declaration: TaskDeclaration) -> list[Trigger]:
        """One for each of the keys that say when."""
        for name in declaration.exclude:
            if why_not := self.calendars.why_not(name):
                self._fault(("exclude",), InvalidTask(f"exclude: {why_not}"))
        triggers = []
        for key, make in _makers(declaration, self.loaded.config.scheduler.timezone):
            try:
                triggers.append(make())
            except InvalidInput as error:
                self._fault((key,), error)
        return triggers

    def _look_for_idle_keys(self, declaration: TaskDeclaration) -> None:
        """Keys that do nothing without another: said, and no reason to park."""
        for key, needed in (
            ("at_start", ("every",)),
            *((key, ("cron", "every")) for key in ("jitter", "start", "end", "max_runs", "exclude")),
            ("mode", ("every",)),
            ("timezone", ("cron", "at", "start", "end")),
            ("debounce", ("on",)),
            ("max_wait", ("on",)),
        ):
            given = getattr(declaration, key) not in _IDLE
            if given and all(getattr(declaration, other) is None for other in needed):
                message = f"does nothing without {' or '.join(needed)}"
                self.declared.findings.append(self.loaded.finding("idle_key", self._path(key), message))

    def _look_at_topic(self, words: list[str]) -> None:
        """The end of a task that can't be meant: of one with nearly that name, or an end that no task has. Whatever
        else is waited for may come from outside."""
        if len(words) != 3 or words[0] != "task":
            return
        if words[1] not in self.loaded.config.tasks:
            problem = _nearly(words[1], self.loaded.config.tasks)
        else:
            problem = "" if words[2] in ENDINGS else f"what comes of a task is {', '.join(ENDINGS)}"
        if problem:
            message = f'"{".".join(words)}" does not come by itself: {problem}'
            self.declared.findings.append(self.loaded.finding("idle_key", self._path("on"), message))

    def _fault(self, key: tuple[str, ...], error: InvalidInput) -> None:
        """A finding with the place of the field that the error names, and a reason to park."""
        field, colon, rest = str(error).partition(": ")
        named = _KEY_OF_FIELD.get(field, field)
        message = str(error)
        if colon and named.partition(".")[0] in TaskDeclaration.__struct_fields__:
            key, message = tuple(named.split(".")), rest
        offset = error.offset if isinstance(error, InvalidCron) else 0
        finding = self.loaded.finding("invalid_task", self._path(*key), message, offset)
        self.declared.findings.append(finding)
        self.reasons.append(str(finding))

    def _is_fatal(self, finding: ConfigFinding) -> bool:
        """Whether the configuration's check lost something of this task that no default stands for."""
        if finding.path[:2] != ("tasks", self.name) or finding.code not in ("bad_value", "bad_key"):
            return False
        if len(finding.path) == 2:
            return finding.code == "bad_key" or self.name not in self.loaded.config.tasks
        key = str(finding.path[2])
        if key not in _WHAT_AND_WHEN:
            return False
        partial = finding.code == "bad_key" or len(finding.path) > 3
        return partial or self.loaded.merged.layer_of(finding.path[:3]) is None

    def _path(self, *key: str) -> KeyPath:
        return ("tasks", self.name, *key)


def _nearly(name: str, known: Collection[str]) -> str:
    """What to say where a task is known whose name differs by a slip of the pen."""
    from difflib import get_close_matches  # costs 10 ms, and only a mistake needs it

    near = get_close_matches(name, known, 1, 0.75)
    return f"no task is called {name}. Did you mean {near[0]}?" if near else ""


def _makers(declaration: TaskDeclaration, timezone: str) -> Iterator[tuple[str, Callable[[], Trigger]]]:
    """How each trigger that a declaration gives is made, by its key."""
    zone = declaration.timezone
    if declaration.cron is not None:
        yield "cron", lambda: PeriodicTrigger(cron=declaration.cron, timezone=zone, **_bounds(declaration, timezone))
    if declaration.every is not None:
        yield (
            "every",
            lambda: PeriodicTrigger(
                declaration.every,
                at_start=declaration.at_start,
                mode=declaration.mode,
                **_bounds(declaration, timezone),
            ),
        )
    if declaration.after is not None:
        yield "after", lambda: OneTimeTrigger(declaration.after)
    if declaration.at is not None:
        yield "at", lambda: OneTimeTrigger(at=declaration.at, timezone=zone or timezone)
    if declaration.on is not None:
        quiet, longest = declaration.debounce, declaration.max_wait
        yield "on", lambda: EventTrigger(declaration.on, debounce=quiet, max_wait=longest)


def _bounds(declaration: TaskDeclaration, timezone: str) -> dict[str, Any]:
    """What cron and every share."""
    zone = zone_of(declaration.timezone or timezone)
    moments = {key: getattr(declaration, key) for key in ("start", "end")}
    return {
        "jitter": declaration.jitter,
        "max_runs": declaration.max_runs,
        "exclude": declaration.exclude,
        **{key: None if told is None else to_datetime(wall_of(told, key, zone)) for key, told in moments.items()},
    }


def _policies(declaration: TaskDeclaration) -> dict[str, Any]:
    """The keys that a Task has under the same name."""
    return {name: getattr(declaration, name) for name in _SAME_NAME}


_SAME_NAME = (
    "description", "enabled", "priority", "timeout", "heartbeat_timeout", "kill_after", "overlap", "queue_limit",
    "max_instances", "catch_up", "catch_up_limit", "catch_up_window", "durability", "hold_until",
    "expect_success_within", "executor",
)  # fmt: skip


def _breaker(declaration: BreakerDeclaration | None) -> Breaker | None:
    return None if declaration is None else Breaker(declaration.failures, declaration.probe)


def _concurrency(declaration: ConcurrencyDeclaration | None) -> Concurrency | None:
    if declaration is None:
        return None
    return Concurrency(declaration.key, declaration.limit, declaration.rate)  # type: ignore[arg-type]  # it looks itself


def _limits(declaration: LimitsDeclaration | None) -> Limits | None:
    return None if declaration is None else Limits(declaration.memory, declaration.cpu_time, declaration.output)


def _retry_policy(declaration: RetryDeclaration | None) -> RetryPolicy:
    if declaration is None:
        return NO_RETRY
    return RetryPolicy(**{name: getattr(declaration, name) for name in RetryDeclaration.__struct_fields__})
