"""Tokens: who may come in by the doors that know nobody. They are kept in identity.json, apart from the database, so
that a broken one never costs access."""

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dms.access.caller import ADMIN, Caller
from dms.access.identity import Identity, write_identity, write_private
from dms.access.token import Token, new_token, read_token
from dms.errors import NotFound, Unauthenticated
from dms.instant import Clock

ADMIN_FILE = "admin.token"

_HOW = "make one on the node's machine with: dms token create"


class Tokens:
    """The tokens of a node. What changes them waits for the disk, so call it in a thread; `authenticate` waits for
    nothing. Thread-safe."""

    def __init__(self, folder: Path, identity: Identity, clock: Clock) -> None:
        self._folder, self._identity, self._clock = folder, identity, clock
        self._tokens = {token.id: token for token in identity.tokens or ()}
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def begin(self) -> Path | None:
        """On a node that never had a token make one that may do everything and keep its text in a file that only the
        node's user reads; gives that file, None where there was a token once. StoreError where it can't be written."""
        if self._identity.tokens is not None:
            return None
        token, text = new_token("admin", (ADMIN,), made_by="first start", now=self._clock.now().wall)
        write_private(self._folder / ADMIN_FILE, f"{text}\n".encode())
        with self._lock:
            self._keep({token.id: token})
        return self._folder / ADMIN_FILE

    def authenticate(self, text: str) -> Caller:
        """Whose token this is. Unauthenticated where there is none such any more, or not yet."""
        shown = read_token(text)
        token = None if shown is None else self._tokens.get(shown.id)
        if shown is None or token is None or not shown.is_of(token):
            raise Unauthenticated(f"this token is not known here: it is mistyped, or was revoked; {_HOW}")
        now = self._clock.now().wall
        if token.expires is not None and token.expires <= now:
            raise Unauthenticated(f"the token {token.id} has expired; {_HOW}")
        self._used[token.id] = now
        return Caller(token.name, "token", frozenset(token.scopes), token.id, token.expires)

    def create(self, name: str, scopes: Sequence[str], made_by: str, lifetime: int | None) -> tuple[Token, str]:
        """Make a token and keep it; its text is told this once. StoreError, and there is none, where it can't be
        written."""
        now = self._clock.now().wall
        with self._lock:
            made, text = new_token(name, tuple(scopes), made_by=made_by, now=now, lifetime=lifetime)
            while made.id in self._tokens:  # 32 bits, which may come twice
                made, text = new_token(name, tuple(scopes), made_by=made_by, now=now, lifetime=lifetime)
            self._keep({**self._tokens, made.id: made})
        return made, text

    def get(self, token_id: str) -> Token:
        """One of them. NotFound where there is none of that ID."""
        try:
            return self._last_used(self._tokens[token_id])
        except KeyError:
            raise NotFound(f"there is no token {token_id}; dms token list shows all") from None

    def revoke(self, token_id: str) -> None:
        """From now on, and after any restart, it lets nobody in. NotFound, or StoreError where it can't be written: it
        is good until it could be."""
        with self._lock:
            self.get(token_id)
            self._keep({id_: token for id_, token in self._tokens.items() if id_ != token_id})

    def list(self) -> list[Token]:
        """All of them, the oldest first."""
        return [self._last_used(token) for token in self._tokens.values()]

    def close(self) -> None:
        """Keep when each was used last. It is written with every change and here, and else only known meanwhile."""
        with self._lock:
            if any(self._last_used(token) != token for token in self._tokens.values()):
                self._keep(self._tokens)

    def _keep(self, tokens: dict[str, Token]) -> None:
        """On disk first, then in force."""
        kept = {id_: self._last_used(token) for id_, token in tokens.items()}
        identity = msgspec.structs.replace(self._identity, tokens=tuple(kept.values()))
        write_identity(self._folder, identity)
        self._identity, self._tokens = identity, kept

    def _last_used(self, token: Token) -> Token:
        used = self._used.get(token.id)
        return token if used is None else msgspec.structs.replace(token, last_used=used)
