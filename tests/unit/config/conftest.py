"""A machine of its own for each test: an empty home, an empty working directory, and a file on demand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.config import Loaded, load

Load = Callable[..., Loaded]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def home(tmp_path: Path) -> Path:
    there = tmp_path / "home"
    there.mkdir()
    return there


@pytest.fixture
def loaded(folder: Path, home: Path) -> Load:
    """Loads a text as `dms.yaml` with an environment of these variables and nothing else."""

    def from_text(text: str | None = None, name: str = "dms.yaml", **options: Any) -> Loaded:
        environ = {"HOME": str(home), "TZ": "Europe/Helsinki", **options.pop("environ", {})}
        if text is None:
            return load(environ=environ, **options)
        (folder / name).write_text(text, "utf-8")
        return load(name, environ=environ, **options)

    return from_text
