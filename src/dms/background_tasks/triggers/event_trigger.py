"""When a task comes due on an event: by its topic, or by what is sent to a channel."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from dms.errors import InvalidTrigger
from dms.instant import duration_text, microseconds

_NEVER = datetime.max.replace(tzinfo=UTC)


class SubscribableChannel(Protocol):
    """What an EventTrigger listens to; `dms.Channel` is one."""

    topic: str

    def connect(self, emit: Callable[[str, Any], None]) -> None:
        """Hand everything that is sent, and first what was sent before, to `emit(topic, payload)`."""
        ...

    def disconnect(self, emit: Callable[[str, Any], None]) -> None:
        """Hand nothing more to `emit`."""
        ...


class EventTrigger:
    """On an event: whatever is emitted under `topic`, such as `task.backup.success`, or sent to a `Channel`.

    The event reaches the run as `run.event`. With `debounce` events that follow each other within that time fire once,
    when it has been quiet for so long, but no later than `max_wait` after the first; `run.event` is then the latest,
    with how many there were and the first of them. Both are text ("5s"), seconds or `timedelta`. InvalidTrigger or
    InvalidDuration says which field is wrong.
    """

    __slots__ = ("_first_at", "_last_at", "_set", "channel", "debounce", "max_wait", "topic")

    def __init__(
        self,
        topic: "str | SubscribableChannel | None" = None,
        *,
        channel: "SubscribableChannel | None" = None,
        debounce: timedelta | str | float | None = None,
        max_wait: timedelta | str | float | None = None,
    ) -> None:
        if topic is not None and not isinstance(topic, str):
            topic, channel = None, topic
        if (topic is None) == (channel is None):
            raise InvalidTrigger("topic, channel: give exactly one of the two")
        if channel is not None and not callable(getattr(channel, "connect", None)):
            raise InvalidTrigger(f"topic: {channel!r} is neither a topic nor a channel")
        self.channel = channel
        self.topic = check_topic(topic) if topic is not None else channel.topic  # type: ignore[union-attr]
        self.debounce = None if debounce is None else microseconds(debounce, "debounce")
        self.max_wait = None if max_wait is None else microseconds(max_wait, "max_wait")
        self._check_waits()
        self._set = False
        self._first_at = self._last_at = _NEVER

    def _check_waits(self) -> None:
        if self.debounce == 0:
            raise InvalidTrigger("debounce: 0 waits for nothing; leave it out")
        if self.max_wait is not None and self.debounce is None:
            raise InvalidTrigger("max_wait: it bounds the wait of debounce, which is not given")
        if self.max_wait is not None and self.debounce is not None and self.max_wait < self.debounce:
            raise InvalidTrigger("max_wait: it is shorter than debounce, which would then never count")

    def mark_triggered(self) -> None:
        """An event has come; for whoever uses the trigger by itself."""
        self._set, self._last_at = True, _NEVER

    def is_ready(self, now: datetime) -> bool:
        """Whether an event has come since the last `reset` and, with `debounce`, it has been quiet for long enough
        since it was first asked after that, or has lasted for `max_wait`."""
        if not self._set or self.debounce is None:
            return self._set
        self._last_at, self._first_at = min(self._last_at, now), min(self._first_at, now)
        quiet = (now - self._last_at) >= timedelta(microseconds=self.debounce)
        return quiet or (self.max_wait is not None and now - self._first_at >= timedelta(microseconds=self.max_wait))

    def reset(self, now: datetime) -> None:
        """It has fired."""
        self._set = False
        self._first_at = self._last_at = _NEVER

    def definition(self) -> dict[str, Any]:
        """Its fields as plain values, for the store and to tell a change; those that came later only where they are
        given."""
        waits = {"debounce": self.debounce, "max_wait": self.max_wait}
        given = {name: wait for name, wait in waits.items() if wait is not None}
        return {"type": "event", "topic": self.topic if self.channel is None else "channel", **given}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EventTrigger) and other._identity() == self._identity()

    def _identity(self) -> tuple[Any, ...]:
        return self.topic, self.channel, self.debounce, self.max_wait

    def __hash__(self) -> int:
        return hash(self.topic)

    def __repr__(self) -> str:
        return f"<EventTrigger {self}>"

    def __str__(self) -> str:
        quiet = "" if self.debounce is None else f", once quiet for {duration_text(self.debounce)}"
        match self.topic.split("."):
            case ["task", name, ending]:
                return f"after {name} {ending}{quiet}"
        return f"on {self.topic}{quiet}" if self.channel is None else f"on its channel{quiet}"


def check_topic(topic: str) -> str:
    """The topic, or InvalidTrigger: words of letters, digits, _ and - joined by dots, 200 characters at most."""
    if not isinstance(topic, str):
        raise InvalidTrigger(f"topic: {topic!r} is not text, such as task.backup.success")
    words = topic.split(".")
    if len(topic) > 200 or not all(word and word.replace("_", "").replace("-", "").isalnum() for word in words):
        raise InvalidTrigger(f"topic: {topic!r} is not words joined by dots, such as task.backup.success")
    return topic
