"""Endpoint: one method of a resource; from a request to its command, and from the result to the answer."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dms.command.command import Command
from dms.command.limits import Limits
from dms.command.operation import Operations
from dms.errors import InvalidParameters
from dms.rest.address import path_parameters, query_parameters, types_of, unknown
from dms.rest.answer import answer, nothing
from dms.rest.asking import ask
from dms.rest.body import NO_BODY, read_body, refuse_body
from dms.rest.entity_tag import entity_tag, expected_revision, is_known
from dms.rest.entry import Entry
from dms.rest.problem import problem_from
from dms.rest.resource import FIELDS, Method, Parameters

EXPECTED = "expected_revision"

_CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")


class Endpoint:
    """Answers one method of a resource by a Command."""

    def __init__(self, method: Method, operations: Operations, entry: Entry, limits: Limits) -> None:
        self._method, self._operations, self._entry, self._limits = method, operations, entry, limits
        self._types = types_of(operations[method.operation].parameters)

    async def __call__(self, request: Request) -> Response:
        """The answer to a request. What keeps it from becoming a command is raised as a DmsError."""
        caller = self._entry.caller_of(request)
        with self._entry.place(caller):
            given = await self._given(request)
            caller = self._entry.caller_by_now(request)
            parameters = self._method.shape(dict(given)) | _traced(request)
            return await self._asked(request, given, Command(self._method.operation, parameters, caller=caller))

    async def _asked(self, request: Request, given: Parameters, command: Command) -> Response:
        try:
            result = await ask(command, self._operations, request.receive, self._entry.turns)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 — the command has logged what nobody foresaw
            return problem_from(error, None if command.trace is None else command.trace.id)
        return self._answer(request, given, result)

    # ── what it is given ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _given(self, request: Request) -> Parameters:
        """The operation's parameters, from wherever the method has them."""
        given = path_parameters(self._types, request.path_params)
        given |= query_parameters(self._types, self._method.query, request.scope["query_string"].decode("latin-1"))
        given |= self._expected(request)
        if self._method.body:
            given |= self._of_body(await read_body(request, self._limits.message, self._limits.patience), given)
        else:
            refuse_body(request)
        return given

    def _expected(self, request: Request) -> Parameters:
        """The revision on which the request builds. InvalidParameters where it has a condition that nobody here looks
        at: passed over, the change would be made all the same."""
        conditions = [name for name in _CONDITIONS if name.lower() in request.headers]
        if request.method in ("GET", "HEAD") or not conditions:
            return {}
        if conditions != ["If-Match"] or not self._method.revised or EXPECTED not in self._types:
            raise InvalidParameters(f"{', '.join(conditions)}: no such condition is looked at here; leave it out")
        return {EXPECTED: expected_revision(", ".join(request.headers.getlist("if-match")))}

    def _of_body(self, body: Any, given: Parameters) -> Parameters:
        if self._method.body != FIELDS:
            if body is NO_BODY:
                raise InvalidParameters("there is no body; send a JSON value", (self._method.body,))
            return {self._method.body: body}
        if body is NO_BODY:
            return {}
        if not isinstance(body, dict):
            raise InvalidParameters('the body must be an object, such as {"reason": "…"}')
        known = [name for name in self._types if name not in (*given, *self._method.query, EXPECTED)]
        for name in body:
            if name not in known:
                raise unknown(name, "body", known)
        return body

    # ── what it answers ───────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, request: Request, given: Parameters, result: Any) -> Response:
        headers = {}
        if self._method.revised and not given.get("dry_run"):
            headers["ETag"] = tag = entity_tag(_member(result, "revision"))
            if request.method in ("GET", "HEAD") and is_known(request.headers.get("if-none-match"), tag):
                return nothing(HTTPStatus.NOT_MODIFIED, headers)
        if self._method.created:
            headers["Location"] = self._method.created.format_map({**given, **msgspec.structs.asdict(result)})
        if self._method.paged and (more := self._next_page(request, given, result)):
            headers["Link"] = f'<{more}>; rel="next"'
        return answer(result, self._method.status(given), headers)

    def _next_page(self, request: Request, given: Parameters, result: list[Any]) -> str:
        """Where it goes on, relative to what was asked for; nothing where a page is not full."""
        limit = given.get("limit", self._default("limit"))
        if len(result) < limit:
            return ""
        return "?" + urlencode({"limit": limit, "before": _member(result[-1], self._method.paged)})

    def _default(self, name: str) -> Any:
        fields = msgspec.structs.fields(self._operations[self._method.operation].parameters)
        return next(field.default for field in fields if field.encode_name == name)


def _traced(request: Request) -> Parameters:
    """The trace that the request is a part of, as every operation takes it."""
    parent = request.headers.get("traceparent")
    return {} if parent is None else {"_meta": {"traceparent": parent}}


def _member(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) else getattr(value, name)
