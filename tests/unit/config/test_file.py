from pathlib import Path

import pytest

from dms.config import find_config
from dms.config.file import read_document
from dms.errors import Malformed


def test_the_first_folder_that_has_the_file_counts(tmp_path: Path) -> None:
    for name in ("b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dms_config.json").touch()
    paths = [tmp_path / name for name in "abc"]
    assert tmp_path / "b" / "dms_config.json" == find_config(paths, "dms_config")


def test_in_one_folder_yaml_comes_before_json(tmp_path: Path) -> None:
    for suffix in (".jsonc", ".json", ".yml", ".yaml"):
        (tmp_path / f"dms_config{suffix}").touch()
        assert tmp_path / f"dms_config{suffix}" == find_config([tmp_path], "dms_config")


def test_a_name_with_a_suffix_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").touch()
    assert [tmp_path / "other.yaml", None] == [find_config([tmp_path], name) for name in ("other.yaml", "other.json")]


def test_a_folder_of_that_name_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "dms_config.yaml").mkdir()
    assert find_config([tmp_path], "dms_config") is None


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.yaml", b"\xef\xbb\xbfa: {b: 1}\r\n"), ("a.json", b'\xef\xbb\xbf{"a":\r\n{"b": 1}}'), ("a.conf", b"a: {b: 1}")],
)
def test_a_byte_order_mark_and_windows_line_ends_are_fine(name: str, content: bytes) -> None:
    assert {"a": {"b": 1}} == read_document(content, Path(name)).values


@pytest.mark.parametrize(
    ("content", "line", "column", "message"),
    [
        ("a: å\nb: ".encode() + b"\xff", 2, 4, "the byte 0xff is not UTF-8; save the file as UTF-8"),
        ("a: 1".encode("utf-16"), 1, 1, "the file is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_that_is_not_utf_8_is_told_with_its_place(content: bytes, line: int, column: int, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_document(content, Path("a.yaml"))
    assert (line, column, message) == (caught.value.line, caught.value.column, str(caught.value))
