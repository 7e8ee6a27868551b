"""Sizes as people write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.errors import InvalidInput
from dms.size import parse_size, size_text


@pytest.mark.parametrize(
    ("given", "size"),
    [("1", 1), (" 64 MB ", 64_000_000), ("64mb", 64_000_000), ("1.5GiB", 3 * 2**29), ("0.5kB", 500), (7, 7), ("9B", 9)],
)
def test_a_size_is_a_number_with_or_without_a_unit(given: Any, size: int) -> None:
    assert size == parse_size(given)


@pytest.mark.parametrize(
    "given",
    ["", "MB", "-1MB", "0", "0.1B", "1e6", "64 apples", "64MBit", "1,5MB", "9" * 40, 2**70, -1, True, None, 1.5],
)
def test_what_is_none_is_refused_with_its_name(given: Any) -> None:
    with pytest.raises(InvalidInput, match=r"limits.memory: .* is not a size such as 500kB, 64MB or 2GiB"):
        parse_size(given, "limits.memory")


@given(st.integers(1, 2**60))
def test_a_size_that_is_told_is_read_back_the_same(size: int) -> None:
    assert size == parse_size(size_text(size))
