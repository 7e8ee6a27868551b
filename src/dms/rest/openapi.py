"""`/openapi.json`: the resources as an OpenAPI 3.1 document, made from what the routes are made from."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dms.access.caller import NODE_READ
from dms.command.operation import Effect, Operation, Operations
from dms.rest.answer import answer, nothing
from dms.rest.endpoint import EXPECTED
from dms.rest.entity_tag import is_known
from dms.rest.entry import Entry
from dms.rest.exchange import Answering
from dms.rest.resource import API, FIELDS, Method, Resource

Schema = dict[str, Any]

_TEMPLATE = "#/components/schemas/{name}"
_IN_PATH = re.compile(r"{(\w+)}")
_ALWAYS = (400, 401, 403, 404, 422, 429, 500, 503)
_WRITING = (409,)
_WITH_BODY = (408, 413, 415)


class Problem(msgspec.Struct, frozen=True):
    """What went wrong (RFC 9457). `code` is stable, `retryable` tells whether asking again later can help."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    retry_after_ms: int | msgspec.UnsetType = msgspec.UNSET
    fields: list[str] | msgspec.UnsetType = msgspec.UNSET
    findings: list[str] | msgspec.UnsetType = msgspec.UNSET
    revision: int | msgspec.UnsetType = msgspec.UNSET
    trace_id: str | msgspec.UnsetType = msgspec.UNSET


def openapi(resources: Sequence[Resource], operations: Operations, version: str, entry: Entry) -> Answering:
    """The document, for one who holds the scope `node:read`; made when it is first asked for."""

    @cache
    def document() -> tuple[dict[str, Any], str]:
        described = describe(resources, operations, version)
        return described, f'"{hashlib.sha256(msgspec.json.encode(described)).hexdigest()[:16]}"'

    async def answering(request: Request) -> Response:
        entry.require(request, NODE_READ)
        described, tag = document()
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if is_known(request.headers.get("if-none-match"), tag):
            return nothing(HTTPStatus.NOT_MODIFIED, headers)
        return answer(described, headers=headers)

    return answering


def describe(resources: Sequence[Resource], operations: Operations, version: str) -> dict[str, Any]:
    """The document of these resources: https://spec.openapis.org/oas/v3.1.0."""
    asked = sorted({method.operation for resource in resources for method in resource.methods.values()})
    kinds = [kind for name in asked for kind in (operations[name].parameters, operations[name].result)]
    (*told, problem), schemas = msgspec.json.schema_components([*kinds, Problem], ref_template=_TEMPLATE)
    known = {
        name: _Known(operations[name], schemas[parameters["$ref"].removeprefix(_TEMPLATE.format(name=""))], result)
        for name, parameters, result in zip(asked, told[::2], told[1::2], strict=True)
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "DMS", "version": version},
        "security": [{"token": []}],
        "paths": {
            resource.path: {
                verb.lower(): _operation(resource.path, verb, method, known[method.operation])
                for verb, method in resource.methods.items()
            }
            for resource in resources
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": _response("It was not done.", problem, "application/problem+json")},
        },
    }


class _Known(NamedTuple):
    """An operation, with the schemas of its parameters and of its result."""

    operation: Operation
    parameters: Schema
    result: Schema

    @property
    def properties(self) -> Mapping[str, Schema]:
        """The schema of each parameter."""
        properties: Mapping[str, Schema] = self.parameters.get("properties", {})
        return properties


def _operation(path: str, verb: str, method: Method, known: _Known) -> Schema:
    in_path = _IN_PATH.findall(path)
    described: Schema = {
        "operationId": re.sub(r"\W+", "_", f"{verb.lower()}{path.removeprefix(API)}").strip("_"),
        "summary": known.operation.summary,
        "tags": [known.operation.name.partition(".")[0]],
        "x-scope": known.operation.scope,
        "x-effect": known.operation.effect,
        "parameters": [
            *(_parameter(name, "path", known.properties.get(name, {"type": "string"})) for name in in_path),
            *(_parameter(name, "query", known.properties[name]) for name in method.query),
            *_headers(verb, method, known),
        ],
        "responses": _responses(method, known),
    }
    if method.body:
        described["requestBody"] = _body(method, known, (*in_path, *method.query, EXPECTED))
    return described


def _parameter(name: str, where: str, schema: Schema) -> Schema:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def _headers(verb: str, method: Method, known: _Known) -> list[Schema]:
    if not method.revised:
        return []
    if verb == "GET":
        return [_parameter("If-None-Match", "header", {"type": "string"})]
    tag = {"type": "string", "pattern": r'^("\d{1,18}"|\*)$'}
    return [_parameter("If-Match", "header", tag)] if EXPECTED in known.properties else []


def _body(method: Method, known: _Known, elsewhere: Sequence[str]) -> Schema:
    if method.body != FIELDS:
        return _content(known.properties.get(method.body, {}), required=True)
    here = {name: schema for name, schema in known.properties.items() if name not in elsewhere}
    required = [name for name in known.parameters.get("required", []) if name in here]
    schema = {"type": "object", "properties": here, "required": required, "additionalProperties": False}
    return _content(schema, required=bool(required))


def _content(schema: Schema, *, required: bool) -> Schema:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _responses(method: Method, known: _Known) -> Schema:
    reads = known.operation.effect is Effect.READ
    statuses = {method.status({"wait": wait}) for wait in (True, False)}
    told = {str(status): _response(status.phrase, known.result) for status in sorted(statuses)}
    if method.revised and reads:
        told["304"] = {"description": "It is still what you have."}
    wrong = [
        *_ALWAYS,
        *(() if reads else _WRITING),
        *(_WITH_BODY if method.body else ()),
        *((412,) if method.revised and EXPECTED in known.properties else ()),
        *((504,) if method.accepted else ()),
    ]
    return told | {str(status): {"$ref": "#/components/responses/Problem"} for status in sorted(wrong)}


def _response(description: str, schema: Schema, media_type: str = "application/json") -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}
