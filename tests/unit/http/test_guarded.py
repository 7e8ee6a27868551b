import logging
from typing import Any

import msgspec
import pytest

from dms.http.guarded import guarded


class Answer:
    """What an application sends."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def send(self, message: Any) -> None:
        self.messages.append(message)


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send("it came through")


async def nothing() -> Any:
    raise AssertionError("nobody reads the request")


SCOPE: dict[str, Any] = {"type": "http", "headers": [(b"host", b"evil")], "client": ("10.0.0.9", 7)}


async def test_what_the_guard_has_nothing_against_comes_through() -> None:
    answer, asked = Answer(), []
    await guarded(application, asked.append)(SCOPE, nothing, answer.send)
    assert (["it came through"], [SCOPE["headers"]]) == (answer.messages, asked)


async def test_what_it_objects_to_is_answered_and_logged_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    answer = Answer()
    with caplog.at_level(logging.WARNING, "dms.http"):
        await guarded(application, lambda _: "no such name")(SCOPE, nothing, answer.send)
    start, body = answer.messages
    assert (403, b"application/problem+json") == (start["status"], dict(start["headers"])[b"content-type"])
    told = msgspec.json.decode(body["body"])
    assert ("no such name", 403, "refused") == (told["detail"], told["status"], told["code"])
    assert ["a request of 10.0.0.9 was refused: no such name"] == [record.getMessage() for record in caplog.records]


async def test_a_request_that_says_its_length_twice_is_refused_and_its_connection_closed() -> None:
    """RFC 9112, 6.1: a proxy may see its end elsewhere, and take what follows for another request."""
    answer, scope = Answer(), {**SCOPE, "headers": [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")]}
    await guarded(application, lambda _: None)(scope, nothing, answer.send)
    start, _ = answer.messages
    assert (400, b"close") == (start["status"], dict(start["headers"])[b"connection"])
