import io
import json
import logging
import os
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from dms.init.flood import FloodGuard
from dms.init.log_file import LogFile, LogFileSettings
from dms.init.logger import configure_logger, get_logger
from dms.instant import SECOND, Instant
from dms.trace import CURRENT, begin


class StoppedClock:
    boot = 0

    def now(self) -> Instant:
        return Instant(wall=1_764_072_000_000_000, boot=self.boot)


class Log:
    """A configured logger's stream, and what it published."""

    def __init__(
        self, level: str = "info", stream: Any = None, pretty: bool | None = None, flood: FloodGuard | None = None
    ) -> None:
        self.stream, self.clock = stream or io.StringIO(), StoppedClock()
        self.published: list[dict[str, Any]] = []
        self.of_node = configure_logger(level, self.stream, self.published.append, self.clock, pretty, flood)

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


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_logger_that_was_got_before_follows_the_level(level: str) -> None:
    log = Log("error")
    mine = get_logger("mine").bind(of="me")
    mine.info("before")
    log.of_node.set_level(level)
    for method in ("debug", "info", "warning", "error"):
        getattr(mine, method)(method)
        mine.log(getattr(logging, method.upper()), f"log {method}")
    all_of_them = ["debug", "info", "warning", "error"]
    loud = all_of_them[all_of_them.index(level) :]
    assert [event for method in loud for event in (method, f"log {method}")] == [line["event"] for line in log.lines]
    assert {"me"} == {line["of"] for line in log.lines}


def test_a_level_that_is_off_takes_whatever_it_is_given() -> None:
    log = Log("error")
    get_logger().info("{broken %s {0}", "one", odd=object(), event_="x")
    get_logger().warning({"no": "text"})
    assert [] == log.lines


def test_the_standard_librarys_loggers_follow_the_level() -> None:
    log = Log("error")
    log.of_node.set_level("warning")
    logging.getLogger("theirs").warning("loud")
    assert ["loud"] == [line["event"] for line in log.lines]


def log_file(path: Path) -> LogFile:
    return LogFile(LogFileSettings(path, 1_000_000, 2, 30), StoppedClock())


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_the_file_gets_the_same_lines_as_json(tmp_path: Path) -> None:
    log = Log(pretty=True)
    log.of_node.set_file(log_file(tmp_path / "log"))
    get_logger().info("one\ntwo\u2028", odd=object)
    log.of_node.close()
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert log.published == [json.loads(line)]


def test_another_file_takes_over_and_no_line_is_in_both(tmp_path: Path) -> None:
    log = Log()
    mine = get_logger()
    for name in ("a", "b"):
        log.of_node.set_file(log_file(tmp_path / name))
        mine.info(name)
    log.of_node.close()
    mine.info("after")
    assert (["a"], ["b"]) == (events(tmp_path / "a"), events(tmp_path / "b"))
    assert ["a", "b", "after"] == [line["event"] for line in log.lines]


def test_a_file_that_can_not_be_written_costs_its_lines_which_are_counted_and_told_once(tmp_path: Path) -> None:
    log, told, path = Log(), list[str](), tmp_path / "log"
    path.mkdir()
    log.of_node.set_file(log_file(path), lambda error: told.append("well" if error is None else str(error.strerror)))
    for number in range(3):
        get_logger().info(f"lost {number}")
    path.rmdir()
    get_logger().info("too soon")
    log.clock.boot += SECOND
    get_logger().info("kept")
    get_logger().info("kept too")
    log.of_node.close()
    assert ["Is a directory", "well"] == told
    missing, *rest = [json.loads(line) for line in path.read_text().splitlines()]
    assert ("warning", 4) == (missing["level"], missing["lines"])
    assert ["kept", "kept too"] == [line["event"] for line in rest]
    assert 6 == len(log.lines)


def test_who_is_told_of_a_file_in_trouble_may_log(tmp_path: Path) -> None:
    log = Log()
    (tmp_path / "log").mkdir()
    log.of_node.set_file(log_file(tmp_path / "log"), lambda error: get_logger().warning("in trouble"))
    get_logger().info("hello")
    log.of_node.close()
    assert ["hello", "in trouble"] == [line["event"] for line in log.lines]


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    log, path = Log(), tmp_path / "log"
    log.of_node.set_file(LogFile(LogFileSettings(path, 20_000, 100, 30), StoppedClock()))

    def talk(name: str) -> None:
        for number in range(200):
            get_logger(name).info("x" * 50, number=number)

    threads = [threading.Thread(target=talk, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.of_node.close()
    told = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert len(list(tmp_path.iterdir())) > 4
    assert 800 == len(told) == len({(line["logger"], line["number"]) for line in told})


def test_a_flood_is_cut_off_and_counted_and_errors_are_not() -> None:
    log = Log(flood=FloodGuard(burst=2, per_second=1))
    for _ in range(5):
        get_logger("mine").info("again")
        get_logger("mine").error("again")
    log.clock.boot += 20 * SECOND
    get_logger().info("later")
    told = [(line["level"], line["event"]) for line in log.lines]
    assert [2, 5] == [told.count((level, "again")) for level in ("info", "error")]
    assert [("info", "suppressed 3: again"), ("info", "later")] == told[-2:]
    assert ("mine", 3) == (log.lines[-2]["logger"], log.lines[-2]["suppressed"])
    assert log.lines == log.published


def test_what_was_held_back_is_told_at_the_end(tmp_path: Path) -> None:
    log = Log(flood=FloodGuard(burst=1))
    log.of_node.set_file(log_file(tmp_path / "log"))
    for _ in range(3):
        get_logger().info("again")
    log.of_node.close()
    assert ["again", "suppressed 2: again"] == [line["event"] for line in log.lines] == events(tmp_path / "log")


def test_a_guard_bears_events_that_are_no_text() -> None:
    log = Log(flood=FloodGuard(burst=1))
    get_logger().info({"one": 1})
    get_logger().bind(logger=7).info(8)
    assert [{"one": 1}, 8] == [line["event"] for line in log.lines]


def test_a_line_within_a_trace_bears_its_id() -> None:
    stream = io.StringIO()
    configure_logger("info", stream, lambda _: None)
    trace = begin()
    get_logger("test").info("outside")
    outside = CURRENT.set(trace)
    get_logger("test").info("inside")
    get_logger("test").info("about another", trace_id="another")
    CURRENT.reset(outside)
    assert [None, trace.id, "another"] == [json.loads(line).get("trace_id") for line in stream.getvalue().splitlines()]


def test_a_stream_writes_what_its_encoding_lacks_in_another_way(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w", encoding="ascii") as stream:
        configure_logger("info", stream, lambda _: None)
        get_logger("test").info("ääkkönen")
    line = (tmp_path / "log").read_text("ascii")
    assert r"\xe4\xe4kk\xf6nen" in line
    assert line.endswith("\n")


def test_a_stream_that_never_waits_gets_whole_lines() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb", buffering=0) as reader:
        log = configure_logger("info", stream, lambda _: None)
        get_logger("test").info("x" * 150_000)
        told = reader.read(70_000)
        get_logger("test").info("there is no room for this one")
        told += reader.read(70_000)
        get_logger("test").info("y")
        os.set_blocking(reading, False)
        while more := reader.read(70_000):
            told += more
    first, second = told.decode().splitlines()
    assert ("x" * 150_000, "y") == (json.loads(first)["event"], json.loads(second)["event"])
    assert 1 == log.lost["stream"]


def test_no_line_lands_in_a_file_that_has_taken_the_place_of_the_stream(tmp_path: Path) -> None:
    stream = open(tmp_path / "log", "w")  # noqa: SIM115 - it is closed too early, on purpose
    log, descriptor = configure_logger("info", stream, lambda _: None), stream.fileno()
    stream.close()
    with open(tmp_path / "another", "w") as another:
        assert descriptor == another.fileno()
        get_logger("test").info("hello")
    assert ("", 1) == ((tmp_path / "another").read_text(), log.lost["stream"])


def test_lines_that_could_not_be_written_are_counted_by_where_they_were_to_go(tmp_path: Path) -> None:
    stream = io.StringIO()
    stream.close()
    log = configure_logger("info", stream, lambda _: None, pretty=False)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        log.set_file(LogFile(LogFileSettings(tmp_path / name, 1_000, 1, 1), StoppedClock()))
        get_logger("test").info("hello")
    assert {"stream": 2, "file": 2} == log.lost


def test_each_line_is_handed_on_while_somebody_wants_it() -> None:
    told: list[Any] = []
    log = configure_logger("info", io.StringIO(), lambda _: None)
    log.set_forward(told.append)
    get_logger("test").info("a", n=1)
    log.set_forward(None)
    get_logger("test").info("b")
    assert [("a", 1, "test")] == [(line["event"], line["n"], line["logger"]) for line in told]


def test_a_logger_of_its_own_words_formats_them_as_structlog_does() -> None:
    stream = io.StringIO()
    configure_logger("info", stream, lambda _: None)
    get_logger("test").info("%s of %d", "one", 2)
    get_logger("test").bind(event_id=7).warning("bound", extra=8)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert ("one of 2", "bound", 7, 8) == (first["event"], second["event"], second["event_id"], second["extra"])
