"""What a peer can say, once it has been read."""

from typing import Any

import msgspec

Id = int | str
"""What a request is known by while it is in flight: text of 128 characters at most, or a whole number to 2^53 - 1."""

Params = dict[str, Any] | list[Any]
"""Parameters by name or by position."""


class Batch(msgspec.Struct, eq=False):
    """Several messages that came as one, and are answered as one once each of its requests has an answer."""

    unanswered: int
    answers: list[bytes] = []


class Request(msgspec.Struct, frozen=True):
    """A call that wants an answer: give it to `Session.reply` or `Session.fail`, once."""

    id: Id
    method: str
    params: Params = {}
    batch: Batch | None = None


class Notification(msgspec.Struct, frozen=True):
    """A call that wants no answer, not even where it fails."""

    method: str
    params: Params = {}


class Cancellation(msgspec.Struct, frozen=True):
    """The peer no longer wants the answer to a request that is in flight; it still gets one (`cancelled`)."""

    request: Request


class Reply(msgspec.Struct, frozen=True):
    """An answer to something that this side asked: a result, or an error object as it came."""

    id: Id | None
    result: Any = None
    error: dict[str, Any] | None = None


class Answer(msgspec.Struct, frozen=True):
    """Text to send at once: what came was wrong in itself, and the session has already said so."""

    text: bytes


Received = Request | Notification | Cancellation | Reply | Answer
