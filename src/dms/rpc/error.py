"""How an error is told in JSON-RPC: one table from its stable code to a number, and the error object."""

from typing import Any, NamedTuple

from dms.errors import DmsError, RemoteError


class Kind(NamedTuple):
    """The number that JSON-RPC wants for a code, and whether asking again later can help."""

    number: int
    retryable: bool = False


PARSE_ERROR = "parse_error"
INVALID_REQUEST = "invalid_request"
CANCELLED = "cancelled"
TOO_LARGE = "too_large"
INTERNAL = "internal"

KINDS = {
    PARSE_ERROR: Kind(-32700),
    INVALID_REQUEST: Kind(-32600),
    "method_not_found": Kind(-32601),
    "invalid_params": Kind(-32602),
    "invalid": Kind(-32602),
    "invalid_task": Kind(-32602),
    "invalid_trigger": Kind(-32602),
    "invalid_cron": Kind(-32602),
    "invalid_duration": Kind(-32602),
    "malformed": Kind(-32602),
    "configuration": Kind(-32602),
    INTERNAL: Kind(-32603),
    "error": Kind(-32603),
    "misuse": Kind(-32603),
    "store": Kind(-32603, retryable=True),
    "folder_in_use": Kind(-32603),
    "store_broken": Kind(-32603),
    "store_too_new": Kind(-32603),
    CANCELLED: Kind(-32800),
    "unauthenticated": Kind(-32001),
    "hello_required": Kind(-32002),
    "refused": Kind(-32003),
    "forbidden": Kind(-32003),
    "not_found": Kind(-32004),
    "conflict": Kind(-32005),
    "address_in_use": Kind(-32005),
    "rate_limited": Kind(-32006, retryable=True),
    TOO_LARGE: Kind(-32007),
    "timeout": Kind(-32008, retryable=True),
    "too_slow": Kind(-32008, retryable=True),
    "overloaded": Kind(-32009, retryable=True),
    "shutting_down": Kind(-32010, retryable=True),
    "no_node": Kind(-32011, retryable=True),
    "unsupported": Kind(-32014),
    "version_conflict": Kind(-32015),
    "cursor_expired": Kind(-32016),
}
"""By stable code. -32700 to -32600 are the specification's own, -32800 is the Language Server Protocol's."""

_FIELDS = ("fields", "findings", "oldest", "offset", "line", "column", "revision", "retry_after_ms")


def error_object(reason: str, message: str, **data: Any) -> dict[str, Any]:
    """The error member of an answer; `data` beside reason and retryable says more."""
    kind = KINDS[reason]
    return {
        "code": kind.number,
        "message": message,
        "data": {"reason": reason, "retryable": kind.retryable, **data},
    }


def traced(trace_id: str | None) -> dict[str, str]:
    """What an error object says of the trace that it belongs to; nothing where there is none."""
    return {} if trace_id is None else {"trace_id": trace_id}


def error_from(error: BaseException, trace_id: str | None = None) -> dict[str, Any]:
    """The error object of an exception. One that DMS did not raise on purpose may hold secrets: no word gets out."""
    if isinstance(error, RemoteError):
        return {"code": error.number, "message": str(error), "data": {"reason": error.reason, **error.data}}
    if not isinstance(error, DmsError):
        return error_object(INTERNAL, "the node failed to do it; its log says why", **traced(trace_id))
    data = {field: getattr(error, field) for field in _FIELDS if hasattr(error, field)}
    return error_object(_known(type(error)), str(error), **data, **traced(trace_id))


def _known(kind: type[DmsError]) -> str:
    """The code of an error, or of its nearest ancestor in the table: an extension may bring errors of its own."""
    codes: list[str] = [ancestor.code for ancestor in kind.__mro__ if issubclass(ancestor, DmsError)]
    return next(code for code in codes if code in KINDS)
