"""`token.*`: who may come in by the doors that know nobody."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from dms.access.caller import TOKEN_WRITE, Caller
from dms.access.token import Token
from dms.access.tokens import Tokens
from dms.background_tasks.running.loop_thread import in_thread
from dms.command.command import Command
from dms.command.config import author_of
from dms.command.operation import Effect, Nothing, Operation
from dms.errors import Forbidden, InvalidParameters, did_you_mean
from dms.instant import Clock, microseconds, rfc3339


class TokenParameters(msgspec.Struct, frozen=True):
    """What the token may do, whom it is for (by default its ID), and how long it is good, such as `30d` (by default
    until it is revoked)."""

    scopes: Annotated[list[str], Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    expires_in: str | None = None


class TokenIdParameters(msgspec.Struct, frozen=True):
    """The token's ID, which is no secret."""

    id: str


class NewTokenDocument(msgspec.Struct, frozen=True):
    """A token that was made; its text is told this once and can't be asked for again."""

    id: str
    name: str
    token: str
    scopes: list[str]
    expires: str | None


class TokenDocument(msgspec.Struct, frozen=True):
    """What is known of a token, without its secret."""

    id: str
    name: str
    scopes: list[str]
    created: str | None
    made_by: str
    expires: str | None
    last_used: str | None

    @classmethod
    def of(cls, token: Token) -> "TokenDocument":
        """The document of a token."""
        return cls(
            token.id,
            token.name,
            list(token.scopes),
            rfc3339(token.created),
            token.made_by,
            rfc3339(token.expires),
            rfc3339(token.last_used),
        )


class TokensDocument(msgspec.Struct, frozen=True):
    """All tokens, the oldest first."""

    tokens: list[TokenDocument]


def token_operations(
    tokens: Tokens, clock: Clock, scopes: Callable[[], Iterable[str]], revoked: Callable[[str], None]
) -> list[Operation]:
    """`token.create|list|revoke`. `scopes` gives all that there are; `revoked` hangs up on whoever came in with a token
    of that ID."""

    async def create(params: TokenParameters, command: Command) -> NewTokenDocument:
        lifetime = None if params.expires_in is None else microseconds(params.expires_in, "expires_in")
        _check_scopes(params.scopes, scopes())
        _check_holds(command.caller, params.scopes)
        _check_end(command.caller, lifetime, clock)
        wanted, author = sorted(set(params.scopes)), author_of(command.caller)
        token, text = await in_thread(lambda: tokens.create(params.name, wanted, author, lifetime))
        return NewTokenDocument(token.id, token.name, text, wanted, rfc3339(token.expires))

    def list_(params: Nothing, command: Command) -> TokensDocument:
        return TokensDocument([TokenDocument.of(token) for token in tokens.list()])

    async def revoke(params: TokenIdParameters, command: Command) -> TokenDocument:
        token = tokens.get(params.id)
        _check_holds(command.caller, token.scopes)
        await asyncio.shield(asyncio.ensure_future(_revoke(token.id)))
        return TokenDocument.of(token)

    async def _revoke(token_id: str) -> None:
        await in_thread(lambda: tokens.revoke(token_id))
        revoked(token_id)

    return [
        Operation(
            "token.create",
            TokenParameters,
            NewTokenDocument,
            TOKEN_WRITE,
            Effect.ONCE,
            create,
            "Makes a token that may do at most what its maker may.",
            ({"scopes": ["task:read"], "name": "ana", "expires_in": "30d"},),
        ),
        Operation(
            "token.list",
            Nothing,
            TokensDocument,
            TOKEN_WRITE,
            Effect.READ,
            list_,
            "Lists the tokens, no secrets.",
            ({},),
        ),
        Operation(
            "token.revoke",
            TokenIdParameters,
            TokenDocument,
            TOKEN_WRITE,
            Effect.IDEMPOTENT,
            revoke,
            "Makes a token useless at once, and hangs up on whoever came in with it.",
            ({"id": "5f0c1a2b"},),
        ),
    ]


def _check_scopes(wanted: Iterable[str], known: Iterable[str]) -> None:
    there_are = sorted(set(known))
    for scope in wanted:
        if scope not in there_are:
            hint = did_you_mean(scope, there_are)
            raise InvalidParameters(f"scopes: there is no scope {scope} ({', '.join(there_are)}).{hint}", ("scopes",))


def _check_holds(caller: Caller, scopes: Iterable[str]) -> None:
    """No token leads to more than whoever made or revokes it may."""
    lacking = [scope for scope in scopes if not caller.may(scope)]
    if lacking:
        raise Forbidden(f"scopes: {caller.name} does not hold {', '.join(lacking)}, and so can't give or take it")


def _check_end(caller: Caller, lifetime: int | None, clock: Clock) -> None:
    """Nor does one live longer than the token by which it is made, or no time at all."""
    if lifetime == 0:
        raise InvalidParameters("expires_in: 0 lets nobody in; give a length of time such as 30d", ("expires_in",))
    if caller.expires is not None and (lifetime is None or clock.now().wall + lifetime > caller.expires):
        end = rfc3339(caller.expires)
        raise Forbidden(
            f"expires_in: {caller.name} came in with a token that ends at {end}, and can't make a longer one"
        )
