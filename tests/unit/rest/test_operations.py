from typing import Any

OPERATIONS = "/api/v1/operations"


async def test_an_operation_that_a_package_brought_is_asked_by_its_name(ask: Any) -> None:
    response = await ask("POST", f"{OPERATIONS}/coffee.price", json={"large": True})
    assert (200, {"euros": 3}) == (response.status_code, response.json())
    assert {"euros": 2} == (await ask("POST", f"{OPERATIONS}/coffee.price")).json()


async def test_it_has_its_scope_its_checks_and_its_description_like_any_other(ask: Any) -> None:
    forbidden = await ask("POST", f"{OPERATIONS}/coffee.price", token="reader")
    assert (403, True) == (forbidden.status_code, "coffee:read" in forbidden.json()["detail"])
    wrong = await ask("POST", f"{OPERATIONS}/coffee.price", json={"large": "yes"})
    assert (422, ["large"]) == (wrong.status_code, wrong.json()["fields"])
    described = (await ask("GET", "/openapi.json")).json()["paths"][f"{OPERATIONS}/coffee.price"]["post"]
    assert ("coffee:read", "Tells what one costs.") == (described["x-scope"], described["summary"])


async def test_what_a_resource_asks_is_there_once_and_subscriptions_need_one_who_stays(ask: Any) -> None:
    paths = (await ask("GET", "/openapi.json")).json()["paths"]
    there = {path.removeprefix(f"{OPERATIONS}/") for path in paths if path.startswith(OPERATIONS)}
    assert {"coffee.price", "rpc.discover", "rpc.ping"} == there
    assert 404 == (await ask("POST", f"{OPERATIONS}/task.list")).status_code
