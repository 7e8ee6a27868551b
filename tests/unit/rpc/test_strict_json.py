from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.rpc.strict_json import MAX_DEPTH, decode, encode


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


@pytest.mark.parametrize("text", [nested(MAX_DEPTH), '{"a":' * 64 + "1" + "}" * 64, "[" + ",".join(["[]"] * 500) + "]"])
def test_up_to_the_limit_of_depth_all_is_read(text: str) -> None:
    assert msgspec.json.decode(text) == decode(text)


@pytest.mark.parametrize("text", [nested(MAX_DEPTH + 1), nested(900), nested(50_000), '{"a":' * 65 + "1" + "}" * 65])
def test_beyond_it_the_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nest deeper than 64"):
        decode(text)


@pytest.mark.parametrize("number", [0, 2**64 - 1, -(2**63), 10**18])
def test_an_integer_of_64_bits_is_read_exactly(number: int) -> None:
    assert [number] == decode(f"[{number}]")


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**400])
def test_a_longer_one_is_refused_and_not_rounded(number: int) -> None:
    with pytest.raises(ValueError, match=r"does not fit 64 bits|out of range"):
        decode(f"[{number}]")


def test_brackets_and_digits_within_text_count_for_nothing() -> None:
    text = '["' + "[{" * 100 + "1" * 100 + '"]'
    assert ["[{" * 100 + "1" * 100] == decode(text)


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


class Raising:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def looped() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: {"a": Odd()}, {"a": "<odd>"}),
        (lambda: [Raising()], ["<Raising>"]),
        (lambda: float("nan"), None),
        (lambda: "\ud800", "\\ud800"),
        (lambda: {"\ud800": ["\udfff"]}, {"\\ud800": ["\\udfff"]}),
        (lambda: {(1, 2): 3}, {"(1, 2)": 3}),
        (lambda: {"\udc80"}, ["\\udc80"]),
        (lambda: b"\x00", "AA=="),
    ],
)
def test_what_json_has_no_form_for_is_told_in_words(make: Callable[[], Any], expected: Any) -> None:
    assert expected == msgspec.json.decode(encode(make()))


def test_a_value_that_holds_itself_ends() -> None:
    assert "[[...]]" == msgspec.json.decode(encode(looped()))


class Point(msgspec.Struct):
    name: str
    x: Any


def test_a_struct_is_an_object_even_where_a_field_is_odd() -> None:
    assert {"name": "a\\udc80", "x": "(1+2j)"} == msgspec.json.decode(encode(Point("a\udc80", 1 + 2j)))


@given(st.recursive(st.none() | st.integers(-(2**63), 2**63) | st.text(), st.lists))
def test_what_goes_out_comes_in_the_same(value: Any) -> None:
    assert value == decode(encode(value))
