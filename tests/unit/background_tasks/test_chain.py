"""Chains that lead back to where they began are found, and named."""

import pytest

from dms.background_tasks.registry import Registry
from dms.background_tasks.tasks.chain import circle_of, waited_for
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.errors import InvalidTask


@pytest.mark.parametrize(
    ("before", "circle"),
    [
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": ["b"], "b": ["a"]}, ["a", "b", "a"]),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, ["a", "b", "c", "a"]),
        ({"a": ["x", "c"], "x": ["y"], "c": ["y", "a"]}, ["a", "c", "a"]),
        ({"a": ["b"], "b": ["c"]}, []),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"]}, []),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, []),
        ({}, []),
    ],
)
def test_a_circle_is_told_in_the_order_in_which_its_tasks_run(before: dict[str, list[str]], circle: list[str]) -> None:
    assert circle == circle_of("a", lambda name: before.get(name, []))


def test_a_long_chain_is_no_matter() -> None:
    before = {str(number): [str(number + 1)] for number in range(10_000)}
    assert [] == circle_of("0", lambda name: before.get(name, []))
    before["10000"] = ["0"]
    assert 10_002 == len(circle_of("0", lambda name: before.get(name, [])))


def on(name: str, *topics: str, origin: str = "code") -> Task:
    return Task(name, print, triggers=[EventTrigger(topic) for topic in topics], origin=origin)


def test_only_the_ends_of_tasks_are_waited_for() -> None:
    task = on("a", "task.b.success", "task.c.failed", "task.d.begun", "door.opened", "task.x.y.success")
    assert ["b", "c"] == list(waited_for(task))


def test_a_task_that_closes_a_circle_is_refused_and_the_rest_stays_as_it_was() -> None:
    """apache/dolphinscheduler#458: a circle could be saved, and nothing ran any more once it was begun."""
    registry = Registry(numbered=True)
    registry.add(on("report", "task.ingest.success"))
    registry.add(on("mail", "task.report.failed", "task.report.success"))
    with pytest.raises(InvalidTask, match=r"^triggers: ingest → report → mail → ingest is a circle"):
        registry.add(on("ingest", "task.mail.success"))
    assert not registry.has("ingest")
    registry.add(on("ingest"))
    with pytest.raises(InvalidTask, match=r"^triggers: ingest → report → ingest is a circle"):
        registry.replace([on("ingest", "task.report.success")])
    assert () == registry.find("ingest").triggers


def test_a_task_that_waits_for_its_own_end_is_refused() -> None:
    with pytest.raises(InvalidTask, match="a → a is a circle"):
        Registry(numbered=True).add(on("a", "task.a.failed"))


def test_what_is_parked_runs_nobody_and_closes_no_circle() -> None:
    registry = Registry(numbered=True)
    a, b = on("a", "task.b.success"), on("b", "task.a.success")
    a.parked = "it is in a circle"
    registry.add(a)
    registry.add(b)
    assert [a, b] == registry.all()


def test_tasks_that_change_together_are_judged_as_they_are_then() -> None:
    registry = Registry(numbered=True)
    registry.add(on("a"))
    registry.add(on("b", "task.a.success"))
    registry.replace([on("a", "task.b.success"), on("b")])
    assert ["after b success"] == [str(trigger) for trigger in registry.find("a").triggers]
