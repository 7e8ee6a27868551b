"""OpenTelemetry: plain values become its records, and go to a collector by OTLP over HTTP.

The only module that knows OpenTelemetry's SDK. It is imported by the threads that send, once there is an endpoint: what
a node does waits for none of it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import export as metric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from dms import __version__
from dms.init.records import Attributes, Figures, LogLine, Span
from dms.init.sender import Exporter, Sent
from dms.instant import from_datetime
from dms.metrics import Distribution, Kind, Reading
from dms.trace import Trace, first_span, read_traceparent

LONGEST_ANSWER = 65_536
"""Bytes of a collector's answer that are read; what is longer is none."""

_SCOPE = InstrumentationScope("dms", __version__)
_NANOSECONDS = 1_000
_GREATEST_INT = 2**63 - 1
_SEVERITIES = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}
_HEAD = frozenset({"at", "level", "event", "trace_id"})


def exporter_of(signal: str, endpoint: str, attributes: Attributes) -> Exporter:
    """What sends `logs`, `traces` or `metrics` to a collector."""
    session = _Session()
    address = f"{endpoint.rstrip('/')}/v1/{signal}"
    if signal == "logs":
        logs = OTLPLogExporter(address, session=session)
        return _OtlpExporter(session, logs, lambda batch: [_log_record(line, _resource(attributes)) for line in batch])
    if signal == "traces":
        spans = OTLPSpanExporter(address, session=session)
        return _OtlpExporter(session, spans, lambda batch: [_span(span, _resource(attributes)) for span in batch])
    metrics = OTLPMetricExporter(address, session=session)
    return _OtlpExporter(session, metrics, lambda batch: _metrics_data(batch[-1], _resource(attributes)))


class _GaveUp(Exception):
    """The exporter is not to try once more by itself: the sender does, and the stop does not wait for it."""


class _Session(requests.Session):
    """Remembers how the last request went, and reads a bounded answer. Redirects and failures are told as such."""

    status = 0
    problem = ""
    _failed_before = False

    def begin(self) -> None:
        """A batch is to be sent."""
        self.status, self.problem, self._failed_before = 0, "", False

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Post it; a connection that the collector has closed meanwhile is tried once more."""
        try:
            response = super().request(*args, **{**options, "stream": True})
        except requests.ConnectionError as error:
            self.problem = "it can't be reached"
            if self._failed_before:
                raise _GaveUp from error
            self._failed_before = True
            raise
        except OSError as error:  # all of the library's own, and files for TLS that are not there
            self.problem = "it does not answer" if isinstance(error, requests.Timeout) else _told(error)
            raise _GaveUp from error
        self.status = response.status_code
        _read_answer(response)
        if not response.ok or response.is_redirect:
            raise _GaveUp
        return response


def _told(error: OSError) -> str:
    return type(error).__name__ if isinstance(error, requests.RequestException) else str(error)


def _read_answer(response: requests.Response) -> None:
    """Read as much as an answer may have, so that the connection can serve again; nothing in it matters."""
    try:
        response.raw.read(LONGEST_ANSWER)
    except Exception:  # noqa: BLE001 - whatever breaks here, the batch has arrived
        pass
    response.close()


class _OtlpExporter:
    """One of the SDK's exporters, with what it sends made from plain values."""

    def __init__(self, session: _Session, exporter: Any, translate: Callable[[Sequence[Any]], Any]) -> None:
        self._session, self._exporter, self._translate = session, exporter, translate

    def send(self, batch: Sequence[Any]) -> Sent:
        """Send a batch, which may take as long as the SDK's timeout (10 seconds, or OTEL_EXPORTER_OTLP_TIMEOUT)."""
        self._session.begin()
        try:
            sent = self._exporter.export(self._translate(batch)).name == "SUCCESS"
        except Exception as error:  # noqa: BLE001 - whatever it is, no thread ends by it, and this batch never arrives
            return Sent(f"it can't be sent: {type(error).__name__}")
        return Sent() if sent else _judged(self._session)

    def close(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()


def _judged(session: _Session) -> Sent:
    """What a failure means: a collector that does not want a batch will not want it the next time either."""
    if not session.status:
        return Sent(session.problem or "it can't be sent", again=bool(session.problem))
    return Sent(f"it answers {session.status}", again=session.status in (408, 429) or session.status >= 500)


def _resource(attributes: Attributes) -> Resource:
    return Resource(dict(attributes()))


def _context(trace: Trace) -> SpanContext:
    return SpanContext(trace.trace_id, trace.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _log_record(line: LogLine, resource: Resource) -> ReadableLogRecord:
    fields, trace = line.fields, _trace_of(line)
    within = None if trace is None else set_span_in_context(NonRecordingSpan(_context(trace)))
    level = str(fields["level"])
    at = from_datetime(datetime.fromisoformat(str(fields["at"]))) * _NANOSECONDS
    record = LogRecord(
        timestamp=at,
        observed_timestamp=at,
        context=within,
        severity_text=level,
        severity_number=_SEVERITIES.get(level, SeverityNumber.ERROR),
        body=str(fields["event"]),
        attributes={name: _bounded(value) for name, value in fields.items() if name not in _HEAD},
    )
    return ReadableLogRecord(record, resource, _SCOPE)


def _trace_of(line: LogLine) -> Trace | None:
    """A line about a span that it was not written in names the trace, and so its first span."""
    named = line.fields.get("trace_id")
    if named is None or (line.trace is not None and line.trace.id == named):
        return line.trace
    return first_span(int(named, 16))


def _bounded(value: Any) -> Any:
    """With integers as text where the protocol's have no room for them."""
    if isinstance(value, dict):
        return {name: _bounded(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_bounded(held) for held in value]
    return str(value) if isinstance(value, int) and value > _GREATEST_INT else value


def _span(span: Span, resource: Resource) -> ReadableSpan:
    trace, link = span.trace, read_traceparent(span.link)
    parent = Trace(trace.trace_id, trace.parent_id) if trace.parent_id else None
    return ReadableSpan(
        span.name,
        context=_context(trace),
        parent=None if parent is None else _context(parent),
        resource=resource,
        attributes=dict(span.attributes),
        links=() if link is None else (Link(_context(link)),),
        kind=SpanKind.SERVER if span.asked else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.start * _NANOSECONDS,
        end_time=span.end * _NANOSECONDS,
        instrumentation_scope=_SCOPE,
    )


def _metrics_data(figures: Figures, resource: Resource) -> metric.MetricsData:
    metrics = [_metric(reading, figures) for reading in figures.readings if reading.points]
    scope = metric.ScopeMetrics(_SCOPE, metrics, "")
    return metric.MetricsData([metric.ResourceMetrics(resource, [scope], "")])


def _metric(reading: Reading, figures: Figures) -> metric.Metric:
    instrument = reading.instrument
    data: metric.Sum | metric.Gauge | metric.Histogram
    if instrument.kind is Kind.HISTOGRAM:
        data = metric.Histogram(_distributions(reading, figures), metric.AggregationTemporality.CUMULATIVE)
    elif instrument.kind is Kind.GAUGE:
        data = metric.Gauge(_numbers(reading, figures))
    else:
        grows = instrument.kind is Kind.COUNTER
        data = metric.Sum(_numbers(reading, figures), metric.AggregationTemporality.CUMULATIVE, grows)
    return metric.Metric(instrument.name, instrument.description, instrument.unit, data)


def _numbers(reading: Reading, figures: Figures) -> list[metric.NumberDataPoint]:
    since, at = figures.since * _NANOSECONDS, figures.at * _NANOSECONDS
    return [
        metric.NumberDataPoint(dict(zip(reading.instrument.labels, labels, strict=True)), since, at, value)
        for labels, value in reading.points.items()
        if not isinstance(value, Distribution)
    ]


def _distributions(reading: Reading, figures: Figures) -> list[metric.HistogramDataPoint]:
    since, at = figures.since * _NANOSECONDS, figures.at * _NANOSECONDS
    unknown: Any = None  # the least and the greatest value, which the protocol lets one leave out
    return [
        metric.HistogramDataPoint(
            attributes=dict(zip(reading.instrument.labels, labels, strict=True)),
            start_time_unix_nano=since,
            time_unix_nano=at,
            count=sum(value.counts),
            sum=value.sum,
            bucket_counts=value.counts,
            explicit_bounds=reading.instrument.bounds,
            min=unknown,
            max=unknown,
        )
        for labels, value in reading.points.items()
        if isinstance(value, Distribution)
    ]
