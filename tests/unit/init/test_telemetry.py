"""What a collector understands of what it is sent, and what becomes of it where the collector is not well."""

from typing import Any

import pytest

from collectors import attributes
from dms.init.records import Figures, LogLine, Span
from dms.init.sender import Sent
from dms.init.telemetry import exporter_of
from dms.metrics import DURATION, EXECUTIONS, MEMORY, REVISION, Distribution, Reading
from dms.trace import Trace, begin, first_span

RESOURCE = {"service.name": "dms", "host.name": "pump-7"}
LINE = {"at": "2026-11-25T10:00:00.000001+00:00", "level": "warning", "event": "low on oil", "logger": "dms", "left": 3}
SPAN = Span("config change", Trace(5, 6), 1_000_000, 2_500_000, {"dms.config.revision": 7})


def send(collector: Any, signal: str, *items: Any) -> Sent:
    exporter = exporter_of(signal, collector.endpoint, lambda: RESOURCE)
    sent = exporter.send(items)
    exporter.close()
    return sent


def test_a_line_has_its_time_its_level_its_words_and_its_fields(collectors: Any) -> None:
    collector = collectors()
    assert Sent() == send(collector, "logs", LogLine(LINE, None))
    (line,) = collector.logs
    assert (1795600800_000001_000, "warning", 13) == (line.time_unix_nano, line.severity_text, line.severity_number)
    assert "low on oil" == line.body.string_value
    assert {"logger": "dms", "left": 3} == attributes(line.attributes)
    assert [RESOURCE] == collector.resources
    assert (b"", b"") == (line.trace_id, line.span_id)


def test_a_line_belongs_to_the_span_that_it_was_written_in(collectors: Any) -> None:
    collector, trace = collectors(), begin(begin())
    send(collector, "logs", LogLine(LINE | {"trace_id": trace.id}, trace))
    (line,) = collector.logs
    assert (trace.id, f"{trace.span_id:016x}") == (line.trace_id.hex(), line.span_id.hex())


def test_a_line_about_another_span_belongs_to_that(collectors: Any) -> None:
    collector, another = collectors(), begin()
    send(collector, "logs", LogLine(LINE | {"trace_id": another.id}, begin()))
    (line,) = collector.logs
    assert (another.id, f"{another.span_id:016x}") == (line.trace_id.hex(), line.span_id.hex())


def test_whatever_a_field_holds_the_line_comes_whole(collectors: Any) -> None:
    collector, odd = collectors(), {"huge": 2**64 - 1, "deep": [{"a": [None, True, 2**64 - 1]}], "none": None, "é": 0.5}
    send(collector, "logs", LogLine(LINE | odd, None))
    (line,) = collector.logs
    expected = {"huge": str(2**64 - 1), "deep": [{"a": [None, True, str(2**64 - 1)]}], "none": None, "é": 0.5}
    assert expected == {name: value for name, value in attributes(line.attributes).items() if name in odd}


def test_a_span_has_its_name_its_times_and_its_place_in_the_trace(collectors: Any) -> None:
    collector, cause = collectors(), first_span(9)
    trace = Trace(5, 6, parent_id=7)
    asked = Span("task.run", trace, 1_000_000, 2_500_000, {"rpc.method": "task.run"}, "conflict", asked=True)
    scheduled = Span("task backup", first_span(8), 1, 2, {"n": 1}, link=cause.traceparent)
    assert Sent() == send(collector, "traces", asked, scheduled)
    first, second = collector.spans
    assert (f"{5:032x}", f"{6:016x}", f"{7:016x}") == (
        first.trace_id.hex(),
        first.span_id.hex(),
        first.parent_span_id.hex(),
    )
    assert (1_000_000_000, 2_500_000_000) == (first.start_time_unix_nano, first.end_time_unix_nano)
    assert ("task.run", 2, 2, "conflict") == (first.name, first.kind, first.status.code, first.status.message)
    assert (b"", 1, 0) == (second.parent_span_id, second.kind, second.status.code)
    assert [cause.id] == [link.trace_id.hex() for link in second.links]


def test_figures_keep_their_kind(collectors: Any) -> None:
    collector = collectors()
    counts = [0] * (len(DURATION.bounds) + 1)
    counts[2] = 3
    readings = [
        Reading(EXECUTIONS, {("backup", "success"): 2}),
        Reading(MEMORY, {(): 1_000}),
        Reading(REVISION, {(): 4}),
        Reading(DURATION, {("backup",): Distribution(counts, 0.75)}),
    ]
    assert Sent() == send(collector, "metrics", Figures(readings, 10, 20))
    known = collector.metrics
    executions, memory = known["dms.task.executions"], known["process.memory.usage"].sum
    (point,) = executions.sum.data_points
    assert ("{execution}", True, 2, 10_000, 20_000) == (
        executions.unit,
        executions.sum.is_monotonic,
        point.as_int,
        point.start_time_unix_nano,
        point.time_unix_nano,
    )
    assert {"dms.task.name": "backup", "dms.execution.status": "success"} == attributes(point.attributes)
    assert (False, 1_000) == (memory.is_monotonic, memory.data_points[0].as_int)
    assert 4 == known["dms.config.revision"].gauge.data_points[0].as_int
    (durations,) = known["dms.task.duration"].histogram.data_points
    assert (3, 0.75, counts) == (durations.count, durations.sum, list(durations.bucket_counts))
    assert list(DURATION.bounds) == list(durations.explicit_bounds)


@pytest.mark.parametrize(
    ("manner", "problem", "again"),
    [
        (503, "it answers 503", True),
        (500, "it answers 500", True),
        (429, "it answers 429", True),
        (400, "it answers 400", False),
        (413, "it answers 413", False),
        (302, "it answers 302", False),
        ("garbage", "it can't be reached", True),
    ],
)
def test_a_bad_answer_is_told_and_asked_for_once(collectors: Any, manner: Any, problem: str, again: bool) -> None:
    collector = collectors(manner)
    assert Sent(problem, again) == send(collector, "traces", SPAN)
    assert len(collector.bodies) <= 2  # a connection that breaks may be an old one, and is tried once more


def test_nobody_there_is_told(collectors: Any) -> None:
    collector = collectors()
    collector.close()
    assert Sent("it can't be reached", again=True) == send(collector, "logs", LogLine(LINE, None))


def test_a_mute_collector_is_given_up(collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.05")
    assert Sent("it does not answer", again=True) == send(collectors("mute"), "logs", LogLine(LINE, None))


def test_an_answer_without_end_is_not_read_to_its_end(collectors: Any) -> None:
    assert Sent() == send(collectors("endless"), "logs", LogLine(LINE, None))


def test_a_connection_serves_many_batches(collectors: Any) -> None:
    collector = collectors()
    exporter = exporter_of("traces", collector.endpoint, lambda: RESOURCE)
    for _ in range(3):
        assert Sent() == exporter.send([SPAN])
    exporter.close()
    assert (3, 1) == (len(collector.spans), len(collector.connections))


def test_what_can_not_be_translated_is_no_batch_that_is_tried_for_ever(collectors: Any) -> None:
    sent = send(collectors(), "logs", LogLine({"at": "yesterday", "level": "info", "event": "x"}, None))
    assert not sent.again
    assert "ValueError" in sent.problem


def test_headers_are_secret_and_come_from_the_environment(collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2")
    collector = collectors()
    send(collector, "logs", LogLine(LINE, None))
    assert b"Bearer hunter2" in collector.bodies[0]
