"""Moments and lengths of time as people say them; text as a terminal can bear it."""

import os
import unicodedata
from datetime import datetime, timedelta
from typing import Any

_ALMOST = 0.05
"""What comes in 9.96 s comes in 10 s."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def span(length: timedelta) -> str:
    """A length of time in its largest unit: `20 ms`, `3.0 s`, `41 s`, `4 m`, `14 h`, `9 d`.

    >>> [span(timedelta(seconds=s)) for s in (0.02, 3, 41, 250, 90_000)]
    ['20 ms', '3.0 s', '41 s', '4 m', '1 d']
    """
    seconds = max(0.0, length.total_seconds())
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    return whole(seconds)


def whole(seconds: float) -> str:
    """The same in whole units: `3 s`."""
    size, unit = next((known for known in _UNITS if seconds >= known[0]), _UNITS[-1])
    return f"{int(seconds // size)} {unit}"


def until(moment: str | None, now: datetime) -> str:
    """When something comes: `in 56 s`; nothing where nothing comes.

    >>> until("2026-11-25T12:00:56+00:00", datetime.fromisoformat("2026-11-25T12:00:00+00:00"))
    'in 56 s'
    """
    return "" if moment is None else f"in {whole(max(0.0, _seconds(moment, now)) + _ALMOST)}"


def ago(moment: str | None, now: datetime) -> str:
    """How long ago something was: `4 m ago`; nothing where it never was.

    >>> ago("2026-11-25T11:55:50+00:00", datetime.fromisoformat("2026-11-25T12:00:00+00:00"))
    '4 m ago'
    """
    return "" if moment is None else f"{whole(max(0.0, -_seconds(moment, now)))} ago"


def _seconds(moment: str, now: datetime) -> float:
    return (datetime.fromisoformat(moment) - now).total_seconds()


def took(execution: dict[str, Any]) -> str:
    """How long an execution took; nothing where it has not both begun and ended."""
    if usage := execution.get("usage"):
        return span(timedelta(seconds=usage["took"]))
    started, ended = execution["started_at"], execution["ended_at"]
    if started is None or ended is None:
        return ""
    return span(datetime.fromisoformat(ended) - datetime.fromisoformat(started))


def cpu(execution: dict[str, Any]) -> str:
    """How much processor time an execution used; nothing where that is not known.

    >>> cpu({"usage": {"waited": 0.1, "took": 4.0, "cpu": 0.02}})
    '20 ms'
    """
    used = (execution.get("usage") or {}).get("cpu")
    return "" if used is None else span(timedelta(seconds=used))


def memory(execution: dict[str, Any]) -> str:
    """How much memory an execution had at most; nothing where that is not known.

    >>> memory({"usage": {"waited": 0.1, "took": 4.0, "cpu": 0.02, "memory": 34_200_000}})
    '34 MB'
    """
    used = (execution.get("usage") or {}).get("memory")
    return "" if used is None else f"{used / 1_000_000:.0f} MB"


def local_time(moment: str | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A moment on the clock of this machine."""
    return "" if moment is None else datetime.fromisoformat(moment).astimezone().strftime(form)


def plain(text: object) -> str:
    r"""Text in one line that can't steer a terminal: what a task printed may hold anything.

    >>> plain("red \x1b[31m\nnext")
    'red \\x1b[31m next'
    """
    return "".join(_plain(character) for character in str(text))


def _plain(character: str) -> str:
    if character in "\r\n\t":
        return " "
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def shortened(text: object, longest: int = 200) -> str:
    """The same, cut where it is long: whoever wants all of it asks with --json.

    >>> shortened("x" * 10, 5)
    'xxxx…'
    """
    line = plain(str(text)[: longest + 1])
    return line if len(line) <= longest else line[: longest - 1] + "…"


def columns(text: str) -> int:
    """How many columns a text takes on a terminal.

    >>> columns("日本 ok")
    7
    """
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def typed(words: str) -> str:
    """A command of `dms` as one types it here: a script that stands for it names itself."""
    return f"{os.environ.get('DMS_COMMAND') or 'dms'} {words}"


def near(path: str) -> str:
    """A path as one would type it here: from the working directory where it lies below, else from `/`."""
    try:
        here = os.getcwd()
    except OSError:  # the folder is gone
        return path
    relative = os.path.relpath(path, here)
    return path if here == "/" or relative.startswith("..") else f"./{relative}"
