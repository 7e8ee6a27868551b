"""The last good reading of a YAML file, so that a start with the same file needs no YAML reader (80 ms to import)."""

import os
from pathlib import Path
from typing import Any

import msgspec

from dms.config.document import Document, Flaw, KeyPath, Mark

_NAME = "config.cache"
_FORMAT = 1


class _Cached(msgspec.Struct, frozen=True, array_like=True):
    """`content` is the whole file: it is compared, so that no chance can take one file for another."""

    format: int
    content: bytes
    values: dict[str, Any]
    marks: list[tuple[KeyPath, Mark]]
    flaws: list[Flaw]


def recall(folder: Path, content: bytes) -> Document | None:
    """What was remembered of exactly this content; None where nothing was, or where others could have written it."""
    try:
        with open(folder / _NAME, "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                return None
            cached = msgspec.msgpack.decode(file.read(), type=_Cached)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
    if cached.format != _FORMAT or cached.content != content:
        return None
    return Document(cached.values, dict(cached.marks), cached.flaws)


def remember(folder: Path, content: bytes, document: Document) -> None:
    """Keep a reading for the next start, where the folder exists and can be written; nothing depends on it."""
    cached = _Cached(_FORMAT, content, document.values, list(document.marks.items()), document.flaws)
    written = folder / f"{_NAME}.{os.getpid()}"
    try:
        with open(written, "wb", opener=_private) as file:
            file.write(msgspec.msgpack.encode(cached))
        os.replace(written, folder / _NAME)
    except (OSError, msgspec.MsgspecError, OverflowError):
        written.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
