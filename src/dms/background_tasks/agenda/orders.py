"""What operators order of tasks: to be held back until later, to leave their next fire out. Pure."""

from collections.abc import Callable, Mapping, Sequence

from dms.background_tasks.agenda.alarms import Alarms
from dms.background_tasks.agenda.books import Books
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.store import Pause, Skipped
from dms.background_tasks.tasks.task import Lane
from dms.instant import Instant


class Orders:
    """The agenda's; `of_all` is the pause of the scheduler as a whole, which holds the node's own tasks not back.
    `resumed` is told of each task that goes on."""

    def __init__(
        self,
        entries: Mapping[int, Entry],
        alarms: Alarms,
        books: Books,
        of_all: Pause | None,
        resumed: Callable[[Entry, Instant], None],
    ) -> None:
        self._entries, self._alarms, self._books, self._resumed = entries, alarms, books, resumed
        self.of_all = of_all
        if of_all is not None:
            self._plan_end(None, of_all)

    def pause(self, entry: Entry | None, until: int | None, reason: str, now: Instant) -> None:
        """Hold a task back, or (None) all of them. One that is quarantined stays so."""
        pause = Pause(now.wall, until, reason)
        if entry is None:
            self._hold_all(pause)
        elif not entry.quarantined:
            self.hold(entry, pause)

    def hold(self, entry: Entry, pause: Pause) -> None:
        """Hold a task back, whatever the reason."""
        entry.pause = pause
        self._books.touch(entry)
        self._plan_end(entry, pause)

    def _hold_all(self, pause: Pause) -> None:
        self.of_all = pause
        self._keep_of_all()
        self._plan_end(None, pause)

    def _keep_of_all(self) -> None:
        if self._books.stored:
            self._books.ledger.pause(self.of_all)

    def go_on_holding(self, entry: Entry) -> None:
        """A task is there that may have been held back before."""
        if entry.pause is not None:
            self._plan_end(entry, entry.pause)

    def _plan_end(self, entry: Entry | None, pause: Pause) -> None:
        if pause.until is not None:
            self._alarms.at_wall(pause.until, self._pause_over, entry)

    def _pause_over(self, entry: Entry | None, now: Instant) -> None:
        pause = self.of_all if entry is None else entry.pause
        if pause is not None and pause.until is not None and pause.until <= now.wall:
            self.let_go(entry, now)

    def let_go(self, entry: Entry | None, now: Instant) -> None:
        """A task, or (None) all of them, goes on."""
        if entry is None:
            self.of_all = None
            self._keep_of_all()
        else:
            entry.pause = None
            self._books.touch(entry)
        for resumed in list(self._entries.values()) if entry is None else [entry]:
            self._resumed(resumed, now)

    def pauses(self, entry: Entry) -> Sequence[Pause]:
        """What holds a task back: its own pause, that of all."""
        if entry.pause is None and self.of_all is None:
            return ()
        of_all = self.of_all if entry.task.lane is Lane.USER else None
        return [pause for pause in (entry.pause, of_all) if pause is not None]

    def skip_next(self, entry: Entry, skip: bool, now: Instant) -> None:
        """Leave out the next fire of a task that would run, or (False) do not after all."""
        if skip != (entry.skip_next is not None):
            entry.skip_next = now.wall if skip else None
            self._books.touch(entry)

    def skips(self, entry: Entry, due: int, now: Instant) -> bool:
        """Whether the fire that has come is the one that is to be left out; it is counted then."""
        if entry.skip_next is None:
            return False
        asked, entry.skip_next = entry.skip_next, None
        self._books.skip(entry, Skipped("skipped", due, due, 1, now.wall, "", asked))
        return True
