import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.config.document import Mark
from dms.config.jsonc import place, read_json, remove_comments
from dms.errors import Malformed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)

TRICKY = r"""{
  "url": "http://collector.example:4318//v1", // trailing note
  "glob": "/* keep */",
  "quote": "a\"// b", /* x */
  "a": [1, 2, // last
  ],
}"""


def fault_in(text: str) -> tuple[int, int, str]:
    with pytest.raises(Malformed) as caught:
        read_json(text)
    return caught.value.line, caught.value.column, str(caught.value)


def outcome(text: str) -> tuple[int, int] | None:
    try:
        read_json(text)
    except Malformed as error:
        return error.line, error.column
    return None


def test_what_looks_like_a_comment_inside_a_text_stays() -> None:
    """jonschlinkert/strip-comments#21"""
    expected = {
        "url": "http://collector.example:4318//v1",
        "glob": "/* keep */",
        "quote": 'a"// b',
        "a": [1, 2],
    }
    assert expected == read_json(TRICKY).values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{ // 27" wide\n "glob": "*.{ts,}", /* a " */ "list": "[a,]",}', {"glob": "*.{ts,}", "list": "[a,]"}),
        ('{"a": [{},\n // none\n ],}', {"a": [{}]}),
        ('{"a": "x,}", // }\n}', {"a": "x,}"}),
        ('{"a": "\\\\"} // "', {"a": "\\"}),
    ],
)
def test_quotes_in_comments_and_commas_in_texts_are_not_mistaken(text: str, values: dict[str, Any]) -> None:
    """slkiser/opencode-quota#194, open-source-parsers/jsoncpp#1500, miruamel/shiyu#51."""
    assert values == read_json(text).values


def test_removing_comments_leaves_every_other_character_in_its_place() -> None:
    plain = remove_comments(TRICKY)
    kept = [(before, after) for before, after in zip(TRICKY, plain, strict=True) if after != " "]
    assert [after for _, after in kept] == [before for before, _ in kept]


def test_removing_comments_keeps_the_lines() -> None:
    assert "1\n    \r\n   2" == remove_comments("1\n/* a\r\n*/ 2")


@given(st.text())
def test_removing_comments_never_changes_the_length(text: str) -> None:
    closed = text.replace("/*", "//")
    assert len(closed) == len(remove_comments(closed))


@given(JSON)
def test_plain_json_has_no_comments(value: Any) -> None:
    text = json.dumps(value)
    assert text == remove_comments(text)


@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 2]), st.booleans())
def test_plain_json_is_read_as_it_is(value: dict[str, Any], indent: int | None, escaped: bool) -> None:
    assert value == read_json(json.dumps(value, indent=indent, ensure_ascii=escaped)).values


@pytest.mark.parametrize("text", ["", " \n", "// nothing\n", "/* nothing */"])
def test_an_empty_file_has_no_settings(text: str) -> None:
    assert {} == read_json(text).values


def test_each_value_knows_where_it_and_its_key_stand() -> None:
    marks = read_json('{"a": {\n  "b": "x",\n  "c": [1, 22]}}').marks
    assert (Mark(1, 7, 1, 2), Mark(2, 8, 2, 3, text_column=9), Mark(3, 12, 3, 12)) == (
        marks["a",],
        marks["a", "b"],
        marks["a", "c", 1],
    )


def test_a_text_with_escapes_has_no_column_for_its_letters() -> None:
    assert 0 == read_json(r'{"a": "\u0041b"}').marks["a",].text_column


def test_of_two_equal_keys_the_first_counts_and_the_second_is_told_with_its_place() -> None:
    document = read_json('{"a": 1,\n "a": {"b": 2},\n "\\u0061": 3, "c": {"b": 4}}')
    assert ({"a": 1, "c": {"b": 4}}, [("duplicate_key", ("a",), 2, 2), ("duplicate_key", ("a",), 3, 2)]) == (
        document.values,
        [(flaw.code, flaw.path, flaw.line, flaw.column) for flaw in document.flaws],
    )


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ('{"a": 1 "b": 2}', 1, 9, "expected ',' or '}'"),
        ('{\n "a" 1}', 2, 6, "expected ':'"),
        ("{'a': 1}", 1, 2, "object keys must be strings"),
        ('{"a": 1,\n  b: 2}', 2, 3, "object keys must be strings"),
        ('{"a": 1', 1, 8, "ends before"),
        ('{"a": "x\n"}', 1, 8, "can't be read"),
        ('{"a": 1}\n{}', 2, 1, "trailing characters"),
        ('{"a": NaN}', 1, 7, "NaN can't be read"),
        ('{"a": tru}', 1, 7, "tru can't be read"),
        ('{"a": 1,\n "b": 1e999}', 2, 7, "out of range"),
        ('{"a": 01}', 1, 7, "invalid number"),
        ('{"a": [1,,2]}', 1, 10, "invalid"),
        ('{"a": [,]}', 1, 8, "invalid"),
        ('{"å": \U0001f600}', 1, 7, "can't be read"),
        ('{"a": "\\ud83d"}', 1, 7, "can't be read"),
        ('{"a": 1} /* ', 1, 10, "never closed"),
        ("[1]", 1, 1, "no map"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str, line: int, column: int, reason: str) -> None:
    found = fault_in(text)
    assert (line, column) == found[:2]
    assert reason in found[2]


@pytest.mark.parametrize("depth", [65, 5_000, 200_000])
def test_nesting_too_deep_is_told_where_it_becomes_so(depth: int) -> None:
    assert (1, 70, "nested deeper than 64 levels") == fault_in('{"a": ' + "[" * depth + "]" * depth + "}")


@given(st.text(alphabet='{}[]",:/*\\ \nab1-e.\U0001f600') | st.text())
def test_any_text_is_read_or_refused_with_a_place_inside_it(text: str) -> None:
    found = outcome(text)
    assert found is None or (1, 1) <= found <= place(text + " ", len(text) + 1)
