"""Paths are told as one would type them where one stands."""

import os
from pathlib import Path

import pytest

from dms.cli.wording import near


@pytest.mark.parametrize(
    ("here", "path", "expected"),
    [
        ("/usr", "/usr/lib/dms", "./lib/dms"),
        ("/usr", "/srv/dms", "/srv/dms"),
        ("/", "/srv/dms", "/srv/dms"),
    ],
)
def test_a_path_below_is_told_from_here(here: str, path: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    assert expected == near(path)


def test_from_a_folder_that_is_gone_a_path_is_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    assert "/srv/dms" == near("/srv/dms")
