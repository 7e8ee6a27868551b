"""One peer's conversation: what it says, as messages; what it is told, as text."""

from typing import Any, TypeGuard

from dms.rpc.error import CANCELLED, INVALID_REQUEST, PARSE_ERROR, TOO_LARGE, error_from, error_object, traced
from dms.rpc.message import Answer, Batch, Cancellation, Id, Notification, Received, Reply, Request
from dms.rpc.strict_json import decode, encode

MAX_MESSAGE = 1024 * 1024
"""Bytes of one message, at most."""

MAX_BATCH = 50
"""Messages in one batch, at most."""

MAX_ID_TEXT = 128
"""Characters of an id that is text, at most."""

_MAX_ID_NUMBER = 2**53 - 1
_CANCEL = "$/cancelRequest"


class _Invalid(Exception):
    """A message that is JSON and not JSON-RPC; `identifier` is the one it bore, where that could be read."""

    def __init__(self, message: str, identifier: Id | None = None) -> None:
        super().__init__(message)
        self.identifier = identifier


class Session:
    """Reads what one peer sends and writes what it is sent. No bytes move here: the caller owns the connection.

    Each `Request` that `receive` gives must be answered once, by `reply`, `fail` or `cancelled`; these return what is
    to be sent, or None where a batch still waits for its other answers. `max_message` is how many bytes it may say.
    """

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._max_message = max_message
        self._in_flight: dict[Id, Request] = {}

    def receive(self, text: str | bytes) -> list[Received]:
        """What the peer said; an `Answer` among it is to be sent as it is. Never raises on bad input."""
        if _size(text) > self._max_message:
            problem = f"a message is at most {self._max_message} bytes"
            return [Answer(_failure(None, error_object(TOO_LARGE, problem)))]
        try:
            value = decode(text)
        except ValueError as error:
            return [Answer(_failure(None, error_object(PARSE_ERROR, f"not a JSON text: {error}")))]
        if isinstance(value, list):
            return self._batch(value)
        entry = self._entry(value, None)
        return [] if entry is None else [entry]

    def _batch(self, values: list[Any]) -> list[Received]:
        if not 1 <= len(values) <= MAX_BATCH:
            problem = f"a batch holds 1 to {MAX_BATCH} messages; this one holds {len(values)}"
            return [Answer(_failure(None, error_object(INVALID_REQUEST, problem)))]
        batch = Batch(0)
        entries = [self._entry(value, batch) for value in values]
        batch.answers = [entry.text for entry in entries if isinstance(entry, Answer)]
        received: list[Received] = [entry for entry in entries if entry and not isinstance(entry, Answer)]
        if batch.answers and not batch.unanswered:
            received.append(Answer(_array(batch.answers)))
        return received

    def _entry(self, value: Any, batch: Batch | None) -> Received | None:
        try:
            return self._message(value, batch)
        except _Invalid as invalid:
            return Answer(_failure(invalid.identifier, error_object(INVALID_REQUEST, str(invalid))))

    def _message(self, value: Any, batch: Batch | None) -> Received | None:
        if not isinstance(value, dict):
            raise _Invalid('a message is an object such as {"jsonrpc": "2.0", "id": 1, "method": "rpc.ping"}')
        identifier = _read_id(value)
        if value.get("jsonrpc") != "2.0":
            raise _Invalid('jsonrpc: must be "2.0"', identifier)
        if "method" not in value and ("result" in value or "error" in value):
            return _read_reply(value, identifier)
        return self._call(value, identifier, batch)

    def _call(self, value: dict[str, Any], identifier: Id | None, batch: Batch | None) -> Received | None:
        method, params = value.get("method"), value.get("params", {})
        if not isinstance(method, str):
            raise _Invalid("method: must be text", identifier)
        if not isinstance(params, (dict, list)):
            raise _Invalid("params: must be an object or an array; leave it out for none", identifier)
        if "id" not in value:
            return self._cancellation(params) if method == _CANCEL else Notification(method, params)
        if identifier is None:
            raise _Invalid("id: null can't tell one request from another; give text or a whole number")
        if identifier in self._in_flight:
            raise _Invalid(f"id: a request with the id {identifier!r} is still in flight", identifier)
        request = self._in_flight[identifier] = Request(identifier, method, params, batch)
        if batch is not None:
            batch.unanswered += 1
        return request

    def _cancellation(self, params: Any) -> Cancellation | None:
        """None for a request that is answered already, or never was: cancelling it comes too late, and is no fault."""
        identifier = params.get("id") if isinstance(params, dict) else None
        request = self._in_flight.get(identifier) if _is_id(identifier) else None
        return None if request is None else Cancellation(request)

    def reply(self, request: Request, result: Any) -> bytes | None:
        """The answer to a request that was done."""
        return self._answer(request, b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encode(request.id), encode(result)))

    def fail(self, request: Request, error: BaseException, trace_id: str | None = None) -> bytes | None:
        """The answer to a request that could not be done; `trace_id` is where to look for more."""
        return self._answer(request, _failure(request.id, error_from(error, trace_id)))

    def cancelled(self, request: Request, trace_id: str | None = None) -> bytes | None:
        """The answer to a request that was cancelled."""
        error = error_object(CANCELLED, "cancelled by the caller", **traced(trace_id))
        return self._answer(request, _failure(request.id, error))

    def notify(self, method: str, params: dict[str, Any]) -> bytes:
        """A message that wants no answer."""
        return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (encode(method), encode(params))

    def _answer(self, request: Request, text: bytes) -> bytes | None:
        del self._in_flight[request.id]
        if request.batch is None:
            return text
        request.batch.answers.append(text)
        request.batch.unanswered -= 1
        return None if request.batch.unanswered else _array(request.batch.answers)


def _size(text: str | bytes) -> int:
    """In bytes; a lone surrogate counts as the three that it would be."""
    return len(text) if isinstance(text, bytes) else len(text.encode(errors="surrogatepass"))


def _read_id(value: dict[str, Any]) -> Id | None:
    identifier = value.get("id")
    if identifier is None or _is_id(identifier):
        return identifier
    raise _Invalid(f"id: must be text of at most {MAX_ID_TEXT} characters, or a whole number of at most 2^53 - 1")


def _is_id(value: object) -> TypeGuard[Id]:
    if isinstance(value, str):
        return len(value) <= MAX_ID_TEXT
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_ID_NUMBER


def _read_reply(value: dict[str, Any], identifier: Id | None) -> Reply:
    if "result" in value and "error" in value:
        raise _Invalid("an answer has either a result or an error", identifier)
    error = value.get("error")
    if "error" in value and not isinstance(error, dict):
        raise _Invalid("error: must be an object", identifier)
    return Reply(identifier, value.get("result"), error)


def _failure(identifier: Id | None, error: dict[str, Any]) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (encode(identifier), encode(error))


def _array(answers: list[bytes]) -> bytes:
    return b"[" + b",".join(answers) + b"]"
