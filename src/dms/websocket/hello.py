"""The first message: `session.hello`, what it must say, and what it is told."""

from typing import Annotated, Any

import msgspec

from dms.access.caller import Caller
from dms.command.limits import Limits
from dms.command.parameters import decode_parameters
from dms.errors import HelloRequired, InvalidParameters, Unauthenticated, Unsupported
from dms.instant import rfc3339
from dms.rpc.message import Answer, Params, Request
from dms.rpc.session import Session

HELLO = "session.hello"
REFRESH = "session.refresh"
PROTOCOL = "1.0"

_REQUIRED = f"the first message must be a request {HELLO} with a token; or send 'Authorization: Bearer TOKEN' before it"


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a caller shows to be let in."""

    token: str


class Client(msgspec.Struct, frozen=True):
    """What a caller's program calls itself: it stands in the log, and nothing depends on it."""

    name: Annotated[str, msgspec.Meta(max_length=64)] = ""
    version: Annotated[str, msgspec.Meta(max_length=64)] = ""


class HelloParameters(msgspec.Struct, frozen=True):
    """The versions of the channel that the caller speaks, its token, and what it calls itself."""

    protocol: list[str]
    auth: Auth | None = None
    client: Client = Client()


class RefreshParameters(msgspec.Struct, frozen=True):
    """A token that is good for longer."""

    token: str


class Node(msgspec.Struct, frozen=True):
    """What a caller is told of the node: its name, and the number of its start, which every cursor begins with."""

    name: str
    boot: str


def read_hello(params: Params) -> HelloParameters:
    """What a hello says. InvalidParameters names the field at fault; Unsupported where no version of it is ours."""
    hello = decode_parameters(HelloParameters, params)
    if PROTOCOL not in hello.protocol:
        raise Unsupported(f"protocol: this node speaks {PROTOCOL}; none of those offered is it")
    return hello


def first_token(hello: HelloParameters) -> str:
    """The token in the hello of one who showed none before. Unauthenticated where it has none."""
    if hello.auth is None:
        raise Unauthenticated('auth: there is no token; say "auth": {"token": "TOKEN"}, as dms token create gave it')
    return hello.auth.token


def read_greeting(session: Session, text: bytes) -> Request | list[bytes]:
    """The request by which an unknown peer says hello, or else what it is to be told before it is hung up on."""
    received = session.receive(text)
    if len(received) == 1 and isinstance(received[0], Request):
        request = received[0]
        if request.method == HELLO and request.batch is None:
            return request
    told = [_told(session, each) for each in received]
    return [each for each in told if each is not None]


def _told(session: Session, received: object) -> bytes | None:
    if isinstance(received, Request):
        return session.fail(received, HelloRequired(_REQUIRED))
    return received.text if isinstance(received, Answer) else None


def no_second_token(hello: HelloParameters) -> None:
    """InvalidParameters where one who is known already shows another token in its hello."""
    if hello.auth is not None:
        raise InvalidParameters(f"auth: the upgrade's header has shown a token; {REFRESH} takes another one", ("auth",))


def welcome(node: Node, caller: Caller, limits: Limits) -> dict[str, Any]:
    """The answer to a hello."""
    return {
        "protocol": PROTOCOL,
        "node": node.name,
        "boot": node.boot,
        "principal": principal(caller),
        "limits": limits.told(),
        "capabilities": [],
    }


def principal(caller: Caller) -> dict[str, Any]:
    """Who a caller is and what it may, as it is told."""
    return {"id": caller.name, "scopes": sorted(caller.scopes), "expires": rfc3339(caller.expires)}
