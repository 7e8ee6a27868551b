"""What is known of how a task's runs end. Pure. Only a task that wants to be watched, or that a crash met, has it."""

from dms.background_tasks.store import Watched


class Watch:
    """What is known of one task. `failures` and `crashes` are counted in a row; `since` is when (wall) it last
    succeeded or, before that, was first expected to, `since_boot` the same in boot time; it is to succeed `within` so
    many microseconds of that. `alarm` is when (boot) that is looked at; `open` whether its breaker is, `late` whether
    its success is overdue, `fresh` whether its quarantine is still to be told of."""

    __slots__ = ("alarm", "crashes", "failures", "fresh", "late", "open", "since", "since_boot", "within")

    def __init__(self, known: Watched, fresh: bool) -> None:
        self.failures, self.crashes, self.since = known.failures, known.crashes, known.since
        self.since_boot: int | None = None
        self.within: int | None = None
        self.alarm: int | None = None
        self.late = self.open = False
        self.fresh = fresh

    @property
    def due(self) -> int:
        """The boot time until which it is to have succeeded, where it is expected to."""
        assert self.since_boot is not None
        assert self.within is not None
        return self.since_boot + self.within

    def kept(self) -> Watched | None:
        """What has to outlive the process, if anything."""
        known = Watched(self.failures, self.crashes, self.since)
        return None if known == Watched() else known
