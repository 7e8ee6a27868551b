"""The client's half of the command channel, sans-IO: requests as lines, and lines as answers and notifications."""

import json
from collections.abc import Mapping
from itertools import count
from typing import Any, NamedTuple

from dms.errors import DmsError, InvalidInput, NoNode, RemoteError


class Answered(NamedTuple):
    """The answer to a request: its result, or the error to raise. `id` is None where the node could not tell which."""

    id: int | None
    result: Any = None
    error: DmsError | None = None


class Notified(NamedTuple):
    """Something that nobody asked for: `sub.event`, `sub.gap` or `session.closing`, with its parameters."""

    method: str
    params: dict[str, Any]


class Conversation:
    """Numbers the requests and reads what comes back."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> tuple[int, bytes]:
        """A request's number and its line. InvalidInput where the parameters have no form in JSON."""
        number = next(self._numbers)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}
        try:
            text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return number, text.encode() + b"\n"
        except UnicodeEncodeError:
            raise InvalidInput(f"{method}: a parameter holds bytes that are not UTF-8 text") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInput(f"{method}: the parameters can't be told in JSON: {error}") from None

    def receive(self, line: bytes) -> Answered | Notified:
        """What a line of the node's says. NoNode where it is no message: something else listens there."""
        try:
            message = json.loads(line)
            if "method" in message:
                return Notified(message["method"], message["params"])
            if "error" in message:
                return Answered(message["id"], error=_remote(message["error"]))
            return Answered(message["id"], message["result"])
        except (ValueError, KeyError, TypeError):
            raise NoNode(f"what answers is no DMS node; it said {line[:80]!r}") from None


def _remote(error: dict[str, Any]) -> RemoteError:
    data = dict(error.get("data") or {})
    reason = str(data.pop("reason", "error"))
    return RemoteError(str(error["message"]), reason=reason, number=int(error["code"]), data=data)
