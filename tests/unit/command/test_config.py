from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.command.config import config_operations
from dms.command.operation import Operation
from dms.config import load
from dms.errors import NotFound

Ask = Callable[..., Any]


@pytest.fixture
def operations(tmp_path: Path) -> list[Operation]:
    file = tmp_path / "dms_config.yaml"
    file.write_text("scheduler:\n  max_running_tasks: 3\n")
    loaded = load(file, environ={"HOME": str(tmp_path)})
    return config_operations(lambda: loaded)


async def test_a_key_is_told_with_its_origin(operations: list[Operation], ask: Ask) -> None:
    told = await ask(operations, "config.get", key="scheduler.max_running_tasks")
    assert ("scheduler.max_running_tasks", 3, "main file") == (told["key"], told["value"], told["origin"])
    assert told["place"].endswith("dms_config.yaml:2:22")


async def test_a_key_is_explained_layer_by_layer(operations: list[Operation], ask: Ask) -> None:
    told = await ask(operations, "config.explain", key="scheduler.max_running_tasks")
    assert [("main file", 3, True), ("default", False)] == [
        (told["layers"][0]["layer"], told["layers"][0]["value"], told["layers"][0]["in_force"]),
        (told["layers"][1]["layer"], told["layers"][1]["in_force"]),
    ]


@pytest.mark.parametrize("method", ["config.get", "config.explain"])
async def test_an_unknown_key_is_not_found_and_the_nearest_is_named(
    method: str, operations: list[Operation], ask: Ask
) -> None:
    with pytest.raises(NotFound, match=r"Did you mean max_running_tasks\?"):
        await ask(operations, method, key="scheduler.max_runing_tasks")
