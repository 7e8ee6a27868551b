"""LiveTasks: what changes of the declared tasks when the configuration does."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from dms.background_tasks.running.loop_thread import in_thread
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.chain import circle_of, told, waited_for
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.exclusion import Calendar
from dms.config import ConfigChange, ConfigFinding, Loaded
from dms.config.finding import new_findings
from dms.config.schema import SchedulerSection
from dms.declared_tasks.declared import Declared, tasks_from
from dms.errors import ConfigError, Conflict, InvalidTask, NotFound

ORIGIN = "declared"
"""The origin of tasks that the configuration declares."""

_SURROUNDINGS = ("scheduler.import_paths", "general.work_dir")
"""Keys outside `tasks` that every declared task may depend on."""


class _Plan(msgspec.Struct, frozen=True):
    """What a change comes to: tasks to add, to update, those of which only the moment is another one (in another time
    zone), names to remove, and the whole declaration then."""

    add: list[Task]
    update: list[Task]
    move: list[Task]
    remove: list[str]
    declared: Declared


class LiveTasks:
    """A subscriber of the live configuration: it builds the tasks as they would be, vetoes where one of them is worse
    than before, and then gives the scheduler those that differ. What runs is left to finish.

    `declared` is what the scheduler was started with.
    """

    name = "tasks"

    def __init__(
        self, scheduler: Scheduler, declared: Declared, build: Callable[[Loaded], Declared] = tasks_from
    ) -> None:
        self._scheduler, self._declared, self._build = scheduler, declared, build
        self._plan: _Plan | None = None

    @property
    def findings(self) -> list[ConfigFinding]:
        """What is wrong with the tasks in force."""
        return self._declared.findings

    async def prepare(self, change: ConfigChange) -> None:
        """Build them. ConfigError where something is wrong that was not wrong before; Conflict where a name is taken by
        a task that the configuration does not declare."""
        self._plan = None
        if not any(change.touches(key) for key in ("tasks", "calendars", "scheduler.timezone", *_SURROUNDINGS)):
            return
        declared = await in_thread(lambda: self._build(change.new))
        self._refuse_worse(declared)
        self._plan = self._planned(declared, change)
        self._refuse_taken(self._plan)
        self._refuse_circles(declared)

    async def apply(self, change: ConfigChange) -> None:
        """Give the scheduler what differs."""
        plan, self._plan = self._plan, None
        if change.touches("scheduler") or change.touches("calendars"):
            self._adjust(change.new.config.scheduler, None if plan is None else plan.declared.calendars)
        if plan is None:
            return
        for name in plan.remove:
            self._remove(name)
        self._update(plan.update)
        for task in plan.add:
            self._scheduler.add_task(task)
        for task in plan.move:
            self._move(task)
        self._declared = plan.declared

    async def abandon(self, change: ConfigChange) -> None:
        """Forget what was built."""
        self._plan = None

    def _adjust(self, to: SchedulerSection, calendars: Mapping[str, Calendar] | None) -> None:
        self._scheduler.adjust(
            to.max_running_tasks,
            timezone=to.timezone,
            aging_quantum=to.aging_quantum,
            poll_interval=to.poll_interval,
            history_limit=to.history_max_count,
            calendars=calendars,
        )

    def _remove(self, name: str) -> None:
        try:
            self._scheduler.remove_task(name)
        except NotFound:
            pass  # a one-time task that is over

    def _update(self, tasks: list[Task]) -> None:
        """All together, since they may share a key. One that is over, as a one-time task is after its run, begins anew
        with its new definition."""
        here = [task for task in tasks if self._scheduler.has_task(task.name)]
        self._scheduler.update_tasks(here)
        for task in tasks:
            if task not in here:
                self._scheduler.add_task(task)

    def _move(self, task: Task) -> None:
        """One that is over does not begin anew because its moment is another one in another time zone."""
        try:
            self._scheduler.update_task(task)
        except NotFound:
            pass

    def _refuse_worse(self, declared: Declared) -> None:
        worse = new_findings(self._declared.findings, declared.findings)
        if worse:
            lines = tuple(map(_told, worse))
            raise ConfigError("\n".join(lines), lines)

    def _planned(self, declared: Declared, change: ConfigChange) -> _Plan:
        before = {task.name: task for task in self._declared.tasks}
        after = {task.name: task for task in declared.tasks}
        everything = any(change.touches(key) for key in _SURROUNDINGS)
        touched = [
            name
            for name, task in after.items()
            if name in before and (everything or self._touched(change, name) or before[name].parked != task.parked)
        ]
        moved = [name for name in after if name in before and before[name].triggers != after[name].triggers]
        return _Plan(
            add=[task for name, task in after.items() if name not in before],
            update=[after[name] for name in touched if not self._taken_by(name)],
            move=[after[name] for name in moved if name not in touched and not self._taken_by(name)],
            remove=[name for name in before if name not in after and not self._taken_by(name)],
            declared=declared,
        )

    def _touched(self, change: ConfigChange, name: str) -> bool:
        return change.touches(f"tasks.{name}")

    def _refuse_taken(self, plan: _Plan) -> None:
        for task in plan.add:
            if other := self._taken_by(task.name):
                raise Conflict(f"tasks.{task.name}: a task of that name is there already, by {other}; rename it")
        for task in (*plan.add, *plan.update):
            try:
                self._scheduler.check_key(task, ORIGIN)
            except InvalidTask as error:
                raise ConfigError(f"tasks.{task.name}.{error}") from None

    def _refuse_circles(self, declared: Declared) -> None:
        """InvalidTask where a task would run in a circle with others that the configuration does not declare."""
        tasks = {task.name: task for task in declared.tasks}

        def before(name: str) -> Iterable[str]:
            if name in tasks:
                return () if tasks[name].parked else waited_for(tasks[name])
            return waited_for(self._scheduler.get_task(name)) if self._taken_by(name) else ()

        for task in declared.tasks:
            circle = () if task.parked else circle_of(task.name, before)
            if circle:
                raise InvalidTask(f"tasks.{task.name}.on: {told(circle)}")

    def _taken_by(self, name: str) -> str:
        """Whose task goes by that name, where it is not a declared one; empty where nobody's does."""
        try:
            origin = self._scheduler.get_task(name).origin
        except NotFound:
            return ""
        return "" if origin == ORIGIN else origin


def _told(finding: ConfigFinding) -> str:
    """Whoever sets a value knows where it stands."""
    return f"{finding.key}: {finding.message}" if finding.origin.layer.is_override else str(finding)
