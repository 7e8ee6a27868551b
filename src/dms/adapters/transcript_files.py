"""The files of one execution's transcript: its first lines in one, its latest in segments of which two are kept.

backup/5-12_5-13.log      the first half of what may be kept; named by the run and the execution
backup/5-12_5-13.log.7    a quarter, full
backup/5-12_5-13.log.8    a quarter, where the next line goes
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dms.adapters.record import number_of

_BLOCK = 4096
"""Bytes that the smallest file takes on a disk."""

_ENDING = ".log"


class Book(NamedTuple):
    """The files of an execution as they lie in the folder of their task, the first lines first."""

    number: int
    run_id: str
    execution_id: str
    files: Sequence[Path]

    def size(self) -> int:
        """Bytes of the disk that they take."""
        return sum(map(_size_of, self.files))

    def changed(self) -> int:
        """When a line was added last, in wall microseconds."""
        return max(map(_changed, self.files), default=0)

    def remove(self) -> None:
        """Let go of them."""
        for file in self.files:
            with suppress(FileNotFoundError):
                file.unlink()


def books_in(folder: Path) -> list[Book]:
    """What is kept of a task, in the order of its executions; nothing where there is no such folder."""
    files: dict[str, list[tuple[int, Path]]] = {}
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(folder):
            stem, ending, segment = name.partition(_ENDING)
            if ending and (not segment or segment[1:].isdecimal()):
                files.setdefault(stem, []).append((int(segment[1:] or 0), folder / name))
    books = (_book(stem, found) for stem, found in files.items())
    return sorted(book for book in books if book is not None)


def _book(stem: str, found: list[tuple[int, Path]]) -> Book | None:
    run_id, _, execution_id = stem.partition("_")
    try:
        number = number_of(execution_id)
    except ValueError:
        return None  # somebody else's file
    return Book(number, run_id, execution_id, [path for _, path in sorted(found)])


def _size_of(file: Path) -> int:
    try:
        return rounded(file.stat().st_size)
    except FileNotFoundError:
        return 0


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns // 1000
    except FileNotFoundError:
        return 0


def rounded(size: int) -> int:
    """What a file of that size takes on a disk."""
    return -(-size // _BLOCK) * _BLOCK


class BookWriter:
    """Adds lines to an execution's files. `grown` is what they take of the disk by now."""

    def __init__(self, folder: Path, run_id: str, execution_id: str) -> None:
        self._folder, self._stem = folder, f"{run_id}_{execution_id}{_ENDING}"
        self._segment = self._size = 0
        self._begun = False
        self.grown = 0

    def write(self, lines: Iterable[bytes], most: int) -> None:
        """Add the lines; the whole is to take `most` bytes. OSError where the disk does not take them."""
        for segment in self._segments(lines, most):
            self._append(segment)

    def _segments(self, lines: Iterable[bytes], most: int) -> Iterator[bytes]:
        """What goes into the file in use, and then what goes into the next ones."""
        batch: list[bytes] = []
        size = self._size
        for line in lines:
            if size and size + len(line) > (most // 4 if self._segment else most // 2):
                yield b"".join(batch)
                self._begin_segment()
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        yield b"".join(batch)

    def _begin_segment(self) -> None:
        self._segment += 1
        self._size = 0
        old = self._segment - 2
        if old > 0:
            path = self._path(old)
            self.grown -= _size_of(path)
            path.unlink(missing_ok=True)

    def _append(self, data: bytes) -> None:
        if not data:
            return
        file = self._open()
        try:
            written = os.write(file, data)
            if written < len(data):
                os.write(file, data[written:])  # says why it can't
        finally:
            os.close(file)
        self.grown += rounded(self._size + len(data)) - rounded(self._size)
        self._size += len(data)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        if not self._begun:
            self._begun = True
            self._remove_namesake()
        try:
            return os.open(self._path(self._segment), flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path(self._segment), flags, 0o600)

    def _remove_namesake(self) -> None:
        """Without a store that lasts, the IDs of an earlier process come again."""
        for book in books_in(self._folder) if self._path(0).exists() else ():
            if f"{book.run_id}_{book.execution_id}{_ENDING}" == self._stem:
                book.remove()

    def _path(self, segment: int) -> Path:
        return self._folder / (f"{self._stem}.{segment}" if segment else self._stem)
