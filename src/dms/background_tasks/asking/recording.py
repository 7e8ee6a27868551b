"""Recording: what an agenda is told and what it decides, line by line in a file, to be replayed elsewhere."""

import os
from collections.abc import Callable
from datetime import UTC
from errno import ENOSPC
from pathlib import Path
from typing import Any

import msgspec

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.asking.recorded import (
    CALLS,
    FORMAT,
    calendars_document,
    decision_document,
    instant_document,
    stored_document,
)
from dms.background_tasks.store import Stored
from dms.errors import InvalidInput
from dms.instant import Instant

FULL = ["full"]
"""The last line of a recording that came to its bound."""


class Recording:
    """Records a scheduler from its start on into the file `path` (mode 0600), until that has `max_size` bytes; what was
    there before is kept beside it, once, as `path` with `.1` after it. A file that can't be written ends the recording,
    and is told; nothing else comes of that. One Recording is for one scheduler: `Scheduler(record=Recording(…))`.

    InvalidInput where `max_size` is no positive number.
    """

    def __init__(self, path: str | os.PathLike[str], max_size: int = 64_000_000) -> None:
        if not isinstance(max_size, int) or isinstance(max_size, bool) or max_size < 1:
            raise InvalidInput(f"max_size: {max_size!r} is not a positive number of bytes")
        self.path = Path(path)
        self._left = max_size
        self._file: int | None = None
        self._lines: list[bytes] = []
        self._inside = False
        self._alert: Callable[[Alert], None] = lambda alert: None

    def begin(
        self,
        agenda: Agenda,
        now: Instant,
        options: dict[str, Any],
        stored: Stored | None,
        alert: Callable[[Alert], None],
    ) -> None:
        """Record an agenda that has just been made with these options and what the store knew; `alert` hears where that
        can't be done."""
        self._alert = alert
        try:
            self._file = self._open()
        except OSError as error:
            return self._fail(error)
        told = options | {
            "zone": str(options.get("zone", UTC)),
            "calendars": calendars_document(options.get("calendars")),
        }
        kept = None if stored is None else stored_document(stored)
        self._add({"format": FORMAT, "now": instant_document(now), "options": told, "stored": kept})
        self._write()
        for name, (encode, _) in CALLS.items():
            self._listen(agenda.attempts if name.startswith("attempts.") else agenda, name, encode)

    def _open(self) -> int:
        if self.path.is_file() and not self.path.is_symlink():
            self.path.replace(f"{self.path}.1")
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def _listen(self, owner: Any, name: str, encode: Callable[..., list[Any]]) -> None:
        """Write down whatever this method is told from outside, and what it gives."""
        method = getattr(owner, name.rpartition(".")[2])

        def told(*arguments: Any) -> Any:
            if self._inside:
                return method(*arguments)
            self._inside = True
            try:
                given = method(*arguments)
            finally:
                self._inside = False
            if self._file is not None:
                self._note(name, encode, arguments, given)
            return given

        setattr(owner, name.rpartition(".")[2], told)

    def _note(self, name: str, encode: Callable[..., list[Any]], arguments: tuple[Any, ...], given: Any) -> None:
        at = next(place for place, argument in enumerate(arguments) if isinstance(argument, Instant))
        others = encode(*arguments[:at], *arguments[at + 1 :])
        line = [name, instant_document(arguments[at]), others]
        if name == "advance":
            line.append([decision_document(decision) for decision in given])
        self._add(line)
        if name == "advance":
            self._write()

    def _add(self, line: Any) -> None:
        self._lines.append(msgspec.json.encode(line) + b"\n")

    def _write(self) -> None:
        """Write what a turn has brought, whole or not at all."""
        told, self._lines = b"".join(self._lines), []
        if len(told) > self._left:
            told = msgspec.json.encode(FULL) + b"\n"
            self._left = 0
        try:
            assert self._file is not None
            if os.write(self._file, told) < len(told):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
        except OSError as error:
            return self._fail(error)
        self._left -= len(told)
        if self._left <= 0:
            self.close()

    def _fail(self, error: OSError) -> None:
        self._alert(Alert("recording", "scheduler", f"{self.path} can't be written, and nothing is recorded: {error}"))
        self.close()

    def close(self) -> None:
        """Record no more."""
        self._lines.clear()
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
