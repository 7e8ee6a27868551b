"""Triggers of a real node that fire so often and no more, and calendars that leave fires out."""

from typing import Any


def test_a_calendar_leaves_fires_out_until_it_is_changed(nodes: Any) -> None:
    tick = {"call": "functions:work", "every": "200ms"}
    nodes.configure(
        calendars={"always": {"windows": ["00:00-24:00"]}},
        tasks={"left-out": {**tick, "exclude": ["always"]}, "tick": tick},
    )
    node = nodes.start()
    node.wait_for_end_of("tick", times=3)
    assert [] == node.history("left-out")
    assert node.ask("task.get", name="left-out")["skipped"]["excluded"] >= 2
    refused = node.dms("task", "add", "other", "--every", "1h", "--set", 'exclude=["always", "nights"]', "--", "true")
    assert "no calendar is called 'nights'; there are always." in refused.stderr
    node.ask("config.set", changes={"calendars.always.windows": []})
    node.wait_for_end_of("left-out")
    assert 0 == node.stop()


def test_a_trigger_that_is_used_up_stays_so_over_a_kill(nodes: Any) -> None:
    nodes.configure(tasks={"twice": {"call": "functions:work", "every": "200ms", "max_runs": 2}})
    node = nodes.start()
    node.wait_for_end_of("twice", times=2)
    node.ask("task.get", name="twice")  # what was decided before it is on disk then
    node.kill()
    node = nodes.start()
    told = node.ask("task.get", name="twice")
    assert ("it has had its 2 runs (max_runs)", None) == (told["reason"], told["next_fire"])
    assert 2 == len(node.history("twice"))
    assert 0 == node.stop()
