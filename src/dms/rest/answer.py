"""What every answer has in common: JSON in UTF-8 that ends its line, kept by nobody, taken for nothing else."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from dms.rpc.strict_json import encode

_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def answer(
    value: Any,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    *,
    media_type: str = "application/json",
) -> Response:
    """A value as JSON. What JSON has no form for is told in words."""
    return Response(encode(value) + b"\n", status, {**_ALWAYS, **(headers or {})}, media_type)


def text(content: bytes, media_type: str) -> Response:
    """Something that is text already."""
    return Response(content, headers=_ALWAYS, media_type=media_type)


def nothing(status: HTTPStatus, headers: Mapping[str, str]) -> Response:
    """An answer that is all head."""
    return Response(None, status, {**_ALWAYS, **headers})
