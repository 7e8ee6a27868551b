import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.config.document import Mark
from dms.config.yaml import read_yaml
from dms.errors import Malformed

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def fault_in(text: str) -> tuple[int, int, str]:
    with pytest.raises(Malformed) as caught:
        read_yaml(text)
    return caught.value.line, caught.value.column, str(caught.value)


def outcome(text: str) -> tuple[int, int] | None:
    try:
        read_yaml(text)
    except Malformed as error:
        return error.line, error.column
    return None


def flaws_of(text: str) -> list[tuple[str, tuple[str | int, ...], int, int]]:
    return [(flaw.code, flaw.path, flaw.line, flaw.column) for flaw in read_yaml(text).flaws]


def test_words_mean_what_yaml_1_2_says() -> None:
    text = "a: no\non: 010\nb: '5'\nc: 2024-01-02\nd: !!str 7\ne: ~\nf: !!float 3\n"
    expected = {"a": "no", "on": 10, "b": "5", "c": "2024-01-02", "d": "7", "e": None, "f": 3.0}
    assert expected == read_yaml(text).values


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~"])
def test_an_empty_file_has_no_settings(text: str) -> None:
    assert {} == read_yaml(text).values


def test_windows_line_ends_are_fine() -> None:
    assert {"a": {"b": 1, "c": "x"}} == read_yaml("a:\r\n  b: 1\r\n  c: x\r\n").values


def test_each_value_knows_where_it_and_its_key_stand() -> None:
    marks = read_yaml('a:\n  b: [x, "y"]\n  c: &n word\n').marks
    assert (Mark(2, 3, 1, 1), Mark(2, 10, 2, 10, text_column=11), Mark(3, 6, 3, 3)) == (
        marks["a",],
        marks["a", "b", 1],
        marks["a", "c"],
    )


@given(st.dictionaries(TEXT, JSON))
def test_json_with_its_texts_unescaped_is_yaml_too(value: dict[str, Any]) -> None:
    assert value == read_yaml(json.dumps(value, ensure_ascii=False)).values


def test_a_character_that_json_writes_in_two_halves_is_one() -> None:
    assert {"a": "\U0001f600"} == read_yaml('a: "\\ud83d\\ude00"').values


def test_half_a_character_is_a_flaw() -> None:
    assert [("bad_value", ("a",), 1, 4)] == flaws_of('a: "\\ud83d"')


def test_aliases_repeat_what_they_point_at() -> None:
    assert {"a": {"x": [1]}, "b": {"x": [1]}} == read_yaml("a: &a {x: [1]}\nb: *a\n").values


def test_of_two_equal_keys_the_first_counts_with_all_that_is_in_it() -> None:
    text = "tasks:\n  a: {x: 1}\n  a:\n    y: [{z: 2}]\n  b: 3\n"
    assert {"tasks": {"a": {"x": 1}, "b": 3}} == read_yaml(text).values
    assert [("duplicate_key", ("tasks", "a"), 3, 3)] == flaws_of(text)


@pytest.mark.parametrize("number", [".nan", ".inf", "-.INF", "1e999"])
def test_a_number_that_nothing_can_use_is_left_out_alone(number: str) -> None:
    text = f"a:\n  b: {number}\n  c: 1\n"
    assert {"a": {"c": 1}} == read_yaml(text).values
    assert [("bad_value", ("a", "b"), 2, 6)] == flaws_of(text)


def test_a_list_with_a_bad_entry_is_left_out_whole() -> None:
    assert {"b": 1} == read_yaml("run: [rm, .nan, x]\nb: 1").values


@pytest.mark.parametrize("key", ["1", "true", "~", "2.5", "<<", ".inf"])
def test_a_key_that_is_not_text_is_left_out_with_its_value(key: str) -> None:
    text = f"a:\n  {key}: {{x: 1}}\n  b: 2\n"
    assert {"a": {"b": 2}} == read_yaml(text).values
    assert [("bad_key", ("a", key) if key != "<<" else ("a",), 2, 3)] == flaws_of(text)


def test_a_tag_that_means_nothing_here_is_a_flaw() -> None:
    assert [("bad_value", ("a",), 1, 4), ("bad_value", ("b",), 2, 4)] == flaws_of("a: !mine x\nb: !!int x")


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("a: 1\n b: 2", 2, 3, "mapping values are not allowed"),
        ("a:\n\tb: 1", 2, 1, "tab"),
        ("a: [1, 2", 1, 9, "',' or ']'"),
        ("a: 1\n---\nb: 2", 2, 1, "second document"),
        ("cron: */5 * * * *", 1, 7, "needs quotes"),
        ("cron: * * * * *", 1, 8, "needs quotes"),
        ("a: *b", 1, 4, "no anchor &b"),
        ("a: &a [1, *a]", 1, 11, "hold itself"),
        ("? [a]\n: 1", 1, 3, "can't be a key"),
        ("a: &x y\n*x : 1", 2, 1, "can't be a key"),
        ("a: !mine {}", 1, 4, "tag"),
        ("- a", 1, 1, "no map"),
        ("just text", 1, 1, "no map"),
        ("a: 1\nb: \x01", 2, 4, "doesn't allow"),
        (LAUGHS, 5, 1, "more than 100000 values"),
        ("a: " + "[" * 100, 1, 67, "deeper than 64"),
        ("a: " + "{x: " * 5000, 1, 256, "deeper than 64"),
    ],
)
def test_what_is_no_configuration_is_told_with_its_place(text: str, line: int, column: int, reason: str) -> None:
    found = fault_in(text)
    assert (line, column) == found[:2]
    assert reason in found[2]


@given(st.text(alphabet="{}[]:,-?&*!|>'\"%@#\n\t ab1.<~\\\x85\u2028\x00\U0001f600") | st.text())
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    found = outcome(text)
    assert found is None or found >= (1, 1)
