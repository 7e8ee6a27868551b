from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.background_tasks.scheduler import Scheduler
from dms.config import default_config
from dms.plugins.context import NodeContext
from dms.testing import FakeClock


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.lines.append((event, fields))


@pytest.fixture
def context(tmp_path: Path) -> NodeContext:
    """A node that has not started."""
    clock = FakeClock()
    return NodeContext("heron", "0.1.0", tmp_path, clock, Scheduler(clock=clock), default_config, Log())


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a distribution into a folder of `sys.path`: a module, and what its entry points say."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def put(distribution: str, entry_points: str, source: str = "") -> Path:
        folder = site / f"{distribution}-1.0.dist-info"
        folder.mkdir()
        (folder / "entry_points.txt").write_text(entry_points)
        (site / f"{distribution}.py").write_text(source)
        return site

    return put
