"""Reading transcripts: from which line on, how many, and where to go on. A cursor names the executions that may still
add lines, and of each the last line that was read: `5-12:340,5-13:20`."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from dms.adapters.record import number_of
from dms.adapters.transcript_files import Book
from dms.adapters.transcript_line import decode_line, number_of_line
from dms.background_tasks.running.transcript import Page, TranscriptLine, Wanted
from dms.errors import InvalidInput

_CURSOR = re.compile(r"\d{1,7}-\d{1,13}:\d{1,15}(,\d{1,7}-\d{1,13}:\d{1,15})*", re.ASCII).fullmatch

MOST = 1024 * 1024
"""Characters of text on one page, about."""

Positions = dict[str, int]


def read_books(books: Sequence[Book], wanted: Wanted) -> Page:
    """The page that is wanted, out of all that is kept of the task."""
    positions = _positions(wanted.cursor)
    chosen = _chosen(books, wanted, positions)
    if wanted.newest:
        lines = list(deque(_lines(chosen, positions), wanted.limit))
        return Page(lines, _cursor(chosen, lines, wanted, positions))
    found = _lines(chosen, positions)
    lines = list(_bounded(islice(found, wanted.limit)))
    return Page(lines, _cursor(chosen, lines, wanted, positions), next(found, None) is not None)


def _positions(cursor: str | None) -> Positions:
    if cursor is None:
        return {}
    if not _CURSOR(cursor):
        raise InvalidInput(f"from: {cursor[:100]!r} is not a cursor that this node gave")
    pairs = (part.split(":") for part in cursor.split(","))
    return {execution: int(number) for execution, number in pairs}


def _chosen(books: Sequence[Book], wanted: Wanted, positions: Positions) -> list[Book]:
    """Those that may have lines to give, in their order."""
    if wanted.run is not None:
        books = [book for book in books if wanted.run in (book.run_id, book.execution_id)]
    elif not positions and books:
        newest = books[-1].run_id
        books = [book for book in books if book.run_id == newest or book.execution_id in wanted.live]
    if not positions:
        return list(books)
    latest = max(map(number_of, positions))
    return [book for book in books if book.number > latest or book.execution_id in positions]


def _lines(books: Sequence[Book], positions: Positions) -> Iterator[TranscriptLine]:
    for book in books:
        before = positions.get(book.execution_id, 0)
        for file in book.files:
            for line in _after(file, before):
                number = number_of_line(line)
                told = decode_line(line, book.execution_id, number - before - 1)
                if told is not None:
                    before = number
                    yield told


def _after(file: Path, number: int) -> Sequence[bytes]:
    """The whole lines of a file that come after the one of that number."""
    try:
        *lines, _ = file.read_bytes().split(b"\n")
    except FileNotFoundError:  # let go of meanwhile
        return ()
    if not lines or number_of_line(lines[-1]) <= number:
        return ()
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if number_of_line(lines[middle]) <= number else (low, middle)
    return lines[low:]


def _bounded(lines: Iterator[TranscriptLine]) -> Iterator[TranscriptLine]:
    size = 0
    for line in lines:
        yield line
        size += len(line.text)
        if size > MOST:
            return


def _cursor(chosen: Sequence[Book], lines: Sequence[TranscriptLine], wanted: Wanted, positions: Positions) -> str:
    """Where to go on: after the last line of the newest execution that was read, of those that may still add some, and
    of those that the page did not come to the end of."""
    read = positions | {line.execution: line.number for line in lines}
    newest = max(read, key=number_of, default=chosen[-1].execution_id if chosen else "0-0")
    at = lines[-1].execution if lines else newest
    known = {book.execution_id for book in chosen}
    live = {name for name in wanted.live if wanted.run is None or name in known}
    open_ = {name for name in {*positions, *live} if name in live or number_of(name) > number_of(at)}
    going_on = {name for name in open_ if number_of(name) <= number_of(newest)} | {at}
    return ",".join(f"{name}:{read.get(name, 0)}" for name in sorted(going_on, key=number_of))
