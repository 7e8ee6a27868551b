"""Watches how tasks' runs end: a breaker that opens, a success that is overdue, a quarantine. Pure; the agenda asks it
only for tasks that have a watch (see `watch.py`).
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from dms.background_tasks.agenda.alarms import Alarms
from dms.background_tasks.agenda.decision import Alert, Decision, Notice
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.watch import Watch
from dms.background_tasks.store import BREAKER, QUARANTINE, Pause, Watched
from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.task import Execution, Status
from dms.instant import Instant, duration_text, microseconds

OVERDUE = "overdue"

_FAILURES = (Status.FAILED, Status.TIMED_OUT, Status.ABANDONED)


class Watching:
    """Watches the tasks that want it. `hold` pauses a task, `let_go` ends its pause; `touch` has its state kept,
    `tell` emits an event of it. Decisions are added to `decisions`, alarms set in `alarms`."""

    def __init__(
        self,
        alarms: Alarms,
        decisions: list[Decision],
        *,
        hold: Callable[[Entry, Pause], None],
        let_go: Callable[[Entry, Instant], None],
        touch: Callable[[Entry], None],
        tell: Callable[[str, Any, Instant], None],
    ) -> None:
        self._alarms, self._decisions = alarms, decisions
        self._hold, self._let_go, self._touch, self._tell = hold, let_go, touch, tell

    def begin(self, entry: Entry, now: Instant) -> None:
        """A task is there, or has another definition."""
        task, watch = entry.task, entry.watch
        if watch is None and task.breaker is None and task.expect_success_within is None:
            return
        if watch is None:
            watch = entry.watch = Watch(Watched(), fresh=False)
        self._expect(entry, watch, now)
        pause = entry.pause
        if pause is not None and pause.by == BREAKER:
            self._go_on_holding(entry, watch, pause, now)
        if pause is not None and pause.by == QUARANTINE:
            self._alert(QUARANTINE, entry, _why_quarantined(entry, pause))
            if watch.fresh:
                watch.fresh = False
                self._alarms.at_boot(now.boot, self._tell_of_quarantine, entry)

    def _go_on_holding(self, entry: Entry, watch: Watch, pause: Pause, now: Instant) -> None:
        """A breaker is open since before the start, or before its task was changed."""
        breaker = entry.task.breaker
        if breaker is None:
            return self.freed(entry, now)
        watch.open = True
        self._alert(BREAKER, entry, _why_open(entry, breaker, watch.failures))
        probe = _length(breaker.probe)
        if probe is not None:  # its time by the wall clock has an alarm as well; this one comes whatever that is set to
            self._alarms.at_boot(now.boot + probe, self._probe, (entry, pause))

    def ended(self, entry: Entry, execution: Execution, now: Instant, stopping: bool) -> None:
        """An attempt of a watched task has ended."""
        watch = entry.watch
        assert watch is not None
        if execution.status is Status.SUCCESS:
            self._succeeded(entry, watch, now)
        elif execution.status in _FAILURES and not (stopping and execution.status is Status.ABANDONED):
            self._failed(entry, watch, now)

    def freed(self, entry: Entry, now: Instant) -> None:
        """Somebody lets a task go on: what was counted against it is forgotten."""
        watch = entry.watch
        assert watch is not None
        watch.failures = watch.crashes = 0
        self._close(entry, watch, now)

    def forget(self, entry: Entry) -> None:
        """The task is gone."""
        watch = entry.watch
        assert watch is not None
        if watch.open:
            self._alert(BREAKER, entry)
        if watch.late:
            self._alert(OVERDUE, entry)
        if entry.quarantined:
            self._alert(QUARANTINE, entry)

    # ── failures in a row ──

    def _succeeded(self, entry: Entry, watch: Watch, now: Instant) -> None:
        if not (watch.failures or watch.crashes) and watch.within is None:
            return
        watch.failures = watch.crashes = 0
        if watch.within is not None:
            watch.since, watch.since_boot = now.wall, now.boot
        if watch.late:
            self._in_time(entry, watch)
            self._arm(entry, watch)
        if watch.open:
            self._decisions.append(Notice(entry.task.name, "closed", "it succeeded: its breaker is closed"))
        self._close(entry, watch, now)

    def _close(self, entry: Entry, watch: Watch, now: Instant) -> None:
        if watch.open:
            watch.open = False
            self._alert(BREAKER, entry)
        if entry.quarantined:
            self._alert(QUARANTINE, entry)
        if entry.pause is not None and entry.pause.by:
            self._let_go(entry, now)
        self._touch(entry)

    def _failed(self, entry: Entry, watch: Watch, now: Instant) -> None:
        breaker = entry.task.breaker
        if breaker is None:
            return
        watch.failures += 1
        self._touch(entry)
        if watch.failures >= breaker.failures and entry.pause is None:
            self._open(entry, watch, breaker, now)

    def _open(self, entry: Entry, watch: Watch, breaker: Breaker, now: Instant) -> None:
        probe = _length(breaker.probe)
        until = None if probe is None else now.wall + probe
        pause = Pause(now.wall, until, f"it failed {watch.failures} times in a row", BREAKER)
        self._hold(entry, pause)
        if probe is not None:
            self._alarms.at_boot(now.boot + probe, self._probe, (entry, pause))
        why = _why_open(entry, breaker, watch.failures)
        self._alert(BREAKER, entry, why)
        if not watch.open:
            watch.open = True
            self._notice(entry, "tripped", why, {"failures": watch.failures}, now)

    def _probe(self, held: tuple[Entry, Pause], now: Instant) -> None:
        """The time of a pause is over by the clock that nobody sets."""
        entry, pause = held
        if entry.pause is pause and not entry.removed:
            self._let_go(entry, now)

    # ── an overdue success ──

    def _expect(self, entry: Entry, watch: Watch, now: Instant) -> None:
        watch.within = _length(entry.task.expect_success_within) if entry.task.enabled else None
        if watch.within is None:
            watch.since, watch.since_boot, watch.alarm = 0, None, None
            self._in_time(entry, watch)
            return
        if not watch.since:
            watch.since, watch.since_boot = now.wall, now.boot
            self._touch(entry)
        if watch.since_boot is None:
            watch.since_boot = now.boot - max(0, now.wall - watch.since)
        if now.boot < watch.due:
            self._in_time(entry, watch)
        self._arm(entry, watch)

    def _in_time(self, entry: Entry, watch: Watch) -> None:
        if watch.late:
            watch.late = False
            self._alert(OVERDUE, entry)

    def _arm(self, entry: Entry, watch: Watch) -> None:
        watch.alarm = watch.due
        self._alarms.at_boot(watch.due, self._look, (entry, watch.due))

    def _look(self, looked_at: tuple[Entry, int], now: Instant) -> None:
        """See whether the success has come; successes set no alarm of their own."""
        entry, alarm = looked_at
        watch = entry.watch
        if entry.removed or watch is None or watch.alarm != alarm or watch.late:
            return
        if now.boot < watch.due:
            return self._arm(entry, watch)
        watch.late = True
        assert watch.within is not None
        within = duration_text(watch.within)
        why = f"{entry.task.name} has not succeeded for {within}, within which it was expected to"
        self._alert(OVERDUE, entry, why)
        self._notice(entry, OVERDUE, why, {"since": watch.since, "within": within}, now)

    # ── crashes ──

    def _tell_of_quarantine(self, entry: Entry, now: Instant) -> None:
        watch, pause = entry.watch, entry.pause
        if watch is not None and pause is not None:
            self._notice(entry, "quarantined", _why_quarantined(entry, pause), {"crashes": watch.crashes}, now)

    # ── telling ──

    def _alert(self, code: str, entry: Entry, message: str = "") -> None:
        self._decisions.append(Alert(code, entry.task.name, message))

    def _notice(self, entry: Entry, kind: str, text: str, payload: dict[str, Any], now: Instant) -> None:
        self._decisions.append(Notice(entry.task.name, kind, text))
        self._tell(f"task.{entry.task.name}.{kind}", payload, now)


def _why_open(entry: Entry, breaker: Breaker, failures: int) -> str:
    name, probe = entry.task.name, _length(breaker.probe)
    if probe is None:
        return f"{name} failed {failures} times in a row and is paused; `dms task resume {name}` lets it go on"
    return f"{name} failed {failures} times in a row; it is tried again each {duration_text(probe)} only"


def _why_quarantined(entry: Entry, pause: Pause) -> str:
    name = entry.task.name
    return f"{name}: {pause.reason}; `dms task resume {name}`, or a run by hand, lets it go on"


def _length(given: timedelta | str | float | None) -> int | None:
    return None if given is None else microseconds(given)
