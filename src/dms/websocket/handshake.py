"""The upgrade: what of a request speaks against it."""

from collections.abc import Callable
from http import HTTPStatus

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from dms.access.bearer import TOKEN_IN_URL, shows_token

PATH = "/ws"
SUBPROTOCOL = Subprotocol("dms.v1")

Guard = Callable[[list[tuple[bytes, bytes]]], str | None]
"""What is wrong with the headers of a request, Host and Origin above all; None where nothing is. It gets them as ASGI
has them: names in lower case."""


def objection(request: Request, guard: Guard) -> tuple[HTTPStatus, str] | None:
    """Why a request is refused before the upgrade, with the status that says so; None where nothing speaks against
    it. The guard comes first: a page of a foreign origin learns nothing else."""
    raw = [(name.lower().encode("latin-1"), _bytes(value)) for name, value in request.headers.raw_items()]
    if problem := guard(raw):
        return HTTPStatus.FORBIDDEN, problem
    path, _, query = request.path.partition("?")
    if path != PATH:
        return HTTPStatus.NOT_FOUND, f"the WebSocket is at {PATH}"
    if shows_token(query):
        return HTTPStatus.BAD_REQUEST, f"{TOKEN_IN_URL}; session.hello takes one too"
    return None


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def rejection(protocol: ServerProtocol, status: HTTPStatus, text: str) -> Response:
    """The answer to a request that is refused."""
    response = protocol.reject(status, f"{text}\n")
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def choose_subprotocol(protocol: ServerProtocol, offered: object) -> Subprotocol | None:
    """Ours where it is offered, and none else: nobody has to name one."""
    return SUBPROTOCOL if isinstance(offered, (list, tuple)) and SUBPROTOCOL in offered else None
