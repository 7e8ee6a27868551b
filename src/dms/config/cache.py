"""The last good reading of each file of settings. A start with the same files needs no YAML reader (80 ms to import);
one with a file that can't be read goes on with what that said before."""

import os
from pathlib import Path
from typing import Any

import msgspec

from dms.config.document import Document, Flaw, KeyPath, Mark

_NAME = "config.cache"
_FORMAT = 2


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """`content` is the whole file: it is compared, so that no chance can take one file for another."""

    content: bytes
    values: dict[str, Any]
    marks: list[tuple[KeyPath, Mark]]
    flaws: list[Flaw]

    def document(self) -> Document:
        return Document(self.values, dict(self.marks), self.flaws)


class _File(msgspec.Struct, frozen=True, array_like=True):
    format: int
    readings: dict[str, _Kept]


class Readings:
    """What is remembered in a data folder, by file. It is read at once, and written by `keep`, for the files that were
    asked for; nothing depends on it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._known = folder, _read(folder)
        self._asked: dict[str, _Kept] = {}

    def recall(self, path: Path, content: bytes) -> Document | None:
        """The reading of a file that has exactly this content; None where that is not known."""
        known = self._known.get(os.path.abspath(path))
        return None if known is None or known.content != content else self._use(path, known)

    def last(self, path: Path) -> Document | None:
        """The last good reading of a file, whatever it says now; None where there is none."""
        known = self._known.get(os.path.abspath(path))
        return None if known is None else self._use(path, known)

    def remember(self, path: Path, content: bytes, document: Document) -> None:
        """A good reading."""
        self._use(path, _Kept(content, document.values, list(document.marks.items()), document.flaws))

    def keep(self) -> None:
        """Write what was asked for, where that is something else than before, the folder exists and can be written."""
        if self._asked == self._known:
            return
        written = self._folder / f"{_NAME}.{os.getpid()}"
        try:
            with open(written, "wb", opener=_private) as file:
                file.write(msgspec.json.encode(_File(_FORMAT, self._asked)))
            os.replace(written, self._folder / _NAME)
        except (OSError, msgspec.MsgspecError, ValueError):
            written.unlink(missing_ok=True)

    def _use(self, path: Path, reading: _Kept) -> Document:
        self._asked[os.path.abspath(path)] = reading
        return reading.document()


def _read(folder: Path) -> dict[str, _Kept]:
    """Nothing where others could have written it."""
    try:
        with open(folder / _NAME, "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                return {}
            kept = msgspec.json.decode(file.read(), type=_File)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return {}
    return kept.readings if kept.format == _FORMAT else {}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
