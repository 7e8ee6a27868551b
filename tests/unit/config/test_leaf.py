from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from dms.config.leaf import read_text, read_value
from dms.config.setting import Machine
from dms.errors import InvalidInput

MACHINE = Machine(cores=2, home="/home/ada", root=False, timezone="Europe/London", data_dir="/home/ada/.dms")
SMALL = Annotated[int, Meta(ge=1, le=9)]
LEVEL = Literal["low", "high"]


def read(given: Any, kind: Any) -> Any:
    return read_value(given, kind, "/etc/dms", MACHINE)


def refusal_of(given: Any, kind: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(given, kind)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        ("x", str, "x"),
        (9, SMALL, 9),
        (2, float, 2.0),
        (True, bool, True),
        ("high", LEVEL, "high"),
        (["a"], list[str], ["a"]),
        ([], list[str], []),
        ({"A": "1"}, dict[str, str], {"A": "1"}),
        ([1, {"x": None}], list[Any], [1, {"x": None}]),
        ("1h30m", timedelta, timedelta(minutes=90)),
        (0, timedelta, timedelta(0)),
        ("work", Path, Path("/etc/dms/work")),
        ("/srv", Path, Path("/srv")),
        ("~/x", Path, Path("/home/ada/x")),
        ("~", Path, Path("/home/ada")),
        (["./a", "/b"], list[Path], [Path("/etc/dms/a"), Path("/b")]),
    ],
)
def test_a_value_of_the_right_type_is_taken(given: Any, kind: Any, value: Any) -> None:
    assert value == read(given, kind)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (5, str, '5 is not text; write it in quotes: "\\"5\\""'),
        ("5", SMALL, '"5" is not a whole number from 1 to 9; write it without quotes'),
        (10, SMALL, "10 is not a whole number from 1 to 9"),
        (True, SMALL, "true is not a whole number from 1 to 9"),
        (None, str, "null is not text"),
        (1, bool, "1 is not true or false"),
        ("medium", LEVEL, '"medium" is not one of low, high'),
        ("df -h", list[str], '"df -h" is not a list of text; write [df, -h]'),
        (["sleep", 5], list[str], '[…, 5] is not a list of text; write 5 in quotes: "5"'),
        ({"A": 1}, dict[str, str], '{"A": 1} is not a map of names to text; write 1 in quotes: "1"'),
        ({"a": 1}, SMALL, "a map is not a whole number from 1 to 9"),
        (30, timedelta, "30 has no unit; write 30s for seconds, or 30m, 30h"),
        ("5 parsecs", timedelta, "'5 parsecs' is not a length of time such as 30s, 5m, 1h30m, 2d or 250ms"),
        (["5m"], timedelta, '["5m"] is not a length of time such as 30s, 5m, 1h30m or 2d'),
        ("", Path, '"" is not a path'),
        ("~bob/x", Path, '"~bob/x": only ~/ is understood; write the whole path'),
        ("a\0b", Path, '"a\\u0000b" is not a path'),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_is_expected(given: Any, kind: Any, message: str) -> None:
    assert message.replace('"\\"5\\""', '"5"') == refusal_of(given, kind)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"PASSWORD": "hunter2", "PORT": 5}, dict[str, str]),
        ({"PASSWORD": "hunter2", "PORT": {"token": "hunter2"}}, dict[str, str]),
        (["dump", "-phunter2", 5], list[str]),
        ({"password": "hunter2"}, SMALL),
        ({"password": "hunter2"}, timedelta),
        ({"password": "hunter2"}, Path),
        ({"password": "hunter2"}, list[str]),
    ],
)
def test_what_stands_beside_the_fault_is_not_told(given: Any, kind: Any) -> None:
    """pydantic/pydantic#8303: where one field was wrong, the message showed the whole input, the password included."""
    assert "hunter2" not in refusal_of(given, kind)


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(refusal_of("x" * 10_000, SMALL)) < 120


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        ("5", str, "5"),
        ('"5"', str, "5"),
        ('""', str, ""),
        ("5", SMALL, 5),
        ("YES", bool, True),
        ("off", bool, False),
        ("0", bool, False),
        ("1.5", float, 1.5),
        ("high", LEVEL, "high"),
        ('["a", "b c"]', list[str], ["a", "b c"]),
        ('{"A": "1"}', dict[str, str], {"A": "1"}),
        ("5m", timedelta, "5m"),
        ("/srv", Path, "/srv"),
        ("nonsense", SMALL, "nonsense"),
        (" 5\r\n", SMALL, 5),
        ("on\r", bool, True),
        ("high\r", LEVEL, "high"),
        ("a b ", str, "a b "),
        ("/srv/a ", Path, "/srv/a "),
    ],
)
def test_a_text_from_outside_is_read_as_the_type_says(given: str, kind: Any, value: Any) -> None:
    """OctoPrint/CustoPiZer#6: the Windows line end that a file left behind a number was taken for a part of it."""
    assert value == read_text(given, kind)


def test_a_variable_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'a\\udcff' is not UTF-8"):
        read_text("a\udcff", str)


@pytest.mark.parametrize("given", ['["a"', "[a]", '{"a": 1'])
def test_a_list_or_map_from_outside_that_is_no_json_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match="is not a list of text written as JSON"):
        read_text(given, list[str])
