from pathlib import Path

import pytest

from dms.config.cache import recall, remember
from dms.config.yaml import read_yaml

TEXT = "a:\n  b: [x, 1.5, ~]\n  b: 2\nc: {é: true}\n"
CONTENT = TEXT.encode()


def test_what_was_remembered_comes_back_whole(tmp_path: Path) -> None:
    document = read_yaml(TEXT)
    remember(tmp_path, CONTENT, document)
    assert document == recall(tmp_path, CONTENT)


def test_another_content_is_not_known(tmp_path: Path) -> None:
    remember(tmp_path, CONTENT, read_yaml(TEXT))
    assert recall(tmp_path, CONTENT + b" ") is None


def test_nothing_is_known_at_first_nor_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    remember(tmp_path / "none", CONTENT, read_yaml(TEXT))
    assert (None, None) == (recall(tmp_path, CONTENT), recall(tmp_path / "none", CONTENT))


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_cache_that_others_could_write_is_not_believed(tmp_path: Path, mode: int) -> None:
    remember(tmp_path, CONTENT, read_yaml(TEXT))
    (tmp_path / "config.cache").chmod(mode)
    assert recall(tmp_path, CONTENT) is None


def test_only_the_node_can_read_it(tmp_path: Path) -> None:
    remember(tmp_path, CONTENT, read_yaml(TEXT))
    assert 0o600 == (tmp_path / "config.cache").stat().st_mode & 0o777


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"\x91" * 100_000, b"\x95\x63\xc4\x00\x80\x90\x90"])
def test_a_damaged_cache_is_as_good_as_none(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "config.cache").write_bytes(garbage)
    assert recall(tmp_path, b"") is None
