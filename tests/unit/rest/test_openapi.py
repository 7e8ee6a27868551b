"""The description and the reference page are of what there is. That the answers are as described is what `ask` checks
of each, in every test of this room."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from dms.command.operation import Operation
from dms.rest.app import RESOURCES, resources_of
from dms.rest.openapi import describe
from dms.rest.resource import FIELDS, Method

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/rest.md").read_text()
ROW = re.compile(r"^\| `([A-Z]+) (/api/\S+)` \|(.*?)\|.*\| `([\w:]+)`[^|]*\|$", re.MULTILINE)
CURL = re.compile(r"^\$ curl (?P<before>[^/]*)'?(?P<path>/[^\s'?]*)", re.MULTILINE)

METHODS = [
    pytest.param(resource.path, verb, method, id=f"{verb} {resource.path}")
    for resource in RESOURCES
    for verb, method in resource.methods.items()
]


@pytest.fixture
def document(node: Any) -> dict[str, Any]:
    return describe(resources_of(node.operations), node.operations, "0.1.0")


async def test_the_node_describes_itself(ask: Any, document: dict[str, Any]) -> None:
    response = await ask("GET", "/openapi.json", token="reader")
    assert document == response.json()
    assert "3.1.0" == document["openapi"]


async def test_one_who_has_the_description_is_sent_nothing(ask: Any) -> None:
    first = await ask("GET", "/openapi.json")
    assert "no-store" not in first.headers["Cache-Control"]
    again = await ask("GET", "/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (304, b"") == (again.status_code, again.content)


@pytest.mark.parametrize(("path", "verb", "method"), METHODS)
def test_every_method_has_its_operation_and_its_parameters(
    path: str, verb: str, method: Method, node: Any, document: dict[str, Any]
) -> None:
    described = document["paths"][path][verb.lower()]
    assert node.operations[method.operation].scope == described["x-scope"]
    told = {each["name"] for each in described["parameters"] if each["in"] != "header"}
    assert {*method.query, *re.findall(r"{(\w+)}", path)} == told
    assert bool(method.body) == ("requestBody" in described)


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_what_it_refers_to_is_in_it_and_each_schema_is_one(document: dict[str, Any]) -> None:
    assert set() == references(document) - components(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_a_package_s_type_of_the_same_name_harms_no_other(node: Any) -> None:
    class Problem(msgspec.Struct):
        grams: int

    coffee = msgspec.structs.replace(node.operations["coffee.price"], parameters=Problem, result=Problem)
    operations = node.operations | {"coffee.price": coffee}
    document = describe(resources_of(operations), operations, "0.1.0")
    priced = document["paths"]["/api/v1/operations/coffee.price"]["post"]
    assert ["grams"] == list(priced["requestBody"]["content"]["application/json"]["schema"]["properties"])
    assert set() == references(document) - components(document)


def components(document: dict[str, Any]) -> set[str]:
    return {f"#/components/{kind}/{name}" for kind, named in document["components"].items() for name in named}


def test_no_two_operations_have_one_id(document: dict[str, Any]) -> None:
    ids = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))
    assert {"get_tasks", "post_tasks_name_run", "put_config_key"} <= set(filter(str.isidentifier, ids))


def fields(method: Method, path: str, operation: Operation) -> tuple[str, ...]:
    """What stands in the body."""
    if method.body != FIELDS:
        return ()
    elsewhere = {*method.query, *re.findall(r"{(\w+)}", path), "expected_revision"}
    return tuple(name for name in operation.parameters.__struct_encode_fields__ if name not in elsewhere)


def test_every_method_is_in_the_reference_with_its_parameters_and_scope(node: Any) -> None:
    told = {
        (verb, path, *re.findall(r"`(\w+)`", parameters), scope) for verb, path, parameters, scope in ROW.findall(PAGE)
    }
    there_are = {
        (verb, resource.path, *method.query, *fields(method, resource.path, operation), operation.scope)
        for resource in RESOURCES
        for verb, method in resource.methods.items()
        for operation in [node.operations[method.operation]]
    }
    assert there_are == told


@pytest.mark.parametrize(("path", "verb", "method"), METHODS)
def test_every_method_is_shown_with_curl(path: str, verb: str, method: Method) -> None:
    template = re.compile(re.sub(r"{\w+}", "[^/]+", path))
    shown = [
        "".join(re.findall(r"-X (\w+)", found["before"])) or "GET"
        for found in CURL.finditer(PAGE)
        if template.fullmatch(found["path"])
    ]
    assert verb in shown


def test_what_stands_beside_the_resources_is_in_the_reference_too(app: Any) -> None:
    beside = {route.path for route in app.routes if not route.path.startswith("/api/")}
    assert beside == set(re.findall(r"^\| `GET (/(?!api/)\S+)` \|", PAGE, re.MULTILINE))
