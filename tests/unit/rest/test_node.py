from typing import Any

from dms.health import Finding


async def test_the_node_tells_who_it_is_and_how(ask: Any, node: Any) -> None:
    node.health.report(Finding("config_unknown_key", "x", "unknown key"))
    info, status = await ask("GET", "/api/v1/node"), await ask("GET", "/api/v1/node/status")
    assert ("quiet-heron", {"country": "FI"}) == (info.json()["name"], info.json()["facts"])
    assert ("degraded", ["unknown key"]) == (
        status.json()["state"],
        [each["message"] for each in status.json()["findings"]],
    )


async def test_the_log_s_newest_lines_are_told(ask: Any, node: Any) -> None:
    for number in range(3):
        node.logs.publish({"event": f"line {number}"})
    told = (await ask("GET", "/api/v1/logs?limit=1")).json()
    assert {"lines": [{"event": "line 2"}], "cursor": "1-3"} == told


async def test_an_event_is_emitted(ask: Any) -> None:
    response = await ask("POST", "/api/v1/events", json={"topic": "door.opened", "payload": {"door": "north"}})
    assert (200, {"topic": "door.opened"}) == (response.status_code, response.json())
