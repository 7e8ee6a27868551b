"""`/openapi.json`: the resources as an OpenAPI 3.1 document, made from what the routes are made from."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dms.access.caller import NODE_READ
from dms.command.operation import Effect, Operation
from dms.rest.answer import answer, nothing
from dms.rest.endpoint import EXPECTED
from dms.rest.entity_tag import is_known
from dms.rest.entry import Entry
from dms.rest.exchange import Answering
from dms.rest.resource import FIELDS, Method, Resource

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


def openapi(
    resources: Sequence[Resource], operations: Mapping[str, Operation], version: str, entry: Entry
) -> Answering:
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


def describe(resources: Sequence[Resource], operations: Mapping[str, Operation], version: str) -> dict[str, Any]:
    """The document of these resources: https://spec.openapis.org/oas/v3.1.0."""
    asked = {method.operation for resource in resources for method in resource.methods.values()}
    kinds = [kind for name in sorted(asked) for kind in (operations[name].parameters, operations[name].result)]
    _, schemas = msgspec.json.schema_components([*kinds, Problem], ref_template=_TEMPLATE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DMS", "version": version},
        "security": [{"token": []}],
        "paths": {
            resource.path: {
                verb.lower(): _operation(resource.path, verb, method, operations[method.operation], schemas)
                for verb, method in resource.methods.items()
            }
            for resource in resources
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": _response("It was not done.", _ref("Problem"), "application/problem+json")},
        },
    }


def _operation(path: str, verb: str, method: Method, operation: Operation, schemas: Mapping[str, Schema]) -> Schema:
    parameters = schemas[operation.parameters.__name__]
    known: Mapping[str, Schema] = parameters.get("properties", {})
    in_path = _IN_PATH.findall(path)
    described: Schema = {
        "operationId": f"{verb.lower()} {path}",
        "summary": operation.summary,
        "tags": [operation.name.partition(".")[0]],
        "x-scope": operation.scope,
        "parameters": [
            *(_parameter(name, "path", known.get(name, {"type": "string"})) for name in in_path),
            *(_parameter(name, "query", known[name]) for name in method.query),
            *_headers(verb, method, known),
        ],
        "responses": _responses(method, operation, EXPECTED in known),
    }
    if method.body:
        elsewhere = (*in_path, *method.query, EXPECTED)
        described["requestBody"] = _body(method, parameters, elsewhere)
    return described


def _parameter(name: str, where: str, schema: Schema) -> Schema:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def _headers(verb: str, method: Method, known: Mapping[str, Schema]) -> list[Schema]:
    if not method.revised:
        return []
    if verb == "GET":
        return [_parameter("If-None-Match", "header", {"type": "string"})]
    tag = {"type": "string", "pattern": r'^("\d{1,18}"|\*)$'}
    return [_parameter("If-Match", "header", tag)] if EXPECTED in known else []


def _body(method: Method, parameters: Schema, elsewhere: Sequence[str]) -> Schema:
    properties: Mapping[str, Schema] = parameters.get("properties", {})
    if method.body != FIELDS:
        return _content(properties.get(method.body, {}), required=True)
    here = {name: schema for name, schema in properties.items() if name not in elsewhere}
    required = [name for name in parameters.get("required", []) if name in here]
    schema = {"type": "object", "properties": here, "required": required, "additionalProperties": False}
    return _content(schema, required=bool(required))


def _content(schema: Schema, *, required: bool) -> Schema:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _responses(method: Method, operation: Operation, by_revision: bool) -> Schema:
    (result,), _ = msgspec.json.schema_components([operation.result], ref_template=_TEMPLATE)
    told = {str(method.status({"wait": wait})): _response("It is done.", result) for wait in (True, False)}
    if method.revised and operation.effect is Effect.READ:
        told["304"] = {"description": "It is still what you have."}
    wrong = [
        *_ALWAYS,
        *(() if operation.effect is Effect.READ else _WRITING),
        *(_WITH_BODY if method.body else ()),
        *((412,) if method.revised and by_revision else ()),
        *((504,) if method.accepted else ()),
    ]
    return told | {str(status): {"$ref": "#/components/responses/Problem"} for status in sorted(wrong)}


def _response(description: str, schema: Schema, media_type: str = "application/json") -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": _TEMPLATE.format(name=name)}
