"""What a browser asks for before it lets a page of another origin read answers: Cross-Origin Resource Sharing, of the
Fetch standard (https://fetch.spec.whatwg.org/#http-cors-protocol). Which origins come this far the guard has decided.
"""

from http import HTTPStatus

from dms.http.guarded import Application, Message, Receive, Scope, Send

_ORIGIN, _METHOD = b"origin", b"access-control-request-method"
_NEARBY = b"access-control-request-private-network"
_MAY_SEND = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, If-Match, If-None-Match, Traceparent"),
    (b"access-control-max-age", b"600"),
]
_MAY_READ = [(b"access-control-expose-headers", b"ETag, Link, Location, Retry-After")]


def cross_origin(application: Application) -> Application:
    """The application, whose answers a page that says its origin may read. Cookies are not allowed for: there are
    none."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"])
        if _ORIGIN not in given:
            return await application(scope, receive, send)
        allowed = [(b"access-control-allow-origin", given[_ORIGIN]), (b"vary", b"Origin")]

        async def send_readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *allowed, *_MAY_READ]
            await send(message)

        if scope["method"] == "OPTIONS" and _METHOD in given:
            nearby = [(b"access-control-allow-private-network", b"true")] if _NEARBY in given else []
            headers = [*allowed, *_MAY_SEND, *nearby]
            await send({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await application(scope, receive, send_readable)

    return answer
