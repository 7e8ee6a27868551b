"""The node's logger: structlog's filtering bound loggers that write straight out.

On a terminal a line is for people; elsewhere it is one JSON object. Each line that is written is published too, for
`dms logs`. Records of the standard library's `logging`, from others, go the same way.
"""

import logging
import os
import select
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from types import ModuleType
from typing import Any, TextIO, cast

from dms.clock import SystemClock
from dms.init.log_line import json_line, plain_fields, pretty_line
from dms.instant import Clock, rfc3339

# structlog imports rich where it is installed: 130 ms that a node never needs.
_rich = sys.modules.get("rich")
sys.modules["rich"] = cast("ModuleType", None)
import structlog  # noqa: E402 - rich must be hidden first

del sys.modules["rich"]
if _rich is not None:
    sys.modules["rich"] = _rich

Publish = Callable[[dict[str, Any]], None]
Logger = structlog.typing.FilteringBoundLogger

READERS_MOMENT = 200
"""Milliseconds that whoever reads the log may keep the node waiting, once."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logger(
    level: str, stream: TextIO, publish: Publish, clock: Clock | None = None, pretty: bool | None = None
) -> None:
    """Send everything from `level` on to the stream and to `publish`, and the standard library's warnings with it.

    `pretty` None asks the stream whether it is a terminal.
    """
    as_people_read = stream.isatty() if pretty is None else pretty
    line, stamp = _pretty() if as_people_read else json_line, _Stamp(clock or SystemClock())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            stamp,
            structlog.processors.format_exc_info,
            _plain,
            _Publisher(publish),
            _Renderer(line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=_Output(stream, partial(_lost, stamp, line)),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bridge()], level=max(LEVELS[level], logging.WARNING), force=True)
    logging.captureWarnings(True)
    threading.excepthook = _tell_of_thread


def get_logger(name: str = "dms") -> Logger:
    """The logger of that name; each of its lines says so."""
    logger: Logger = structlog.get_logger().bind(logger=name)
    return logger


def _pretty() -> Callable[[Mapping[str, Any]], str]:
    """For people; with colours unless they want none (https://no-color.org)."""
    return partial(pretty_line, colours=not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")


def _tell_of_thread(ended: threading.ExceptHookArgs) -> None:
    """A thread that somebody else started has ended by an exception."""
    if ended.exc_type is not SystemExit:
        name = "" if ended.thread is None else ended.thread.name
        get_logger("thread").error(f"thread {name} ended by an exception", exc_info=ended.exc_value)


class _Stamp:
    """Adds when a line was written, and at which level."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, _: Any, level: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event = fields.pop("event", "")
        head = {"at": rfc3339(self._clock.now().wall), "level": level, "event": event}
        return head | {name if name not in head else f"{name}_": value for name, value in fields.items()}


def _plain(_: Any, level: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return plain_fields(fields)


def _lost(stamp: _Stamp, line: Callable[[Mapping[str, Any]], str], count: int) -> str:
    fields = {"event": "lines of this log are missing here: nobody read it", "logger": "dms", "lines": count}
    return line(stamp(None, "warning", fields))


class _Publisher:
    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    def __call__(self, _: Any, level: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        self._publish(dict(fields))
        return fields


class _Renderer:
    def __init__(self, line: Callable[[Mapping[str, Any]], str]) -> None:
        self._line = line

    def __call__(self, _: Any, level: str, fields: MutableMapping[str, Any]) -> str:
        return self._line(fields)


class _Output:
    """Writes lines whole, from whatever thread. A stream that is gone, or that nobody reads, costs the line and never
    holds the caller for long; once it is read again, `tell_lost` gives the line that says how many were lost."""

    def __init__(self, stream: TextIO, tell_lost: Callable[[int], str]) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._tell_lost, self._lost = tell_lost, 0
        self._poll: select.poll | None = None
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError):  # a stream of this process alone
            return
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def __call__(self, *_: Any) -> "_Output":
        return self

    def msg(self, line: str) -> None:
        """Write a line."""
        with self._lock:
            if not self._has_room():
                self._lost += 1
                return
            said, self._lost = self._tell_lost(self._lost) + "\n" if self._lost else "", 0
            try:
                self._stream.write(f"{said}{line}\n")
                self._stream.flush()
            except (OSError, ValueError):
                return

    def _has_room(self) -> bool:
        """Whether a line can be written at once; the first time that it can't, a slow reader gets a moment."""
        if self._poll is None:
            return True
        patience = 0 if self._lost else READERS_MOMENT
        return any(state & select.POLLOUT for _, state in self._poll.poll(patience))

    debug = info = warning = error = critical = exception = fatal = log = warn = msg


class _Bridge(logging.Handler):
    """Hands records of the standard library's logging on."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for name, number in reversed(LEVELS.items()) if record.levelno >= number), "debug")
        try:
            told = record.getMessage()
        except Exception:  # noqa: BLE001 - a record whose arguments don't fit is told as it is
            told = str(record.msg)
        get_logger(record.name).log(LEVELS[level], told, exc_info=record.exc_info or None)
