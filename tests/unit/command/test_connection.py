import asyncio
import json
from typing import Any

from dms.access.caller import Caller
from dms.clock import stopwatch
from dms.command.connection import Connection
from dms.command.limits import Limits
from dms.command.operation import Operations, by_name
from dms.command.pieces import AT_ONCE
from dms.command.subscription import subscription_operations
from dms.command.topic import Topic
from dms.errors import Unauthenticated


def request(identifier: Any, method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})


def cancel(identifier: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": identifier}})


def outcomes(sent: list[Any]) -> dict[Any, Any]:
    """By id: the result, or the reason of the error."""
    return {each["id"]: each["error"]["data"]["reason"] if "error" in each else each["result"] for each in sent}


async def test_a_request_is_answered_with_its_result(connection: Connection, door: Any) -> None:
    connection.receive(request(1, "echo", word="hello"))
    assert [{"jsonrpc": "2.0", "id": 1, "result": "hello"}] == await door.until(1)


async def test_whatever_goes_wrong_is_answered(connection: Connection, door: Any, caplog: Any) -> None:
    for number, method in enumerate(["fail", "break", "nothing", "echo"]):
        connection.receive(request(number, method))
    connection.receive("{")
    expected = {0: "conflict", 1: "internal", 2: "method_not_found", 3: "invalid_params", None: "parse_error"}
    assert expected == outcomes(await door.until(5))


async def test_requests_do_not_wait_for_each_other(connection: Connection, door: Any) -> None:
    connection.receive(request(1, "wait"))
    connection.receive(request(2, "echo", word="b"))
    assert {2: "b"} == outcomes(await door.until(1))
    await connection.close()


async def test_a_notification_is_run_and_not_answered(connection: Connection, door: Any) -> None:
    for method in ("echo", "fail", "nothing"):
        connection.receive(json.dumps({"jsonrpc": "2.0", "method": method}))
    await door.idled.wait()
    assert [] == door.sent


async def test_a_batch_is_answered_as_one(connection: Connection, door: Any) -> None:
    connection.receive(f"[{request(1, 'echo', word='a')}, 1, {request(2, 'fail')}]")
    (batch,) = await door.until(1)
    assert {1: "a", 2: "conflict", None: "invalid_request"} == outcomes(batch)


async def test_a_cancelled_request_is_answered_and_its_id_is_free(connection: Connection, door: Any) -> None:
    connection.receive(request(7, "wait"))
    await asyncio.sleep(0)
    connection.receive(cancel(7))
    assert {7: "cancelled"} == outcomes(await door.until(1))
    connection.receive(request(7, "echo", word="again"))
    assert {7: "again"} == outcomes((await door.until(2))[1:])


async def test_so_is_one_that_is_cancelled_before_its_first_step(connection: Connection, door: Any) -> None:
    connection.receive(request(7, "wait"))
    connection.receive(cancel(7))
    assert {7: "cancelled"} == outcomes(await door.until(1))


async def test_two_requests_in_flight_with_one_id_do_not_mix(connection: Connection, door: Any) -> None:
    """modelcontextprotocol/python-sdk#3060; cancelling the id hits the first."""
    connection.receive(request(7, "wait"))
    connection.receive(request(7, "echo", word="second"))
    assert {7: "invalid_request"} == outcomes(await door.until(1))
    connection.receive(cancel(7))
    assert {7: "cancelled"} == outcomes((await door.until(2))[1:])


async def test_beyond_the_limit_in_flight_a_request_is_told_to_come_later(connection: Connection, door: Any) -> None:
    for number in range(Limits().in_flight + 1):
        connection.receive(request(number, "wait"))
    assert {Limits().in_flight: "overloaded"} == outcomes(await door.until(1))
    assert (await door.until(1))[0]["error"]["data"]["retryable"]
    await connection.close()


async def test_at_a_stop_whoever_waits_is_told_why(connection: Connection, door: Any) -> None:
    connection.receive(request(1, "wait"))
    await connection.stop()
    connection.receive(request(2, "echo", word="late"))
    first, closing, second = await door.until(3)
    assert {1: "shutting_down", 2: "shutting_down"} == outcomes([first, second])
    assert ("session.closing", {"reason": "shutting_down"}) == (closing["method"], closing["params"])


async def test_a_peer_that_has_gone_is_sent_nothing_more(connection: Connection, door: Any) -> None:
    connection.receive(request(1, "wait"))
    await connection.close()
    assert [] == door.sent
    assert connection.idle


async def test_the_door_hears_when_nothing_is_due_any_more(connection: Connection, door: Any) -> None:
    connection.receive(request(1, "echo", word="a"))
    connection.receive(json.dumps({"jsonrpc": "2.0", "method": "echo", "params": ["b"]}))
    await door.idled.wait()
    assert connection.idle


def following(door: Any, admin: Caller, capacity: int = 100) -> tuple[Connection, Topic]:
    topic = Topic("logs", scope="logs:read", epoch=1, capacity=capacity, fields=("level",))
    return Connection(door, by_name(subscription_operations([topic])), admin), topic


async def test_a_subscription_is_answered_before_its_first_event(door: Any, admin: Caller) -> None:
    connection, topic = following(door, admin)
    connection.receive(request(1, "sub.open", topic="logs"))
    await asyncio.sleep(0)
    topic.publish({"level": "info"})
    answer, event = await door.until(2)
    assert {"sub": "s1", "cursor": "1-0"} == answer["result"]
    expected = {"sub": "s1", "seq": 1, "cursor": "1-1", "event": {"level": "info"}}
    assert ("sub.event", expected) == (event["method"], event["params"])
    await connection.close()


async def test_so_is_one_that_was_opened_in_a_batch(door: Any, admin: Caller) -> None:
    connection, topic = following(door, admin)
    topic.publish({"level": "info"})
    topic.publish({"level": "info"})
    opening = {"topic": "logs", "from": "1-0"}
    connection.receive(f"[{request(1, 'sub.open', **opening)}, {request(2, 'sub.open', **opening)}]")
    sent = await door.until(5)
    assert {1, 2} == {each["id"] for each in sent[0]}
    assert ["sub.event"] * 4 == [each["method"] for each in sent[1:]]
    await connection.close()


async def test_only_what_the_filter_wants_is_sent(door: Any, admin: Caller) -> None:
    connection, topic = following(door, admin)
    connection.receive(request(1, "sub.open", topic="logs", filter={"level": "error"}))
    await door.until(1)
    topic.publish({"level": "info"})
    topic.publish({"level": "error"})
    assert 2 == (await door.until(2))[1]["params"]["seq"]
    await connection.close()


async def test_a_reader_that_never_reads_holds_up_nobody_and_learns_what_it_missed(door: Any, admin: Caller) -> None:
    """aio-libs/aiohttp#1367: its queue grew without bound. Here there is none: what it was too slow for is gone."""
    connection, topic = following(door, admin, capacity=10)
    connection.receive(request(1, "sub.open", topic="logs"))
    await door.until(1)
    door.writable.clear()
    topic.publish({"n": 1})
    await door.blocked.wait()
    for number in range(2, 102):
        topic.publish({"n": number})
    door.writable.set()
    sent = await door.until(13)
    assert {"sub": "s1", "dropped": 90, "reason": "slow_reader"} == sent[2]["params"]
    assert [1, *range(92, 102)] == [each["params"]["seq"] for each in sent[1:] if each["method"] == "sub.event"]
    await connection.close()


async def test_a_closed_subscription_sends_nothing_more(door: Any, admin: Caller) -> None:
    connection, topic = following(door, admin)
    connection.receive(request(1, "sub.open", topic="logs"))
    await door.until(1)
    connection.receive(request(2, "sub.close", sub="s1"))
    assert {"sub": "s1"} == (await door.until(2))[1]["result"]
    topic.publish({"level": "info"})
    await asyncio.sleep(0)
    assert 2 == len(door.sent)
    assert connection.idle


async def test_what_can_t_be_followed_is_said_with_the_nearest(door: Any, admin: Caller) -> None:
    connection, _ = following(door, admin)
    connection.receive(request(1, "sub.open", topic="log"))
    connection.receive(request(2, "sub.open", topic="logs", filter={"levle": "info"}))
    connection.receive(request(3, "sub.open", topic="logs", **{"from": "9-9"}))
    connection.receive(request(4, "sub.close", sub="s9"))
    sent = await door.until(4)
    assert {1: "not_found", 2: "invalid_params", 3: "cursor_expired", 4: "not_found"} == outcomes(sent)
    assert "Did you mean logs?" in sent[0]["error"]["message"]
    assert ["filter.levle"] == sent[1]["error"]["data"]["fields"]
    assert "1-0" == sent[2]["error"]["data"]["oldest"]


async def test_a_topic_has_its_own_scope(door: Any) -> None:
    connection, _ = following(door, Caller("guest", "socket", frozenset({"node:read"})))
    connection.receive(request(1, "sub.open", topic="logs"))
    assert {1: "forbidden"} == outcomes(await door.until(1))


async def test_subscriptions_are_limited(door: Any, admin: Caller) -> None:
    connection, _ = following(door, admin)
    for number in range(Limits().subscriptions + 1):
        connection.receive(request(number, "sub.open", topic="logs"))
    assert "overloaded" == outcomes(await door.until(Limits().subscriptions + 1))[Limits().subscriptions]
    await connection.close()


async def test_a_stop_ends_subscriptions_too(door: Any, admin: Caller) -> None:
    connection, topic = following(door, admin)
    connection.receive(request(1, "sub.open", topic="logs"))
    await door.until(1)
    await connection.stop()
    topic.publish({"level": "info"})
    await asyncio.sleep(0)
    assert ["session.closing"] == [each["method"] for each in door.sent[1:]]


async def test_the_connections_own_methods_are_answered_at_once_and_need_no_scope(
    door: Any, operations: Operations
) -> None:
    def refresh(params: Any) -> Any:
        if params != {"token": "good"}:
            raise Unauthenticated("no good token")
        return "renewed"

    nobody = Caller("nobody", "socket", frozenset())
    connection = Connection(door, operations, nobody, own={"session.refresh": refresh})
    connection.receive(request(1, "session.refresh", token="good"))
    connection.receive(request(2, "session.refresh", token="bad"))
    assert {1: "renewed", 2: "unauthenticated"} == outcomes(door.sent)


async def test_as_notifications_they_are_done_and_not_answered(
    door: Any, operations: Operations, admin: Caller
) -> None:
    done: list[Any] = []
    connection = Connection(door, operations, admin, own={"session.refresh": done.append})
    connection.receive(json.dumps({"jsonrpc": "2.0", "method": "session.refresh", "params": {"token": "good"}}))
    assert ([{"token": "good"}], []) == (done, door.sent)


async def test_the_limits_that_a_connection_is_given_are_the_ones_that_count(
    door: Any, operations: Operations, admin: Caller
) -> None:
    connection = Connection(door, operations, admin, limits=Limits(message=100, in_flight=1))
    connection.receive(" " * 101)
    connection.receive(request(1, "wait"))
    connection.receive(request(2, "wait"))
    assert {None: "too_large", 2: "overloaded"} == outcomes(door.sent)
    await connection.close()


async def test_a_request_that_is_answered_before_its_batch_cancels_it_ends_nobody(
    door: Any, operations: Operations, admin: Caller
) -> None:
    """The batch is read as a whole: when its second message comes to be heard, its first is answered already."""
    connection = Connection(door, operations, admin, own={"now": lambda params: "done"})
    connection.receive(f"[{request(1, 'now')}, {cancel(1)}, {request(2, 'now')}]")
    (batch,) = await door.until(1)
    assert {1: "done", 2: "done"} == outcomes(batch)


class Busy:
    """Methods that take so long; `said` has what was asked, and by whom."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def note(self, params: Any) -> Any:
        self.said.append(params)
        began = stopwatch()
        while stopwatch() - began < AT_ONCE:
            pass


async def test_one_who_asks_for_much_at_once_lets_others_go_between(
    door: Any, operations: Operations, admin: Caller
) -> None:
    busy = Busy()
    many, one = (Connection(door, operations, admin, own={"note": busy.note}) for _ in range(2))
    many.receive(
        f"[{','.join(request(number, 'note', by='many') for number in range(5))}]", request(5, "note", by="many")
    )
    await asyncio.sleep(0)
    one.receive(request(1, "note", by="one"))
    await door.until(3)
    assert 6 == sum(each == {"by": "many"} for each in busy.said)
    assert busy.said.index({"by": "one"}) < 3


async def test_it_is_not_read_from_meanwhile_and_is_idle_only_once_all_is_done(
    door: Any, operations: Operations, admin: Caller
) -> None:
    connection = Connection(door, operations, admin, own={"note": Busy().note})
    connection.receive(*(request(number, "note") for number in range(3)))
    assert (False, False) == (door.hears, connection.idle)
    await asyncio.wait_for(door.idled.wait(), 5)
    assert (True, 3) == (door.hears, len(door.sent))


async def test_no_more_is_done_than_its_peer_reads(door: Any, operations: Operations, admin: Caller) -> None:
    """Answers to much that was asked at once would fill the memory."""
    busy = Busy()
    connection = Connection(door, operations, admin, own={"note": busy.note})
    door.writable.clear()
    connection.receive(*(request(number, "note") for number in range(5)))
    await door.blocked.wait()
    assert 1 == len(busy.said)
    door.writable.set()
    await door.until(5)


async def test_what_was_not_heard_yet_at_a_stop_is_told_so(door: Any, operations: Operations, admin: Caller) -> None:
    connection = Connection(door, operations, admin, own={"note": Busy().note})
    connection.receive(*(request(number, "note") for number in range(3)))
    await connection.stop()
    assert {0: None, 1: "shutting_down", 2: "shutting_down"} == outcomes(door.sent[:-1])


async def test_of_one_who_has_gone_nothing_more_is_heard(door: Any, operations: Operations, admin: Caller) -> None:
    busy = Busy()
    connection = Connection(door, operations, admin, own={"note": busy.note})
    connection.receive(*(request(number, "note") for number in range(3)))
    await connection.close()
    connection.receive(request(3, "note"))
    assert 1 == len(busy.said)


async def test_a_subscription_begins_whatever_ends_its_batch(door: Any, admin: Caller) -> None:
    topic = Topic("logs", scope="test", epoch=1)
    operations = by_name(subscription_operations([topic]))
    connection = Connection(door, operations, admin, own={"now": lambda params: "done"})
    connection.receive(f"[{request(1, 'sub.open', topic='logs')}, {request(2, 'now')}]")
    await door.until(1)
    topic.publish({"event": "started"})
    assert {"event": "started"} == (await door.until(2))[1]["params"]["event"]
    await connection.close()


async def test_one_who_follows_from_long_ago_leaves_others_their_turn(door: Any, admin: Caller) -> None:
    topic = Topic("logs", scope="test", epoch=1)
    for number in range(100):
        topic.publish({"number": number})
    connection = Connection(door, by_name(subscription_operations([topic])), admin)
    connection.receive(request(1, "sub.open", topic="logs", **{"from": topic.cursor(0)}))
    await door.until(2)
    asyncio.get_running_loop().call_soon(door.sent.append, "another")
    await door.until(102)
    assert door.sent.index("another") < 40
    await connection.close()
