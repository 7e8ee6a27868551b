import os
from pathlib import Path

import pytest

from dms.access.identity import Identity, new_identity, read_identity, write_identity
from dms.errors import ConfigError, StoreError


def test_what_was_written_is_read(tmp_path: Path) -> None:
    identity = new_identity()
    write_identity(tmp_path, identity)
    assert identity == read_identity(tmp_path)


def test_a_new_folder_has_none(tmp_path: Path) -> None:
    assert read_identity(tmp_path) is None


def test_no_two_are_alike_and_each_has_a_name_that_can_be_said() -> None:
    many = [new_identity() for _ in range(200)]
    assert 200 == len({identity.id for identity in many})
    assert len({identity.name for identity in many}) > 100
    assert all(part.isalpha() and part.islower() for identity in many for part in identity.name.split("-"))
    assert {32} == {len(identity.id) for identity in many}


def test_only_its_owner_may_read_it_whatever_the_mask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_identity(tmp_path, new_identity())
    finally:
        os.umask(before)
    assert 0o600 == (tmp_path / "identity.json").stat().st_mode & 0o777


def test_it_is_written_over_what_a_crash_left(tmp_path: Path) -> None:
    (tmp_path / "identity.json.partial").write_text('{"id": "half')
    write_identity(tmp_path, Identity("0" * 32, "quiet-heron"))
    assert ["identity.json"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"id": "x"}', b'{"id": 1, "name": "x"}', b"\xff\xfe"])
def test_a_broken_one_is_an_error_that_says_what_to_do_and_is_left_as_it_was(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "identity.json"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=r"says who this node is and can't be read .*put back a good copy"):
        read_identity(tmp_path)
    assert text == path.read_bytes()


def test_a_folder_in_its_place_is_an_error_too(tmp_path: Path) -> None:
    (tmp_path / "identity.json").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        read_identity(tmp_path)


def test_one_that_can_not_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "identity.json").mkdir()
    (tmp_path / "identity.json" / "in the way").touch()
    with pytest.raises(StoreError, match=r"identity\.json can't be written: .*; look at the disk"):
        write_identity(tmp_path, new_identity())
