"""What is written down of a task: that its state is another one, that fires of it don't run. Pure."""

from dms.background_tasks.agenda.decision import Decision, Skip
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.ledger import Ledger
from dms.background_tasks.store import Skipped


class Books:
    """The agenda's, shared by its parts; where nothing is `stored`, nothing has to be saved."""

    def __init__(self, ledger: Ledger, decisions: list[Decision], stored: bool) -> None:
        self.ledger, self.decisions, self.stored = ledger, decisions, stored

    def touch(self, entry: Entry) -> None:
        """A task's state is another one than what is on disk."""
        if self.stored and not entry.removed:
            self.ledger.state(entry)

    def skip(self, entry: Entry, skipped: Skipped) -> None:
        """Fires of a task don't run, for whatever reason: all of them are counted here."""
        entry.skip(skipped)
        self.touch(entry)
        self.decisions.append(Skip(entry.task.name, skipped.reason, skipped.count))
