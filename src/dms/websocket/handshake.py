"""The upgrade: what of a request speaks against it, and the token that it shows."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from dms.errors import Unauthenticated

PATH = "/ws"
SUBPROTOCOL = Subprotocol("dms.v1")

Guard = Callable[[list[tuple[bytes, bytes]]], str | None]
"""What is wrong with the headers of a request, Host and Origin above all; None where nothing is. It gets them as ASGI
has them: names in lower case."""

_SECRETS = {"token", "access_token", "auth", "authorization", "bearer"}
_NO_TOKEN_HERE = (
    "a token does not belong into a URL, which logs and histories keep: send it as the header "
    "'Authorization: Bearer TOKEN', or in session.hello; and revoke this one"
)
_HOW = "send 'Authorization: Bearer TOKEN', or no such header and session.hello first"


def objection(request: Request, guard: Guard) -> tuple[HTTPStatus, str] | None:
    """Why a request is refused before the upgrade, with the status that says so; None where nothing speaks against
    it. The guard comes first: a page of a foreign origin learns nothing else."""
    raw = [(name.lower().encode("latin-1"), _bytes(value)) for name, value in request.headers.raw_items()]
    if problem := guard(raw):
        return HTTPStatus.FORBIDDEN, problem
    path, _, query = request.path.partition("?")
    if path != PATH:
        return HTTPStatus.NOT_FOUND, f"the WebSocket is at {PATH}"
    if any(name.lower() in _SECRETS for name, _ in parse_qsl(query, keep_blank_values=True)):
        return HTTPStatus.BAD_REQUEST, _NO_TOKEN_HERE
    return None


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def bearer_token(headers: Headers) -> str | None:
    """The token in the header of an upgrade, None where there is none. Unauthenticated where it says something else."""
    given = headers.get_all("Authorization")
    if not given:
        return None
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(f"the header Authorization is none that this node takes; {_HOW}")
    return token.strip()


def rejection(protocol: ServerProtocol, status: HTTPStatus, text: str) -> Response:
    """The answer to a request that is refused."""
    response = protocol.reject(status, f"{text}\n")
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def choose_subprotocol(protocol: ServerProtocol, offered: object) -> Subprotocol | None:
    """Ours where it is offered, and none else: nobody has to name one."""
    return SUBPROTOCOL if isinstance(offered, (list, tuple)) and SUBPROTOCOL in offered else None
