"""Subscription: one follower's reading of a topic; and `sub.*`, the operations that begin and end one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from dms.access.caller import NODE_READ
from dms.command.operation import Effect, Operation
from dms.command.topic import Topic, TopicEvent
from dms.errors import Forbidden, InvalidParameters, NotFound, Refused, did_you_mean

if TYPE_CHECKING:
    from dms.command.command import Command


class Subscription:
    """One follower's reading of a topic, from a cursor on, and only what its filter lets through."""

    def __init__(self, name: str, topic: Topic, *, wanted: dict[str, Any], cursor: str | None) -> None:
        for field in wanted:
            if field not in topic.fields:
                known = f"{topic.name} can be filtered by {', '.join(topic.fields) or 'nothing'}"
                raise InvalidParameters(
                    f"filter.{field}: {known}.{did_you_mean(field, topic.fields)}", (f"filter.{field}",)
                )
        self.name = name
        self.topic = topic
        self._wanted = wanted
        self._position = topic.position(cursor)

    @property
    def cursor(self) -> str:
        """How far it has read."""
        return self.topic.cursor(self._position)

    def read(self, limit: int = 16) -> list[tuple[str, dict[str, Any]]] | None:
        """The next notifications, each as method and params (none of them may be wanted); None where all is read."""
        missed, events = self.topic.read(self._position, limit)
        if not missed and not events:
            return None
        self._position += missed + len(events)
        told = [self._event(number, event) for number, event in events if self._wants(event)]
        return [self._gap(missed), *told] if missed else told

    def _wants(self, event: TopicEvent) -> bool:
        return all(event.get(field) == value for field, value in self._wanted.items())

    def _event(self, number: int, event: TopicEvent) -> tuple[str, dict[str, Any]]:
        return "sub.event", {"sub": self.name, "seq": number, "cursor": self.topic.cursor(number), "event": event}

    def _gap(self, missed: int) -> tuple[str, dict[str, Any]]:
        return "sub.gap", {"sub": self.name, "dropped": missed, "reason": "slow_reader"}


class OpenParameters(msgspec.Struct, frozen=True, rename={"cursor": "from", "wanted": "filter"}):
    """Which topic, only events whose members equal those of `filter`, and `from` which cursor on (without one: now)."""

    topic: str
    wanted: dict[str, str | int | bool | None] = {}
    cursor: str | None = None


class Opened(msgspec.Struct, frozen=True):
    """The subscription's name and the cursor that it begins at."""

    sub: str
    cursor: str


class CloseParameters(msgspec.Struct, frozen=True):
    """The subscription's name."""

    sub: str


class Closed(msgspec.Struct, frozen=True):
    """The subscription that has ended."""

    sub: str


def subscription_operations(topics: Iterable[Topic]) -> list[Operation]:
    """`sub.open` and `sub.close`, for these topics."""
    by_name = {topic.name: topic for topic in topics}

    def begin(params: OpenParameters, command: "Command") -> Opened:
        topic = by_name.get(params.topic)
        if topic is None:
            known = f"there are {', '.join(by_name)}"
            raise NotFound(f"no topic {params.topic}; {known}.{did_you_mean(params.topic, by_name)}")
        if not command.caller.may(topic.scope):
            raise Forbidden(f"{topic.name} needs the scope {topic.scope}, which {command.caller.name} does not hold")
        if command.connection is None:
            raise Refused("a subscription needs a connection that lasts, such as the node's socket")
        subscription = command.connection.subscribe(command, topic, dict(params.wanted), params.cursor)
        return Opened(subscription.name, subscription.cursor)

    def end(params: CloseParameters, command: "Command") -> Closed:
        if command.connection is not None:
            command.connection.unsubscribe(params.sub)
        return Closed(params.sub)

    return [
        Operation(
            "sub.open",
            OpenParameters,
            Opened,
            NODE_READ,
            Effect.ONCE,
            begin,
            "Follows a topic: each event comes as `sub.event`; `sub.gap` tells how many were missed.",
            ({"topic": "task.runs", "filter": {"task": "backup"}}, {"topic": "logs"}),
            while_stopping=True,
        ),
        Operation(
            "sub.close",
            CloseParameters,
            Closed,
            NODE_READ,
            Effect.ONCE,
            end,
            "Ends a subscription.",
            ({"sub": "s1"},),
            while_stopping=True,
        ),
    ]
