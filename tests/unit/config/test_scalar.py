"""Plain words by YAML 1.2's core schema, whose tables are at https://yaml.org/spec/1.2.2/#103-core-schema."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.config.scalar import resolve_scalar


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_null_is_nothing(word: str) -> None:
    assert resolve_scalar(word) is None


@pytest.mark.parametrize(("word", "value"), [("true", True), ("False", False), ("TRUE", True)])
def test_booleans_are_spelt_true_and_false(word: str, value: bool) -> None:
    assert resolve_scalar(word) is value


@pytest.mark.parametrize(
    ("word", "value"), [("0", 0), ("-19", -19), ("010", 10), ("0o14", 12), ("0x3A", 58), ("+12", 12)]
)
def test_integers_have_three_bases(word: str, value: int) -> None:
    assert (int, value) == (type(resolve_scalar(word)), resolve_scalar(word))


@pytest.mark.parametrize(("word", "value"), [("0.", 0.0), ("-.5", -0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0)])
def test_floats_need_a_point_or_an_exponent(word: str, value: float) -> None:
    assert (float, value) == (type(resolve_scalar(word)), resolve_scalar(word))


@pytest.mark.parametrize(
    "word",
    ["no", "on", "yes", "y", "tRue", "1_000", "2024-01-02", "12:30:45", "0b1", "-", ".", "1.2.3", "0o8", "+-1", "e5"],
)
def test_everything_else_is_text(word: str) -> None:
    assert word == resolve_scalar(word)


@pytest.mark.parametrize("word", ["22:30", "06:15", "1:2"])
def test_two_numbers_joined_by_a_colon_are_text(word: str) -> None:
    """yaml/pyyaml#801"""
    assert word == resolve_scalar(word)


@pytest.mark.parametrize(
    "word",
    [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e999", "9" * 5000, "0x" + "f" * 5000, "0o" + "7" * 5000],
)
def test_numbers_that_nothing_can_use_are_refused(word: str) -> None:
    """stanford-crfm/helm#1381: Python makes no text of a number so long, and the message about it was a crash."""
    with pytest.raises(ValueError, match="number"):
        resolve_scalar(word)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_as_it_was_written(number: float) -> None:
    assert number == resolve_scalar(repr(number))
