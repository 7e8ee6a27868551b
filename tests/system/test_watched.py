"""What a real node does with a task that keeps failing, that does not succeed, or that takes the node down with it."""

from typing import Any

import httpx


def findings(node: Any, code: str) -> list[str]:
    return [each["subject"] for each in node.ask("node.status")["findings"] if each["code"] == code]


def metrics_of(node: Any) -> str:
    url = next(door for door in node.ask("node.status")["doors"] if door.startswith("http"))
    token = (node.data_dir / "admin.token").read_text().strip()
    return httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"}, trust_env=False).text


def test_a_task_that_takes_the_node_down_each_time_is_quarantined_until_somebody_resumes_it(nodes: Any) -> None:
    (nodes.folder / "fatal.py").write_text("import os, signal\ndef end():\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    nodes.configure(tasks={"bad": {"call": "fatal:end", "every": "10ms", "durability": "at_least_once"}})
    for _ in range(3):
        assert -9 == nodes.begin().end()
    node = nodes.start()
    assert ["bad"] == findings(node, "quarantine")
    told = node.ask("task.get", name="bad")
    assert ("parked", "it was running in each of the last 3 crashes") == (told["state"], told["reason"])
    assert ["interrupted"] * 3 == [each["status"] for each in node.history("bad") if each["started_at"]]
    assert 0 == node.dms("task", "resume", "bad").returncode
    assert -9 == node.end()


def test_a_task_that_keeps_failing_is_paused_and_what_is_overdue_is_named(nodes: Any) -> None:
    nodes.configure(
        tasks={
            "bad": {"run": ["false"], "every": "20ms", "breaker": {"failures": 3}, "expect_success_within": "100ms"},
            "mend": {"call": "functions:payload", "on": "task.bad.tripped"},
            "cry": {"call": "functions:payload", "on": "task.bad.overdue"},
        }
    )
    node = nodes.start()
    node.wait_for_end_of("mend")
    node.wait_for_end_of("cry")
    assert (["bad"], ["bad"]) == (findings(node, "breaker"), findings(node, "overdue"))
    assert "degraded" == node.ask("node.status")["state"]
    assert 'dms_task_overdue{dms_task_name="bad"} 1' in metrics_of(node)
    told = node.ask("task.get", name="bad")
    assert ("paused", "it failed 3 times in a row") == (told["state"], told["reason"])
    assert 3 == len(node.history("bad"))
    assert {"failures": 3} == node.history("mend")[0]["results"]


def test_a_thread_that_was_given_up_takes_no_slot_and_is_a_finding_and_a_figure(nodes: Any) -> None:
    stuck = {"call": "functions:ignore", "timeout": "100ms", "kill_after": 0}
    nodes.configure(tasks={"stuck": stuck, "short": {"call": "functions:work"}}, scheduler={"max_running_tasks": 1})
    node = nodes.start()
    assert ("abandoned", "success") == (node.run("stuck")["status"], node.run("short")["status"])
    assert ["stuck"] == findings(node, "abandoned")
    assert 'dms_task_abandoned{dms_task_name="stuck"} 1' in metrics_of(node)
