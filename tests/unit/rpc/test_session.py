import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.errors import Conflict, NotFound
from dms.rpc.message import Answer, Cancellation, Notification, Reply, Request
from dms.rpc.session import MAX_BATCH, MAX_MESSAGE, Session


def request(identifier: Any, method: str = "ping", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}


def hear(session: Session, message: Any) -> list[Any]:
    return list(session.receive(json.dumps(message)))


def answered(received: list[Any]) -> Any:
    """What the session answers by itself, read."""
    (answer,) = received
    assert isinstance(answer, Answer)
    return json.loads(answer.text)


def codes(answer: Any) -> Any:
    return [codes(each) for each in answer] if isinstance(answer, list) else (answer["error"]["code"], answer["id"])


def test_a_request_is_read_with_its_params() -> None:
    assert [Request(1, "task.run", {"name": "backup"})] == hear(Session(), request(1, "task.run", name="backup"))


def test_params_may_be_left_out_or_given_by_position() -> None:
    left_out = Session().receive(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    by_position = Session().receive(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1,2]}')
    assert [Request(1, "ping", {})] == left_out
    assert [Request(1, "ping", [1, 2])] == by_position


@pytest.mark.parametrize("identifier", [0, "", "0", -1, 2**53 - 1, "x" * 128])
def test_each_of_these_is_an_id_and_comes_back_as_it_was(identifier: Any) -> None:
    """Among them zero and the empty text (explodinglabs/jsonrpcserver#56)."""
    session = Session()
    (heard,) = hear(session, request(identifier))
    text = session.reply(heard, "pong")
    assert text is not None
    assert {"jsonrpc": "2.0", "id": identifier, "result": "pong"} == json.loads(text)


@pytest.mark.parametrize("identifier", [None, 2**53, -(2**53), 1.0, 1.5, True, "x" * 129, [], {}])
def test_none_of_these_is_an_id(identifier: Any) -> None:
    assert (-32600, None) == codes(answered(hear(Session(), request(identifier))))


def test_a_message_without_an_id_is_a_notification_even_of_an_unknown_method() -> None:
    assert [Notification("no_such", {})] == hear(Session(), {"jsonrpc": "2.0", "method": "no_such"})


@pytest.mark.parametrize(
    "message",
    [
        42,
        "ls",
        None,
        {},
        {"id": 5, "method": "ping"},
        {"jsonrpc": "1.0", "id": 5, "method": "ping"},
        {"jsonrpc": "2.0", "id": 5},
        {"jsonrpc": "2.0", "id": 5, "method": 1},
        {"jsonrpc": "2.0", "id": 5, "method": "ping", "params": "bar"},
        {"jsonrpc": "2.0", "id": 5, "method": "ping", "params": None},
        {"jsonrpc": "2.0", "id": 5, "result": 1, "error": {}},
        {"jsonrpc": "2.0", "id": 5, "error": "text"},
    ],
)
def test_what_is_not_json_rpc_is_an_invalid_request_that_names_its_id_where_it_has_one(message: Any) -> None:
    expected = 5 if isinstance(message, dict) and "id" in message else None
    assert (-32600, expected) == codes(answered(hear(Session(), message)))


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[1,]", b"NaN", b"1e999", b"\xff", b'"\xed\xa0\x80"', b'{"a": "\\ud800 alone"}', b"\xef\xbb\xbf{}"],
)
def test_what_is_not_strict_json_is_a_parse_error(text: bytes) -> None:
    assert (-32700, None) == codes(answered(Session().receive(text)))


@pytest.mark.parametrize(
    "text", ["\ud800", "[" * 70 + "]" * 70, "[" * 100_000, "[123456789012345678901234567890]", "1" * 5000]
)
def test_text_that_nests_too_deep_or_counts_too_far_is_a_parse_error(text: str) -> None:
    assert (-32700, None) == codes(answered(Session().receive(text)))


def test_a_message_beyond_the_limit_is_too_large() -> None:
    assert (-32007, None) == codes(answered(Session().receive(b" " * (MAX_MESSAGE + 1))))


@pytest.mark.parametrize("text", ["é" * 51, "é".encode() * 51, "\ud800" * 34])
def test_a_message_is_measured_in_bytes(text: str | bytes) -> None:
    assert (-32007, None) == codes(answered(Session(max_message=100).receive(text)))
    assert (-32700, None) == codes(answered(Session(max_message=102).receive(text)))


def test_an_empty_batch_is_answered_by_one_object() -> None:
    """shogowada/json-rpc-2.0#60: it got no answer at all, and the client waited for ever."""
    assert (-32600, None) == codes(answered(Session().receive("[]")))


def test_a_batch_of_one_that_is_nothing_is_answered_by_an_array() -> None:
    assert [(-32600, None)] == codes(answered(Session().receive("[1]")))


def test_a_batch_of_notifications_is_not_answered() -> None:
    assert [Notification("a", {}), Notification("b", {})] == hear(
        Session(), [{"jsonrpc": "2.0", "method": "a"}, {"jsonrpc": "2.0", "method": "b"}]
    )


def test_a_batch_beyond_the_limit_is_refused_as_a_whole() -> None:
    assert (-32600, None) == codes(answered(hear(Session(), [request(n) for n in range(MAX_BATCH + 1)])))


def test_a_batch_is_answered_once_its_last_request_is() -> None:
    session = Session()
    first, noted, second = hear(session, [request(1), 7, {"jsonrpc": "2.0", "method": "note"}, request(2)])
    assert Notification("note", {}) == noted
    assert session.reply(second, "two") is None
    text = session.fail(first, NotFound("no task x"))
    assert text is not None
    assert [(-32600, None), (-32004, 1)] == [codes(each) for each in json.loads(text) if "error" in each]
    assert ["two"] == [each["result"] for each in json.loads(text) if "result" in each]


def test_an_id_that_is_in_flight_is_refused_and_the_first_stays() -> None:
    """modelcontextprotocol/python-sdk#3060: the second took the first one's place, and one of them never ended."""
    session = Session()
    (first,) = hear(session, request(7, tag="a"))
    assert (-32600, 7) == codes(answered(hear(session, request(7, tag="b"))))
    assert session.reply(first, "a") is not None


def test_an_id_is_free_again_once_it_was_answered() -> None:
    session = Session()
    (first,) = hear(session, request(7))
    session.reply(first, None)
    assert [Request(7, "ping", {})] == hear(session, request(7))


def test_two_sessions_do_not_share_ids() -> None:
    hear(Session(), request(7))
    assert [Request(7, "ping", {})] == hear(Session(), request(7))


def test_the_number_1_and_the_text_1_are_two_ids() -> None:
    session = Session()
    hear(session, request(1))
    assert [Request("1", "ping", {})] == hear(session, request("1"))


def cancel(identifier: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": identifier}}


def test_a_request_in_flight_can_be_cancelled_and_is_still_answered() -> None:
    session = Session()
    (first,) = hear(session, request(7))
    assert [Cancellation(first)] == hear(session, cancel(7))
    text = session.cancelled(first)
    assert text is not None
    assert (-32800, 7) == codes(json.loads(text))


@pytest.mark.parametrize("identifier", [8, True, None, [], "1"])
def test_cancelling_what_is_not_in_flight_is_silent(identifier: Any) -> None:
    session = Session()
    hear(session, request(1))
    assert [] == hear(session, cancel(identifier))


def test_an_answer_of_the_peer_is_a_reply() -> None:
    session = Session()
    assert [Reply(3, "ok")] == hear(session, {"jsonrpc": "2.0", "id": 3, "result": "ok"})
    error = {"code": -1, "message": "no"}
    assert [Reply(None, None, error)] == hear(session, {"jsonrpc": "2.0", "id": None, "error": error})


def test_a_failure_tells_its_stable_reason() -> None:
    session = Session()
    (heard,) = hear(session, request(1))
    text = session.fail(heard, Conflict("backup runs already"))
    assert text is not None
    expected = {
        "code": -32005,
        "message": "backup runs already",
        "data": {"reason": "conflict", "retryable": False},
    }
    assert expected == json.loads(text)["error"]


def test_a_notification_that_is_sent_has_no_id() -> None:
    expected = {"jsonrpc": "2.0", "method": "sub.event", "params": {"seq": 1}}
    assert expected == json.loads(Session().notify("sub.event", {"seq": 1}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["jsonrpc", "id", "method"]), inner),
)


@given(st.binary() | st.text() | JSON.map(json.dumps))
def test_nothing_that_comes_in_raises(text: str | bytes) -> None:
    for received in Session().receive(text):
        if isinstance(received, Answer):
            assert b"error" in received.text
