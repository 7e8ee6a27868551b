"""Where lines of the log go: a stream that somebody may read, and a file. Neither ever stops whoever logs."""

import os
import select
import stat
import threading
from collections.abc import Callable
from typing import TextIO

from dms.init.log_file import LogFile
from dms.instant import SECOND, Clock

READERS_MOMENT = 200
"""Milliseconds that whoever reads the log may keep the node waiting, once."""

BETWEEN_TRIES = SECOND
"""How long a file that could not be written is left alone."""

TellLost = Callable[[int], str]
"""Gives the line that says how many are missing."""


class StreamOutput:
    """Writes lines whole, from whatever thread. A stream that is gone, or that nobody reads, costs the line and never
    holds the caller for long; once it is read again, `tell_lost` gives the line that says how many were lost."""

    def __init__(self, stream: TextIO, tell_lost: TellLost) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._tell_lost, self._lost = tell_lost, 0
        self.lost_in_all = 0
        self._poll: select.poll | None = None
        self._put: Callable[[str], None] = self._put_into_the_stream
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError):  # a stream of this process alone
            return
        self._put = _Past(stream)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a file never keeps anybody waiting for a reader
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)

    def write(self, line: str) -> None:
        """Write a line."""
        with self._lock:
            if not self._has_room():
                self._lost += 1
                self.lost_in_all += 1
                return
            said, self._lost = self._tell_lost(self._lost) + "\n" if self._lost else "", 0
            try:
                self._put(f"{said}{line}\n")
            except (OSError, ValueError):
                self.lost_in_all += 1

    def _put_into_the_stream(self, lines: str) -> None:
        self._stream.write(lines)
        self._stream.flush()

    def _has_room(self) -> bool:
        """Whether a line can be written at once; the first time that it can't, a slow reader gets a moment."""
        if self._poll is None:
            return True
        patience = 0 if self._lost else READERS_MOMENT
        states = self._poll.poll(patience)
        return bool(states and states[0][1] & select.POLLOUT)


class _Past:
    """Writes past a stream's own buffers, which would be emptied after each line anyway."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._descriptor = stream, stream.fileno()
        self._rest = b""

    def __call__(self, lines: str) -> None:
        """Write lines. What a stream that never waits does not take of them comes before the next ones; OSError where
        there is no room for those. ValueError where somebody has closed the stream: its descriptor may be another
        file's by now."""
        if self._stream.closed:
            raise ValueError
        if self._rest:
            self._send()
        if self._rest:
            raise BlockingIOError
        self._rest = lines.encode(self._stream.encoding, "backslashreplace")
        self._send()

    def _send(self) -> None:
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
        except BlockingIOError:
            return
        except OSError:
            self._rest = b""
            raise


class FileOutput:
    """Writes lines into the log's file, from whatever thread. While that can't be done they are counted, and
    `tell_lost` gives the line that says so later; `troubled` is told when it begins and, with None, when it is over."""

    def __init__(
        self, file: LogFile, clock: Clock, tell_lost: TellLost, troubled: Callable[[OSError | None], None]
    ) -> None:
        self._file, self._clock, self._lock = file, clock, threading.Lock()
        self._tell_lost, self._troubled = tell_lost, troubled
        self._lost, self._again = 0, 0
        self.lost_in_all = 0
        self._closed = False

    def write(self, line: str) -> None:
        """Write a line."""
        with self._lock:
            before = self._lost
            error = self._write(line)
            after = self._lost
        if bool(before) != bool(after):  # told once the lock is free, since telling is logging too
            self._troubled(error)

    def _write(self, line: str) -> OSError | None:
        if self._closed:
            return None
        if not self._lost:
            return self._try(f"{line}\n")
        if self._clock.now().boot < self._again:
            self._count()
            return None
        return self._try(f"{self._tell_lost(self._lost)}\n{line}\n")

    def _try(self, lines: str) -> OSError | None:
        try:
            self._file.write(lines)
        except OSError as error:
            self._count()
            self._again = self._clock.now().boot + BETWEEN_TRIES
            return error
        self._lost = 0
        return None

    def _count(self) -> None:
        self._lost += 1
        self.lost_in_all += 1

    def close(self) -> None:
        """Write nothing any more."""
        with self._lock:
            self._closed = True
            self._file.close()
