"""What a request brings: strict JSON, of so many bytes and in so much time at most."""

import asyncio
import re
from typing import Any

import msgspec
from starlette.requests import Request

from dms.errors import InvalidInput, Malformed, TooLarge, TooSlow, Unsupported
from dms.rpc.strict_json import decode

MEDIA_TYPE = "application/json"

NO_BODY: Any = msgspec.UNSET
"""Stands for a body that is not there; `null` is one."""

_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_TRUNCATED = "Input data was truncated"


async def read_body(request: Request, limit: int, within: float) -> Any:
    """The JSON value in a request's body, NO_BODY where it has none.

    `limit` is in bytes, `within` in seconds. TooLarge, TooSlow, Unsupported where it is something else than JSON,
    Malformed where it is no good JSON; ClientDisconnect where the client goes away.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(within):
            content = await _read(request, limit)
    except TimeoutError:
        raise TooSlow(f"the body did not come whole within {within:g} s; nothing was done") from None
    if not content:
        return NO_BODY
    _check_type(request)
    return _decoded(content)


def refuse_body(request: Request) -> None:
    """InvalidInput where a request brings what its method has no use for: it may have been meant to change it."""
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        raise InvalidInput(f"{request.method} takes no body here; what it can be told stands in its query")


async def _read(request: Request, limit: int) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise _too_large(limit)
    return bytes(content)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"a body may have {limit} bytes at most; send less at once")


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Unsupported(f"a body of type {given or 'nobody knows'} is not taken; send 'Content-Type: {MEDIA_TYPE}'")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Unsupported("a compressed body is not taken; send it without Content-Encoding")


def _decoded(content: bytes) -> Any:
    try:
        return decode(content)
    except ValueError as error:
        problem = f"the body is no JSON that is taken: {error}"
        place = _place(str(error), content)
        if place is None:
            raise Malformed(problem) from None
        raise Malformed(f"{problem}; line {place[0]}, column {place[1]}", *place) from None


def _place(problem: str, content: bytes) -> tuple[int, int] | None:
    """Line and column of what is wrong, from 1, where the decoder tells its byte; None where it is the whole."""
    found = _AT_BYTE.search(problem)
    if found is None and problem != _TRUNCATED:
        return None
    before = content[: int(found[1])] if found else content
    return before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
