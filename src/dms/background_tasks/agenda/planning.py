"""When each task next comes due: by which timetables, in which zone, and what calendars leave out. Pure.

A change of a task, of the zone, of the calendars or of the clocks makes other times of them; all of that is here.
"""

from collections.abc import Mapping
from datetime import tzinfo

from dms.background_tasks.agenda.alarms import Act, Alarms
from dms.background_tasks.agenda.books import Books
from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.times.asked_calendar import Ask
from dms.background_tasks.times.bounds import excluded_by, next_allowed
from dms.background_tasks.times.calendar_timetable import CalendarTimetable
from dms.background_tasks.times.doubt import begin_again, set_right
from dms.background_tasks.times.timetable import LONG_STEP, Timetable
from dms.background_tasks.times.timetables import has_times, paired, timetable_of
from dms.background_tasks.triggers.exclusion import Calendar, Exclusion, why_missing
from dms.background_tasks.triggers.trigger import Trigger
from dms.instant import SECOND, Instant


class Planning:
    """Plans the times of the agenda's tasks in its alarms. A timetable that comes due is handed to `due`, one whose
    times are in doubt to `due_in_doubt`; `ask` is how third parties' calendars are asked."""

    def __init__(
        self,
        entries: Mapping[int, Entry],
        alarms: Alarms,
        books: Books,
        *,
        zone: tzinfo,
        calendars: Mapping[str, Calendar] | None,
        seed: str,
        boot_id: str,
        ask: Ask,
        trusted: bool,
        due: Act,
        due_in_doubt: Act,
    ) -> None:
        self._entries, self._alarms, self._books = entries, alarms, books
        self._zone, self._seed, self._boot_id, self._ask = zone, seed, boot_id, ask
        self.exclusion = Exclusion(calendars, zone)
        self._trusted = trusted
        self._due_act, self._due_in_doubt = due, due_in_doubt

    # ── the times of a task ──

    def timetables(self, entry: Entry) -> tuple[Timetable, ...]:
        """Those that a task's triggers make, all new."""
        found: list[Timetable] = []
        for trigger in entry.task.triggers:
            timetable = self._timetable(entry, trigger)
            if timetable is not None:
                found.append(timetable)
        return tuple(found)

    def _timetable(self, entry: Entry, trigger: Trigger) -> Timetable | None:
        return timetable_of(entry, trigger, self._zone, self._seed_of(entry, trigger), self._ask)

    def _seed_of(self, entry: Entry, trigger: Trigger) -> str:
        """What makes a task's jitter its own; nothing is kept where there is none."""
        return f"{self._seed}:{entry.task.name}" if getattr(trigger, "jitter", 0) else ""

    def come_by_anew(self, entry: Entry) -> None:
        """Its triggers begin as if they were new."""
        for timetable in entry.timetables:
            timetable.token = 0
        entry.come_by(self.timetables(entry))

    def come_by_others(self, entry: Entry, before: Task, now: Instant) -> None:
        """Its triggers are others, or it is enabled again, with which all begin anew; but a count of runs goes on."""
        old, again = entry.timetables, entry.task.enabled and not before.enabled
        for timetable in old:
            timetable.token = 0
        pairs = zip(filter(has_times, before.triggers), old, strict=True)
        kept = paired([] if again else pairs, filter(has_times, entry.task.triggers))
        made = [(timetable, had) for timetable, had in zip(self.timetables(entry), kept, strict=True)]
        entry.come_by(tuple(timetable if had is None else had for timetable, had in made))
        for timetable in (timetable for timetable, had in made if had is None):
            begin_again(timetable, now, self._boot_id)
            if timetable.bounds is not None:
                timetable.bounds.carry_on(old)

    def plan(self, timetable: Timetable) -> None:
        """It is to come due at its next time."""
        if timetable.bounds is not None and timetable.bounds.used_up:
            timetable.due = None
        self._alarms.plan(timetable, self._act_of(timetable))
        if timetable.due is None and timetable.fault:
            self._books.decisions.append(Alert("trigger", timetable.owner.task.name, timetable.fault))

    def plan_all(self, entry: Entry) -> None:
        """All times of a task, where they count; else none."""
        runs_by_itself = entry.runs_by_itself
        for timetable in entry.timetables:
            if runs_by_itself:
                self.plan(timetable)
            else:
                timetable.token = 0

    def put_off(self, timetable: Timetable, until: int) -> None:
        """One that has come due is to come again at the boot time `until`."""
        self._alarms.put_off(timetable, until, self._act_of(timetable))

    def _act_of(self, timetable: Timetable) -> Act:
        return self._due_act if timetable.doubt is None else self._due_in_doubt

    # ── what changes them ──

    def look_at_clocks(self, now: Instant) -> bool:
        """The wall clock may have been set, or be trusted from now on; whether it is, and was not before."""
        step = self._alarms.step(now)
        if abs(step) > SECOND:
            self._wall_stepped(now, step < 0)
        doubted = not self._trusted
        if now.trusted is doubted or (step > LONG_STEP and not now.trusted):
            self._set_right(now)
        return doubted and now.trusted

    def _wall_stepped(self, now: Instant, back: bool) -> None:
        for entry in self._entries.values():
            for timetable in entry.timetables if entry.runs_by_itself else ():
                if timetable.wall_stepped(now, back):
                    self.plan(timetable)
        self._alarms.clear_away()

    def _set_right(self, now: Instant) -> None:
        """The wall clock is trusted from now on, or not any more, or it has left the past that it woke in."""
        self._trusted = now.trusted
        for entry in self._entries.values():
            for timetable in entry.timetables:
                if set_right(timetable, now, self._boot_id):
                    self._books.touch(entry)
                    if entry.runs_by_itself:
                        self.plan(timetable)

    def go_by(self, zone: tzinfo, now: Instant) -> None:
        """Another time zone counts for the triggers that name none: they begin anew, as changed ones do."""
        if str(zone) == str(self._zone):
            return
        self._zone = self.exclusion.zone = zone
        for entry in self._entries.values():
            self._begin_in_zone(entry, now)

    def _begin_in_zone(self, entry: Entry, now: Instant) -> None:
        made = [(trigger, self._timetable(entry, trigger)) for trigger in entry.task.triggers]
        timed = [(trigger, timetable) for trigger, timetable in made if timetable is not None]
        begun = {
            before: timetable
            for before, (trigger, timetable) in zip(entry.timetables, timed, strict=True)
            if isinstance(timetable, CalendarTimetable) and getattr(trigger, "timezone", None) is None
        }
        if not begun:
            return
        for before, timetable in begun.items():
            before.token, timetable.bounds = 0, before.bounds
            begin_again(timetable, now, self._boot_id)
            if entry.runs_by_itself:
                self.plan(timetable)
        entry.come_by(tuple(begun.get(timetable, timetable) for timetable in entry.timetables))
        self._books.touch(entry)

    def keep_to(self, calendars: Mapping[str, Calendar]) -> None:
        """These calendars leave fires out from now on. A task that names one which is not there is told of."""
        if calendars == self.exclusion.calendars:
            return
        self.exclusion = Exclusion(calendars, self._zone)
        for entry in self._entries.values():
            if any(timetable.bounds is not None for timetable in entry.timetables):
                missing = why_missing(entry.task, calendars)
                why = f"nothing is left out by what its exclude names: {missing}" if missing else ""
                self._books.decisions.append(Alert("calendar", entry.task.name, why))

    # ── answers ──

    def next_due(self, entry: Entry) -> int | None:
        """When a task next comes due by itself, in wall microseconds."""
        dues = [self._due_of(timetable) for timetable in entry.timetables]
        return min((due for due in dues if due is not None), default=None)

    def _due_of(self, timetable: Timetable) -> int | None:
        due, bounds = timetable.due, timetable.bounds
        if due is None or not timetable.token:
            return None
        due = due if timetable.on_wall else due + self._alarms.offset
        if bounds is None or not self.exclusion.by(bounds.exclude, due):
            return due
        return next_allowed(timetable, self.exclusion, Instant(self._alarms.offset, 0))

    def used_up(self, entry: Entry) -> str:
        """What to say of a task all of whose triggers have had their runs; empty where something can still come."""
        bounds = [timetable.bounds for timetable in entry.timetables]
        if not entry.comes_by_time_alone or not bounds or not all(each is not None and each.used_up for each in bounds):
            return ""
        return f"it has had its {sum(each.runs for each in bounds if each is not None)} runs (max_runs)"

    def excluded_by(self, entry: Entry, fire: int) -> str:
        """The calendar that leaves out a fire of it; empty where it would run."""
        return excluded_by(entry.timetables, fire, self.exclusion)
