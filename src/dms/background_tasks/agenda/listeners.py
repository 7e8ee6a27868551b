"""Which tasks wait for which events, and bursts of events that become one fire. Pure."""

from collections.abc import Callable

from dms.background_tasks.agenda.alarms import Alarms
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.gathering import Gathering
from dms.background_tasks.tasks.task import Event
from dms.instant import Instant


class Listeners:
    """The agenda's tasks by topic. `fire` is called for a task whose event has come, at once or when the burst is over;
    `paused` says whether one is held back, of which no burst is gathered."""

    def __init__(
        self,
        alarms: Alarms,
        fire: Callable[[Entry, Event, Instant], None],
        paused: Callable[[Entry], bool],
    ) -> None:
        self._alarms, self._fire, self._paused = alarms, fire, paused
        self.topics: dict[str, dict[int, Entry]] = {}

    def add(self, entry: Entry) -> None:
        """A task waits for its topics."""
        for topic in entry.topics:
            self.topics.setdefault(topic, {})[entry.id] = entry

    def forget(self, entry: Entry) -> None:
        """It waits for them no more."""
        for topic in entry.topics:
            listeners = self.topics.get(topic, {})
            listeners.pop(entry.id, None)
            if not listeners:
                self.topics.pop(topic, None)

    def hear(self, event: Event, now: Instant) -> None:
        """Something has happened."""
        for entry in tuple(self.topics.get(event.topic, {}).values()):
            gathering = None if entry.gatherings is None else entry.gatherings.get(event.topic)
            if gathering is None or self._paused(entry):
                self._fire(entry, event, now)
            elif entry.runs_by_itself:
                self._gather(gathering, event, entry, now)

    def _gather(self, gathering: Gathering, event: Event, entry: Entry, now: Instant) -> None:
        begun = gathering.due is None
        gathering.add(event, now.boot)
        if begun and gathering.due is not None:
            self._alarms.at_boot(gathering.due, self._gathered, (entry, gathering))

    def _gathered(self, what: tuple[Entry, Gathering], now: Instant) -> None:
        """It may be quiet by now; unless there is another definition, which begins anew."""
        entry, gathering = what
        there = (entry.gatherings or {}).get(gathering.trigger.topic)
        if there is not gathering or entry.removed or gathering.due is None:
            return
        if gathering.due > now.boot:
            self._alarms.at_boot(gathering.due, self._gathered, what)
        else:
            self._fire(entry, gathering.take(), now)
