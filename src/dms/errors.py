"""Every error that DMS raises, drawn once.

    DmsError                     error               anything below
    ├── InvalidInput             invalid             what a caller gave can't be right; also a ValueError
    │   ├── InvalidTask          invalid_task        a task's definition
    │   ├── InvalidTrigger       invalid_trigger     a trigger's definition
    │   │   └── InvalidCron      invalid_cron        a cron expression; knows the offset of the fault
    │   ├── InvalidDuration      invalid_duration    a length of time
    │   ├── InvalidParameters    invalid_params      a command's parameters; knows the fields at fault
    │   └── Malformed            malformed           a text that can't be read at all; knows line and column
    ├── NotFound                 not_found           no task, key or operation of that name; also a LookupError
    │   ├── UnknownMethod        method_not_found    no such command
    │   └── CursorExpired        cursor_expired      what came after the cursor is no longer kept; knows the oldest one
    ├── Conflict                 conflict            it clashes with what is there or what runs
    │   └── VersionConflict      version_conflict    what it builds on has changed meanwhile; knows the revision now
    ├── Refused                  refused             not allowed here
    │   └── Forbidden            forbidden           not allowed to this caller, for want of a scope
    ├── Unauthenticated          unauthenticated     nobody can tell who asks: no token, or not a good one
    │   └── HelloRequired        hello_required      a socket whose first message is no session.hello
    ├── Unsupported              unsupported         of a version or form that this node does not speak
    ├── TooLarge                 too_large           a message of more bytes than are taken
    ├── TooSlow                  too_slow            a message that did not come whole in time
    ├── Overloaded               overloaded          too much at once from this caller; ask again later
    │   └── RateLimited          rate_limited        too often; knows after how many milliseconds it may be again
    ├── ShuttingDown             shutting_down       the node is stopping; ask again later
    ├── WaitTimeout              timeout             a caller waited long enough; also a TimeoutError
    ├── ConfigError              configuration       a configuration that can't be used; carries its findings
    ├── StoreError               store               the data folder: its database, its socket
    │   ├── FolderInUse          folder_in_use       another node holds the data folder
    │   ├── StoreBroken          store_broken        the file is not a database, or is damaged; it is left as it was
    │   └── StoreTooNew          store_too_new       written by a newer DMS; it is left as it was
    ├── AddressInUse             address_in_use      somebody else listens at the address of the node's TCP door
    ├── NoNode                   no_node             no node answers at the data folder
    ├── RemoteError              (the node's code)   what a node answered, as the client raises it
    └── Misuse                   misuse              a call that can't be made there or then; also a RuntimeError

The code is stable: scripts may depend on it. Each door translates it once into its own form.
"""

from collections.abc import Iterable
from typing import ClassVar


class DmsError(Exception):
    """The root: `except DmsError` catches whatever DMS raises on purpose."""

    code: ClassVar[str] = "error"


class InvalidInput(DmsError, ValueError):
    """What a caller gave can't be right; the message says what, where and what to do."""

    code = "invalid"


class InvalidTask(InvalidInput):
    """A task's definition can't work; the message names the field."""

    code = "invalid_task"


class InvalidTrigger(InvalidInput):
    """A trigger's definition can't work; the message names the field."""

    code = "invalid_trigger"


class InvalidCron(InvalidTrigger):
    """A cron expression that can't be read or that never fires.

    `offset` is the index of the faulty character in the expression (0 where the whole is at fault).
    """

    code = "invalid_cron"

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class InvalidDuration(InvalidInput):
    """A length of time that can't be read, such as `5 parsecs`."""

    code = "invalid_duration"


class Malformed(InvalidInput):
    """A text that can't be read at all, such as broken YAML; `line` and `column` count from 1."""

    code = "malformed"

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class InvalidParameters(InvalidInput):
    """A command's parameters can't be right; `fields` names those at fault, as paths such as `event.topic`."""

    code = "invalid_params"

    def __init__(self, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class NotFound(DmsError, LookupError):
    """No task, key or operation goes by that name."""

    code = "not_found"


class UnknownMethod(NotFound):
    """No command goes by that name."""

    code = "method_not_found"


class CursorExpired(NotFound):
    """What came after the cursor is no longer kept; `oldest` is the first cursor that still works."""

    code = "cursor_expired"

    def __init__(self, message: str, oldest: str) -> None:
        super().__init__(message)
        self.oldest = oldest


class Conflict(DmsError):
    """The request clashes with what exists or with what is running."""

    code = "conflict"


class VersionConflict(Conflict):
    """What the request builds on has changed meanwhile; `revision` is the one now. Nothing was done."""

    code = "version_conflict"

    def __init__(self, message: str, revision: int) -> None:
        super().__init__(message)
        self.revision = revision


class Refused(DmsError):
    """Not allowed here; the message says how it could be."""

    code = "refused"


class Forbidden(Refused):
    """Not allowed to this caller; the message names the scope that is wanting."""

    code = "forbidden"


class Unauthenticated(DmsError):
    """Nobody can tell who asks: there is no token, or it is unknown, expired or revoked."""

    code = "unauthenticated"


class HelloRequired(Unauthenticated):
    """A socket whose first message was not a `session.hello`."""

    code = "hello_required"


class Unsupported(DmsError):
    """Of a version or in a form that this node does not speak; the message says which it does."""

    code = "unsupported"


class TooLarge(DmsError):
    """A message of more bytes than are taken; nothing of it was done."""

    code = "too_large"


class TooSlow(DmsError):
    """A message that did not come whole in time; nothing of it was done."""

    code = "too_slow"


class Overloaded(DmsError):
    """Too much at once from one caller; nothing was done, and asking again later is right."""

    code = "overloaded"


class RateLimited(Overloaded):
    """Too often from one caller; `retry_after_ms` milliseconds from now it may be again."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class ShuttingDown(DmsError):
    """The node or the scheduler is stopping and takes nothing new."""

    code = "shutting_down"


class WaitTimeout(DmsError, TimeoutError):
    """The caller's own patience ran out; what it waited for goes on."""

    code = "timeout"


class ConfigError(DmsError):
    """A configuration that can't be used.

    `findings` holds one line a problem, each with its place (`file:line:column  key: what is wrong`).
    """

    code = "configuration"

    def __init__(self, message: str, findings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings or (message,)


class StoreError(DmsError):
    """The data folder can't do what was asked of it: its database, its socket, the folder itself."""

    code = "store"


class FolderInUse(StoreError):
    """Another node holds the data folder; the message names it and its process."""

    code = "folder_in_use"


class StoreBroken(StoreError):
    """The file is not a database or is damaged; nothing of it was touched."""

    code = "store_broken"


class StoreTooNew(StoreError):
    """A newer DMS wrote the file; nothing of it was touched."""

    code = "store_too_new"


class AddressInUse(DmsError):
    """Somebody else listens at the address of the node's TCP door; the message says which keys give it another one."""

    code = "address_in_use"


class NoNode(DmsError):
    """No node answers at the data folder."""

    code = "no_node"


class RemoteError(DmsError):
    """What a node answered: `reason` is its stable code, `number` the JSON-RPC code, `data` the rest."""

    code = "remote"

    def __init__(self, message: str, *, reason: str, number: int, data: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.number = number
        self.data = data or {}


class Misuse(DmsError, RuntimeError):
    """A call that can't be made there or then, such as a blocking wait on the loop's own thread."""

    code = "misuse"


_LONGEST_WORD = 256
"""Characters of a word that somebody may have misspelt; comparing a longer one takes long."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to add to a message about an unknown word: ` Did you mean retry?`, or nothing where none is near.

    >>> did_you_mean("retires", ["retry", "timeout"])
    ' Did you mean retry?'
    """
    if len(word) > _LONGEST_WORD:
        return ""
    from difflib import get_close_matches  # costs 10 ms, and only a mistake needs it

    near = get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""
