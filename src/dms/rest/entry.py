"""Entry: who asks, from the header of a request, and how much at once."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from starlette.requests import Request

from dms.access.bearer import HEADER, Authenticate, bearer_token
from dms.access.caller import Caller
from dms.errors import Forbidden, Overloaded, Unauthenticated
from dms.rest.turns import Turns

Admit = Callable[[Caller], None]
"""Asked before each request of a caller. RateLimited where it comes too early."""


class Entry:
    """Lets callers in. Each may have `in_flight` commands under way; they begin by `turns`."""

    def __init__(self, authenticate: Authenticate, admit: Admit, in_flight: int) -> None:
        self._authenticate, self._admit, self._in_flight = authenticate, admit, in_flight
        self._under_way: Counter[str] = Counter()
        self.turns = Turns()

    def caller_of(self, request: Request) -> Caller:
        """Whose token the request shows. Unauthenticated where it shows no good one, Refused where its owner may not
        come in here, RateLimited where they come too often."""
        caller = self.caller_by_now(request)
        self._admit(caller)
        return caller

    def caller_by_now(self, request: Request) -> Caller:
        """The same once more: a body may be long in coming, and the token be revoked or expire meanwhile."""
        token = bearer_token(request.headers.getlist("authorization"))
        if token is None:
            raise Unauthenticated(f"there is no token; send the header {HEADER}, as dms token create gave it")
        return msgspec.structs.replace(self._authenticate(token), door="rest")

    def require(self, request: Request, scope: str) -> None:
        """Forbidden where whoever asks does not hold the scope that the path needs; else what `caller_of` raises."""
        caller = self.caller_of(request)
        if not caller.may(scope):
            raise Forbidden(f"{request.scope['path']} needs the scope {scope}, which {caller.name} does not hold")

    @contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """Room for one command of this caller's, as long as it is under way. Overloaded where there is none."""
        who = caller.token_id or caller.name
        if self._under_way[who] >= self._in_flight:
            raise Overloaded(f"{self._in_flight} requests of this token are under way; wait for one of them")
        self._under_way[who] += 1
        try:
            yield
        finally:
            self._under_way[who] -= 1
            self._under_way += Counter()  # forgets whoever has none
