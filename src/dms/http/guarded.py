"""The guard before an ASGI application."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import msgspec

from dms.http.guard import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger("dms.http")


def guarded(application: Application, guard: Callable[[Headers], str | None]) -> Application:
    """The application, reached only by requests to which the guard has no objection; the others get a 403 that says
    why, and so does the log."""

    async def pass_on_or_refuse(scope: Scope, receive: Receive, send: Send) -> None:
        problem = guard(scope["headers"])
        if problem is None:
            await application(scope, receive, send)
        else:
            _log.warning("a request of %s was refused: %s", (scope.get("client") or ("?",))[0], problem)
            await _refuse(send, problem)

    return pass_on_or_refuse


async def _refuse(send: Send, problem: str) -> None:
    status = HTTPStatus.FORBIDDEN
    told = {"type": "about:blank", "title": status.phrase, "status": status, "detail": problem, "code": "refused"}
    body = msgspec.json.encode(told)
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
