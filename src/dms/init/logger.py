"""The node's logger: structlog's filtering bound loggers that write straight out.

On a terminal a line is for people; elsewhere it is one JSON object. Each line that is written is published too, for
`dms logs`. Records of the standard library's `logging`, from others, go the same way.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from types import ModuleType
from typing import Any, TextIO, cast

from dms.clock import SystemClock
from dms.init.flood import FloodGuard, HeldBack
from dms.init.log_admission import LogAdmission
from dms.init.log_file import LogFile
from dms.init.log_line import json_line, plain_fields, pretty_line
from dms.init.log_output import FileOutput, StreamOutput
from dms.init.log_stamp import Stamp
from dms.instant import Clock
from dms.trace import CURRENT

# structlog imports rich where it is installed: 130 ms that a node never needs.
_rich = sys.modules.get("rich")
sys.modules["rich"] = cast("ModuleType", None)
import structlog  # noqa: E402 - rich must be hidden first

del sys.modules["rich"]
if _rich is not None:
    sys.modules["rich"] = _rich

Publish = Callable[[dict[str, Any]], None]
Forward = Callable[[Mapping[str, Any]], None]
Logger = structlog.typing.FilteringBoundLogger

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

SENDING = "dms-otlp"
"""What the names of threads begin with that send lines of this log elsewhere. What libraries log there is not written:
whoever sends says what fails, once, and no failure makes lines that are to be sent."""

DISABLED = "".format
"""What a level that is off calls: it takes whatever it is given and does nothing with it, in C; a function of Python's
own first makes a dictionary of the fields (three times slower, measured)."""


def configure_logger(
    level: str,
    stream: TextIO,
    publish: Publish,
    clock: Clock | None = None,
    pretty: bool | None = None,
    flood: FloodGuard | None = None,
) -> "NodeLog":
    """Send everything from `level` on to the stream and to `publish`, and the standard library's warnings with it.

    `pretty` None asks the stream whether it is a terminal. With a `flood` guard, what is no error and comes too often
    is counted instead.
    """
    as_people_read = stream.isatty() if pretty is None else pretty
    log = NodeLog(stream, _pretty() if as_people_read else json_line, publish, clock or SystemClock(), flood)
    structlog.configure(
        processors=log.processors(),
        wrapper_class=log.bound_logger,
        logger_factory=lambda *_: log,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bridge()], force=True)
    logging.captureWarnings(True)
    threading.excepthook = _tell_of_thread
    log.set_level(level)
    return log


class NodeLog:
    """The log of a process. Its level and its file may change at any time; every logger follows at once."""

    def __init__(
        self,
        stream: TextIO,
        line: Callable[[Mapping[str, Any]], str],
        publish: Publish,
        clock: Clock,
        flood: FloodGuard | None,
    ) -> None:
        self._line, self._publish, self._clock = line, publish, clock
        self._stamp = Stamp()
        self._admission = None if flood is None else LogAdmission(flood, self._tell_held_back)
        self._stream = StreamOutput(stream, lambda count: line(self._lost("nobody read it", count)))
        self._file: FileOutput | None = None
        self._lost_before = 0
        self._forward: Forward | None = None
        self.bound_logger: type[Logger] = type(
            "NodeLogger", (structlog.make_filtering_bound_logger(logging.DEBUG),), {}
        )

    def processors(self) -> list[structlog.typing.Processor]:
        """What becomes of a line's fields on their way to `msg`: all in one step, since each costs a call."""
        return [self._prepared]

    def set_level(self, level: str) -> None:
        """Write what is at least so grave from now on. A logger's methods are its class's: so all follow, and a line
        that is not written costs no more than a call."""
        structlogs = structlog.make_filtering_bound_logger(LEVELS[level])
        for name, method in vars(structlogs).items():
            if not name.startswith("__"):
                off = name in LEVELS and LEVELS[name] < LEVELS[level]
                setattr(self.bound_logger, name, DISABLED if off else _STRAIGHT.get(name, method))
        logging.getLogger().setLevel(max(LEVELS[level], logging.WARNING))

    def set_file(self, file: LogFile | None, troubled: Callable[[OSError | None], None] = lambda _: None) -> None:
        """Write into this file from now on, as JSON; the one before is closed. `troubled` is told, on the thread that
        logs, the error for which lines are missing there, and None once they are written again."""
        before = self._file
        self._file = None if file is None else FileOutput(file, self._clock, self._tell_lost, troubled)
        if before is not None:
            before.close()
            self._lost_before += before.lost_in_all

    def set_forward(self, forward: Forward | None) -> None:
        """Hand each line's plain fields on as well, on the thread that logs."""
        self._forward = forward

    @property
    def suppressed(self) -> int:
        """How many lines were held back, all told."""
        return 0 if self._admission is None else self._admission.suppressed

    @property
    def lost(self) -> Mapping[str, int]:
        """How many lines could not be written, all told, by where they were to go: `stream` or `file`."""
        file = self._file
        in_files = self._lost_before + (0 if file is None else file.lost_in_all)
        return {"stream": self._stream.lost_in_all, "file": in_files}

    def close(self) -> None:
        """Tell what was held back, and let go of the file."""
        if self._admission is not None:
            self._admission.tell_all()
        self.set_file(None)

    def msg(self, fields: Mapping[str, Any]) -> None:
        """Write a line; its fields are plain."""
        line = self._line(fields)
        self._stream.write(line)
        file = self._file
        if file is not None:
            file.write(line if self._line is json_line else json_line(fields))

    debug = info = warning = error = critical = exception = fatal = log = warn = msg

    def _prepared(self, _: Any, level: str, fields: MutableMapping[str, Any]) -> tuple[Any, Any]:
        plain = self._prepare(level, fields.pop("event", ""), fields)
        if plain is None:
            raise structlog.DropEvent
        return (plain,), {}

    def straight(self, level: str, event: Any, fields: MutableMapping[str, Any]) -> None:
        """Write a line."""
        plain = self._prepare(level, event, fields)
        if plain is not None:
            self.msg(plain)

    def _prepare(self, level: str, event: Any, fields: MutableMapping[str, Any]) -> dict[str, Any] | None:
        """The plain fields of a line that is to be written, which others have been told; None where it is not."""
        now = self._clock.now()
        if self._admission is not None and not self._admission.admits(fields.get("logger", ""), event, level, now.boot):
            return None
        if "exc_info" in fields:
            fields = structlog.processors.format_exc_info(None, level, fields)
        trace = CURRENT.get()
        if trace is not None and "trace_id" not in fields:
            fields["trace_id"] = trace.id
        return self._tell(plain_fields(self._stamp(now.wall, level, event, fields)))

    def _tell(self, plain: dict[str, Any]) -> dict[str, Any]:
        """To whoever else hears of it; nobody changes it any more."""
        self._publish(plain)
        if self._forward is not None:
            self._forward(plain)
        return plain

    def _lost(self, why: str, count: int) -> Mapping[str, Any]:
        event, fields = f"lines of this log are missing here: {why}", {"logger": "dms", "lines": count}
        return self._stamp(self._clock.now().wall, "warning", event, fields)

    def _tell_lost(self, count: int) -> str:
        return json_line(self._lost("they could not be written", count))

    def _tell_held_back(self, held: HeldBack) -> None:
        event, fields = f"suppressed {held.count}: {held.event}", {"logger": held.logger, "suppressed": held.count}
        self.msg(self._tell(plain_fields(self._stamp(self._clock.now().wall, held.level, event, fields))))


def _straight(level: str) -> Callable[..., None]:
    """A logger's method that leaves out what structlog does around a line: that is a third of its cost, measured."""

    def write(self: Any, event: Any = None, *arguments: Any, **fields: Any) -> None:
        told = event % arguments if arguments else event
        self._logger.straight(level, told, {**self._context, **fields})

    return write


_STRAIGHT = {level: _straight(level) for level in LEVELS}


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


class _Bridge(logging.Handler):
    """Hands records of the standard library's logging on."""

    def emit(self, record: logging.LogRecord) -> None:
        if (record.threadName or "").startswith(SENDING):
            return
        level = next((name for name, number in reversed(LEVELS.items()) if record.levelno >= number), "debug")
        try:
            told = record.getMessage()
        except Exception:  # noqa: BLE001 - a record whose arguments don't fit is told as it is
            told = str(record.msg)
        get_logger(record.name).log(LEVELS[level], told, exc_info=record.exc_info or None)
