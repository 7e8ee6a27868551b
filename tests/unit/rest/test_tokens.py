from typing import Any

TOKENS = "/api/v1/tokens"


async def test_a_token_is_made_used_listed_and_revoked(ask: Any) -> None:
    made = await ask("POST", TOKENS, json={"scopes": ["task:read"], "name": "ana", "expires_in": "1h"})
    token = made.json()
    assert (201, f"{TOKENS}/{token['id']}") == (made.status_code, made.headers["Location"])
    assert 200 == (await ask("GET", "/api/v1/tasks", token=token["token"])).status_code
    listed = await ask("GET", TOKENS)
    assert ([token["id"]], False) == (
        [each["id"] for each in listed.json()["tokens"]],
        token["token"] in listed.text,
    )
    assert 200 == (await ask("DELETE", f"{TOKENS}/{token['id']}")).status_code
    assert 401 == (await ask("GET", "/api/v1/tasks", token=token["token"])).status_code
    assert 404 == (await ask("DELETE", f"{TOKENS}/{token['id']}")).status_code


async def test_an_id_of_digits_alone_is_a_text_all_the_same(ask: Any, node: Any) -> None:
    await ask("DELETE", f"{TOKENS}/12345678")
    assert {"id": "12345678"} == node.asked[0].params


async def test_nobody_makes_one_that_may_more_than_they_may(ask: Any, node: Any) -> None:
    _, token = node.tokens.create("ana", ["token:write", "task:read"], "test", None)
    response = await ask("POST", TOKENS, json={"scopes": ["admin"]}, token=token)
    assert 403 == response.status_code
