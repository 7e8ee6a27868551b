from collections.abc import Callable
from typing import Any

import pytest

from dms.command.logs import logs_operations, logs_topic
from dms.errors import InvalidParameters

Ask = Callable[..., Any]


async def test_the_newest_lines_are_told_oldest_first_with_where_to_go_on(ask: Ask) -> None:
    topic = logs_topic(epoch=3)
    for number in range(5):
        topic.publish({"event": f"line {number}"})
    told = await ask(logs_operations(topic), "logs.tail", limit=2)
    assert {"lines": [{"event": "line 3"}, {"event": "line 4"}], "cursor": "3-5"} == told


@pytest.mark.parametrize("limit", [0, 1001, -1])
async def test_the_limit_has_its_bounds(limit: int, ask: Ask) -> None:
    with pytest.raises(InvalidParameters, match="limit: "):
        await ask(logs_operations(logs_topic(epoch=3)), "logs.tail", limit=limit)
