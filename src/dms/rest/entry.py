"""Who asks, from the header of a request."""

import msgspec
from starlette.requests import Request

from dms.access.bearer import HEADER, Authenticate, bearer_token
from dms.access.caller import Caller
from dms.errors import Forbidden, Unauthenticated


def caller_of(request: Request, authenticate: Authenticate) -> Caller:
    """Whose token the request shows. Unauthenticated where it shows no good one, Refused where its owner may not come
    in here."""
    token = bearer_token(request.headers.getlist("authorization"))
    if token is None:
        raise Unauthenticated(f"there is no token; send the header {HEADER}, as dms token create gave it")
    return msgspec.structs.replace(authenticate(token), door="rest")


def require(caller: Caller, scope: str, what: str) -> None:
    """Forbidden where a caller does not hold the scope that something needs."""
    if not caller.may(scope):
        raise Forbidden(f"{what} needs the scope {scope}, which {caller.name} does not hold")
