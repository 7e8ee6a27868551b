"""The log's file: whole lines, bounded in size, number and age, and found again wherever others move it."""

import errno
import os
import re
import stat
from pathlib import Path

import msgspec

from dms.adapters.folder import is_data_folder
from dms.instant import SECOND, Clock

_LOG = ".log"
_HOUR = 3_600
_DAY = 86_400
_NUMBER = re.compile(r"\.([1-9]\d{0,2})").fullmatch  # a longer one may be a date, and somebody else's


class LogFileSettings(msgspec.Struct, frozen=True):
    """Where the log goes and how much of it is kept: a file is full at `max_size` bytes; `max_backups` full ones are
    kept beside it (PATH.1 is the newest), none of them longer than `max_age` days."""

    path: Path
    max_size: int
    max_backups: int
    max_age: int


class LogFile:
    """Appends lines. Whatever can't be done is an OSError, and the next line tries again. Not for two threads at once.

    Before each line it looks whether the path still leads to its file, so that another program may rename or remove it.
    """

    def __init__(self, settings: LogFileSettings, clock: Clock) -> None:
        self.settings = settings
        self._path, self._clock = str(settings.path), clock
        self._descriptor = -1
        self._identity = (0, 0)
        self._looked_at_age = 0.0

    def open(self) -> None:
        """Open the file, and make it and its folder where they are missing. OSError where lines can't be added to it,
        or where it can't be rotated. Lines open it too."""
        folder = os.path.dirname(self._path) or "."
        os.makedirs(folder, mode=0o750, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"its folder {folder} may not be written, so it can't be rotated")
        _check_place(os.path.realpath(self._path))
        # A pipe would hold the node until somebody reads it.
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o640)
        try:
            self._take(descriptor)
        except OSError:
            self.close()
            raise

    def _take(self, descriptor: int) -> None:
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        self._identity = (found.st_dev, found.st_ino)
        if found.st_size and os.pread(descriptor, 1, found.st_size - 1) != b"\n":
            os.write(descriptor, b"\n")  # a power cut left half a line
        self._clear_away(self._clock.now().wall / SECOND)

    def write(self, lines: str) -> None:
        """Add lines, each with its end. OSError where they could not be added whole; then no part of them was."""
        data = lines.encode()
        size = self._size()
        if size and size + len(data) > self.settings.max_size:
            self._rotate()
            size = 0
        written = os.write(self._descriptor, data)
        if written < len(data):
            os.ftruncate(self._descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _size(self) -> int:
        """How big the file at the path is, which is open then."""
        found = self._found()
        if found is None or (found.st_dev, found.st_ino) != self._identity:
            self.close()
            self.open()
            return os.fstat(self._descriptor).st_size
        if abs(found.st_mtime - self._looked_at_age) > _HOUR:  # when the line before was written: as good as now
            self._clear_away(found.st_mtime)
        return found.st_size

    def _found(self) -> os.stat_result | None:
        try:
            return os.stat(self._path) if self._descriptor >= 0 else None
        except FileNotFoundError:
            return None

    def _rotate(self) -> None:
        kept = self.settings.max_backups
        for number in range(kept - 1, 0, -1):
            _move(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        if kept:
            os.replace(self._path, f"{self._path}.1")
        else:
            os.unlink(self._path)
        self.close()
        self.open()

    def _clear_away(self, now: float) -> None:
        """Remove the full files that are too many or too old at `now`, in seconds since 1970; none is too old while the
        clock is not trusted."""
        self._looked_at_age = now
        folder, name = os.path.split(self._path)
        for entry in os.listdir(folder or "."):
            numbered = _NUMBER(entry[len(name) :]) if entry.startswith(name) else None
            if numbered is not None:
                self._clear(os.path.join(folder, entry), int(numbered[1]), now)

    def _clear(self, path: str, number: int, now: float) -> None:
        try:
            old = now - os.stat(path).st_mtime > self.settings.max_age * _DAY
            if (old and self._clock.now().trusted) or number > self.settings.max_backups:
                os.unlink(path)
        except OSError:
            return  # gone already, or not ours: neither is a reason to write no line

    def close(self) -> None:
        """Let go of the file; a line after that opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._identity = -1, (0, 0)


def _check_place(path: str) -> None:
    """OSError where a line might get into what a node keeps for itself."""
    folder = os.path.dirname(path)
    if is_data_folder(folder) and not path.endswith(_LOG):
        raise OSError(
            errno.EINVAL, f"{folder} has a node's own files, so that the name of a log must end in {_LOG} there"
        )


def _move(path: str, to: str) -> None:
    try:
        os.replace(path, to)
    except FileNotFoundError:
        return
