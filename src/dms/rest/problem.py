"""From what went wrong to an HTTP answer: this door's own table, and problem+json (RFC 9457)."""

import math
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from dms.rest.answer import answer
from dms.rpc.error import INTERNAL, error_from

METHOD_NOT_ALLOWED = "method_not_allowed"

STATUSES = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "invalid": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "hello_required": HTTPStatus.UNAUTHORIZED,
    "refused": HTTPStatus.FORBIDDEN,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_found": HTTPStatus.NOT_FOUND,
    METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    "too_slow": HTTPStatus.REQUEST_TIMEOUT,
    "conflict": HTTPStatus.CONFLICT,
    "address_in_use": HTTPStatus.CONFLICT,
    "configuration": HTTPStatus.CONFLICT,
    "cursor_expired": HTTPStatus.GONE,
    "version_conflict": HTTPStatus.PRECONDITION_FAILED,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid_params": HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid_task": HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid_trigger": HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid_cron": HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid_duration": HTTPStatus.UNPROCESSABLE_ENTITY,
    "overloaded": HTTPStatus.TOO_MANY_REQUESTS,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    "error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "misuse": HTTPStatus.INTERNAL_SERVER_ERROR,
    "folder_in_use": HTTPStatus.INTERNAL_SERVER_ERROR,
    "store_broken": HTTPStatus.INTERNAL_SERVER_ERROR,
    "store_too_new": HTTPStatus.INTERNAL_SERVER_ERROR,
    "no_node": HTTPStatus.BAD_GATEWAY,
    "store": HTTPStatus.SERVICE_UNAVAILABLE,
    "shutting_down": HTTPStatus.SERVICE_UNAVAILABLE,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
}
"""By stable code."""

RETRY_AFTER = 5
"""Seconds after which to ask again where nothing better is known."""

_LATER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_CHALLENGES = {
    HTTPStatus.UNAUTHORIZED: "Bearer",
    HTTPStatus.FORBIDDEN: 'Bearer error="insufficient_scope"',
}


def problem_from(error: BaseException, trace_id: str | None = None) -> Response:
    """The answer to an exception, and the trace where it came about. Of one that DMS did not raise on purpose no word
    gets out."""
    told = error_from(error, trace_id)
    data = dict(told["data"])
    return problem(data.pop("reason"), told["message"], **data)


def problem(code: str, detail: str, *, retryable: bool = False, **more: Any) -> Response:
    """The answer that tells a problem; `more` are members of its own, such as `fields`."""
    status = STATUSES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
    told = {
        "type": f"urn:dms:error:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": retryable,
        **more,
    }
    return answer(told, status, _headers(code, status, more), media_type="application/problem+json")


def _headers(code: str, status: HTTPStatus, more: dict[str, Any]) -> dict[str, str]:
    headers = {}
    if status in _LATER:
        wait = more.get("retry_after_ms")
        headers["Retry-After"] = str(RETRY_AFTER if wait is None else math.ceil(wait / 1000))
    if status in _CHALLENGES and code != "refused":
        headers["WWW-Authenticate"] = _CHALLENGES[status]
    return headers
