"""FileTranscripts: what runs log and print, in a folder of files that a kill of the process leaves whole."""

import asyncio
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

from dms.adapters.record import number_of
from dms.adapters.transcript_files import Book, BookWriter, books_in
from dms.adapters.transcript_line import encode_line
from dms.adapters.transcript_reading import read_books
from dms.background_tasks.running.run import CURRENT_RUN
from dms.background_tasks.running.transcript import Page, Unfollow, Wanted
from dms.clock import SystemClock
from dms.errors import StoreError
from dms.instant import Clock

GATHERED = 0.05
"""Seconds that lines are gathered before they are written: what a kill of the process may lose."""

WRITTEN_AT_ONCE = 64 * 1024
"""Bytes that wait, from which on a thread that adds lines writes them itself: so a program that writes faster than the
disk waits for it."""

MOST_WAITING = 1024 * 1024
"""Bytes of an execution that wait at most where nobody may wait for the disk; then its oldest that wait are let go."""

LAST_WRITE = 1.0
"""Seconds that `close` waits for the disk at most."""

ROOM_MADE = 0.9
"""What is left of a bound, once it was exceeded."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*").fullmatch
_RUN_LOGGERS = "dms.task."


class Bounds(NamedTuple):
    """How many bytes are kept of one run's attempt, of one task and in all. An execution of which 0 are kept has no
    transcript."""

    execution: int = 1_000_000
    task: int = 10_000_000
    all: int = 200_000_000


class FileTranscripts:
    """Transcripts in the files of a folder, made (mode 0700) with the first line. `bounds` is asked each time; a full
    transcript keeps its first half and its latest lines, and says how many are missing between. `troubled` is told why
    lines can't be written, and (None) that they are again."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        bounds: Callable[[], Bounds] = Bounds,
        *,
        clock: Clock | None = None,
        troubled: Callable[[OSError | None], None] = lambda _: None,
    ) -> None:
        self._folder, self._bounds = Path(folder).absolute(), bounds
        self._clock, self._troubled = clock or SystemClock(), troubled
        self._waiting: dict[_Transcript, None] = {}
        self._followers: dict[object, tuple[str, Callable[[], None]]] = {}
        self._lock, self._files = Lock(), Lock()
        self._news, self._closing = Event(), Event()
        self._sizes: dict[str, int] | None = None
        self._failing = False
        self._thread: Thread | None = None
        self._handler = _Records()

    def open(self, task: str, run_id: str, execution_id: str) -> "_Transcript":
        """Where an execution's lines go; called once for each that says anything."""
        return _Transcript(self, task, BookWriter(self._folder / task, run_id, execution_id))

    def listen(self) -> None:
        """Keep what is logged by the standard library's `logging` within a run as well."""
        logging.getLogger().addHandler(self._handler)

    def read(self, wanted: Wanted) -> Page:
        """Lines that were added before. InvalidInput where the cursor is none, StoreError where the files can't be
        read. This waits for the disk."""
        self.write()
        is_name = _NAME(wanted.task)  # it leads to no other folder
        try:
            return read_books(books_in(self._folder / wanted.task) if is_name else [], wanted)
        except OSError as error:
            raise StoreError(
                f"{error.filename} can't be read: {error.strerror}; check who owns it, and its disk"
            ) from None

    def follow(self, task: str, wake: Callable[[], None]) -> Unfollow:
        """Call `wake`, from whatever thread, when there are new lines of a task; what is given back ends it."""
        key = object()
        with self._lock:
            self._followers[key] = (task, wake)

        def end() -> None:
            with self._lock:
                self._followers.pop(key, None)

        return end

    def retain(self, oldest: Mapping[str, str], max_age: int, max_count: int) -> "Future[int]":
        """Let go of the transcripts of executions older than the `oldest` that is kept of their task; of a task that
        is not among them, of all but the newest `max_count`, and of those whose last line came more than `max_age`
        microseconds ago. Gives how many went."""
        future: Future[int] = Future()
        cutoff = self._clock.now().wall - max_age

        def work() -> None:
            try:
                gone = [self._retain(task, oldest.get(task), cutoff, max_count) for task in self._tasks()]
                future.set_result(sum(gone))
            except BaseException as error:  # noqa: BLE001 - whoever asked is told
                future.set_exception(error)

        Thread(target=work, name="dms-transcripts-retain", daemon=True).start()
        return future

    def close(self) -> None:
        """Write what has come, and hear nothing more; a disk that hangs is waited for a moment only."""
        logging.getLogger().removeHandler(self._handler)
        with self._lock:
            self._closing.set()
            thread = self._thread
        if thread is not None:
            self._news.set()
            thread.join(LAST_WRITE)

    # ── writing ──

    def now(self) -> int:
        """The wall clock, for a line that comes now."""
        return self._clock.now().wall

    def expect(self, transcript: "_Transcript") -> None:
        """It has lines that wait to be written."""
        with self._lock:
            self._waiting[transcript] = None
            if self._thread is None and not self._closing.is_set():
                self._thread = Thread(target=self._serve, name="dms-transcripts", daemon=True)
                self._thread.start()
        self._news.set()

    def _serve(self) -> None:
        while not self._closing.is_set():
            self._news.wait()
            self._news.clear()
            self._closing.wait(GATHERED)
            self.write()

    def write(self, only: "_Transcript | None" = None) -> None:
        """Write what waits, of all or of one; then wake those who follow."""
        with self._lock:
            transcripts = list(self._waiting) if only is None else [only]
            for transcript in transcripts:
                self._waiting.pop(transcript, None)
        if not transcripts:
            return
        bounds = self._bounds()
        with self._files:
            for transcript in transcripts:
                self._write_one(transcript, bounds)
            with suppress(OSError):  # what keeps it from looking keeps it from writing too, and is told then
                self._make_room({transcript.task for transcript in transcripts}, bounds)
        self._wake({transcript.task for transcript in transcripts})

    def _write_one(self, transcript: "_Transcript", bounds: Bounds) -> None:
        lines, writer = transcript.take(), transcript.writer
        before = writer.grown
        try:
            if bounds.execution:
                writer.write(lines, bounds.execution)
        except OSError as error:
            self._trouble(error)
        else:
            self._trouble(None)
        if self._sizes is not None:
            self._sizes[transcript.task] = self._sizes.get(transcript.task, 0) + writer.grown - before

    def _trouble(self, error: OSError | None) -> None:
        """Tell it once, and once that it is over."""
        if self._failing != (error is not None):
            self._failing = error is not None
            self._troubled(error)

    def _wake(self, tasks: Iterable[str]) -> None:
        with self._lock:
            wakes = [wake for task, wake in self._followers.values() if task in tasks]
        for wake in wakes:
            wake()

    # ── bounds ──

    def _tasks(self) -> list[str]:
        try:
            return sorted(os.listdir(self._folder))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _make_room(self, grown: Iterable[str], bounds: Bounds) -> None:
        """Let go of the oldest executions of the tasks that take more than they may, and of all, where all do."""
        if self._sizes is None:
            self._sizes = {task: sum(book.size() for book in books_in(self._folder / task)) for task in self._tasks()}
        for task in grown:
            if self._sizes.get(task, 0) > bounds.task:
                self._let_go(books_in(self._folder / task), bounds.task)
        if sum(self._sizes.values()) > bounds.all:
            books = [book for task in self._tasks() for book in books_in(self._folder / task)]
            self._let_go(sorted(books, key=lambda book: book.number), bounds.all)

    def _let_go(self, books: list[Book], most: int) -> None:
        """Let go of the first of them, but never of the last, until there is room."""
        sizes = [book.size() for book in books]
        rest = sum(sizes)
        for book, size in zip(books[:-1], sizes, strict=False):
            if rest > most * ROOM_MADE:
                book.remove()
                rest -= size
        for task in {book.files[0].parent for book in books}:
            self._sizes[task.name] = sum(book.size() for book in books_in(task))  # type: ignore[index]

    def _retain(self, task: str, oldest: str | None, cutoff: int, max_count: int) -> int:
        folder = self._folder / task
        with self._files:
            books = books_in(folder)
            if oldest is not None:
                gone = [book for book in books if book.number < number_of(oldest)]
            else:
                beyond = len(books) - max_count
                gone = [book for place, book in enumerate(books) if place < beyond or book.changed() < cutoff]
            for book in gone:
                book.remove()
            if gone and self._sizes is not None:
                self._sizes[task] = sum(book.size() for book in books_in(folder))
            if len(gone) == len(books):
                with suppress(OSError):
                    folder.rmdir()
        return len(gone)


class _Transcript:
    """One execution's lines on their way to its files."""

    __slots__ = ("_bytes", "_lines", "_lock", "_number", "_owner", "task", "writer")

    def __init__(self, owner: FileTranscripts, task: str, writer: BookWriter) -> None:
        self._owner, self.task, self.writer = owner, task, writer
        self._lines: list[bytes] = []
        self._number = self._bytes = 0
        self._lock = Lock()

    def add(self, kind: str, texts: Sequence[str], fields: Mapping[str, Any]) -> None:
        """Keep lines. It never raises, whatever they hold; the disk is not waited for on a running event loop."""
        at = self._owner.now()
        with self._lock:
            first = not self._lines
            lines = [encode_line(number, at, kind, text, fields) for number, text in enumerate(texts, self._number + 1)]
            self._number += len(lines)
            self._lines += lines
            self._bytes += sum(map(len, lines))
            much = self._bytes > WRITTEN_AT_ONCE
        if first:
            self._owner.expect(self)
        if much:
            self._hurry()

    def _hurry(self) -> None:
        if asyncio._get_running_loop() is not None:
            with self._lock:
                self._drop_oldest()
        else:
            self._owner.write(self)

    def _drop_oldest(self) -> None:
        """The numbers of those that are left tell how many went."""
        if self._bytes > MOST_WAITING:
            half = len(self._lines) // 2
            self._bytes -= sum(map(len, self._lines[:half]))
            del self._lines[:half]

    def take(self) -> list[bytes]:
        """The lines that wait; the caller writes them."""
        with self._lock:
            lines, self._lines, self._bytes = self._lines, [], 0
        return lines


class _Records(logging.Handler):
    """Hands records of the standard library's logging to the run within which they were made."""

    def emit(self, record: logging.LogRecord) -> None:
        run = CURRENT_RUN.get()
        if run is None or record.name.startswith(_RUN_LOGGERS):  # those are a run's own lines, told already
            return
        try:
            told = record.getMessage()
        except Exception:  # noqa: BLE001 - a record whose arguments don't fit is told as it is
            told = str(record.msg)
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        run.keep(_level_of(record.levelno), told, fields=fields)


def _level_of(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
