from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.access.caller import ADMIN, SCOPES, Caller
from dms.access.identity import new_identity
from dms.access.tokens import Tokens
from dms.command.command import Command
from dms.command.operation import Operation, by_name
from dms.command.tokens import token_operations
from dms.errors import Forbidden, InvalidDuration, InvalidParameters, NotFound
from dms.testing import FakeClock

Ask = Callable[..., Any]


class Node:
    """The operations on a node's tokens, and which sockets were hung up on."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.revoked = FakeClock(), list[str]()
        self.tokens = Tokens(folder, new_identity(), self.clock)
        self.operations = token_operations(
            self.tokens, self.clock, lambda: {*SCOPES, "coffee:make"}, self.revoked.append
        )

    async def ask(self, caller: Caller, method: str, **params: Any) -> Any:
        return await Command(method, params, caller=caller).run(by_name(self.operations))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def operations(node: Node) -> list[Operation]:
    return node.operations


def holder(*scopes: str, expires: int | None = None) -> Caller:
    return Caller("ana", "rest", frozenset(scopes), "00000000", expires)


async def test_a_token_that_was_made_lets_its_holder_in(node: Node, operations: list[Operation], ask: Ask) -> None:
    made = await ask(operations, "token.create", scopes=["task:run", "task:read", "task:read"], name="bob")
    assert ("bob", ["task:read", "task:run"], None) == (made["name"], made["scopes"], made["expires"])
    caller = node.tokens.authenticate(made["token"])
    assert ("bob", {"task:read", "task:run"}, made["id"]) == (caller.name, caller.scopes, caller.token_id)


async def test_it_has_the_end_that_was_asked_for(node: Node, operations: list[Operation], ask: Ask) -> None:
    made = await ask(operations, "token.create", scopes=["task:read"], expires_in="1h30m")
    (token,) = node.tokens.list()
    assert node.clock.now().wall + 5_400_000_000 == token.expires
    assert made["expires"].endswith("+00:00")


async def test_a_plugins_scope_can_be_given(operations: list[Operation], ask: Ask) -> None:
    assert ["coffee:make"] == (await ask(operations, "token.create", scopes=["coffee:make"]))["scopes"]


async def test_the_list_shows_no_secret(operations: list[Operation], ask: Ask) -> None:
    made = await ask(operations, "token.create", scopes=["task:read"])
    told = await ask(operations, "token.list")
    assert [made["id"]] == [token["id"] for token in told["tokens"]]
    assert "root by socket" == told["tokens"][0]["made_by"]
    assert {"id", "name", "scopes", "created", "made_by", "expires", "last_used"} == told["tokens"][0].keys()


async def test_revoking_hangs_up_on_whoever_came_in_with_it(node: Node, operations: list[Operation], ask: Ask) -> None:
    made = await ask(operations, "token.create", scopes=["task:read"])
    assert made["id"] == (await ask(operations, "token.revoke", id=made["id"]))["id"]
    assert ([made["id"]], []) == (node.revoked, node.tokens.list())
    with pytest.raises(NotFound):
        await ask(operations, "token.revoke", id=made["id"])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"scopes": []}, InvalidParameters, "scopes"),
        ({"scopes": ["task:raed"]}, InvalidParameters, r"no scope task:raed .*Did you mean task:read\?"),
        ({"scopes": ["task:read"], "expires_in": "soon"}, InvalidDuration, "expires_in: 'soon'"),
        ({"scopes": ["task:read"], "expires_in": "-1s"}, InvalidDuration, "expires_in"),
        ({"scopes": ["task:read"], "expires_in": "0s"}, InvalidParameters, "expires_in: 0 lets nobody in"),
        ({"scopes": ["task:read"], "name": "two\nlines"}, InvalidParameters, "name"),
        ({"scopes": ["task:read"], "name": "x" * 65}, InvalidParameters, "name"),
    ],
)
async def test_what_can_not_be_is_refused_by_name(
    params: dict[str, Any], error: type[Exception], message: str, node: Node, operations: list[Operation], ask: Ask
) -> None:
    with pytest.raises(error, match=message):
        await ask(operations, "token.create", **params)
    assert [] == node.tokens.list()


@pytest.mark.parametrize("method", ["token.create", "token.list", "token.revoke"])
async def test_who_may_not_give_access_may_not_ask_either(method: str, node: Node) -> None:
    with pytest.raises(Forbidden, match="needs the scope token:write"):
        await node.ask(holder("task:read"), method)


async def test_a_token_gives_at_most_what_it_holds(node: Node) -> None:
    giver = holder("token:write", "task:read")
    await node.ask(giver, "token.create", scopes=["task:read"])
    for wanted in ("task:run", ADMIN, "exec:run"):
        with pytest.raises(Forbidden, match=f"does not hold {wanted}"):
            await node.ask(giver, "token.create", scopes=["task:read", wanted])
    assert 1 == len(node.tokens.list())


async def test_a_token_takes_away_at_most_what_it_holds(node: Node) -> None:
    made, _ = node.tokens.create("root", [ADMIN], "first start", None)
    with pytest.raises(Forbidden, match="does not hold admin"):
        await node.ask(holder("token:write"), "token.revoke", id=made.id)
    assert ([made.id], []) == ([token.id for token in node.tokens.list()], node.revoked)


@pytest.mark.parametrize("longer", [None, "1h1s", "365d"])
async def test_no_token_outlives_the_one_it_was_made_with(longer: str | None, node: Node) -> None:
    giver = holder("token:write", "task:read", expires=node.clock.now().wall + 3_600_000_000)
    with pytest.raises(Forbidden, match="can't make a longer one"):
        await node.ask(giver, "token.create", scopes=["task:read"], expires_in=longer)
    await node.ask(giver, "token.create", scopes=["task:read"], expires_in="1h")
    assert [giver.expires] == [token.expires for token in node.tokens.list()]
