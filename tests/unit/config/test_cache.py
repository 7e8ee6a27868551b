from pathlib import Path

import pytest

from dms.config.cache import Readings
from dms.config.document import Document
from dms.config.yaml import read_yaml

TEXT = "a:\n  b: [x, 1.5, ~, 1180591620717411303424]\n  b: 2\nc: {é: true}\n"
CONTENT = TEXT.encode()
FILE, OTHER = Path("/etc/dms/dms_config.yaml"), Path("/etc/dms/conf.d/10-other.json")


def remember(folder: Path, *files: Path) -> Document:
    readings, document = Readings(folder), read_yaml(TEXT)
    for file in files or [FILE]:
        readings.remember(file, CONTENT, document)
    readings.keep()
    return document


def test_what_was_remembered_comes_back_whole(tmp_path: Path) -> None:
    assert remember(tmp_path) == Readings(tmp_path).recall(FILE, CONTENT)


def test_another_content_and_another_file_are_not_known(tmp_path: Path) -> None:
    remember(tmp_path)
    assert Readings(tmp_path).recall(FILE, CONTENT + b" ") is None
    assert Readings(tmp_path).recall(OTHER, CONTENT) is None


def test_the_last_good_reading_is_known_whatever_a_file_says_now(tmp_path: Path) -> None:
    document = remember(tmp_path)
    assert (document, None) == (Readings(tmp_path).last(FILE), Readings(tmp_path).last(OTHER))


def test_what_was_only_asked_for_stays_and_what_nobody_asks_for_goes(tmp_path: Path) -> None:
    document = remember(tmp_path, FILE, OTHER)
    for _ in range(2):
        again = Readings(tmp_path)
        again.last(FILE)
        again.keep()
    assert (document, None) == (Readings(tmp_path).last(FILE), Readings(tmp_path).last(OTHER))


def test_nothing_is_known_at_first_nor_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    remember(tmp_path / "none")
    assert (None, None) == (Readings(tmp_path).last(FILE), Readings(tmp_path / "none").last(FILE))


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_cache_that_others_could_write_is_not_believed(tmp_path: Path, mode: int) -> None:
    remember(tmp_path)
    (tmp_path / "config.cache").chmod(mode)
    assert Readings(tmp_path).last(FILE) is None


def test_only_the_node_can_read_it(tmp_path: Path) -> None:
    remember(tmp_path)
    assert 0o600 == (tmp_path / "config.cache").stat().st_mode & 0o777


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"[" * 100_000, b"[1,{}]", b"[3,{}]", b"[2]"])
def test_a_damaged_cache_and_one_of_another_time_are_as_good_as_none(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "config.cache").write_bytes(garbage)
    assert Readings(tmp_path).last(FILE) is None
