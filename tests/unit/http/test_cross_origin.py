"""What a page of another origin needs so that its browser lets it talk to the node."""

from typing import Any

from dms.http.cross_origin import cross_origin


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b'"7"')]})
    await send({"type": "http.response.body", "body": b"hello"})


async def nothing() -> Any:
    raise AssertionError("nobody reads the request")


async def answer_to(method: str, **headers: str) -> tuple[int, dict[bytes, bytes], bytes]:
    """The status, the headers and the body with which a request is answered."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await cross_origin(application)({"type": "http", "method": method, "headers": raw}, nothing, send)
    start, body = messages
    return int(start["status"]), dict(start["headers"]), body["body"]


async def test_a_program_gets_the_answer_as_it_is() -> None:
    assert (200, {b"etag": b'"7"'}, b"hello") == await answer_to("GET", host="localhost")


async def test_a_page_may_read_the_answer_and_the_headers_that_it_needs() -> None:
    assert (
        200,
        {
            b"etag": b'"7"',
            b"access-control-allow-origin": b"https://a",
            b"access-control-expose-headers": b"ETag, Link, Location, Retry-After",
            b"vary": b"Origin",
        },
        b"hello",
    ) == await answer_to("GET", origin="https://a")


async def test_a_browser_that_asks_beforehand_is_told_without_asking_for_a_token() -> None:
    status, headers, body = await answer_to("OPTIONS", origin="https://a", access_control_request_method="PATCH")
    assert (204, b"", b"https://a") == (status, body, headers[b"access-control-allow-origin"])
    assert b"PATCH" in headers[b"access-control-allow-methods"]
    assert b"Authorization" in headers[b"access-control-allow-headers"]
    assert b"access-control-allow-private-network" not in headers


async def test_one_that_asks_whether_it_may_reach_into_the_network_is_told_too() -> None:
    asking = {"access_control_request_method": "GET", "access_control_request_private_network": "true"}
    _, headers, _ = await answer_to("OPTIONS", origin="https://a", **asking)
    assert b"true" == headers[b"access-control-allow-private-network"]


async def test_no_cookie_is_ever_allowed_for() -> None:
    for method in ("GET", "OPTIONS"):
        _, headers, _ = await answer_to(method, origin="https://a", access_control_request_method="GET")
        assert b"access-control-allow-credentials" not in headers


async def test_other_options_are_the_applications() -> None:
    assert b"hello" == (await answer_to("OPTIONS", origin="https://a"))[2]
