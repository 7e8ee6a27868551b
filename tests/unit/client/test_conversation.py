import json
from typing import Any

import pytest

from dms.client.conversation import Answered, Conversation, Notified
from dms.errors import InvalidInput, NoNode, RemoteError


def test_requests_are_lines_with_numbers_of_their_own() -> None:
    conversation = Conversation()
    (one, first), (two, second) = conversation.request("rpc.ping"), conversation.request("task.get", {"name": "ä\n"})
    assert one != two
    assert {"jsonrpc": "2.0", "id": one, "method": "rpc.ping", "params": {}} == json.loads(first)
    assert {"name": "ä\n"} == json.loads(second)["params"]
    assert 1 == second.count(b"\n")


@pytest.mark.parametrize("value", [float("nan"), "\udc80", object(), {1}])
def test_what_has_no_form_in_json_is_the_caller_s_mistake(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^task.run: "):
        Conversation().request("task.run", {"event": value})


def test_an_answer_is_a_result_or_an_error_to_raise() -> None:
    conversation = Conversation()
    assert Answered(3, [1]) == conversation.receive(b'{"jsonrpc":"2.0","id":3,"result":[1]}')
    data = b'{"reason":"conflict","retryable":false}'
    answered = conversation.receive(b'{"id":4,"error":{"code":-32005,"message":"it runs","data":%b}}' % data)
    assert isinstance(answered, Answered)
    error = answered.error
    assert isinstance(error, RemoteError)
    assert (4, "it runs", "conflict", -32005, {"retryable": False}) == (
        answered.id,
        str(error),
        error.reason,
        error.number,
        error.data,
    )


def test_what_nobody_asked_for_is_a_notification() -> None:
    assert Notified("sub.event", {"seq": 1}) == Conversation().receive(b'{"method":"sub.event","params":{"seq":1}}')


@pytest.mark.parametrize("line", [b"HTTP/1.1 400 Bad Request", b"42", b"null", b"{}", b'{"id":1}', b"\xff"])
def test_what_is_no_message_comes_from_no_node(line: bytes) -> None:
    with pytest.raises(NoNode, match="what answers is no DMS node"):
        Conversation().receive(line)
