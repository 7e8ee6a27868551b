import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

TASKS = "/api/v1/tasks"


async def test_tasks_are_listed_with_all_that_is_known_of_them(ask: Any) -> None:
    response = await ask("GET", TASKS)
    assert (200, "application/json") == (response.status_code, response.headers["Content-Type"])
    assert [("answer", "The answer."), ("hold", "")] == [
        (each["name"], each["description"]) for each in response.json()
    ]


async def test_a_task_is_told_by_its_name_and_by_its_id(ask: Any) -> None:
    by_name = (await ask("GET", f"{TASKS}/answer")).json()
    by_id = (await ask("GET", f"{TASKS}/{by_name['id']}")).json()
    assert ("answer", by_name["id"]) == (by_id["name"], by_id["id"])


async def test_the_operations_know_by_which_door_they_are_asked(ask: Any, node: Any) -> None:
    await ask("GET", TASKS, token="reader")
    (command,) = node.asked
    assert ("reader", "rest") == (command.caller.name, command.caller.door)


async def test_a_run_that_is_not_waited_for_is_accepted(ask: Any) -> None:
    response = await ask("POST", f"{TASKS}/answer/run")
    assert (202, "answer", None) == (response.status_code, response.json()["task"], response.json()["ended_at"])


@pytest.mark.parametrize("query", ["wait=true", "wait", "wait=&timeout=10s"])
async def test_one_that_is_waited_for_is_told_as_it_ended(query: str, ask: Any) -> None:
    response = await ask("POST", f"{TASKS}/answer/run?{query}")
    assert (200, "success", 42) == (response.status_code, response.json()["status"], response.json()["results"])


async def test_a_wait_that_is_too_long_is_504_and_the_run_goes_on(ask: Any, node: Any) -> None:
    response = await ask("POST", f"{TASKS}/hold/run?wait&timeout=1ms")
    assert (504, "timeout", True) == (response.status_code, response.json()["code"], response.json()["retryable"])
    assert 1 == node.scheduler.view("hold").running


async def test_what_comes_with_a_run_is_its_event(ask: Any) -> None:
    response = await ask("POST", f"{TASKS}/answer/run?wait", json={"event": {"door": "north"}})
    assert {"door": "north"} == response.json()["event"]["payload"]


async def test_a_run_of_what_runs_already_is_a_conflict(ask: Any) -> None:
    await ask("POST", f"{TASKS}/hold/run")
    response = await ask("POST", f"{TASKS}/hold/run")
    assert (409, "conflict") == (response.status_code, response.json()["code"])


async def test_a_run_beside_what_runs_already_is_to_be_had_for_the_asking(ask: Any, node: Any) -> None:
    await ask("POST", f"{TASKS}/hold/run")
    response = await ask("POST", f"{TASKS}/hold/run", json={"overlap": "allow"})
    assert (202, 2) == (response.status_code, node.scheduler.view("hold").running)
    response = await ask("POST", f"{TASKS}/hold/run", json={"overlap": "sometimes"})
    assert 422 == response.status_code
    assert "overlap" in response.json()["detail"]


async def test_a_pause_may_have_an_end(ask: Any, node: Any) -> None:
    paused = await ask("POST", f"{TASKS}/answer/pause", json={"until": "2126-01-01T00:00:00+00:00"})
    assert ["paused"] == [each["state"] for each in paused.json()]


async def test_a_task_is_paused_and_resumed(ask: Any) -> None:
    paused = await ask("POST", f"{TASKS}/answer/pause", json={"reason": "disk is being replaced"})
    assert [("answer", "paused", "disk is being replaced")] == [
        (each["name"], each["state"], each["reason"]) for each in paused.json()
    ]
    for _ in range(2):
        resumed = await ask("POST", f"{TASKS}/answer/resume")
        assert ["ready"] == [each["state"] for each in resumed.json()]


async def test_the_next_fire_of_a_task_is_skipped(ask: Any) -> None:
    for skip in (True, False):
        response = await ask("POST", f"{TASKS}/answer/skip-next", json={"skip": skip})
        assert (200, skip) == (response.status_code, response.json()["skip_next"])


async def test_past_fires_are_accepted_as_runs(ask: Any) -> None:
    trigger_of_an_hour = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    response = await ask("POST", f"{TASKS}/answer/backfill", json={"since": trigger_of_an_hour})
    assert (202, ["backfill"] * 2) == (response.status_code, [each["cause"] for each in response.json()])


async def test_a_span_without_a_beginning_names_the_field(ask: Any) -> None:
    response = await ask("POST", f"{TASKS}/answer/backfill", json={})
    assert (422, ["since"]) == (response.status_code, response.json()["fields"])


async def test_why_a_task_ran_is_told(ask: Any) -> None:
    execution = (await ask("POST", f"{TASKS}/answer/run?wait")).json()
    then = await ask("GET", f"{TASKS}/answer/explanation?at={execution['started_at'].replace('+', '%2B')}")
    assert (200, "ran") == (then.status_code, then.json()["verdict"])
    assert "ready" == (await ask("GET", f"{TASKS}/answer/explanation")).json()["verdict"]


async def test_what_is_to_come_is_told(ask: Any) -> None:
    response = await ask("GET", "/api/v1/preview?days=0.5")
    assert (200, True) == (response.status_code, response.json()["complete"])
    refused = await ask("GET", "/api/v1/preview?days=soon")
    assert (422, ["days"]) == (refused.status_code, refused.json()["fields"])


async def test_a_pause_until_something_that_is_no_moment_names_the_field(ask: Any) -> None:
    response = await ask("POST", f"{TASKS}/answer/pause", json={"until": "tomorrow"})
    assert (422, ["until"]) == (response.status_code, response.json()["fields"])


async def test_executions_come_newest_first_page_by_page(ask: Any) -> None:
    made = [(await ask("POST", f"{TASKS}/answer/run?wait")).json()["id"] for _ in range(3)]
    first = await ask("GET", f"{TASKS}/answer/executions?limit=2")
    assert made[:0:-1] == [each["id"] for each in first.json()]
    assert f'<?limit=2&before={made[1]}>; rel="next"' == first.headers["Link"]
    second = await ask("GET", str(first.request.url.join(first.links["next"]["url"])))
    assert (made[:1], False) == ([each["id"] for each in second.json()], "Link" in second.headers)


@pytest.mark.parametrize("limit", ["0", "1001", "two", "1.5", "1.0", "1e1", "null", "٣", "9" * 5000, "-1", ""])
async def test_a_limit_out_of_bounds_is_422_and_named(limit: str, ask: Any) -> None:
    response = await ask("GET", f"{TASKS}/answer/executions?limit={limit}")
    assert (422, ["limit"]) == (response.status_code, response.json()["fields"])


async def test_the_lines_of_a_run_come_with_the_cursor_for_the_next(ask: Any, node: Any) -> None:
    run = (await ask("POST", f"{TASKS}/hold/run")).json()["id"]
    page = (await ask("GET", f"{TASKS}/hold/logs?wait=10s")).json()
    assert (["begun"], f"{run}:1", False) == ([line["text"] for line in page["lines"]], page["cursor"], page["over"])
    waiting = asyncio.ensure_future(ask("GET", f"{TASKS}/hold/logs?run={run}&from={page['cursor']}&wait=60s"))
    node.let_go.set()
    page = (await waiting).json()
    assert ([], True) == (page["lines"], page["over"])


async def test_a_cursor_that_is_none_is_422_and_named(ask: Any) -> None:
    response = await ask("GET", f"{TASKS}/hold/logs?from=x")
    assert (422, ["from"]) == (response.status_code, response.json()["fields"])


NEW = {"name": "new", "declaration": {"run": ["true"], "every": "1h"}}


async def test_a_task_is_added_and_removed(ask: Any, node: Any) -> None:
    added = await ask("POST", TASKS, json=NEW)
    assert (201, f"{TASKS}/new") == (added.status_code, added.headers["Location"])
    assert "new" in node.live.config.tasks
    assert 409 == (await ask("POST", TASKS, json=NEW)).status_code
    assert 200 == (await ask("DELETE", f"{TASKS}/new")).status_code
    assert "new" not in node.live.config.tasks
    assert 404 == (await ask("DELETE", f"{TASKS}/new")).status_code


async def test_what_a_file_declares_is_not_removed(ask: Any) -> None:
    response = await ask("DELETE", f"{TASKS}/filed")
    assert (403, "refused", False) == (
        response.status_code,
        response.json()["code"],
        "WWW-Authenticate" in response.headers,
    )


async def test_it_can_be_disabled_and_enabled_as_often_as_one_likes(ask: Any, node: Any) -> None:
    for word, enabled in (("disable", False), ("disable", False), ("enable", True), ("enable", True)):
        assert 200 == (await ask("POST", f"{TASKS}/filed/{word}")).status_code
        assert enabled is node.live.config.tasks["filed"].enabled


@pytest.mark.parametrize(
    "body",
    [
        {"name": "new"},
        {"declaration": {}},
        {"name": "new", "declaration": 1},
        {"name": "new", "declaration": {"evry": "1h"}},
    ],
)
async def test_a_declaration_that_can_t_be_changes_nothing(body: Any, ask: Any, node: Any) -> None:
    response = await ask("POST", TASKS, json=body)
    assert 422 == response.status_code
    assert {"filed"} == set(node.live.config.tasks)
