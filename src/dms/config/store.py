"""ConfigStore: where the revisions of the configuration are kept. `dms.adapters` has the implementations."""

from concurrent.futures import Future
from typing import Any, Protocol

import msgspec

from dms.config.overrides import Override


class RecordedChange(msgspec.Struct, frozen=True):
    """A key that a revision changed, as plain values; None where nobody said it."""

    key: str
    before: Any
    after: Any


class Revision(msgspec.Struct, frozen=True):
    """The configuration after a change: its number (from 1), when it came (wall microseconds), who wanted it and why,
    what it changed, the persistent overrides as they then were, the effective configuration as plain values, and that
    one's hash."""

    number: int
    at: int
    author: str
    reason: str
    changes: list[RecordedChange]
    overrides: list[Override]
    effective: dict[str, Any]
    hash: str


class ConfigStore(Protocol):
    """Keeps the newest revisions. Only `newest` blocks."""

    def newest(self) -> Revision | None:
        """The newest revision, None where there is none. StoreError where it can't be read."""
        ...

    def save(self, revision: Revision) -> "Future[None]":
        """Keep a revision, whole or not at all; on disk when the future is done. It fails with a StoreError."""
        ...

    def revisions(self, limit: int, before: int | None) -> "Future[list[Revision]]":
        """The newest revisions first, at most `limit`, older than the number `before`."""
        ...

    def revision(self, number: int) -> "Future[Revision]":
        """One revision. NotFound where it is no longer kept, or never was."""
        ...
