"""A token as somebody shows it over HTTP: in the header Authorization, and nowhere else."""

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

from dms.access.caller import Caller
from dms.errors import Unauthenticated

Authenticate = Callable[[str], Caller]
"""Whose token this is, told at once. Unauthenticated where it is unknown, expired or revoked, Refused where its owner
may not come in here."""

HEADER = "'Authorization: Bearer TOKEN'"

TOKEN_IN_URL = (
    "a token does not belong into a URL, which logs and histories keep: send it as the header "
    f"{HEADER}, and revoke this one"
)

_SECRETS = {"token", "access_token", "auth", "authorization", "bearer"}


def bearer_token(given: Sequence[str]) -> str | None:
    """The token in a request's headers Authorization, None where there is none. Unauthenticated where they say
    something else."""
    if not given:
        return None
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(f"the header Authorization is none that this node takes; it must be {HEADER}, once")
    return token.strip()


def shows_token(query: str) -> bool:
    """Whether the query of a URL bears a token, or what somebody takes for the place of one."""
    return any(name.lower() in _SECRETS for name, _ in parse_qsl(query, keep_blank_values=True))
