"""Transcripts: what a run logs and prints, line by line, as it is kept and read. `dms.adapters` keeps them in files."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from concurrent.futures import Future

Unfollow = Callable[[], None]


class TranscriptLine(msgspec.Struct, frozen=True):
    """One line of an execution: its number, from 1; when it came (wall microseconds); what kind it is (stdout, stderr,
    or the level of a line of the log: debug, info, warning, error); and how many lines right before it are not kept."""

    execution: str
    number: int
    at: int
    kind: str
    text: str
    fields: Mapping[str, Any] = {}
    dropped: int = 0


class Page(msgspec.Struct, frozen=True):
    """Some lines, in the order of their executions; the cursor from which reading goes on; and whether there are more
    by now."""

    lines: list[TranscriptLine]
    cursor: str
    more: bool = False


class Wanted(msgspec.Struct, frozen=True):
    """What is to be read: of which task, and of which run or execution (None: of the newest run that has lines and,
    with a cursor, of all that come after it); from which cursor on; how many lines, and whether the newest instead of
    the first. `live` are the executions of that task that may still add lines."""

    task: str
    run: str | None = None
    cursor: str | None = None
    limit: int = 1000
    newest: bool = False
    live: Collection[str] = ()


class Transcript(Protocol):
    """What one execution says."""

    def add(self, kind: str, texts: Sequence[str], fields: Mapping[str, Any]) -> None:
        """Keep lines. It never raises, whatever they hold; the disk is not waited for on a running event loop."""
        ...


class Transcripts(Protocol):
    """Keeps what runs say, within bounds. Every method may be called from any thread."""

    def listen(self) -> None:
        """The scheduler starts: keep what is logged by the standard library's `logging` within a run as well."""
        ...

    def open(self, task: str, run_id: str, execution_id: str) -> Transcript:
        """Where an execution's lines go; called once for each that says anything."""
        ...

    def read(self, wanted: Wanted) -> Page:
        """Lines that were added before. InvalidInput where the cursor is none, StoreError where they can't be read.
        This waits for the disk."""
        ...

    def follow(self, task: str, wake: Callable[[], None]) -> Unfollow:
        """Call `wake`, from whatever thread, when there are new lines of a task; what is given back ends it."""
        ...

    def retain(self, oldest: Mapping[str, str], max_age: int, max_count: int) -> "Future[int]":
        """Let go of the transcripts of executions older than the `oldest` that is kept of their task; of a task that
        is not among them, of all but the newest `max_count`, and of those whose last line came more than `max_age`
        microseconds ago. Gives how many went."""
        ...

    def close(self) -> None:
        """The scheduler has stopped: write what has come, in a moment."""
        ...
