"""One exchange over HTTP: a request becomes an answer, whatever goes wrong in between."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dms.errors import DmsError, ShuttingDown
from dms.rest.address import check_address
from dms.rest.answer import nothing
from dms.rest.problem import METHOD_NOT_ALLOWED, problem, problem_from

Answering = Callable[[Request], Awaitable[Response]]

_log = logging.getLogger("dms.rest")

_STOPPING = "the node is stopping, or this address is given up; ask again"


class Exchange:
    """What answers a request, as ASGI has it. One whose client has gone is answered nothing; one that is cancelled,
    because the node stops, is told so."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request of this scope."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            await problem_from(ShuttingDown(_STOPPING))(scope, receive, send)
            raise
        if request.method == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            check_address(request)
            return await self._answering(request)
        except ClientDisconnect:
            raise
        except DmsError as error:
            return problem_from(error)
        except Exception as error:  # noqa: BLE001 — whatever it is, the client gets an answer and the log a traceback
            _log.error("%s %s failed unforeseen", request.method, request.scope["path"], exc_info=error)
            return problem_from(error)


def by_method(methods: Mapping[str, Answering]) -> Answering:
    """What answers a path: each of its methods, HEAD as GET without a body, OPTIONS with the methods that there are."""
    known = {**methods, **({"HEAD": methods["GET"]} if "GET" in methods else {})}
    allowed = ", ".join(sorted([*known, "OPTIONS"]))

    async def answering(request: Request) -> Response:
        if request.method in known:
            return await known[request.method](request)
        if request.method == "OPTIONS":
            return nothing(HTTPStatus.NO_CONTENT, {"Allow": allowed})
        response = problem(
            METHOD_NOT_ALLOWED, f"{request.method} is not for {request.scope['path']}; allowed: {allowed}"
        )
        response.headers["Allow"] = allowed
        return response

    return answering
