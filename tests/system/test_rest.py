"""REST of the real daemon, from outside: with httpx, with curl, and with whatever schemathesis can think of."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def node(shared_nodes: Any) -> Any:
    shared_nodes.configure(tasks={"report": {"call": "functions:payload"}, "slow": {"call": "functions:obey"}})
    return shared_nodes.start()


def url_of(node: Any) -> str:
    doors: list[str] = node.ask("node.status")["doors"]
    return next(door for door in doors if door.startswith("http"))


def client_of(node: Any) -> httpx.Client:
    """One who may do everything."""
    headers = {"Authorization": f"Bearer {(node.data_dir / 'admin.token').read_text().strip()}"}
    return httpx.Client(base_url=url_of(node), headers=headers, trust_env=False, timeout=10)


@pytest.fixture
def client(node: Any) -> Iterator[httpx.Client]:
    with client_of(node) as client:
        yield client


def test_a_task_is_run_and_its_history_read_as_everywhere(node: Any, client: httpx.Client) -> None:
    ended = client.post("/api/v1/tasks/report/run?wait", json={"event": {"door": "north"}}).json()
    assert ("success", {"door": "north"}) == (ended["status"], ended["results"])
    assert ended == client.get("/api/v1/tasks/report/executions?limit=1").json()[0] == node.history("report")[0]


def test_a_change_outlives_a_kill_and_its_history_says_who(nodes: Any) -> None:
    node = nodes.start()
    with client_of(node) as client:
        tag = client.get("/api/v1/config").headers["ETag"]
        changed = client.patch("/api/v1/config", json={"scheduler.max_running_tasks": 2}, headers={"If-Match": tag})
        assert 200 == changed.status_code
    node.kill()
    again = nodes.start()
    with client_of(again) as client:
        assert 2 == client.get("/api/v1/config/scheduler.max_running_tasks").json()["value"]
        authors = [each["author"] for each in client.get("/api/v1/config/history").json()]
        stale = client.put("/api/v1/config/scheduler.max_running_tasks", json=3, headers={"If-Match": tag})
    assert ("admin by rest", 412) == (authors[0], stale.status_code)


def test_a_node_that_works_is_ready_and_tells_its_figures_to_whom_it_may(node: Any, client: httpx.Client) -> None:
    assert "well" == client.get("/health/ready").json()["state"]
    assert "dms_" in client.get("/metrics").text
    assert 401 == httpx.get(f"{url_of(node)}/metrics", trust_env=False).status_code


def test_a_request_costs_no_more_than_the_work_that_it_is(client: httpx.Client) -> None:
    """Forty requests in less time than Nagle's algorithm took for them."""
    client.get("/health/live")
    took = sum(client.get("/health/live").elapsed.total_seconds() for _ in range(40))
    assert took < 1.2


def test_whoever_waits_for_a_run_when_the_node_stops_is_told_how_it_ended(nodes: Any) -> None:
    nodes.configure(tasks={"slow": {"call": "functions:obey"}}, shutdown={"timeout": "4s"})
    node = nodes.start()
    words = ["-s", "-X", "POST", "-H", f"Authorization: Bearer {(node.data_dir / 'admin.token').read_text().strip()}"]
    waiting = subprocess.Popen(["curl", *words, f"{url_of(node)}/api/v1/tasks/slow/run?wait"], stdout=subprocess.PIPE)
    node.wait_for(lambda line: line.get("event") == "start" and line.get("task") == "slow")
    assert 0 == node.stop()
    told, _ = waiting.communicate(timeout=10)
    assert "interrupted" == json.loads(told)["status"]


def test_the_readme_s_curl_tells_how_the_node_is(node: Any) -> None:
    (line,) = re.findall(r"^\$ (curl .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    here = line.replace(".dms/", f"{node.data_dir}/").replace("http://127.0.0.1:9999", url_of(node))
    said = subprocess.run(["sh", "-c", here], capture_output=True, text=True, timeout=10, check=True).stdout
    assert ("well", node.ask("node.status")["name"]) == (json.loads(said)["state"], json.loads(said)["name"])


@pytest.mark.nightly
def test_the_answer_to_anything_at_all_is_one_that_the_description_tells(node: Any) -> None:
    """Whisparr/Whisparr#1315, zenml-io/kitaru#930, awtkns/fastapi-crudrouter#103."""
    import schemathesis  # costs a second, and only this test needs it
    from hypothesis import HealthCheck, given, settings

    scopes = [
        "task:read",
        "task:run",
        "task:write",
        "config:read",
        "config:write",
        "node:read",
        "logs:read",
        "event:emit",
    ]
    headers = {"Authorization": f"Bearer {node.ask('token.create', scopes=scopes)['token']}"}
    described = schemathesis.openapi.from_url(f"{url_of(node)}/openapi.json", headers=headers)
    schemathesis.checks.load_all_checks()
    too_strict = schemathesis.checks.CHECKS.get_one("positive_data_acceptance")  # names that no task has, for one
    asked = 0
    for found in described.get_all_operations():
        for mode in schemathesis.GenerationMode:

            @given(case=found.ok().as_strategy(generation_mode=mode))
            @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def ask(case: Any) -> None:
                nonlocal asked
                case.call_and_validate(headers=headers, excluded_checks=[too_strict])
                asked += 1

            ask()
    assert asked > 1000
