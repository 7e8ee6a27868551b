"""What stands beside the resources: health, metrics, the description."""

from typing import Any

import pytest

from dms.health import Finding


async def test_a_node_that_answers_lives_and_needs_no_token_to_say_so(ask: Any, node: Any) -> None:
    node.health.ready(False)
    response = await ask("GET", "/health/live", token=None)
    assert (200, {"state": "live"}) == (response.status_code, response.json())


async def test_a_node_that_takes_work_is_ready_and_strangers_are_told_no_details(ask: Any, node: Any) -> None:
    assert {"state": "well"} == (await ask("GET", "/health/ready", token=None)).json()
    node.health.report(Finding("store", "disk", "the disk of /srv is full"))
    response = await ask("GET", "/health/ready", token=None)
    assert (200, {"state": "degraded"}) == (response.status_code, response.json())


async def test_one_that_takes_none_is_503_and_says_when_to_ask_again(ask: Any, node: Any) -> None:
    node.health.ready(False)
    response = await ask("GET", "/health/ready", token=None)
    assert (503, {"state": "not_ready"}, "5") == (
        response.status_code,
        response.json(),
        response.headers["Retry-After"],
    )


async def test_health_does_not_depend_on_a_good_token(ask: Any) -> None:
    assert 200 == (await ask("GET", "/health/ready", token="wrong")).status_code


async def test_metrics_are_told_as_prometheus_wants_them(ask: Any) -> None:
    response = await ask("GET", "/metrics", token="reader")
    assert (200, "dms_up 1.0\n") == (response.status_code, response.text)
    assert response.headers["Content-Type"].startswith("text/plain; version=")


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json"])
async def test_metrics_and_the_description_need_a_token_that_may_read_the_node(path: str, ask: Any, node: Any) -> None:
    _, token = node.tokens.create("ana", ["task:read"], "test", None)
    assert [401, 403, 200] == [(await ask("GET", path, token=each)).status_code for each in (None, token, "reader")]


async def test_metrics_that_fail_tell_no_word_and_leave_a_traceback_in_the_log(
    ask: Any, node: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def metrics() -> bytes:
        raise ZeroDivisionError("password=hunter2")

    node.metrics = metrics
    response = await ask("GET", "/metrics")
    assert (500, "internal", False) == (response.status_code, response.json()["code"], "hunter2" in response.text)
    assert "GET /metrics failed unforeseen" in caplog.text
