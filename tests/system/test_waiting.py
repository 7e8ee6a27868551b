"""What waits for more than a slot, on a real node: for its key, for its rate over a kill."""

from typing import Any

import pytest

from dms.errors import RemoteError

TASKS = {
    "hold": {"call": "functions:obey", "concurrency": {"key": "disk"}},
    "after": {"call": "functions:work", "concurrency": {"key": "disk"}},
    "other": {"call": "functions:work"},
    "paced": {"call": "functions:work", "concurrency": {"key": "server", "rate": "1/h"}},
}


@pytest.fixture
def node(nodes: Any) -> Any:
    nodes.configure(tasks=TASKS)
    return nodes.start()


def told(node: Any, task: str) -> tuple[str, str]:
    found = node.ask("task.get", name=task)
    return found["state"], found["reason"]


def test_a_full_key_holds_up_nobody_else_and_is_told(node: Any) -> None:
    node.ask("task.run", name="hold")
    node.ask("task.run", name="after")
    assert ("waiting", "its key disk is taken: 1 of them runs, the most at once") == told(node, "after")
    assert "success" == node.run("other")["status"]


def test_a_limit_that_contradicts_another_one_of_its_key_is_refused_while_the_node_runs(node: Any) -> None:
    with pytest.raises(RemoteError, match=r"concurrency\.limit: 2 contradicts 1, which hold says of the same key"):
        node.ask("config.set", changes={"tasks.after.concurrency.limit": 2})
    node.ask("config.set", changes={f"tasks.{name}.concurrency.limit": 2 for name in ("hold", "after")})
    node.ask("task.run", name="hold")
    assert "success" == node.run("after")["status"]


def test_a_rate_counts_over_a_kill(nodes: Any, node: Any) -> None:
    assert "success" == node.run("paced")["status"]
    node.kill()
    second = nodes.start()
    second.ask("task.run", name="paced")
    assert ("waiting", "its key server is taken: 1 of them started within 1h") == told(second, "paced")
    assert 1 == len([each for each in second.history("paced") if each["status"] == "success"])
