"""What a node makes of its configuration: it starts where it can, says what is wrong and where, and loses nothing."""

from datetime import datetime
from typing import Any

import pytest


def findings(node: Any) -> list[str]:
    return [finding["message"] for finding in node.ask("node.status")["findings"]]


def named(nodes: Any, place: str) -> str:
    """How a finding begins: the file and the place in it."""
    return f"{nodes.file}:{place}  "


def tasks(node: Any) -> dict[str, Any]:
    """The users' tasks by name."""
    return {task["name"]: task for task in node.ask("task.list") if task["lane"] == "user"}


FAULTS = """\
scheduler:
  max_running_tasks: many
  max_runing_tasks: 4
observability: {log_level: loud}
tasks:
  good: {run: ["true"], every: 1h}
  never: {run: ["true"], cron: "0 3 31 2 *"}
  slip: {run: ["true"], every: 1h, retires: 3}
  both: {run: ["true"], call: "functions:work"}
  lost: {call: "functions:nothing"}
"""

PLACES = {
    "2:22": "scheduler.max_running_tasks: ",
    "3:3": "scheduler.max_runing_tasks: unknown key. Did you mean max_running_tasks?",
    "4:28": "observability.log_level: ",
    "7:37": "tasks.never.cron: ",
    "8:36": "tasks.slip.retires: unknown key. Did you mean retry?",
    "9:9": "tasks.both: run, call: give exactly one of the two",
    "10:16": "tasks.lost.call: ",
}


def test_what_is_wrong_leaves_the_rest_in_force_and_is_said_with_its_place(nodes: Any) -> None:
    nodes.configure(FAULTS)
    node = nodes.start()
    said = findings(node)
    for place, what in PLACES.items():
        assert [] != [line for line in said if line.startswith(named(nodes, place) + what)], (place, said)
    assert len(PLACES) == len(said)
    assert {"good": "ready", "never": "parked", "slip": "ready", "both": "parked", "lost": "parked"} == {
        name: task["state"] for name, task in tasks(node).items()
    }
    shown = node.dms("status")
    assert 0 == shown.returncode
    assert " is degraded " in shown.stdout.splitlines()[0]
    assert len(PLACES) == shown.stdout.count("\nfinding   ")


def test_a_start_from_the_cached_reading_finds_the_same(nodes: Any) -> None:
    nodes.configure(FAULTS)
    nodes.data_dir.mkdir(mode=0o700)
    first = nodes.start()
    said = findings(first)
    first.stop()
    assert (nodes.data_dir / "config.cache").exists()
    assert said == findings(nodes.start())


def test_a_start_with_files_that_can_not_be_read_goes_on_with_what_they_said_before(nodes: Any) -> None:
    nodes.configure("scheduler: {max_running_tasks: 3}\ntasks: {hello: {run: [echo, hello]}}\n")
    drop_in = nodes.file.parent / "conf.d" / "10-more.json"
    drop_in.parent.mkdir()
    drop_in.write_text('{"general": {"host_city": "Oulu"}}')
    nodes.data_dir.mkdir(mode=0o700)
    nodes.start().stop()
    nodes.configure("scheduler: {max_running_tasks: 5\ntasks: [\n")
    drop_in.write_text('{"general": {"host_city": "Oulu"')
    node = nodes.start()
    said = findings(node)
    assert (3, ["hello"], "Oulu") == (
        node.ask("node.status")["tasks"]["slots"],
        list(tasks(node)),
        node.ask("config.get", key="general.host_city")["value"],
    )
    assert 2 == len(
        [line for line in said if "what it said when it could last be read counts until it is mended" in line]
    )
    drop_in.unlink()
    nodes.configure("scheduler: {max_running_tasks: 5}\n")
    node.wait_for(lambda line: line.get("revision") == 2)
    assert (5, []) == (node.ask("node.status")["tasks"]["slots"], findings(node))


def test_strict_and_validate_refuse_the_same(nodes: Any) -> None:
    nodes.configure(FAULTS)
    strict = nodes.begin("--strict")
    assert 78 == strict.end()
    checked = strict.dms("config", "validate", str(nodes.file))
    assert 78 == checked.returncode
    assert checked.stdout.endswith("6 problems; the rest is valid.\n")  # whether functions are there is not looked at
    for place, what in PLACES.items():
        if place != "10:16":
            assert named(nodes, place) + what in checked.stdout
            assert named(nodes, place) + what in "\n".join(strict.lines).removeprefix("dms: ")
    assert not nodes.data_dir.exists()


@pytest.mark.parametrize(
    "text",
    ["general: {data_dir: 5}", "general: here", "general: {data_dir: ''}"],
)
def test_a_bad_place_refuses_the_start(nodes: Any, text: str) -> None:
    nodes.configure(text)
    node = nodes.begin(DMS_GENERAL__DATA_DIR="")
    assert 78 == node.end()
    assert [] == [line for line in node.lines if "Traceback" in line]
    assert "general" in node.lines[0]


def test_a_working_folder_that_can_not_be_made_refuses_the_start(nodes: Any) -> None:
    nodes.configure(general={"work_dir": "/proc/nowhere"})
    node = nodes.begin()
    assert 78 == node.end()
    assert node.lines[-1].startswith("dms: general.work_dir: /proc/nowhere can't be made: ")


@pytest.mark.parametrize("words", [("--config", "absent.yaml"), ("--set", "general.data_dir="), ("--set", "debug=1")])
def test_what_is_not_there_refuses_the_start(nodes: Any, words: tuple[str, ...]) -> None:
    node = nodes.begin(*words)
    assert 78 == node.end()
    assert 1 == len(node.lines)


def test_a_name_twice_is_said_and_one_of_the_two_counts(nodes: Any) -> None:
    nodes.configure("tasks:\n  twice: {run: [echo, first], every: 1h}\n  twice: {run: [echo, second], every: 2h}\n")
    node = nodes.start()
    assert ["tasks.twice: "] == [line.split("  ")[1][: len("tasks.twice: ")] for line in findings(node)]
    assert ["twice"] == list(tasks(node))


def test_a_name_of_the_nodes_own_is_said(nodes: Any) -> None:
    nodes.configure(tasks={"node-facts": {"run": ["true"], "every": "1h"}})
    node = nodes.start()
    assert ["tasks.node-facts: a task called node-facts is there already; remove it first, or take another name"] == (
        findings(node)
    )
    assert {} == tasks(node)


WHOLE = {
    "steady": {"call": "functions:work", "every": "1h"},
    "held": {"call": "functions:work", "every": "1h"},
    "once": {"call": "functions:work", "after": "0s"},
}


def fire(node: Any) -> float:
    return datetime.fromisoformat(tasks(node)["steady"]["next_fire"]).timestamp()


@pytest.mark.parametrize(
    "broken",
    [
        "tasks: {steady: [",
        "tasks: [steady]",
        "tasks: 5",
        'tasks: {steady: {call: "functions:work", every: often}, held: {run: 5}, once: {after: later}}',
        "tasks: {steady: 1, held: 2, once: 3}",
    ],
)
def test_a_broken_file_costs_no_task_what_is_known_of_it(nodes: Any, broken: str) -> None:
    nodes.configure(tasks=WHOLE)
    first = nodes.start()
    first.ask("task.pause", name="held", reason="the disk is full")
    first.wait_for_end_of("once")
    before = fire(first)
    first.stop()
    nodes.configure(broken)
    degraded = nodes.start()
    assert "degraded" == degraded.ask("node.status")["state"]
    assert [] == [task["name"] for task in tasks(degraded).values() if task["state"] != "parked"]
    degraded.stop()
    nodes.configure(tasks=WHOLE)
    mended = nodes.start()
    assert {"steady": "ready", "held": "paused"} == {name: task["state"] for name, task in tasks(mended).items()}
    assert "the disk is full" in tasks(mended)["held"]["reason"]
    assert abs(before - fire(mended)) < 0.1
    assert 1 == len(mended.history("once"))


def test_a_task_that_the_file_names_no_more_is_gone_and_its_history_stays(nodes: Any) -> None:
    nodes.configure(tasks=WHOLE)
    first = nodes.start()
    first.run("steady")
    first.stop()
    nodes.configure(tasks={"held": WHOLE["held"]})
    second = nodes.start()
    assert ["held"] == list(tasks(second))
    assert ["success"] == [execution["status"] for execution in second.history("steady")]
    assert 3 == second.dms("task", "run", "steady").returncode


def test_a_changed_calendar_does_not_fire_at_the_edit(nodes: Any) -> None:
    """Times before the edit never belonged to the new line (systemd/systemd#16732)."""
    clock = {"call": "functions:work", "cron": "* * * * * *"}
    nodes.configure(tasks={"clock": clock, "edited": {**clock, "cron": "0 0 1 1 *"}})
    first = nodes.start()
    first.wait_for_end_of("clock", times=2)  # so that a time of the new line lies between the two starts
    first.stop()
    nodes.configure(tasks={"edited": clock})
    second = nodes.start()
    started = datetime.fromisoformat(second.ask("node.info")["started_at"])
    second.wait_for_end_of("edited")
    oldest = second.history("edited")[-1]
    assert ("schedule", True) == (oldest["cause"], datetime.fromisoformat(oldest["due_at"]) > started)


def test_layers_lie_over_each_other_and_tell_where_a_value_is_from(nodes: Any) -> None:
    nodes.configure(scheduler={"max_running_tasks": 3})
    node = nodes.start("--set", "scheduler.history_max_count=7", DMS_SCHEDULER__MAX_RUNNING_TASKS="5")
    assert (5, 7) == tuple(
        node.ask("config.get", key=f"scheduler.{key}")["value"] for key in ("max_running_tasks", "history_max_count")
    )
    told = node.dms("config", "get", "scheduler.max_running_tasks", "--json")
    assert 0 == told.returncode
    assert "environment" in told.stdout
    assert 5 == node.ask("node.status")["tasks"]["slots"]


def test_without_a_file_all_is_by_default(nodes: Any) -> None:
    node = nodes.start()
    assert {} == tasks(node)
    assert "no file: the defaults" in node.dms("status").stdout
