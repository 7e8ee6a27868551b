"""A collector of telemetry for tests: takes OTLP over HTTP, understands it, and may behave as badly as it is told."""

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATIENCE = 20
"""Seconds after which what was waited for has failed to come."""

KINDS: dict[str, Any] = {
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


def plain(value: Any) -> Any:
    """What a value of the protocol holds."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: plain(pair.value) for pair in pairs}


class Collector:
    """Listens on a port of its own until `close`. `manner` is how it answers: a status, or mute, garbage, endless."""

    def __init__(self, manner: int | str = 200) -> None:
        self.manner = manner
        self.bodies: list[bytes] = []
        self.requests: list[Any] = []
        self.connections: set[Any] = set()
        self._news, self._over = threading.Condition(), threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector._take(self, body)

            def log_message(self, *_: Any) -> None:
                """Quietly."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def _take(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        with self._news:
            manner = self.manner
            self.bodies.append(body + str(handler.headers).encode())
            self.connections.add(handler.client_address)
            if manner == 200:
                self.requests.append(KINDS[handler.path].FromString(body))
            self._news.notify_all()
        self._answer(handler, manner)

    def _answer(self, handler: BaseHTTPRequestHandler, manner: int | str) -> None:
        if manner == "mute":
            self._over.wait(PATIENCE)
            handler.close_connection = True
        elif manner == "garbage":
            handler.wfile.write(b"\x16\x03\x01 no answer at all \r\n\r\n")
            handler.close_connection = True
        elif manner == "endless":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            self._pour(handler)
        else:
            handler.send_response(int(manner))
            handler.send_header("Content-Length", "0")
            handler.send_header("Location", "http://127.0.0.1:1/")
            handler.end_headers()

    def _pour(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        try:
            while not self._over.is_set():
                handler.wfile.write(b"x" * 65_536)
        except OSError:
            return

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what has come so far holds."""
        with self._news:
            assert self._news.wait_for(holds, PATIENCE), f"it did not come; {len(self.bodies)} requests did"

    def close(self) -> None:
        """Listen no more."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    # ── what has come ──

    def _scopes(self, resources: str, scopes: str) -> Iterator[Any]:
        for request in tuple(self.requests):
            for resource in getattr(request, resources, ()):
                yield from getattr(resource, scopes)

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Of what each request was, in the order in which they came."""
        fields = ("resource_logs", "resource_spans", "resource_metrics")
        return [
            attributes(part.resource.attributes)
            for request in tuple(self.requests)
            for field in fields
            for part in getattr(request, field, ())
        ]

    @property
    def logs(self) -> list[Any]:
        """The lines so far."""
        return [each for scope in self._scopes("resource_logs", "scope_logs") for each in scope.log_records]

    @property
    def spans(self) -> list[Any]:
        """The spans so far."""
        return [each for scope in self._scopes("resource_spans", "scope_spans") for each in scope.spans]

    @property
    def metrics(self) -> dict[str, Any]:
        """Each metric as it came last, by name."""
        return {
            each.name: each for scope in self._scopes("resource_metrics", "scope_metrics") for each in scope.metrics
        }

    def log(self, event: str) -> Any:
        """The line that says this, once it has come."""
        self.until(lambda: any(event == line.body.string_value for line in self.logs))
        return next(line for line in self.logs if event == line.body.string_value)

    def span(self, name: str, **wanted: Any) -> Any:
        """A span of that name with these attributes (`__` for a dot), once it has come."""

        def found() -> list[Any]:
            expected = {key.replace("__", "."): value for key, value in wanted.items()}
            return [s for s in self.spans if s.name == name and expected.items() <= attributes(s.attributes).items()]

        self.until(lambda: bool(found()))
        return found()[0]
