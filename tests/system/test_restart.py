"""What a killed node takes up again, and what it lets be."""

from typing import Any

TASKS = {
    "once": {"call": "functions:obey"},
    "whole": {"call": "functions:obey", "durability": "at_least_once"},
    "flaky": {"call": "functions:work", "kwargs": {"failures": 1}, "retry": {"max_retries": 2, "delay": "1s"}},
    "work": {"call": "functions:work"},
}


def killed_while_running(nodes: Any, task: str) -> dict[str, Any]:
    """The execution of a task that ran when its node was killed."""
    nodes.configure(tasks=TASKS, scheduler={"max_running_tasks": 1})
    node = nodes.start()
    node.ask("task.run", name=task)
    node.wait_for(lambda line: (line.get("task"), line["event"]) == (task, "start"))
    (execution,) = node.history(task)
    assert "running" == execution["status"]
    return dict(execution)


def test_what_was_cut_off_is_interrupted_and_does_not_run_again(nodes: Any) -> None:
    before = killed_while_running(nodes, "once")
    nodes.end()
    node = nodes.start()
    (after,) = node.history("once")
    assert (before["id"], "interrupted", "the process ended while it ran") == (
        after["id"],
        after["status"],
        after["error"],
    )
    assert "ready" == node.ask("task.get", name="once")["state"]
    assert [["once", before["id"], "1", "start"]] == node.journal


def test_what_must_run_to_its_end_runs_again_as_the_same_attempt(nodes: Any) -> None:
    before = killed_while_running(nodes, "whole")
    nodes.end()
    node = nodes.start()
    node.wait_for(lambda line: (line.get("task"), line["event"]) == ("whole", "start"))
    again, cut = node.history("whole")
    assert (before["id"], "interrupted") == (cut["id"], cut["status"])
    assert (before["run_id"], before["attempt"], "crash") == (again["run_id"], again["attempt"], again["cause"])
    assert again["id"] not in (cut["id"], before["id"])


def test_what_waited_for_a_slot_waits_again_and_runs(nodes: Any) -> None:
    killed_while_running(nodes, "once")
    waiting = nodes.last.ask("task.run", name="work")
    assert "waiting" == waiting["status"]
    nodes.end()
    node = nodes.start()
    node.wait_for_end_of("work")
    assert [(waiting["id"], "success")] == [(each["id"], each["status"]) for each in node.history("work")]


def test_a_retry_that_waited_comes_at_its_time(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    first = nodes.start()
    first.ask("task.run", name="flaky")
    first.wait_for_end_of("flaky", "failed")
    first.kill()
    node = nodes.start()
    node.wait_for_end_of("flaky")
    second, failed = node.history("flaky")
    assert (failed["run_id"], 2, "success") == (second["run_id"], second["attempt"], second["status"])
    assert failed["retry_at"] == second["due_at"] <= second["started_at"]


def test_each_start_has_ids_of_its_own(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    ids = []
    for _ in range(3):
        node = nodes.start()
        ids.append(node.run("work")["id"])
        node.kill()
    assert ["1", "2", "3"] == [execution_id.split("-")[0] for execution_id in ids]
    assert ids[::-1] == [execution["id"] for execution in nodes.start().history("work")]
