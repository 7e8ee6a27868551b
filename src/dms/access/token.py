"""A token: what one is made of, and how a shown one is compared with a kept one. The secret itself is never kept."""

import hashlib
import hmac
import secrets

import msgspec

PREFIX = "dms"
"""What every token begins with, so that a scanner for leaked secrets can find them."""

_LONGEST = 256


class Token(msgspec.Struct, frozen=True):
    """A token as the node keeps it. `id` is public, `name` is whom it was made for, `hash` the SHA-256 of its secret
    in hex, `made_by` who made it; moments are wall microseconds. `expires` None: never."""

    id: str
    name: str
    hash: str
    scopes: tuple[str, ...]
    created: int
    made_by: str
    expires: int | None = None
    last_used: int | None = None


class Shown(msgspec.Struct, frozen=True):
    """The two halves of a token as somebody shows it."""

    id: str
    secret: str

    def is_of(self, token: Token) -> bool:
        """Whether the secret is that token's, in the same time wherever they differ."""
        return hmac.compare_digest(_hash(self.secret).encode(), token.hash.encode())


def new_token(
    name: str, scopes: tuple[str, ...], *, made_by: str, now: int, lifetime: int | None = None
) -> tuple[Token, str]:
    """A token for somebody with an end after `lifetime` microseconds, and its text, which nobody can tell again: 256
    random bits."""
    shown = Shown(secrets.token_hex(4), secrets.token_urlsafe(32))
    expires = None if lifetime is None else now + lifetime
    token = Token(shown.id, name or shown.id, _hash(shown.secret), scopes, now, made_by, expires)
    return token, f"{PREFIX}_{shown.id}_{shown.secret}"


def read_token(text: str) -> Shown | None:
    """The halves of a token's text; None where it can be none of ours."""
    prefix, _, rest = text.partition("_")
    id_, _, secret = rest.partition("_")
    good = prefix == PREFIX and id_ and secret and len(text) <= _LONGEST and text.isascii()
    return Shown(id_, secret) if good else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
