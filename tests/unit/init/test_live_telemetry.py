import io
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dms.access.caller import ADMIN, Caller
from dms.adapters.config_store import MemoryConfigStore
from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.tasks.task import Execution, Status
from dms.clock import SystemClock
from dms.command.command import Command
from dms.command.operation import Effect, Nothing, Operation, by_name
from dms.config import Loaded, load
from dms.config.live import LiveConfig
from dms.health import Health
from dms.init.live_telemetry import LiveTelemetry
from dms.init.logger import SENDING, configure_logger, get_logger
from dms.metrics import EXPORT_LOST, Metrics
from dms.trace import begin

PATIENCE = 10.0
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Life:
    """A node's telemetry that follows a live configuration."""

    def __init__(self, folder: Path, **observability: Any) -> None:
        self.stream, self.health, self.metrics = io.StringIO(), Health(), Metrics()
        self.log = configure_logger("info", self.stream, lambda _: None)
        given = {"flush_interval": "100ms", **observability}
        loaded = load(
            arguments=[f"observability.{key}={value}" for key, value in given.items()], environ={"HOME": str(folder)}
        )

        async def again() -> Loaded:
            return loaded

        self.live = LiveConfig(loaded, MemoryConfigStore(), SystemClock(), again)
        self.live.start()
        named = lambda: {"service.name": "dms", "dms.config.hash": self.live.hash}  # noqa: E731
        self.telemetry = LiveTelemetry(self.log, self.health, self.metrics, named, SystemClock())
        self.live.subscribe(self.telemetry)
        self.live.listen(self.telemetry.revision)
        self.telemetry.start(self.live.config)

    async def set(self, **values: Any) -> None:
        given = {f"observability.{key}": value for key, value in values.items()}
        await self.live.set(given, author="test", volatile=True)

    @property
    def told(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.stream.getvalue().splitlines()]

    def lost(self) -> Any:
        return next(reading.points for reading in self.metrics.read() if reading.instrument == EXPORT_LOST)


@asynccontextmanager
async def life(folder: Path, **observability: Any) -> AsyncIterator[Life]:
    made = Life(folder, **observability)
    try:
        yield made
    finally:
        await made.telemetry.flush(PATIENCE)
        for thread in sending():
            thread.join(PATIENCE)


def sending() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(SENDING)]


async def test_without_an_endpoint_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    async with life(tmp_path) as node:
        get_logger("test").info("hello")
        assert [] == sending()
        node.telemetry.command(Command("rpc.ping", caller=Caller("ana", "socket", frozenset())))


async def test_the_last_words_arrive(tmp_path: Path, collectors: Any) -> None:
    collector = collectors()
    async with life(tmp_path, otlp_endpoint=collector.endpoint, flush_interval="1h"):
        get_logger("test").info("hello")
    assert ["hello"] == [line.body.string_value for line in collector.logs]
    assert {0} == {point.as_int for point in collector.metrics["dms.export.lost"].sum.data_points}
    assert [] == sending()


async def test_an_endpoint_that_comes_changes_and_goes_takes_effect_at_once(tmp_path: Path, collectors: Any) -> None:
    first, second = collectors(), collectors()
    async with life(tmp_path) as node:
        get_logger("test").info("to nobody")
        await node.set(otlp_endpoint=first.endpoint)
        get_logger("test").info("to the first")
        await node.set(otlp_endpoint=second.endpoint)
        get_logger("test").info("to the second")
        second.log("to the second")
        await node.set(otlp_endpoint=None)
        get_logger("test").info("to nobody again")
        first.log("to the first")
    events = [[line.body.string_value for line in collector.logs] for collector in (first, second)]
    assert [["to the first"], ["to the second"]] == events


async def test_another_pace_takes_effect_at_once(tmp_path: Path, collectors: Any) -> None:
    collector = collectors()
    async with life(tmp_path, otlp_endpoint=collector.endpoint, flush_interval="1h") as node:
        get_logger("test").info("hello")
        await node.set(flush_interval="100ms")
        collector.log("hello")
        get_logger("test").info("again")
        collector.log("again")


async def test_what_led_to_a_run_is_not_remembered_while_nobody_collects_it(tmp_path: Path, collectors: Any) -> None:
    collector = collectors()
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        node.telemetry.run_event(RunEvent("started", "backup", ended_execution(), link=begin().traceparent))
        await node.set(otlp_endpoint=None)
        node.telemetry.run_event(RunEvent("ended", "other"))
        await node.set(otlp_endpoint=collector.endpoint)
        node.telemetry.run_event(RunEvent("ended", "backup", ended_execution()))
        assert [] == list(collector.span("task backup").links)


async def test_an_address_that_goes_back_and_forth_makes_no_second_exporter(tmp_path: Path, collectors: Any) -> None:
    """Each change once added another exporter, and records came up to 29 times (alexhawat/mergeCraft#293)."""
    first, second = collectors(), collectors()
    async with life(tmp_path, otlp_endpoint=first.endpoint) as node:
        for _ in range(5):
            await node.set(otlp_endpoint=second.endpoint)
            await node.set(otlp_endpoint=first.endpoint)
        await node.set(otlp_endpoint=second.endpoint)
        get_logger("test").info("once")
        node.telemetry.run_event(RunEvent("ended", "backup", ended_execution()))
        second.log("once")
        second.span("task backup")
        for thread in sending()[:-3]:
            thread.join(PATIENCE)
        assert 3 == len(sending())
    sent = [line.body.string_value for collector in (first, second) for line in collector.logs]
    assert 1 == sent.count("once")
    assert ["task backup"] == [span.name for span in second.spans if span.name.startswith("task")]
    assert [] == [span.name for span in first.spans if span.name.startswith("task")]


async def test_a_change_is_a_span_of_its_keys_without_their_values(tmp_path: Path, collectors: Any) -> None:
    collector = collectors()
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        await node.live.set({"general.host_city": "hunter2"}, author="ana")
        span = collector.span("config change", dms__config__keys="general.host_city", dms__config__author="ana")
    assert b"" == span.parent_span_id
    assert not any(b"hunter2" in body for body in collector.bodies)


def ended_execution(trace_id: str = TRACE) -> Execution:
    return Execution("1-1", "1-1", "backup", 1, 1, Status.FAILED, 1, 2, 3, "no room", trace_id=trace_id)


async def test_an_execution_is_a_span_of_its_own_trace_linked_to_what_led_to_it(
    tmp_path: Path, collectors: Any
) -> None:
    collector, cause = collectors(), begin()
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        node.telemetry.run_event(RunEvent("started", "backup", ended_execution(), link=cause.traceparent))
        node.telemetry.run_event(RunEvent("skipped", "backup"))
        node.telemetry.run_event(RunEvent("ended", "backup", ended_execution()))
        span = collector.span("task backup", dms__execution__status="failed")
    assert (TRACE, TRACE[16:], b"") == (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id)
    assert [cause.id] == [link.trace_id.hex() for link in span.links]
    assert "no room" == span.status.message


async def test_a_command_is_a_span_in_its_callers_trace_unless_that_is_not_wanted(
    tmp_path: Path, collectors: Any
) -> None:
    collector = collectors()
    operations = by_name([Operation("a.b", Nothing, str, "x", Effect.READ, lambda params, command: "done", "")])
    caller = Caller("ana", "websocket", frozenset({ADMIN}))
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        operations.ended = node.telemetry.command
        for flags in ("00", "01"):
            parent = f"00-{TRACE}-b7ad6b716920333{flags[1]}-{flags}"
            await Command("a.b", {"_meta": {"traceparent": parent}}, caller=caller).run(operations)
        span = collector.span("a.b", dms__door="websocket", dms__command__state="succeeded")
    assert (TRACE, "b7ad6b7169203331") == (span.trace_id.hex(), span.parent_span_id.hex())
    assert 1 == len(collector.spans)


@pytest.mark.parametrize("manner", [503, "garbage", "closed"])
async def test_a_collector_that_is_not_well_is_one_line_and_a_finding_until_it_is(
    tmp_path: Path, collectors: Any, manner: Any
) -> None:
    collector = collectors(503 if manner == "closed" else manner)
    if manner == "closed":
        collector.close()
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        for number in range(20):
            get_logger("test").info(f"line {number}")
        wait_for(lambda: any("does not get" in event for event in node.told))
        wait_for(lambda: len(collector.bodies) > 20 or manner == "closed")
        assert [("otlp", collector.endpoint)] == [(each.code, each.subject) for each in node.health.findings()]
        assert 1 == sum("does not get" in event for event in node.told)
        if manner != "closed":
            collector.manner = 200
            collector.log("line 0")
            wait_for(lambda: not node.health.findings())
    assert {"line 0", "line 19"} <= {line.body.string_value for line in collector.logs} or manner == "closed"


def wait_for(holds: Any) -> None:
    """Wait for what other threads do; they tell nobody but the log."""
    for _ in range(int(PATIENCE * 100)):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come")


async def test_what_does_not_arrive_by_the_end_is_said_and_counted(tmp_path: Path, collectors: Any) -> None:
    collector = collectors(400)
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        get_logger("test").info("unwanted")
        wait_for(lambda: node.lost()["logs",])
        await node.telemetry.flush(PATIENCE)
        assert node.lost()["logs",] >= 1
        assert any(event.endswith(f"did not reach {collector.endpoint}") for event in node.told)
        assert [] == node.health.findings()


async def test_a_mute_collector_is_waited_for_no_longer_than_told(tmp_path: Path, collectors: Any) -> None:
    """A stop with an unreachable collector once took over a minute (open-telemetry/opentelemetry-python#3309)."""
    collector = collectors("mute")
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        get_logger("test").info("hello")
        collector.until(lambda: bool(collector.bodies))
        await node.telemetry.flush(0.05)
        assert [] != sending()  # it still hangs there, and nobody waits for it
        assert any(event.endswith(f"did not reach {collector.endpoint}") for event in node.told)
        collector.close()


async def test_what_libraries_log_where_it_is_sent_is_not_written(tmp_path: Path, collectors: Any) -> None:
    collector = collectors()
    collector.close()
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        wait_for(lambda: any("does not get" in event for event in node.told))
    assert not [event for event in node.told if "export" in event or "Retrying" in event or "HTTPConnection" in event]


async def test_a_collector_that_is_left_tells_of_no_trouble_any_more(
    tmp_path: Path, collectors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    mute = collectors("mute")
    async with life(tmp_path, otlp_endpoint=mute.endpoint) as node:
        get_logger("test").info("hello")
        mute.until(lambda: bool(mute.bodies))
        await node.telemetry.flush(0.01)
        assert [] != sending()
        for thread in sending():
            thread.join(PATIENCE)
        assert [] == node.health.findings()
        assert not any("does not get" in event for event in node.told)


async def test_what_is_lost_is_counted_while_a_collector_that_is_left_still_gets_its_rest(
    tmp_path: Path, collectors: Any
) -> None:
    collector = collectors(400)
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        get_logger("test").info("unwanted")
        wait_for(lambda: node.lost()["logs",])
        hang(collector)
        lost = node.lost()["logs",]
        await node.set(otlp_endpoint=None)
        assert lost == node.lost()["logs",]
        collector.close()


async def test_a_collector_that_is_left_takes_no_trouble_of_its_successor_with_it(
    tmp_path: Path, collectors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dms.init.live_telemetry.FAREWELL", 0.5)
    collector, other = collectors(), collectors()
    async with life(tmp_path, otlp_endpoint=collector.endpoint) as node:
        hang(collector)
        collector.manner = 503
        await node.set(otlp_endpoint=other.endpoint)
        await node.set(otlp_endpoint=collector.endpoint)
        wait_for(node.health.findings)
        wait_for(lambda: not any(each.name == "dms-telemetry-end" for each in threading.enumerate()))
        assert [collector.endpoint] == [finding.subject for finding in node.health.findings()]
        collector.close()


def hang(collector: Any) -> None:
    """Have the collector not answer any more, with a line of the log on its way."""
    collector.manner = "mute"
    get_logger("test").info("hangs")
    collector.until(lambda: any(b"hangs" in body for body in collector.bodies))


async def test_a_certificate_that_is_not_there_is_a_finding(
    tmp_path: Path, collectors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "none.pem"))
    for stronger in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(stronger, raising=False)
    endpoint = collectors().endpoint.replace("http:", "https:")
    async with life(tmp_path, otlp_endpoint=endpoint) as node:
        wait_for(lambda: any("none.pem" in event for event in node.told))
