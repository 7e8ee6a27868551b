"""`config.*`: what the configuration says, and why; and how it is changed."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dms.access.caller import CONFIG_READ, CONFIG_WRITE, Caller
from dms.command.command import Command
from dms.command.operation import Effect, Nothing, Operation
from dms.command.topic import Topic
from dms.config import Explanation, explain, get
from dms.config.live import Changed, LiveConfig
from dms.config.scopes import scopes_of, scopes_of_removal
from dms.config.store import RecordedChange, Revision
from dms.errors import Forbidden
from dms.instant import rfc3339


class KeyParameters(msgspec.Struct, frozen=True):
    """A key such as `scheduler.max_running_tasks`, or a section such as `scheduler`."""

    key: str


class SetParameters(msgspec.Struct, frozen=True):
    """Values by key; whether only until the next restart; the revision that the caller saw; whether only to tell what
    would change; and why."""

    changes: Annotated[dict[str, Any], Meta(min_length=1)]
    volatile: bool = False
    expected_revision: int | None = None
    dry_run: bool = False
    reason: str = ""


class UnsetParameters(msgspec.Struct, frozen=True):
    """Keys whose overrides go: of both kinds, or (true) only the volatile, (false) only the persistent ones."""

    keys: Annotated[list[str], Meta(min_length=1)]
    volatile: bool | None = None
    expected_revision: int | None = None
    dry_run: bool = False
    reason: str = ""


class RevisionsParameters(msgspec.Struct, frozen=True):
    """How many revisions at most, and the one than which they are to be older."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 20
    before: int | None = None


class DiffParameters(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """From which revision (none: the defaults) to which (none: now)."""

    from_: int | None = None
    to: int | None = None


class RollbackParameters(msgspec.Struct, frozen=True):
    """The revision whose overrides are to be in force again."""

    revision: int
    dry_run: bool = False


class RestoreParameters(msgspec.Struct, frozen=True):
    """Keys or sections that are to have their defaults; none: all of them."""

    keys: list[str] = []
    dry_run: bool = False


class RevisionDocument(msgspec.Struct, frozen=True):
    """A revision: when it came, who wanted it and why, and what it changed."""

    revision: int
    at: str | None
    author: str
    reason: str
    hash: str
    changes: list[RecordedChange]

    @classmethod
    def of(cls, revision: Revision) -> "RevisionDocument":
        """The document of a revision."""
        at = rfc3339(revision.at)
        return cls(revision.number, at, revision.author, revision.reason, revision.hash, revision.changes)


def config_topic(epoch: int) -> Topic:
    """`config`: an event for each revision that comes into force."""
    return Topic("config", scope=CONFIG_READ, epoch=epoch, fields=("author",))


def author_of(caller: Caller) -> str:
    """Who changes something, as the history tells it."""
    return f"{caller.name} by {caller.door}"


def check_scopes(caller: Caller, needed: Mapping[str, str]) -> None:
    """Forbidden names the key and the scope where the caller does not hold what each key needs."""
    for key, scope in needed.items():
        if not caller.may(scope):
            raise Forbidden(f"{key} needs the scope {scope}, which {caller.name} does not hold")


def config_operations(live: LiveConfig) -> list[Operation]:
    """All of `config.*`, on the running configuration."""
    return [*_reading(live), *_writing(live)]


def _reading(live: LiveConfig) -> list[Operation]:
    def get_key(params: KeyParameters, command: Command) -> dict[str, Any]:
        return get(live.loaded, params.key)

    def explain_key(params: KeyParameters, command: Command) -> Explanation:
        return explain(live.loaded, params.key)

    async def history(params: RevisionsParameters, command: Command) -> list[RevisionDocument]:
        return [RevisionDocument.of(each) for each in await live.history(params.limit, params.before)]

    async def diff(params: DiffParameters, command: Command) -> list[RecordedChange]:
        return await live.diff(params.from_, params.to)

    def reading(name: str, parameters: Any, result: Any, handler: Any, summary: str, example: Any) -> Operation:
        return Operation(name, parameters, result, CONFIG_READ, Effect.READ, handler, summary, (example,))

    key = {"key": "scheduler.max_running_tasks"}
    value = "Tells a key's or a section's value and where it comes from."
    why = "Tells what each layer says of a key, which is in force, and why the default is what it is."
    past, differs = "Tells the newest revisions.", "Tells what differs between two revisions."
    return [
        reading("config.get", KeyParameters, dict[str, Any], get_key, value, key),
        reading("config.explain", KeyParameters, Explanation, explain_key, why, key),
        reading("config.history", RevisionsParameters, list[RevisionDocument], history, past, {"limit": 5}),
        reading("config.diff", DiffParameters, list[RecordedChange], diff, differs, {"from": 3}),
    ]


def _writing(live: LiveConfig) -> list[Operation]:
    async def set_keys(params: SetParameters, command: Command) -> Changed:
        _check_removal(live, command.caller, list(params.changes))  # what is said anew takes the place of its parts
        for key, value in params.changes.items():
            check_scopes(command.caller, scopes_of(live.loaded.sections, tuple(key.split(".")), value))
        return await live.set(
            params.changes,
            author=author_of(command.caller),
            volatile=params.volatile,
            expected_revision=params.expected_revision,
            dry_run=params.dry_run,
            reason=params.reason,
        )

    async def unset(params: UnsetParameters, command: Command) -> Changed:
        _check_removal(live, command.caller, params.keys)
        return await live.unset(
            params.keys,
            author=author_of(command.caller),
            volatile=params.volatile,
            expected_revision=params.expected_revision,
            dry_run=params.dry_run,
            reason=params.reason,
        )

    async def rollback(params: RollbackParameters, command: Command) -> Changed:
        planned = await live.rollback(params.revision, author=author_of(command.caller), dry_run=True)
        _check_changes(live, command.caller, planned)
        if params.dry_run:
            return planned
        return await live.rollback(params.revision, author=author_of(command.caller))

    async def restore(params: RestoreParameters, command: Command) -> Changed:
        planned = await live.restore_defaults(params.keys, author=author_of(command.caller), dry_run=True)
        _check_changes(live, command.caller, planned)
        if params.dry_run:
            return planned
        return await live.restore_defaults(params.keys, author=author_of(command.caller))

    async def reload(params: Nothing, command: Command) -> Changed:
        return await live.reload(author_of(command.caller), "asked to read the files anew")

    def writing(name: str, parameters: Any, handler: Any, summary: str, example: Any, once: bool = False) -> Operation:
        effect = Effect.ONCE if once else Effect.IDEMPOTENT
        return Operation(name, parameters, Changed, CONFIG_WRITE, effect, handler, summary, (example,))

    key = "scheduler.max_running_tasks"
    back = "Puts the overrides back as they were at a revision."
    return [
        writing("config.set", SetParameters, set_keys, "Sets keys, all or none.", {"changes": {key: 2}}),
        writing("config.unset", UnsetParameters, unset, "Removes overrides.", {"keys": [key]}),
        writing("config.rollback", RollbackParameters, rollback, back, {"revision": 3}, once=True),
        writing("config.restore_defaults", RestoreParameters, restore, "Restores defaults.", {"keys": [key]}),
        writing("config.reload", Nothing, reload, "Reads the files anew.", {}),
    ]


def _check_removal(live: LiveConfig, caller: Caller, keys: list[str]) -> None:
    for key in keys:
        check_scopes(caller, scopes_of_removal(live.loaded.sections, tuple(key.split(".")), live.loaded.layers))


def _check_changes(live: LiveConfig, caller: Caller, planned: Changed) -> None:
    for change in planned.changes:
        path = tuple(change.key.split("."))
        for value in (change.before, change.after):
            check_scopes(caller, scopes_of(live.loaded.sections, path, value))
