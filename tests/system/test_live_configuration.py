"""The real daemon while its configuration changes: saved files, commands, and a kill in the middle of a change."""

import signal
from threading import Thread
from typing import Any

import pytest

from dms.errors import DmsError

SLOTS = "scheduler.max_running_tasks"


def wait_for_revision(node: Any, number: int) -> dict[str, Any]:
    found: dict[str, Any] = node.wait_for(lambda line: line.get("revision") == number)
    return found


def test_a_saved_file_takes_effect_without_a_restart(nodes: Any) -> None:
    nodes.configure(tasks={"hello": {"run": ["echo", "hello"], "every": "1h"}})
    node = nodes.start()
    nodes.configure(tasks={"hello": {"run": ["echo", "again"], "every": "1h"}, "more": {"run": ["echo", "more"]}})
    assert node.tells(lambda line: line.get("revision") == 2, within=1)
    assert "file" == wait_for_revision(node, 2)["author"]
    assert ["again\n", "more\n"] == [node.run(name)["results"]["output"] for name in ("hello", "more")]
    nodes.configure(tasks={"more": {"run": ["echo", "more"]}})
    wait_for_revision(node, 3)
    assert ["more"] == [task["name"] for task in node.ask("task.list") if task["lane"] == "user"]


def test_a_running_task_is_left_to_finish_as_it_began(nodes: Any) -> None:
    nodes.configure(tasks={"job": {"call": "functions:obey"}})
    node = nodes.start()
    with node.waiting_for("job"):
        nodes.configure(tasks={})
        wait_for_revision(node, 2)
        assert ["job"] == [line[0] for line in node.journal]
        assert 0 == node.stop()
    assert ["start", "told"] == [line[3] for line in node.journal]


def test_a_bad_edit_is_refused_whole_said_loudly_and_forgotten_once_it_is_mended(nodes: Any) -> None:
    nodes.configure("scheduler: {max_running_tasks: 4}\n")
    node = nodes.start()
    nodes.configure("scheduler: {max_running_tasks: 5, max_runing_tasks: 6}\n")
    refused = node.wait_for(lambda line: line["level"] == "error")
    assert "mine.yaml:1:35" in refused["event"]
    assert ("degraded", 4) == (node.ask("node.status")["state"], node.ask("node.status")["tasks"]["slots"])
    nodes.configure("scheduler: {max_running_tasks: 5}\n")
    wait_for_revision(node, 2)
    assert 5 == node.ask("node.status")["tasks"]["slots"]


def test_a_file_that_is_emptied_or_gone_for_a_while_lets_nothing_fall_back_to_a_default(nodes: Any) -> None:
    """microsoft/service-fabric-traefik#31: settings were dropped whenever the file was read while it was empty."""
    tasks = {"hello": {"run": ["echo", "hello"]}}
    file = nodes.configure(scheduler={"max_running_tasks": 3}, tasks=tasks)
    node = nodes.start()
    for slots, vanish in ((4, lambda: file.write_text("")), (5, file.unlink)):
        vanish()
        node.wait_for(lambda line: line["level"] == "error", times=slots - 3)
        nodes.configure(scheduler={"max_running_tasks": slots}, tasks=tasks)
        wait_for_revision(node, slots - 2)
    changed = [change for each in node.ask("config.history", limit=2) for change in each["changes"]]
    assert [(SLOTS, 4, 5), (SLOTS, 3, 4)] == [(each["key"], each["before"], each["after"]) for each in changed]
    assert 2 == len([line for line in node.log if line["level"] == "error"])


def test_commands_change_the_configuration_and_it_outlives_a_restart(nodes: Any) -> None:
    node = nodes.start()
    told = node.dms("config", "set", SLOTS, "2", "--reason", "quieter")
    assert (0, f"{SLOTS}: ") == (told.returncode, told.stdout[: len(SLOTS) + 2])
    assert "-> 2, live now\nRevision 2. Undo: dms config rollback 1\n" in told.stdout
    assert 0 == node.dms("task", "add", "hello", "--every", "1h", "--", "echo", "hello").returncode
    assert 0 == node.dms("task", "disable", "hello").returncode
    assert 0 == node.stop()
    node = nodes.start()
    assert ("disabled", 2) == (node.ask("task.get", name="hello")["state"], node.ask("node.status")["tasks"]["slots"])
    assert 0 == node.dms("task", "enable", "hello").returncode
    assert 0 == node.dms("task", "remove", "hello").returncode
    assert 3 == node.dms("task", "get", "hello").returncode
    assert 0 == node.dms("config", "rollback", "1").returncode
    assert 2 != node.ask("node.status")["tasks"]["slots"]
    assert "quieter" in [each["reason"] for each in node.ask("config.history")]


@pytest.fixture(scope="module")
def quiet_node(shared_nodes: Any) -> Any:
    """A node that no test changes."""
    return shared_nodes.start()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["set", SLOTS, "many"], 2, f'{SLOTS}: "many" is not a whole number'),
        (["set", "scheduler.max_runing_tasks", "2"], 2, "Did you mean max_running_tasks?"),
        (["set", "general.data_dir", "/elsewhere"], 2, "says where the node lives"),
        (["set", SLOTS], 2, "give a value for each key"),
        (["set", SLOTS, "2", "--revision", "99"], 4, "revision 99 has not come yet"),
        (["rollback", "99"], 3, "there is no revision 99"),
    ],
)
def test_a_bad_change_is_one_plain_message_and_an_exit_status(
    quiet_node: Any, words: list[str], status: int, message: str
) -> None:
    told = quiet_node.dms("config", *words)
    assert status == told.returncode
    assert message in told.stderr
    assert 1 == quiet_node.ask("node.status")["revision"]


def test_a_task_that_a_file_declares_is_not_removed(nodes: Any) -> None:
    nodes.configure(tasks={"hello": {"run": ["echo", "hello"]}})
    node = nodes.start()
    told = node.dms("task", "remove", "hello")
    assert (4, True) == (told.returncode, "mine.yaml: take it out there" in told.stderr)


def test_a_hangup_reads_the_files_anew(nodes: Any) -> None:
    nodes.configure("scheduler: {max_running_tasks: 4}\n")
    node = nodes.start()
    nodes.configure("scheduler: {max_running_tasks: 5}\n")
    node.signal(signal.SIGHUP)
    wait_for_revision(node, 2)
    assert 5 == node.ask("node.status")["tasks"]["slots"]


def test_a_kill_in_the_middle_of_changes_leaves_the_old_or_the_new_state_whole(nodes: Any) -> None:
    """Two keys that always change together are the same after each kill, and what was answered is there."""
    answered = 0
    for life in range(5):
        node = nodes.start()
        config = {key: node.ask("config.get", key=key)["value"] for key in (SLOTS, "scheduler.history_max_count")}
        if life:
            assert config[SLOTS] == config["scheduler.history_max_count"]
            assert answered <= config[SLOTS] <= answered + 1

        def change(node: Any = node) -> None:
            nonlocal answered
            try:
                for _ in range(200):
                    both = dict.fromkeys((SLOTS, "scheduler.history_max_count"), answered + 1)
                    node.ask("config.set", changes=both)
                    answered += 1
            except (DmsError, OSError):
                pass

        before = answered
        changing = Thread(target=change)
        changing.start()
        node.wait_for(lambda line: "configuration changed" in line["event"], times=3 + life)
        node.kill()
        changing.join(20)
        assert answered > before
