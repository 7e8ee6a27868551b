"""Operation: something that can be asked of a node. It exists once, whichever door it is asked through."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from dms.command.command import Command


class Effect(StrEnum):
    """What asking twice means: `read` changes nothing, `idempotent` changes nothing more, `once` does it again."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    ONCE = "once"


class Nothing(msgspec.Struct, frozen=True):
    """The parameters of an operation that has none."""


class Operation(msgspec.Struct, frozen=True):
    """What can be asked: its name, the types of its parameters and its result, the scope it needs, and its handler.

    The handler gets the decoded parameters and the Command, and gives the result: a Struct or plain values. One that
    waits is a coroutine function; it may be cancelled at any `await`, since its caller may cancel or go away: what must
    not be cut in half is shielded inside. One that waits for nothing is a function, and is run where it is asked for.
    `examples` are parameters that work, for people who read the documentation. Those that read are answered while the
    node stops too, so that people see how that goes; so is one that is marked `while_stopping`.
    """

    name: str
    parameters: type[msgspec.Struct]
    result: Any
    scope: str
    effect: Effect
    handler: Callable[[Any, "Command"], Any]
    summary: str
    examples: tuple[dict[str, Any], ...] = ()
    while_stopping: bool = False


class Operations(dict[str, Operation]):
    """All that can be asked, by name. `ended` hears of every command that has ended, or was rejected. They are `closed`
    while the node stops."""

    closed = False

    def __init__(self) -> None:
        super().__init__()
        self.ended: Callable[[Command], None] = lambda command: None


def by_name(*families: Iterable[Operation]) -> Operations:
    """Families of operations as one table. ValueError where two have one name."""
    table = Operations()
    for operation in (each for family in families for each in family):
        if operation.name in table:
            raise ValueError(f"two operations are called {operation.name}")
        table[operation.name] = operation
    return table
