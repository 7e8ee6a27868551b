import io
import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from dms.init.logger import configure_logger, get_logger
from dms.instant import Instant


class StoppedClock:
    def now(self) -> Instant:
        return Instant(wall=1_764_072_000_000_000, boot=0)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is the process's own: give it back as it was."""
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:], threading.excepthook = handlers, hook
    root.setLevel(level)


class Log:
    """A configured logger's stream, and what it published."""

    def __init__(self, level: str = "info", stream: Any = None, pretty: bool | None = None) -> None:
        self.stream = stream or io.StringIO()
        self.published: list[dict[str, Any]] = []
        configure_logger(level, self.stream, self.published.append, StoppedClock(), pretty)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_line_says_when_how_grave_what_and_who() -> None:
    log = Log()
    get_logger("dms.test").info("hello", to="you")
    assert [
        {"at": "2025-11-25T12:00:00.000000+00:00", "level": "info", "event": "hello", "logger": "dms.test", "to": "you"}
    ] == log.lines
    assert log.lines == log.published


def test_fields_can_not_take_the_place_of_what_the_logger_says() -> None:
    log = Log()
    get_logger().info("hello", at="never", level="error")
    (line,) = log.lines
    assert ("info", "never", "error") == (line["level"], line["at_"], line["level_"])


def test_what_is_less_grave_is_neither_written_nor_published() -> None:
    log = Log("warning")
    get_logger().info("quiet")
    get_logger().warning("loud")
    assert ["loud"] == [line["event"] for line in log.lines] == [line["event"] for line in log.published]


def test_what_is_published_is_plain_and_stays_as_it_was() -> None:
    log = Log()
    given = [1]
    get_logger().info("hello", given=given, odd=object)
    given.append(2)
    assert ([1], "<class 'object'>") == (log.published[0]["given"], log.published[0]["odd"])


def test_an_exception_comes_with_its_traceback() -> None:
    log = Log()
    try:
        raise ValueError("bad")
    except ValueError:
        get_logger().exception("it failed")
    assert log.published[0]["exception"].endswith("ValueError: bad")


def test_the_standard_librarys_loggers_are_told_from_warning_on() -> None:
    log = Log("debug")
    logging.getLogger("theirs").info("quiet")
    logging.getLogger("theirs").critical("%s is grave", "this")
    assert [("error", "this is grave", "theirs")] == [
        (line["level"], line["event"], line["logger"]) for line in log.lines
    ]


def test_a_record_whose_arguments_do_not_fit_is_told_as_it_is() -> None:
    log = Log()
    logging.getLogger("theirs").warning("%d of %d", "one")
    assert ["%d of %d"] == [line["event"] for line in log.lines]


def test_warnings_of_the_language_are_told() -> None:
    log = Log()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert ["py.warnings"] == [line["logger"] for line in log.lines]


def test_a_thread_that_ends_by_an_exception_is_told() -> None:
    log = Log()
    thread = threading.Thread(target=lambda: 1 // 0, name="theirs")
    thread.start()
    thread.join()
    (line,) = log.lines
    assert ("error", "thread theirs ended by an exception") == (line["level"], line["event"])
    assert line["exception"].endswith("ZeroDivisionError: integer division or modulo by zero")


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [Gone(), io.StringIO()])
def test_a_stream_that_is_gone_costs_the_line_and_not_the_caller(stream: io.StringIO) -> None:
    log = Log(stream=stream)
    stream.close()
    get_logger().info("hello")
    assert ["hello"] == [line["event"] for line in log.published]


def test_lines_that_nobody_reads_are_lost_and_counted() -> None:
    ours, theirs = os.pipe()
    with open(ours) as reader, open(theirs, "w") as stream:
        Log(stream=stream)
        for number in range(1_000):
            get_logger().info("x" * 100, number=number)
        kept = [json.loads(reader.readline())["number"] for _ in range(300)]
        get_logger().info("read again")
        stream.close()
        *more, missing, last = [json.loads(line) for line in reader]
    kept += [line["number"] for line in more]
    assert list(range(len(kept))) == kept
    assert ("warning", 1_000 - len(kept)) == (missing["level"], missing["lines"])
    assert "read again" == last["event"]


def test_for_people_the_line_has_no_braces() -> None:
    log = Log(pretty=True)
    get_logger().warning("hello")
    assert log.stream.getvalue().endswith("warning\x1b[0m  hello\n")


@pytest.mark.parametrize("wish", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_whoever_wants_no_colours_gets_none(wish: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*wish)
    log = Log(pretty=True)
    get_logger().warning("hello")
    assert log.stream.getvalue().endswith(" warning  hello\n")
