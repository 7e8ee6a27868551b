from typing import Annotated, Any

import msgspec
import pytest

from dms.command.parameters import decode_parameters
from dms.errors import InvalidParameters


class Inner(msgspec.Struct):
    size: int


class Given(msgspec.Struct):
    name: str
    limit: Annotated[int, msgspec.Meta(ge=1)] = 5
    inner: Inner | None = None


class Renamed(msgspec.Struct, rename={"cursor": "from"}):
    cursor: str


def test_parameters_by_name_become_the_struct() -> None:
    assert Given("a", 2) == decode_parameters(Given, {"name": "a", "limit": 2})


def test_parameters_by_position_follow_the_order_of_the_fields() -> None:
    assert Given("a", 2) == decode_parameters(Given, ["a", 2])


def test_the_channel_s_own_meta_belongs_to_every_method() -> None:
    assert Given("a") == decode_parameters(Given, {"name": "a", "_meta": {"traceparent": "broken"}})


def test_a_field_goes_by_the_name_that_it_has_outside() -> None:
    assert Renamed("3-4") == decode_parameters(Renamed, {"from": "3-4"})


@pytest.mark.parametrize(
    ("given", "fields", "message"),
    [
        ({}, ("name",), "name: is required"),
        ({"name": 1}, ("name",), "name: expected text, got a whole number"),
        ({"name": "a", "limit": 0}, ("limit",), "limit: expected a whole number >= 1"),
        ({"name": "a", "limit": 1.5}, ("limit",), "limit: expected a whole number, got a number"),
        ({"name": "a", "inner": {"size": "x"}}, ("inner.size",), "inner.size: expected a whole number, got text"),
        ({"name": "a", "inner": {}}, ("inner.size",), "inner.size: is required"),
        ({"nam": "a"}, ("nam",), "nam: unknown parameter (known: name, limit, inner). Did you mean name?"),
        (["a", 1, None, 4], (), "4 parameters were given; there are 3: name, limit, inner"),
    ],
)
def test_what_can_t_be_is_told_with_its_field(given: Any, fields: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidParameters) as raised:
        decode_parameters(Given, given)
    assert (fields, message) == (raised.value.fields, str(raised.value))
