"""The running configuration: it changes as a whole, and never to something bad.

set, unset, roll back, files read anew ──► compose ──► permit ──► diff ──► prepare ──► commit ──► swap ──► apply
                                              └── forbidden: nothing     └── veto: nothing has changed
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from dms.config.change import ConfigChange, diff
from dms.config.changed import Changed, answer_to, recorded_between
from dms.config.config import Config, plain
from dms.config.document import KeyPath
from dms.config.explain import unknown
from dms.config.file import FILENAME, SUFFIXES
from dms.config.finding import key_text
from dms.config.layer import ABSENT, LayerName, is_same, value_at
from dms.config.machine import working_directory
from dms.config.overrides import Override, moved, said, with_override, without_override
from dms.config.proposal import Proposal, defaults_of, path_of, refuse_too_deep, refuse_worse, refuse_worse_files
from dms.config.reading import Loaded, folders_to_search, with_overrides
from dms.config.store import ConfigStore, RecordedChange, Revision
from dms.errors import InvalidParameters, VersionConflict
from dms.instant import Clock
from dms.trace import CURRENT, begin

MOST_COMPARED = 200
"""Revisions that an expected one may lie back, beyond which it counts as stale; volatile overrides come back from so
many."""


class Subscriber(Protocol):
    """Somebody whom changes concern. `prepare` checks and makes ready, and may veto with a DmsError; `apply` carries it
    out and may not fail; `abandon` undoes what was prepared, where somebody else vetoed."""

    name: str

    async def prepare(self, change: ConfigChange) -> None:
        """Make ready, or veto."""

    async def apply(self, change: ConfigChange) -> None:
        """The change is in force."""

    async def abandon(self, change: ConfigChange) -> None:
        """It does not come."""


Told = Callable[[Revision], None]

Permit = Callable[[Sequence[Override]], None]
"""Raises Forbidden where whoever asks for a change may not have one of the overrides come, or go, to which it comes."""


def anything(overrides: Sequence[Override]) -> None:
    """The permit of the program itself."""


class LiveConfig:
    """What is in force, and how it changes. All of it runs on one loop, one change at a time.

    `read` reads the files anew. `start` must come first, then `record_start`, before any change.
    """

    def __init__(self, loaded: Loaded, store: ConfigStore, clock: Clock, read: Callable[[], Awaitable[Loaded]]) -> None:
        self.revision, self.hash = 0, ""
        self._swap(loaded)
        self._store, self._clock, self._read = store, clock, read
        self._listeners: list[Told] = []
        self._persistent: Sequence[Override] = ()
        self._volatile: Sequence[Override] = ()
        self._volatile_at: dict[int, Sequence[Override]] = {}
        self._subscribers: list[Subscriber] = []
        self._newest: Revision | None = None
        self._lock, self._reloading = asyncio.Lock(), asyncio.Lock()

    def _swap(self, loaded: Loaded) -> None:
        """`config` is the snapshot in force, `loaded` how it came about; a plain attribute is read in nanoseconds."""
        self.loaded: Loaded = loaded
        self.config: Config = loaded.config

    def files(self) -> list[Path]:
        """The main file, or where one would be found: what is to be watched. From whatever thread."""
        if self.loaded.file is not None:
            return [self.loaded.file]
        folders = folders_to_search(self.loaded.layers, self.loaded.machine, working_directory())
        return [folder / f"{FILENAME}{suffix}" for folder in folders for suffix in SUFFIXES]

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have it prepare and apply changes from now on."""
        self._subscribers.append(subscriber)

    def listen(self, told: Told) -> None:
        """Have it told of each revision that has come into force."""
        self._listeners.append(told)

    def start(self) -> None:
        """Lay the stored overrides over what was read. What is bad of them counts for nothing, is a finding, and stays
        in the store."""
        newest = self._newest = self._store.newest()
        if newest is not None:
            self._persistent, self.revision = newest.overrides, newest.number
            self._swap(with_overrides(self.loaded, self._persistent, ()))
        self.hash = _hash(self.loaded.effective)
        self._volatile_at[self.revision] = ()

    async def record_start(self) -> None:
        """Where the effective configuration is not what it was before the start, that is a revision; to be called once
        the store takes them. StoreError where it can't be kept: then it is none, and the next one holds it too."""
        newest, effective = self._newest, self.loaded.effective
        if newest is None or newest.hash != self.hash:
            changes = recorded_between(newest.effective if newest else {}, effective)
            revision = self._revision("start", "read at the start", changes)
            await asyncio.wrap_future(self._store.save(revision))
            self._take(revision, self._volatile)

    # ── changes ──

    async def set(
        self,
        changes: Mapping[str, Any],
        *,
        author: str,
        volatile: bool = False,
        expected_revision: int | None = None,
        dry_run: bool = False,
        reason: str = "",
        permit: Permit = anything,
    ) -> Changed:
        """Set keys, all or none; `volatile` until the next restart. InvalidParameters names what is bad of them,
        VersionConflict a key that changed since the expected revision; a subscriber's veto comes as it is. What is set
        so already stays as it was."""

        def propose() -> Proposal:
            overrides = self._volatile if volatile else self._persistent
            paths = {path_of(key): value for key, value in changes.items()}
            for path, value in sorted(paths.items(), key=lambda item: len(item[0])):  # a part stands over the whole
                refuse_too_deep(path, value)
                if not is_same(said(overrides, path), value):
                    new = Override(path, value, self.revision + 1, author, self._clock.now().wall)
                    overrides = with_override(overrides, new)
            both = (self._persistent, overrides) if volatile else (overrides, self._volatile)
            into = LayerName.VOLATILE if volatile else LayerName.OVERRIDE
            return self._proposal(*both, author, reason, list(paths), into)

        return await self._change(propose, permit, expected_revision, dry_run)

    async def unset(
        self,
        keys: Sequence[str],
        *,
        author: str,
        volatile: bool | None = None,
        expected_revision: int | None = None,
        dry_run: bool = False,
        reason: str = "",
        permit: Permit = anything,
    ) -> Changed:
        """Remove overrides, so that the layers below count: of both kinds, or only volatile or persistent ones.
        InvalidParameters where there is no such key, and none that was set before there was none."""

        def propose() -> Proposal:
            persistent, held = self._persistent, self._volatile
            for path in map(path_of, keys):
                self._check_known(path)
                held = held if volatile is False else without_override(held, path)
                persistent = persistent if volatile is True else without_override(persistent, path)
            return self._proposal(persistent, held, author, reason, [path_of(key) for key in keys])

        return await self._change(propose, permit, expected_revision, dry_run)

    async def rollback(self, number: int, *, author: str, dry_run: bool = False, permit: Permit = anything) -> Changed:
        """Put back the overrides as they were at a revision. Files and environment stay; volatile overrides come back
        where the revision is of this start. NotFound where it is no longer kept."""
        past = await asyncio.wrap_future(self._store.revision(number))

        def propose() -> Proposal:
            held = self._volatile_at.get(number, ())
            return self._proposal(past.overrides, held, author, f"rolled back to revision {number}")

        return await self._change(propose, permit, None, dry_run)

    async def restore_defaults(
        self, keys: Sequence[str] = (), *, author: str, dry_run: bool = False, permit: Permit = anything
    ) -> Changed:
        """Put keys, or all of them, to their defaults: overrides go, and one with the default comes where a file or
        the environment says otherwise. Tasks, and where the node lives, have no defaults and stay; InvalidParameters
        where that is what was asked for."""

        def propose() -> Proposal:
            paths = [path_of(key) for key in keys]
            defaults = defaults_of(self.loaded, paths)
            persistent, held = self._persistent, self._volatile
            for path in defaults:
                persistent, held = without_override(persistent, path), without_override(held, path)
            bare = with_overrides(self.loaded, persistent, held, {name for name, _ in defaults}).merged.values
            for path, default in defaults.items():
                if not is_same(plain(value_at(bare, path)), default):
                    new = Override(path, default, self.revision + 1, author, self._clock.now().wall)
                    persistent = with_override(persistent, new)
            return self._proposal(persistent, held, author, "restored defaults", paths)

        return await self._change(propose, permit, None, dry_run)

    async def reload(self, author: str = "file", reason: str = "the files have changed") -> Changed:
        """Read the files anew. ConfigError, and nothing has changed, where they are worse than before."""

        def propose() -> Proposal:
            loaded = with_overrides(fresh, self._persistent, self._volatile)
            refuse_worse_files(self.loaded, loaded)
            return Proposal(loaded, self._persistent, self._volatile, author, reason)

        async with self._reloading:  # what was read first must not come into force last
            fresh = await self._read()
            return await self._change(propose, anything, None, dry_run=False)

    @asynccontextmanager
    async def unchanging(self) -> AsyncIterator[Loaded]:
        """What is in force once each change that was asked for is in force or refused; the next one waits meanwhile."""
        async with self._lock:
            yield self.loaded

    # ── asking ──

    async def history(self, limit: int = 20, before: int | None = None) -> list[Revision]:
        """Revisions, newest first, older than `before`."""
        return await asyncio.wrap_future(self._store.revisions(limit, before))

    async def diff(self, from_: int | None = None, to: int | None = None) -> list[RecordedChange]:
        """What differs between two revisions; without the first from the defaults, without the second to now."""
        before = plain(self.loaded.layers[0].values) if from_ is None else (await self._past(from_)).effective
        after = self.loaded.effective if to is None else (await self._past(to)).effective
        return recorded_between(before, after)

    async def _past(self, number: int) -> Revision:
        return await asyncio.wrap_future(self._store.revision(number))

    # ── how a change comes about ──

    def _proposal(
        self,
        persistent: Sequence[Override],
        volatile: Sequence[Override],
        author: str,
        reason: str,
        touched: Sequence[KeyPath] = (),
        into: LayerName = LayerName.OVERRIDE,
    ) -> Proposal:
        came, went = self._moved(persistent, volatile)
        if not came and not went:
            persistent, volatile = self._persistent, self._volatile
        loaded = with_overrides(self.loaded, persistent, volatile, {each.path[0] for each in (*came, *went)})
        refuse_worse(self.loaded, loaded)
        return Proposal(loaded, persistent, volatile, author, reason, touched, into, came, went)

    def _check_known(self, path: tuple[str, ...]) -> None:
        """InvalidParameters where neither the schema nor an override knows of a key."""
        what = unknown(self.loaded, path)
        if what and said([*self._persistent, *self._volatile], path) is ABSENT:
            raise InvalidParameters(f"{what} Nothing was changed", (key_text(path),))

    async def _change(
        self, propose: Callable[[], Proposal], permit: Permit, expected: int | None, dry_run: bool
    ) -> Changed:
        """In a task of its own: whoever asked may go away, and the change is whole all the same."""
        return await asyncio.shield(asyncio.ensure_future(self._change_whole(propose, permit, expected, dry_run)))

    async def _change_whole(
        self, propose: Callable[[], Proposal], permit: Permit, expected: int | None, dry_run: bool
    ) -> Changed:
        CURRENT.set(begin(CURRENT.get()))
        async with self._lock:
            proposal = propose()
            permit([*proposal.came, *proposal.went])
            change = diff(self.loaded, proposal.loaded)
            if expected is not None:
                await self._check_fresh(expected, [*proposal.touched, *(key.path for key in change.keys)])
            await self._prepare(change)
            if dry_run:
                await self._abandon(self._subscribers, change)
                return answer_to(change, proposal, self.revision + 1, dry_run=True)
            return await self._commit(change, proposal)

    def _moved(
        self, persistent: Sequence[Override], volatile: Sequence[Override]
    ) -> tuple[list[Override], list[Override]]:
        """The overrides of both kinds that come and that go, key by key, where these take the place of those there."""
        came, went = moved(self._persistent, persistent)
        held, left = moved(self._volatile, volatile)
        return came + held, went + left

    async def _check_fresh(self, expected: int, paths: Sequence[KeyPath]) -> None:
        behind = self.revision - expected
        if behind < 0:
            raise VersionConflict(f"revision {expected} has not come yet; it is {self.revision} now", self.revision)
        since = await self.history(min(behind, MOST_COMPARED)) if behind else []
        stale = {each.key: past.number for past in reversed(since) for each in past.changes if _hit(each, paths)}
        if stale or len(since) < behind:
            what = ", ".join(f"{key} (revision {number})" for key, number in stale.items()) or "more than is kept"
            now = f"it is revision {self.revision} now. Nothing was changed; see what it says, and ask with that one"
            raise VersionConflict(f"changed since revision {expected}: {what}; {now}", self.revision)

    async def _prepare(self, change: ConfigChange) -> None:
        prepared: list[Subscriber] = []
        for subscriber in self._subscribers if change else ():
            prepared.append(subscriber)
            try:
                await subscriber.prepare(change)
            except BaseException:
                await self._abandon(prepared, change)
                raise

    async def _abandon(self, subscribers: Sequence[Subscriber], change: ConfigChange) -> None:
        for subscriber in subscribers if change else ():
            await subscriber.abandon(change)

    async def _commit(self, change: ConfigChange, proposal: Proposal) -> Changed:
        """On disk first, then in force; nothing to write where nothing changes."""
        answer = answer_to(change, proposal, self.revision + 1, dry_run=False)
        if not change and not answer.unseen:
            self._swap(proposal.loaded)
            return msgspec.structs.replace(answer, revision=self.revision)
        revision = self._revision(proposal.author, proposal.reason, answer.changes, proposal)
        try:
            await _done(self._store.save(revision))
        except BaseException:
            await self._abandon(self._subscribers, change)
            raise
        self._swap(proposal.loaded)
        self._persistent, self._volatile = proposal.persistent, proposal.volatile
        self._take(revision, proposal.volatile)
        failed = await self._apply(change)
        for tell in self._listeners:
            tell(revision)
        if failed is not None:
            raise failed
        return answer

    async def _apply(self, change: ConfigChange) -> Exception | None:
        """Everybody carries it out, whatever becomes of another's part: it is in force. Gives the first mistake."""
        failed: Exception | None = None
        for subscriber in self._subscribers if change else ():
            try:
                await subscriber.apply(change)
            except Exception as error:  # noqa: BLE001 - a subscriber's mistake is told to whoever asked, and ends nobody
                failed = failed or error
        return failed

    def _take(self, revision: Revision, volatile: Sequence[Override]) -> None:
        self.revision, self.hash = revision.number, revision.hash
        self._volatile_at[revision.number] = volatile
        self._volatile_at.pop(revision.number - MOST_COMPARED, None)

    def _revision(
        self, author: str, reason: str, changes: list[RecordedChange], proposal: Proposal | None = None
    ) -> Revision:
        loaded = self.loaded if proposal is None else proposal.loaded
        persistent = self._persistent if proposal is None else proposal.persistent
        effective, now = dict(loaded.effective), self._clock.now().wall
        return Revision(self.revision + 1, now, author, reason, changes, list(persistent), effective, _hash(effective))


async def _done(future: "Future[None]") -> None:
    """Wait for a future of another thread; one that is done costs no turn of the loop."""
    return future.result() if future.done() else await asyncio.wrap_future(future)


def _hit(recorded: RecordedChange, paths: Sequence[KeyPath]) -> bool:
    return any(_within(recorded.key, key_text(path)) for path in paths)


def _within(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _hash(effective: Mapping[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(effective, order="sorted")).hexdigest()[:16]
