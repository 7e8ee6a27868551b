import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dms.cli import main
from dms.cli.asking import data_folder
from dms.cli.config import print_reloaded, read_value
from dms.config import default_config
from dms.health import Finding


class Ended:
    """How a call of `dms` ended: its exit status, what it printed, and what it told on standard error."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Dms = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Dms:
    def run_dms(*words: str) -> Ended:
        status = main(words)
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return Ended(status, told.out, told.err)

    return run_dms


@pytest.fixture
def dms(node: Any, run: Dms, monkeypatch: pytest.MonkeyPatch) -> Dms:
    monkeypatch.setenv("DMS_GENERAL__DATA_DIR", str(node.data_dir))
    return run


def test_the_status_says_how_the_node_is_in_four_lines(dms: Dms, node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(node.data_dir.parent)
    told = dms("status")
    lines = told.out.splitlines()
    assert "quiet-heron is well · up 4 m · 0.1.0 · revision 0" == lines[0]
    expected = "tasks     4 declared, 1 of its own · 0 running, 0 waiting of 4 slots · next: answer in 1 h"
    assert expected == lines[1]
    assert f"doors     socket ./{node.data_dir.name}/dms.sock" == lines[2]
    assert "config    no file: the defaults" == lines[3]
    assert (0, "") == (told.status, told.err)


def test_what_was_found_is_listed_with_it(dms: Dms, node: Any) -> None:
    node.health.report(Finding("config_unknown_key", "tasks.x", "dms_config.yaml:9:3  tasks.x.retires: unknown key"))
    told = dms("status")
    assert told.out.startswith("quiet-heron is degraded")
    assert "finding   dms_config.yaml:9:3  tasks.x.retires: unknown key" == told.out.splitlines()[-1]


def test_the_list_stands_in_columns(dms: Dms) -> None:
    told = dms("task", "list").out.splitlines()
    assert ["NAME", "WHEN", "NEXT", "LAST", "STATE"] == told[0].split()
    assert ["answer", "broken", "hold", "listen"] == [line.split()[0] for line in told[1:]]
    assert re.fullmatch(r"answer  every 1h30m +in 1 h +ready", told[1])
    assert 1 == len({line.index("ready") for line in told[1:]} | {told[0].index("STATE")})


def test_the_node_s_own_tasks_are_listed_when_asked_for(dms: Dms) -> None:
    assert "tidy" in [task["name"] for task in dms("task", "list", "--all", "--json").document]
    assert "tidy" not in [task["name"] for task in dms("task", "list", "--json").document]


def test_a_task_as_a_document(dms: Dms) -> None:
    document = dms("task", "get", "answer", "--json").document
    assert (1, "answer", "ready", True, ["every 1h30m"], None) == tuple(
        document[name] for name in ("id", "name", "state", "enabled", "triggers", "last")
    )


def test_a_task_for_people(dms: Dms) -> None:
    told = dms("task", "get", "1").out.splitlines()
    assert [
        "name      answer (ID 1, code)",
        "what      The answer.",
        "state     ready",
        "when      every 1h30m",
    ] == told[:4]


def test_a_run_that_is_waited_for_tells_its_outcome(dms: Dms) -> None:
    told = dms("task", "run", "answer", "--wait")
    assert re.fullmatch(r"answer: success after \d+ ms: 42\n", told.out)
    assert 0 == told.status


def test_a_run_that_fails_ends_with_1_and_says_why(dms: Dms) -> None:
    told = dms("task", "run", "broken", "--wait")
    assert re.match(r"broken: failed after \d+ ms on attempt 2: .*connect to 127.0.0.1:8080 refused", told.out)
    assert 1 == told.status


def test_its_execution_as_a_document_comes_with_the_same_status(dms: Dms) -> None:
    told = dms("task", "run", "broken", "--wait", "--json")
    members = (
        "id",
        "run_id",
        "task",
        "attempt",
        "status",
        "due_at",
        "started_at",
        "ended_at",
        "error",
        "event",
        "results",
    )
    assert set() == set(members) - set(told.document)
    assert (1, "failed", 2) == (told.status, told.document["status"], told.document["attempt"])


def test_a_run_that_is_not_waited_for_is_told_as_accepted(dms: Dms) -> None:
    told = dms("task", "run", "hold")
    assert re.fullmatch(r"hold: (waiting|starting|running) \(execution 1-\d+\)\n", told.out)
    assert 0 == told.status


def test_the_event_is_given_as_json(dms: Dms) -> None:
    assert {"door": 1} == dms("task", "run", "listen", "--event", '{"door": 1}', "--wait", "--json").document["results"]


def test_patience_may_end_before_the_run(dms: Dms) -> None:
    told = dms("task", "run", "hold", "--wait", "--timeout", "10ms")
    assert (1, "dms: hold has not ended within 10ms; the run goes on\n") == (told.status, told.err)


def test_a_second_run_is_a_conflict(dms: Dms, node: Any) -> None:
    dms("task", "run", "hold")
    told = dms("task", "run", "hold")
    assert 4 == told.status
    assert told.err.startswith("dms: hold is running already")


def test_the_history_is_newest_first_a_line_an_attempt(dms: Dms) -> None:
    dms("task", "run", "broken", "--wait")
    told = dms("task", "history", "broken").out.splitlines()
    assert ["ID", "STARTED", "STATUS", "TOOK", "CPU", "MEMORY", "ATTEMPT", "CAUSE", "OUTCOME"] == told[0].split()
    assert ["2", "1"] == [re.split(r"  +", line)[5] for line in told[1:]]
    assert all(re.fullmatch(r"\d+ ms", re.split(r"  +", line)[4]) for line in told[1:])
    document = dms("task", "history", "broken", "--json", "--limit", "1").document
    assert [2] == [execution["attempt"] for execution in document]


def test_what_the_last_execution_used_is_told_with_the_task(dms: Dms) -> None:
    dms("task", "run", "answer", "--wait")
    assert re.search(r"^took +\d+ ms, \d+ ms of processor time$", dms("task", "get", "answer").out, re.MULTILINE)


def test_a_history_without_an_execution_says_so(dms: Dms) -> None:
    assert "It has not run yet.\n" == dms("task", "history", "answer").out
    assert [] == dms("task", "history", "answer", "--json").document


def test_what_to_do_where_it_runs_already_is_said_for_this_once(dms: Dms, node: Any) -> None:
    assert 0 == dms("task", "run", "hold").status
    assert 4 == dms("task", "run", "hold").status
    assert 0 == dms("task", "run", "hold", "--overlap", "allow").status
    assert 2 == node.scheduler.view("hold").running
    assert 2 == dms("task", "run", "hold", "--overlap", "sometimes").status


def test_a_task_is_paused_and_goes_on(dms: Dms) -> None:
    assert "answer is paused.\n" == dms("task", "pause", "answer", "--reason", "disk is full").out
    paused = dms("task", "get", "answer", "--json").document
    assert ("paused", "disk is full") == (paused["state"], paused["reason"])
    assert "answer goes on.\n" == dms("task", "resume", "answer").out
    assert "ready" == dms("task", "get", "answer", "--json").document["state"]


def test_a_pause_tells_its_end_and_whether_more_holds_the_task_back(dms: Dms) -> None:
    dms("task", "pause", "answer", "--for", "1h", "--reason", "disk is full")
    assert re.search(
        r"state +paused until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: disk is full\n", dms("task", "get", "answer").out
    )
    assert " · 1 paused" in dms("status").out
    dms("task", "pause", "--all")
    assert re.search(r"state +paused: disk is full\n", dms("task", "get", "answer").out)
    assert (
        "answer is not paused by itself any more, but everything is: dms task resume --all\n"
        == dms("task", "resume", "answer").out
    )
    assert "next:" not in dms("status").out
    dms("task", "resume", "--all")
    assert "paused" not in dms("status").out


def test_the_next_fire_of_a_task_is_left_out_or_is_not_after_all(dms: Dms) -> None:
    moment = r"\(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)"
    assert re.fullmatch(rf"answer: its next fire {moment} will be skipped\.\n", dms("task", "skip-next", "answer").out)
    assert re.search(r"^answer +every 1h30m +in 1 h, skipped +ready$", dms("task", "list").out, re.MULTILINE)
    told = dms("task", "skip-next", "answer", "--undo").out
    assert re.fullmatch(rf"answer: its next fire {moment} runs\.\n", told)


def test_past_fires_are_run_between_two_moments(dms: Dms) -> None:
    now = datetime.now(UTC)
    told = dms("task", "backfill", "answer", (now - timedelta(hours=4)).isoformat()).out
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"answer: 3 runs, for {moment} to {moment}, one after another\.\n", told)
    span = [(now - timedelta(hours=hours)).isoformat() for hours in (2, 1)]
    assert re.fullmatch(rf"answer: 1 run, for {moment}, one after another\.\n", dms("task", "backfill", "1", *span).out)
    nothing = dms("task", "backfill", "hold", *span).out
    assert "hold has no fire in that span; nothing runs.\n" == nothing


def test_why_a_task_ran_is_told_in_a_sentence_and_the_facts_under_it(dms: Dms) -> None:
    assert "hold runs when somebody asks.\n" == dms("task", "explain", "hold").out
    dms("task", "run", "answer", "--wait")
    now = datetime.now().astimezone()
    told = dms("task", "explain", "answer", "--at", now.strftime("%Y-%m-%dT%H:%M")).out.splitlines()
    assert told[0] in dms("task", "explain", "answer", "--at", now.strftime("%H:%M")).out
    assert re.fullmatch(r"answer ran at .* because an operator asked for it; it ended in success after .*\.", told[0])
    assert re.fullmatch(r"Execution 1-\d+, attempt 1 of run 1-\d+\.", told[-1])


@pytest.mark.parametrize("option", [("--for", "2h"), ("--until", "2126-12-24T18:00"), ("--until", "18:00")])
def test_a_pause_may_have_an_end(option: tuple[str, str], dms: Dms) -> None:
    told = dms("task", "pause", "answer", *option)
    assert re.fullmatch(r"answer is paused until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\n", told.out)


def test_everything_is_paused_only_when_that_is_said(dms: Dms) -> None:
    assert 2 == dms("task", "pause").status
    assert {"paused"} == {
        task["state"] for task in dms("task", "pause", "--all", "--json").document if task["lane"] == "user"
    }
    assert "Everything goes on.\n" == dms("task", "resume", "--all").out


def test_an_event_is_emitted(dms: Dms) -> None:
    assert "door.opened was emitted.\n" == dms("event", "emit", "door.opened", '{"door": "north"}').out
    assert {"topic": "door.closed"} == dms("event", "emit", "door.closed", "--json").document


def test_a_key_and_where_it_comes_from(dms: Dms) -> None:
    assert re.fullmatch(r"shutdown.timeout = 9s   \(default\)\n", dms("config", "get", "shutdown.timeout").out)
    document = dms("config", "get", "shutdown.timeout", "--json").document
    assert ("shutdown.timeout", "9s", "default") == (document["key"], document["value"], document["origin"])


def test_a_section_is_listed_key_by_key(dms: Dms) -> None:
    assert "shutdown.timeout = 9s" in dms("config", "get", "shutdown").out.splitlines()


def test_a_key_is_explained(dms: Dms) -> None:
    told = dms("config", "explain", "shutdown.timeout").out.splitlines()
    assert "shutdown.timeout = 9s" == told[0]
    assert re.fullmatch(r"  default  9s  .*<- in force", told[1])


def test_a_long_value_gives_way_to_the_place_where_it_stands(dms: Dms, monkeypatch: pytest.MonkeyPatch) -> None:
    dms("config", "set", "general.host_city", "x" * 60)
    monkeypatch.setattr("dms.cli.terminal._room", lambda: 80)
    told = dms("config", "explain", "general.host_city").out.splitlines()
    assert re.fullmatch(r"  persistent override  x+…  .* by socket, revision 2 +<- in force", told[1])


def test_the_log_is_printed(dms: Dms, node: Any) -> None:
    node.logs.publish({"at": "2026-11-25T02:00:00+00:00", "level": "warning", "event": "disk\x1b[31m full", "free": 3})
    (line,) = dms("logs").out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning  disk\\x1b\[31m full  free=3", line)
    assert [3] == [each["free"] for each in dms("logs", "--json").document]


def test_what_a_task_says_is_printed_with_its_marks_and_nothing_that_steers(dms: Dms, node: Any) -> None:
    node.talk(["info", "begun"], ["warning", "slow\x1b[2J"], ["stderr", "\x1b[31mred\x1b[0m\ttab"])
    told = dms("task", "logs", "talk")
    head, *lines = told.out.splitlines()
    assert re.fullmatch(r"── 1-\d+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", head)
    assert ["         begun", "warning  slow\\x1b[2J", "stderr   red\ttab"] == [line[9:] for line in lines]
    assert ["stderr   red\ttab"] == [line[9:] for line in dms("task", "logs", "talk", "-n", "1").out.splitlines()[1:]]


def test_what_a_task_says_comes_as_documents(dms: Dms, node: Any) -> None:
    node.talk(["info", "begun"], ["stderr", "\x1b[2J"])
    told = [json.loads(line) for line in dms("task", "logs", "talk", "--json").out.splitlines()]
    assert [("info", "begun", 1), ("stderr", "\x1b[2J", 2)] == [(e["kind"], e["text"], e["number"]) for e in told]


def test_a_task_that_has_said_nothing_is_told_so(dms: Dms) -> None:
    told = dms("task", "logs", "answer")
    assert (0, "", "answer has said nothing yet, or nothing that is still kept.\n") == (told.status, told.out, told.err)


def test_a_traceback_in_the_log_is_printed_below_its_line(dms: Dms, node: Any) -> None:
    trace = "Traceback:\n  work()\nValueError: odd"
    node.logs.publish({"at": "2026-11-25T02:00:00+00:00", "level": "error", "event": "broken", "exception": trace})
    assert ["    Traceback:", "      work()", "    ValueError: odd"] == dms("logs").out.splitlines()[1:]


def test_any_method_can_be_called(dms: Dms) -> None:
    assert "pong" == dms("call", "rpc.ping").document
    assert "answer" == dms("call", "task.get", '{"name": "answer"}').document["name"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("task", "get", "anwser"), 3, "Did you mean answer?"),
        (("task", "run", "99"), 3, "99"),
        (("config", "get", "shutdown.timeuot"), 3, "Did you mean timeout?"),
        (("call", "task.lst"), 3, "Did you mean task.list?"),
        (("call", "task.get", '{"nam": 1}'), 2, "nam: unknown parameter"),
        (("call", "task.get", '["a", 1]'), 2, "give an object"),
        (("call", "task.get", "{"), 2, "is not JSON"),
        (("task", "run", "answer", "--event", "north"), 2, "a text needs its own quotes: '\"north\"'"),
        (("task", "run", "answer", "--timeout", "1s"), 2, "--timeout belongs to --wait"),
        (("task", "run", "answer", "--wait", "--timeout", "5 parsecs"), 2, "'5 parsecs' is not a length of time"),
        (("task", "pause", "answer", "--for", "soon"), 2, "--for: 'soon' is not a length of time"),
        (("task", "pause", "answer", "--until", "soon"), 2, "'soon' is not a moment"),
        (("task", "pause", "answer", "--for", "1h", "--until", "2126-01-01"), 2, "give one of the two"),
        (("task", "pause", "answer", "--until", "2020-01-01"), 2, "is past; name a moment that is to come"),
        (("config", "set", "tasks.answer.exclude", "[nights]"), 2, 'double quotes, as in ["a", "b"]'),
        (("config", "set", "tasks.answer.concurrency", "{key: disk}"), 2, 'as in {"key": "disk"}'),
        (("task", "backfill", "answer", "soon"), 2, "'soon' is not a moment"),
        (("task", "backfill", "answer", "2026-01-01", "2126-01-01"), 2, "until: 2126-01-0"),
        (("task", "explain", "answer", "--at", "soon"), 2, "'soon' is not a moment"),
        (("event", "emit", "a b"), 2, "topic: 'a b' is not words joined by dots"),
        (("event", "emit", "a\udc80"), 2, "not UTF-8 text"),
        (("task", "history", "answer", "--limit", "0"), 2, "0 is not in the range"),
        (("staus",), 2, "no such command staus. Did you mean status?"),
        (("task", "lst"), 2, "No such command 'lst'"),
        (("task", "list", "--josn"), 2, "No such option '--josn'"),
        (("config", "set", "a.b", "-5"), 2, "a value below 0 stands after --, as in: dms config set -- tasks.backup"),
        (("config", "set", "a.b", "--dyr-run"), 2, "No such option '--dyr-run'"),
    ],
)
def test_what_goes_wrong_is_one_plain_message_and_an_exit_status(
    words: tuple[str, ...], status: int, message: str, dms: Dms
) -> None:
    told = dms(*words)
    assert (status, "") == (told.status, told.out)
    assert message in told.err


def test_with_json_an_error_is_a_document_too(dms: Dms) -> None:
    told = dms("task", "get", "anwser", "--json")
    assert "not_found" == told.document["error"]["reason"]
    assert 3 == told.status


def test_where_no_node_is_that_is_said_with_how_to_start_one(run: Dms, data_dir: Any) -> None:
    told = run("status", "--data-dir", str(data_dir))
    assert 69 == told.status
    assert f"dms: no node answers at {data_dir}; start one with: dms run --data-dir {data_dir}\n" == told.err


@pytest.mark.parametrize("option", ["--data-dir", "--json"])
def test_an_option_before_the_command_is_sent_to_its_place(option: str, run: Dms) -> None:
    told = run(option, "x", "status")
    assert 2 == told.status
    assert f"{option} stands after the command, as in: dms status {option}" in told.err


def test_the_version_is_told(run: Dms) -> None:
    from dms import __version__

    assert f"dms {__version__}\n" == run("--version").out


@pytest.mark.parametrize("words", [("--help",), ("task", "--help"), ("task", "run", "--help"), ("run", "-h")])
def test_every_command_explains_itself(words: tuple[str, ...], run: Dms) -> None:
    told = run(*words)
    assert 0 == told.status
    assert told.out.startswith("Usage: dms")


def test_a_mistake_of_ours_is_one_line_and_on_request_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(words: object) -> int:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("dms.cli.application._invoke", broken)
    assert 1 == main(["status"])
    assert "dms: RuntimeError: unforeseen (a mistake in dms; DMS_DEBUG=1 shows where)\n" == capsys.readouterr().err
    monkeypatch.setenv("DMS_DEBUG", "1")
    main(["status"])
    assert "Traceback" in capsys.readouterr().err


def test_where_nobody_names_a_data_folder_the_commands_ask_where_a_node_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    for user in (1000, 0):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        assert data_folder(None) == str(default_config().general.data_dir)


SLOTS = "scheduler.max_running_tasks"


def test_a_value_that_is_set_is_told_with_the_way_back(dms: Dms) -> None:
    before = dms("config", "get", SLOTS, "--json").document["value"]
    told = dms("config", "set", SLOTS, "2")
    assert (0, f"{SLOTS}: {before} -> 2, live now\nRevision 2. Undo: dms config rollback 1\n") == (
        told.status,
        told.out,
    )
    assert f"{SLOTS}: 2 -> {before}, live now" == dms("config", "rollback", "1").out.splitlines()[0]


def test_a_dry_run_tells_what_would_change_and_changes_nothing(dms: Dms) -> None:
    told = dms("config", "set", SLOTS, "2", "--dry-run")
    assert "Nothing was changed: this was a dry run." == told.out.splitlines()[-1]
    assert "No difference.\n" == dms("config", "diff", "1").out


def test_what_differs_and_what_was_changed_are_told(dms: Dms) -> None:
    dms("config", "set", SLOTS, "2", "--reason", "quieter")
    assert dms("config", "diff", "1").out.endswith(" -> 2\n")
    assert ["REVISION", "2", "1"] == [line.split()[0] for line in dms("config", "history").out.splitlines()]


@pytest.mark.parametrize("words", [("unset", SLOTS), ("restore-defaults", SLOTS), ("rollback", "1")])
def test_whichever_way_it_is_taken_back_it_is_as_before(words: tuple[str, ...], dms: Dms) -> None:
    before = dms("config", "get", SLOTS).out
    dms("config", "set", SLOTS, "2")
    assert 0 == dms("config", *words).status
    assert before == dms("config", "get", SLOTS).out


def test_what_is_set_as_a_lower_layer_says_it_is_said_to_be_set_and_only_once(dms: Dms) -> None:
    assert f"{SLOTS}: set; the value in force stays\nRevision 2. Undo: dms config rollback 1\n" == (
        dms("config", "set", SLOTS, str(default_slots(dms))).out
    )
    assert "Nothing to change: it is so already (revision 2).\n" == (
        dms("config", "set", SLOTS, str(default_slots(dms))).out
    )
    assert dms("config", "unset", SLOTS).out.startswith(
        f"{SLOTS}: no longer set; the value in force stays\nRevision 3."
    )


def default_slots(dms: Dms) -> int:
    return int(json.loads(dms("config", "get", SLOTS, "--json").out)["value"])


@pytest.mark.parametrize("words", [("unset", "scheduler.max_slots"), ("restore-defaults", "tasks")])
def test_what_can_not_be_taken_back_is_said(words: tuple[str, ...], dms: Dms) -> None:
    refused = dms("config", *words)
    assert (True, "") == (refused.status != 0, refused.out)
    assert "Nothing was changed" in refused.err


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("true", True), ('["a"]', ["a"]), ("5m", "5m"), ("NaN", "NaN"), ("", ""), ('"[x]"', "[x]")],
)
def test_a_value_is_json_where_it_can_be_read_as_that(text: str, value: Any) -> None:
    assert value == read_value(text)


def test_no_rollback_is_offered_as_the_way_back_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    change = {"key": SLOTS, "before": 3, "after": 5}
    changed = {
        "changes": [change],
        "restart_needed": [],
        "next_run": [],
        "masked_by": {},
        "unseen": {},
        "dry_run": False,
    }
    print_reloaded({**changed, "revision": 2})
    assert f"{SLOTS}: 3 -> 5, live now\nRevision 2. Undo: put the files back as they were\n" == capsys.readouterr().out


def test_a_task_is_added_disabled_enabled_and_removed(dms: Dms) -> None:
    added = dms("task", "add", "new", "--every", "1h", "--set", "priority=2", "--", "echo", "hello")
    assert (0, True) == (added.status, added.out.startswith('tasks.new: nothing -> {"every": "1h"'))
    assert 4 == dms("task", "add", "new", "--", "true").status
    for word in ("disable", "enable", "remove"):
        assert 0 == dms("task", word, "new").status
    assert 3 == dms("task", "remove", "new").status
