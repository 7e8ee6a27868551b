"""The guard before an ASGI application."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dms.http.guard import Headers
from dms.rest.problem import problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger("dms.http")


_TWO_LENGTHS = {b"content-length", b"transfer-encoding"}


def guarded(application: Application, guard: Callable[[Headers], str | None]) -> Application:
    """The application, reached only by requests to which the guard has no objection; the others get a 403 that says
    why, and so does the log. One whose end a proxy may see elsewhere (RFC 9112, 6.1) is 400."""

    async def pass_on_or_refuse(scope: Scope, receive: Receive, send: Send) -> None:
        objection = guard(scope["headers"])
        if objection is not None:
            _log.warning("a request of %s was refused: %s", (scope.get("client") or ("?",))[0], objection)
            refusal = problem("refused", objection)
        elif {name for name, _ in scope["headers"]} >= _TWO_LENGTHS:
            refusal = problem("invalid", "a request has a Content-Length or a Transfer-Encoding, and not both")
        else:
            return await application(scope, receive, send)
        refusal.headers["Connection"] = "close"
        await refusal(scope, receive, send)

    return pass_on_or_refuse
