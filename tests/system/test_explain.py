"""Why a task of a real node ran, or did not, and what is to come, as its command line tells it; also after a kill."""

import json
import re
from datetime import datetime
from typing import Any

TASKS = {
    "hold": {"call": "functions:obey", "on": "door.opened"},
    "tick": {"call": "functions:work", "every": "1s", "overlap": "queue"},
    "work": {"call": "functions:work"},
}


def said(node: Any, *words: str) -> str:
    ended = node.dms(*words)
    assert (0, "") == (ended.returncode, ended.stderr)
    return str(ended.stdout)


def test_why_a_run_came_is_told_by_its_moment(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    run = node.run("work")
    at = datetime.fromisoformat(run["started_at"]).astimezone().strftime("%Y-%m-%dT%H:%M")
    first, *facts = said(node, "task", "explain", "work", "--at", at).splitlines()
    assert re.fullmatch(r"work ran at [\d:]+ today because an operator asked for it; it ended in success .*\.", first)
    assert [f"Execution {run['id']}, attempt 1 of run {run['id']}."] == facts
    told = json.loads(said(node, "task", "explain", "work", "--at", at, "--json"))
    assert ("work", "ran", first, facts) == (told["task"], told["verdict"], told["sentence"], told["facts"])


def test_what_was_left_out_is_told_with_its_reason_after_a_kill_too(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    node.ask("event.emit", topic="door.opened")
    node.wait_for(lambda line: (line.get("task"), line["event"]) == ("hold", "start"))
    node.ask("event.emit", topic="door.opened")
    said(node, "task", "pause", "tick", "--reason", "new disk")
    node.wait_for(lambda line: (line.get("task"), line.get("status")) == ("tick", "skipped"))
    node.run("work")  # what was decided before it is on disk then
    node.kill()

    again = nodes.start()
    overlap = said(again, "task", "explain", "hold").splitlines()[-1]
    assert re.fullmatch(
        r"Its fire of [\d:]+ today did not run: hold is running already; its overlap is skip\.", overlap
    )
    sentence, *facts = said(again, "task", "explain", "tick").splitlines()
    since = r"paused since [\d:]+ today \(new disk\)"
    assert re.fullmatch(rf"tick is {since}; what comes due meanwhile is left out\.", sentence)
    assert re.fullmatch(rf".* did not run: it was {since}\.", facts[-1])


def test_a_task_that_is_not_there_is_named(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    ended = nodes.start().dms("task", "explain", "wrok")
    assert (3, True) == (ended.returncode, "work" in ended.stderr)


def test_what_is_to_come_is_drawn_and_told_to_programs(nodes: Any) -> None:
    daily = {"call": "functions:work", "cron": "0 3 * * *"}
    nodes.configure(tasks=TASKS | {"backup": daily, "report": daily}, scheduler={"max_running_tasks": 1})
    node = nodes.start()
    node.run("backup")
    drawn = said(node, "task", "preview", "--days", "7").splitlines()
    (row,) = (line for line in drawn if line.startswith("backup "))
    assert (7, True) == (row.count("1"), len(row) <= 80)
    assert re.search(r"2 start together: backup, report \(7 times, first .* 03:00:00\)\.", "\n".join(drawn))
    assert "tick is left out: it comes " in "\n".join(drawn)
    told = json.loads(said(node, "task", "preview", "report", "--days", "7", "--json"))
    assert [("report", 7)] == [(each["task"], each["runs"]) for each in told["tasks"]]


def test_a_killed_nodes_decisions_are_decided_once_more(nodes: Any) -> None:
    nodes.configure(tasks=TASKS, scheduler={"record_size": 1})
    node = nodes.start()
    node.run("work")
    node.kill()
    nodes.start().run("work")
    for file in ("decisions.jsonl.1", "decisions.jsonl"):
        told = json.loads(said(nodes.last, "task", "replay", str(nodes.data_dir / file), "--json"))
        assert (None, True) == (told["difference"], told["decisions"] > 5)
