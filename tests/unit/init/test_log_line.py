import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.init.log_line import json_line, plain_fields, pretty_line

AT = "2026-11-25T12:00:00.000000+00:00"


class Textless:
    def __str__(self) -> str:
        raise ValueError("no text")


class Sly(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not what it holds"


def ring() -> list[Any]:
    it: list[Any] = []
    it.append(it)
    return it


ODD = [
    (Textless(), "<Textless>"),
    (2**64, str(2**64)),
    (-(2**63) - 1, str(-(2**63) - 1)),
    (2**64 - 1, 2**64 - 1),
    (float("inf"), "inf"),
    ("\udcff", "\\udcff"),
    (b"\xff", "b'\\xff'"),
    ((1, "two"), [1, "two"]),
    ({1: {None: 2.5}}, {"1": {"None": 2.5}}),
    (ring(), [[[[[[[["…"]]]]]]]]),
    (ValueError("bad"), "bad"),
]


@pytest.mark.parametrize(("value", "plain"), ODD)
def test_what_json_can_not_hold_becomes_its_text(value: Any, plain: Any) -> None:
    """A field that had no form in JSON once broke the log line (apache/airflow#62656)."""
    assert {"field": plain} == plain_fields({"field": value})
    assert {"field": plain} == json.loads(json_line(plain_fields({"field": value})))


def test_a_text_of_a_class_of_its_own_is_told_by_what_it_says() -> None:
    assert {"field": "not what it holds"} == plain_fields({"field": Sly("x")})


@given(st.text(), st.recursive(st.none() | st.floats() | st.integers() | st.text() | st.binary(), st.lists))
def test_whatever_a_line_holds_it_is_one_line_and_one_document(event: str, value: Any) -> None:
    fields = plain_fields({"at": AT, "level": "info", "event": event, "value": value, "task": event})
    line = json_line(fields)
    assert line.isprintable()
    assert event.encode("utf-8", "backslashreplace").decode() == json.loads(line)["event"]
    assert pretty_line(fields, colours=False).isprintable()


def pretty(**fields: Any) -> str:
    return pretty_line({"at": AT, "level": "info", "event": "said", **fields}, colours=False).partition(" ")[2]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "said"),
        ({"level": "warning"}, "warning  said"),
        ({"percent": 93, "path": "/"}, "said  percent=93  path=/"),
        ({"task": "backup", "status": "success", "took": "20 ms"}, f"{'backup':<13}success     20 ms   said"),
        ({"task": "a-very-long-name", "execution": "1-2"}, f"a-very-long-name {'':<20}said"),
        ({"task": "backup", "level": "error"}, f"{'backup':<13}error               said"),
        ({"logger": "theirs"}, "said"),
        ({"path": "a\nb\x1b[2J\u2028"}, "said  path=a\\nb\\x1b[2J\\u2028"),
    ],
)  # fmt: skip
def test_for_people_a_line_has_columns(fields: dict[str, Any], line: str) -> None:
    assert line == pretty(**fields)


def test_a_status_has_its_colour_and_stays_in_its_column() -> None:
    line = pretty_line(
        {"at": AT, "level": "info", "event": "said", "task": "backup", "status": "failed", "took": "1 s"}
    )
    assert line.endswith(" backup       \x1b[31mfailed   \x1b[0m     1 s   said")


def test_a_traceback_can_not_pass_for_lines_of_the_log() -> None:
    trace = "Traceback:\n12:00:00 backup  success\x1b[2J"
    assert ["said", "    Traceback:", "    12:00:00 backup  success\\x1b[2J"] == pretty(exception=trace).splitlines()
