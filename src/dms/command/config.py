"""`config.*`: what the configuration says, and why; and how it is changed."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dms.access.caller import CONFIG_READ, CONFIG_WRITE, Caller
from dms.command.command import Command
from dms.command.operation import Effect, Nothing, Operation
from dms.command.topic import Topic
from dms.config import Explanation, explain, get
from dms.config.changed import Changed
from dms.config.config import Sections
from dms.config.finding import key_text
from dms.config.live import LiveConfig, Permit
from dms.config.overrides import Override
from dms.config.scopes import scope_of
from dms.config.store import RecordedChange, Revision
from dms.errors import Forbidden
from dms.instant import rfc3339

MOST_KEYS = 500
"""Keys of one change; a whole section or task is one."""

Reason = Annotated[str, Meta(max_length=1000)]


class KeyParameters(msgspec.Struct, frozen=True):
    """A key such as `scheduler.max_running_tasks`, or a section such as `scheduler`."""

    key: str


class GetParameters(msgspec.Struct, frozen=True):
    """A key or a section; None for everything."""

    key: str | None = None


class SetParameters(msgspec.Struct, frozen=True):
    """Values by key; whether only until the next restart; the revision that the caller saw; whether only to tell what
    would change; and why."""

    changes: Annotated[dict[str, Any], Meta(min_length=1, max_length=MOST_KEYS)]
    volatile: bool = False
    expected_revision: int | None = None
    dry_run: bool = False
    reason: Reason = ""


class UnsetParameters(msgspec.Struct, frozen=True):
    """Keys whose overrides go: of both kinds, or (true) only the volatile, (false) only the persistent ones."""

    keys: Annotated[list[str], Meta(min_length=1, max_length=MOST_KEYS)]
    volatile: bool | None = None
    expected_revision: int | None = None
    dry_run: bool = False
    reason: Reason = ""


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

    keys: Annotated[list[str], Meta(max_length=MOST_KEYS)] = []
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


def permit_of(caller: Caller, sections: Sections) -> Permit:
    """Raises Forbidden, naming the key and the scope, where the caller does not hold what each key needs of which an
    override comes or goes."""

    def permit(overrides: Sequence[Override]) -> None:
        for override in overrides:
            scope = scope_of(sections, override.path)
            if not caller.may(scope):
                raise Forbidden(f"{key_text(override.path)} needs the scope {scope}, which {caller.name} does not hold")

    return permit


def config_operations(live: LiveConfig) -> list[Operation]:
    """All of `config.*`, on the running configuration."""
    return [*_reading(live), *_writing(live)]


def _reading(live: LiveConfig) -> list[Operation]:
    def get_key(params: GetParameters, command: Command) -> dict[str, Any]:
        return {**get(live.loaded, params.key), "revision": live.revision}

    def explain_key(params: KeyParameters, command: Command) -> Explanation:
        return explain(live.loaded, params.key)

    async def history(params: RevisionsParameters, command: Command) -> list[RevisionDocument]:
        return [RevisionDocument.of(each) for each in await live.history(params.limit, params.before)]

    async def diff(params: DiffParameters, command: Command) -> list[RecordedChange]:
        return await live.diff(params.from_, params.to)

    def reading(name: str, parameters: Any, result: Any, handler: Any, summary: str, example: Any) -> Operation:
        return Operation(name, parameters, result, CONFIG_READ, Effect.READ, handler, summary, (example,))

    key = {"key": "scheduler.max_running_tasks"}
    value = "Tells the value of a key, a section or everything, where it comes from, and the revision."
    why = "Tells what each layer says of a key, which is in force, and why the default is what it is."
    past, differs = "Tells the newest revisions.", "Tells what differs between two revisions."
    return [
        reading("config.get", GetParameters, dict[str, Any], get_key, value, key),
        reading("config.explain", KeyParameters, Explanation, explain_key, why, key),
        reading("config.history", RevisionsParameters, list[RevisionDocument], history, past, {"limit": 5}),
        reading("config.diff", DiffParameters, list[RecordedChange], diff, differs, {"from": 3}),
    ]


def _writing(live: LiveConfig) -> list[Operation]:
    async def set_keys(params: SetParameters, command: Command) -> Changed:
        return await live.set(
            params.changes,
            volatile=params.volatile,
            expected_revision=params.expected_revision,
            dry_run=params.dry_run,
            reason=params.reason,
            **_asking(live, command),
        )

    async def unset(params: UnsetParameters, command: Command) -> Changed:
        return await live.unset(
            params.keys,
            volatile=params.volatile,
            expected_revision=params.expected_revision,
            dry_run=params.dry_run,
            reason=params.reason,
            **_asking(live, command),
        )

    async def rollback(params: RollbackParameters, command: Command) -> Changed:
        return await live.rollback(params.revision, dry_run=params.dry_run, **_asking(live, command))

    async def restore(params: RestoreParameters, command: Command) -> Changed:
        return await live.restore_defaults(params.keys, dry_run=params.dry_run, **_asking(live, command))

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


def _asking(live: LiveConfig, command: Command) -> dict[str, Any]:
    """Who asks for a change, and what they may."""
    return {"author": author_of(command.caller), "permit": permit_of(command.caller, live.loaded.sections)}
