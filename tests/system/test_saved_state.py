"""What a run has saved is there after a kill of the node: for a task that runs again, and for one that does not."""

from typing import Any

import pytest


@pytest.mark.parametrize("durability", ["at_most_once", "at_least_once", "none"])
def test_work_goes_on_after_a_kill_where_it_was_saved(nodes: Any, durability: str) -> None:
    work = {"call": "functions:collect", "durability": durability}
    nodes.configure(tasks={"work": {**work, "kwargs": {"stop_after": 2}}})
    first = nodes.start()
    first.ask("task.run", name="work")
    first.wait_for(lambda line: line["event"] == "saved-2")
    first.kill()
    nodes.configure(tasks={"work": work})
    again = nodes.start()
    if durability == "at_least_once":
        again.wait_for_end_of("work")
    else:
        assert [0, 1, 2, 3] == again.run("work")["results"]
    words = [entry[3] for entry in again.journal]
    assert ["found-0", "saved-1", "saved-2", "found-2", "saved-3", "saved-4"] == [word for word in words if "-" in word]
    again.run("work")
    assert "found-0" == [entry[3] for entry in again.journal if entry[3].startswith("found")][-1]
