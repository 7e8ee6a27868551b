from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.limits import Limits
from dms.background_tasks.tasks.retry import NO_RETRY, Backoff, RetryPolicy
from dms.background_tasks.tasks.task import CatchUp, Durability, Overlap, Program, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.exclusion import Calendar
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.config import TaskDeclaration, load, validate
from dms.declared_tasks import Declared, Unloadable, check_tasks, tasks_from
from dms.declared_tasks.declared import unusable

Declare = Callable[..., Declared]


def work(*args: object, **kwargs: object) -> None:
    """A function to call."""


def found(references: Collection[str]) -> dict[str, Callable[..., object] | Unloadable]:
    return {reference: Unloadable("it is broken") if "broken" in reference else work for reference in references}


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declare:
    """The tasks of a text, with functions that are simply there unless they are called broken."""
    monkeypatch.chdir(tmp_path)

    def from_text(text: str, **environ: str) -> Declared:
        (tmp_path / "dms.yaml").write_text(text)
        environment = {"HOME": "/home/ada", "TZ": "UTC", "DMS_GENERAL__DATA_DIR": "/srv/dms", **environ}
        return tasks_from(load("dms.yaml", environ=environment), found)

    return from_text


def only(declared: Declared) -> Task:
    assert [] == declared.findings
    (task,) = declared.tasks
    return task


def told(declared: Declared) -> list[str]:
    return [str(finding) for finding in declared.findings]


def test_a_program_runs_in_the_working_folder(declare: Declare) -> None:
    task = only(declare("tasks: {a: {run: [df, -h]}}"))
    assert ("a", Program(("df", "-h"), "/srv/dms/work"), "declared", "", ()) == (
        task.name,
        task.function,
        task.origin,
        task.parked,
        task.triggers,
    )


def test_a_function_may_have_a_process_of_its_own_and_a_program_has_one(declare: Declare) -> None:
    assert "process" == only(declare("tasks: {a: {call: 'os:getpid', executor: process}}")).executor
    (task,) = declare("tasks: {a: {run: [x], executor: process}}").tasks
    assert "tasks.a.executor" in task.parked


def test_a_task_has_its_limits(declare: Declare) -> None:
    limits = "limits: {memory: 64000000, cpu_time: 30s, output: 1.5 MiB}"
    expected = Limits(64_000_000, timedelta(seconds=30), 3 * 2**19)
    assert expected == only(declare(f"tasks: {{a: {{run: [x], {limits}}}}}")).limits
    assert expected == only(declare(f"tasks: {{a: {{call: 'os:getpid', executor: process, {limits}}}}}")).limits


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ("call: 'os:getpid', limits: {memory: 64MB}", "limits.memory: a thread or coroutine shares its memory"),
        ("run: [x], limits: {memory: much}", "limits.memory: 'much' is not a size such as 500kB, 64MB or 2GiB"),
        ("run: [x], limits: {cpu_time: 1500ms}", "limits.cpu_time: the system counts whole seconds"),
        ("run: [x], limits: {output: 0}", "limits.output: 0 is not a size"),
    ],
)
def test_a_limit_that_can_not_be_parks_the_task(declare: Declare, limits: str, reason: str) -> None:
    (task,) = declare(f"tasks: {{a: {{{limits}}}}}").tasks
    assert f"tasks.a.{reason}" in task.parked


def test_a_program_has_its_own_folder_and_environment(declare: Declare, tmp_path: Path) -> None:
    task = only(declare("tasks: {a: {run: [x], cwd: ./here, env: {LANG: C}}}"))
    assert Program(("x",), str(tmp_path / "here"), {"LANG": "C"}) == task.function


def test_a_function_gets_its_arguments(declare: Declare) -> None:
    task = only(declare("tasks: {a: {call: 'house.heating:lower', args: [21.5], kwargs: {room: hall}}}"))
    assert (work, [21.5], {"room": "hall"}) == (task.function, task.args, task.kwargs)


@pytest.mark.parametrize(
    ("when", "trigger"),
    [
        ("every: 5m", PeriodicTrigger("5m")),
        ("every: 5m, at_start: true, jitter: 10s", PeriodicTrigger("5m", at_start=True, jitter="10s")),
        ("cron: '0 3 * * *'", PeriodicTrigger(cron="0 3 * * *")),
        (
            "cron: '0 3 * * *', timezone: Europe/Helsinki, jitter: 1m",
            PeriodicTrigger(cron="0 3 * * *", timezone="Europe/Helsinki", jitter="1m"),
        ),
        ("after: 30s", OneTimeTrigger("30s")),
        ("at: 2026-12-24T18:00+02:00", OneTimeTrigger(at=datetime(2026, 12, 24, 16, tzinfo=UTC))),
        ("at: 2026-12-24T18:00, timezone: Europe/Helsinki", OneTimeTrigger(at=datetime(2026, 12, 24, 16, tzinfo=UTC))),
        ("on: task.b.success", EventTrigger("task.b.success")),
        ("every: 5m, mode: fixed_delay", PeriodicTrigger("5m", mode="fixed_delay")),
        ("every: 5m, max_runs: 3", PeriodicTrigger("5m", max_runs=3)),
        ("every: 1d, start: 2026-12-24T18:00+02:00", PeriodicTrigger("1d", start="2026-12-24T16:00+00:00")),
        (
            "cron: '0 3 * * *', timezone: Europe/Helsinki, start: 2026-12-24, end: 2027-01-06T06:00",
            PeriodicTrigger(
                cron="0 3 * * *",
                timezone="Europe/Helsinki",
                start="2026-12-23T22:00+00:00",
                end="2027-01-06T04:00+00:00",
            ),
        ),
    ],
)
def test_each_key_that_says_when_is_a_trigger(declare: Declare, when: str, trigger: object) -> None:
    assert [trigger] == list(only(declare(f"tasks: {{a: {{run: [x], {when}}}}}")).triggers)


def test_calendars_are_declared_beside_the_tasks_that_keep_to_them(declare: Declare) -> None:
    declared = declare(
        """
calendars:
  holidays: {dates: [12-25, 2026-12-31/2027-01-06], weekdays: [sun], timezone: Europe/Helsinki}
  nights: {windows: ["22:00-06:00"]}
tasks:
  a: {run: [x], every: 5m, exclude: [nights, holidays]}
"""
    )
    assert (PeriodicTrigger("5m", exclude=["nights", "holidays"]),) == only(declared).triggers
    holidays = Calendar(dates=["12-25", "2026-12-31/2027-01-06"], weekdays=["sun"], timezone="Europe/Helsinki")
    assert {"holidays": holidays, "nights": Calendar(windows=["22:00-06:00"])} == declared.calendars


@pytest.mark.parametrize(
    ("calendars", "messages"),
    [
        ("{}", ["tasks.a.exclude: no calendar is called 'nights'; there are none."]),
        ("{night: {}}", ["tasks.a.exclude: no calendar is called 'nights'; there are night. Did you mean night?"]),
        (
            "{nights: {windows: [22-6]}}",
            [
                "calendars.nights.windows: '22-6' is not a window of the day such as 22:00-06:00",
                "tasks.a.exclude: the calendar nights can't be used: ",
            ],
        ),
        ("{nights: {windows: 22}}", ["tasks.a.exclude: the calendar nights can't be used: "]),
        ("{nights: {timezone: Mars}}", ["tasks.a.exclude: the calendar nights can't be used: "]),
    ],
)
def test_a_task_whose_calendar_can_not_be_used_is_parked_and_not_run_on_a_guess(
    declare: Declare, calendars: str, messages: list[str]
) -> None:
    declared = declare(f"calendars: {calendars}\ntasks: {{a: {{run: [x], every: 5m, exclude: [nights]}}}}")
    found = [str(finding).partition("  ")[2] for finding in declared.findings]
    assert [True] * len(messages) == [text.startswith(start) for text, start in zip(found, messages, strict=True)]
    assert messages[-1] in declared.tasks[0].parked


def test_a_local_moment_is_read_in_the_schedulers_zone(declare: Declare) -> None:
    """apscheduler's users ran into this; the zone is the trigger's, else the scheduler's."""
    text = "scheduler: {timezone: America/Chicago}\ntasks: {a: {run: [x], at: 2016-04-28T09:40:00}}"
    assert [OneTimeTrigger(at=datetime(2016, 4, 28, 14, 40, tzinfo=UTC))] == list(only(declare(text)).triggers)


def test_several_keys_that_say_when_are_several_triggers(declare: Declare) -> None:
    assert 2 == len(only(declare("tasks: {a: {run: [x], every: 5m, on: door.opened}}")).triggers)


def test_every_other_key_reaches_the_task(declare: Declare) -> None:
    task = only(
        declare(
            """
tasks:
  a:
    run: [x]
    description: What it does
    enabled: false
    priority: -5
    timeout: 2h
    heartbeat_timeout: 90s
    kill_after: 1m
    retry: {max_retries: 3, delay: 30s, backoff: exponential, factor: 3, max_delay: 10m, jitter: 5s,
            retry_on: [OSError, exit 75], give_up_on: [ValueError], supersede: false}
    overlap: allow
    max_instances: 2
    catch_up: all
    catch_up_limit: 4
    catch_up_window: 1h
    durability: at_least_once
"""
        )
    )
    assert ("What it does", False, -5, timedelta(hours=2), timedelta(minutes=1)) == (
        task.description,
        task.enabled,
        task.priority,
        task.timeout,
        task.kill_after,
    )
    assert (
        RetryPolicy(3, "30s", Backoff.EXPONENTIAL, 3.0, "10m", "5s", ["OSError", "exit 75"], ["ValueError"], False)
        == task.retry_policy
    )
    assert timedelta(seconds=90) == task.heartbeat_timeout
    assert (Overlap.ALLOW, 2, CatchUp.ALL, 4, timedelta(hours=1), Durability.AT_LEAST_ONCE) == (
        task.overlap,
        task.max_instances,
        task.catch_up,
        task.catch_up_limit,
        task.catch_up_window,
        task.durability,
    )


def test_what_is_left_out_is_the_tasks_own_default(declare: Declare) -> None:
    declared, plain = only(declare("tasks: {a: {run: [x]}}")), Task("a", Program(("x",)))
    same = {*TaskDeclaration.__struct_fields__, "retry_policy", "lane"} & {*Task.__struct_fields__}
    assert [getattr(plain, field) for field in same] == [getattr(declared, field) for field in same]


def test_without_a_retry_nothing_is_tried_again(declare: Declare) -> None:
    assert NO_RETRY == only(declare("tasks: {a: {run: [x]}}")).retry_policy


@pytest.mark.parametrize(
    ("task", "finding"),
    [
        ('{run: [x], cron: "0 3 31 2 *"}', '1:34  tasks.a.cron: "0 3 31 2 *" never fires: February has no 31st'),
        (
            "{run: [x], cron: 61 * * * *}",
            '1:29  tasks.a.cron: "61 * * * *": minute "61" at offset 0 is not from 0 to 59',
        ),
        ("{every: 5m}", "1:12  tasks.a: run, call: give exactly one of the two"),
        ("{run: [x], call: 'm:f'}", "1:12  tasks.a: run, call: give exactly one of the two"),
        ("{run: []}", "1:18  tasks.a.run: give a list of text with the program first, such as [df, -h, /]"),
        ("{call: f}", "1:19  tasks.a.call: 'f' is not of the form package.module:function"),
        ("{call: 'broken:f'}", "1:19  tasks.a.call: it is broken"),
        (
            "{run: [x], args: [1]}",
            "1:29  tasks.a.args: belongs to call; a program takes its arguments in the list of run",
        ),
        (
            "{call: 'm:f', heartbeat_timeout: 1m}",
            "1:45  tasks.a.heartbeat_timeout: the function takes no parameter run, so it can give no sign of life",
        ),
        ("{call: 'm:f', env: {A: b}}", "1:31  tasks.a.env: belongs to run; a function shares the node's process"),
        ("{run: [x], at: tomorrow}", "1:27  tasks.a.at: 'tomorrow' is not a moment such as 2026-12-24T18:00"),
        ("{run: [x], on: a b}", "1:27  tasks.a.on: 'a b' is not words joined by dots, such as task.backup.success"),
        ("{run: [x], max_instances: 2}", "1:38  tasks.a.max_instances: more than 1 needs overlap: allow"),
    ],
)
def test_a_task_that_can_not_be_is_parked_with_the_reason_and_its_place(
    declare: Declare, task: str, finding: str
) -> None:
    declared = declare(f"tasks: {{a: {task}}}")
    assert [f"dms.yaml:{finding}"] == told(declared)
    assert f"dms.yaml:{finding}" == declared.tasks[0].parked


@pytest.mark.parametrize(
    "task",
    [
        "{run: 5}",
        "{run: [x], every: 90}",
        "{run: [x], enabled: maybe}",
        "{run: [x], env: {A: 1}}",
        "5",
        "{run: [x], <<: {}}",
    ],
)
def test_a_task_of_which_the_what_or_when_was_lost_is_parked(declare: Declare, task: str) -> None:
    declared = declare(f"tasks: {{a: {task}}}")
    assert "dms.yaml:1:" in declared.tasks[0].parked


@pytest.mark.parametrize("key", ["priority: high", "timeout: soon", "retry: {delay: x}", "retires: 3"])
def test_a_task_that_lost_how_it_runs_takes_the_default(declare: Declare, key: str) -> None:
    assert "" == only(declare(f"tasks: {{a: {{run: [x], {key}}}}}")).parked


def test_a_bad_variable_over_a_good_value_parks_nothing(declare: Declare) -> None:
    task = only(declare("tasks: {a: {run: [x], every: 5m}}", DMS_TASKS__A__EVERY="often"))
    assert ("", [PeriodicTrigger("5m")]) == (task.parked, list(task.triggers))


def test_every_fault_of_a_task_is_told(declare: Declare) -> None:
    declared = declare("tasks: {a: {cron: x, on: '', overlap: queue, max_instances: 3}}")
    assert ["tasks.a", "tasks.a.cron", "tasks.a.on", "tasks.a.max_instances"] == [
        each.key for each in declared.findings
    ]


def test_one_bad_task_does_not_sink_the_others(declare: Declare) -> None:
    declared = declare("tasks: {bad: {cron: x}, good: {run: [x]}, worse: 5}")
    assert {"bad": False, "good": True, "worse": False} == {task.name: not task.parked for task in declared.tasks}


def test_a_name_that_can_name_no_task_is_told_and_left_out(declare: Declare) -> None:
    declared = declare("tasks: {My Task: {run: [x]}, '7': {run: [x]}}")
    assert ([], ["tasks.My Task", "tasks.7"]) == (declared.tasks, [finding.key for finding in declared.findings])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("every: 5m, timezone: UTC", "tasks.a.timezone: does nothing without cron or at or start or end"),
        ("after: 5m, jitter: 1s", "tasks.a.jitter: does nothing without cron or every"),
        ("on: x, at_start: true", "tasks.a.at_start: does nothing without every"),
        ("cron: '0 3 * * *', mode: fixed_delay", "tasks.a.mode: does nothing without every"),
        ("on: x, max_runs: 3", "tasks.a.max_runs: does nothing without cron or every"),
        ("on: x, start: 2026-12-24", "tasks.a.start: does nothing without cron or every"),
        ("after: 5m, end: 2026-12-24", "tasks.a.end: does nothing without cron or every"),
    ],
)
def test_a_key_that_does_nothing_is_told_and_parks_nothing(declare: Declare, keys: str, message: str) -> None:
    declared = declare(f"tasks: {{a: {{run: [x], {keys}}}}}")
    assert [message] == [str(finding).partition("  ")[2] for finding in declared.findings]
    assert "" == declared.tasks[0].parked


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        (
            "task.bakcup.success",
            'tasks.a.on: "task.bakcup.success" does not come by itself: no task is called bakcup. Did you mean backup?',
        ),
        (
            "task.backup.succeeded",
            'tasks.a.on: "task.backup.succeeded" does not come by itself: what comes of a task is success, failed, '
            "tripped, overdue, quarantined",
        ),
    ],
)
def test_a_chain_that_hangs_on_nothing_is_told_and_parks_nothing(declare: Declare, topic: str, message: str) -> None:
    """open-telemetry/opentelemetry-collector#11817: a name that nobody defines was found only once it was too late."""
    declared = declare(f"tasks: {{backup: {{run: [x]}}, a: {{run: [x], on: {topic}}}}}")
    assert [message] == [str(finding).partition("  ")[2] for finding in declared.findings]
    assert ["", ""] == [task.parked for task in declared.tasks]


@pytest.mark.parametrize("topic", ["task.backup.failed", "task.of-the-node.success", "door.opened.now"])
def test_what_may_come_from_outside_is_waited_for_without_a_word(declare: Declare, topic: str) -> None:
    assert [] == declare(f"tasks: {{backup: {{run: [x]}}, a: {{run: [x], on: {topic}}}}}").findings


def test_a_parked_task_keeps_what_it_would_call(declare: Declare) -> None:
    assert "broken:f" == declare("tasks: {a: {call: 'broken:f', every: 5m}}").tasks[0].function


def test_a_task_that_says_nothing_to_run_calls_what_never_runs(declare: Declare) -> None:
    task = declare("tasks: {a: {}}").tasks[0]
    assert unusable is task.function
    with pytest.raises(RuntimeError, match="parked"):
        unusable()


def test_checking_a_file_loads_nobodys_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dangerous.py").write_text("raise SystemExit('loaded')")
    file = tmp_path / "dms.yaml"
    file.write_text("scheduler: {import_paths: [.]}\ntasks: {a: {call: 'dangerous:f', cron: '0 0 30 2 *'}}")
    found = validate(file, checks=[check_tasks])
    assert ["tasks.a.cron"] == [finding.key for finding in found]


def test_what_tasks_share_is_declared_by_a_key(declare: Declare) -> None:
    nas, server = "{run: [x], concurrency: {key: nas}}", "{run: [x], concurrency: {key: s, rate: 5/m}}"
    declared = declare(f"tasks: {{a: {nas}, b: {server}}}")
    shared = [task.concurrency for task in declared.tasks]
    assert ([Concurrency("nas", 1), Concurrency("s", None, "5/m")], []) == (shared, declared.findings)


def test_of_two_that_contradict_each_other_about_their_key_the_second_is_parked(declare: Declare) -> None:
    declared = declare(
        "tasks:\n  a: {run: [x], concurrency: {key: nas}}\n  b: {run: [x], concurrency: {key: nas, limit: 2}}\n"
    )
    (problem,) = told(declared)
    assert "dms.yaml:3:" in problem
    assert "limit: 2 contradicts 1, which a says of the same key, nas" in declared.tasks[1].parked
    assert "" == declared.tasks[0].parked


def test_a_concurrency_without_a_key_is_told(declare: Declare) -> None:
    (task,) = declare("tasks: {a: {run: [x], concurrency: {limit: 2}}}").tasks
    assert "tasks.a.concurrency.key" in task.parked


def test_a_breaker_and_an_expectation_are_what_they_say(declare: Declare) -> None:
    task = only(declare("tasks: {a: {run: [x], breaker: {probe: 10m}, expect_success_within: 26h}}"))
    assert (Breaker(5, "10m"), timedelta(hours=26)) == (task.breaker, task.expect_success_within)


def test_a_success_that_is_expected_too_soon_parks_the_task_with_its_place(declare: Declare) -> None:
    declared = declare("tasks:\n  a: {run: [x], every: 1h, expect_success_within: 5m}\n")
    assert "shorter than the interval of 1h" in declared.tasks[0].parked
    assert ["invalid_task"] == [finding.code for finding in declared.findings]
    assert ("tasks", "a", "expect_success_within") == declared.findings[0].path


# ── bursts and circles ──


def test_a_burst_of_events_is_declared_with_its_waits(declare: Declare) -> None:
    task = only(declare("tasks: {a: {run: [x], on: door.opened, debounce: 5s, max_wait: 1m}}"))
    assert [EventTrigger("door.opened", debounce="5s", max_wait="1m")] == list(task.triggers)


@pytest.mark.parametrize(
    ("keys", "key", "said", "parked"),
    [
        ("on: a.b, max_wait: 1m", "max_wait", "it bounds the wait of debounce, which is not given", True),
        ("on: a.b, debounce: 1m, max_wait: 1s", "max_wait", "it is shorter than debounce", True),
        ("every: 5m, debounce: 1m", "debounce", "does nothing without on", False),
    ],
)
def test_waits_that_can_not_be_are_told_at_their_place(
    declare: Declare, keys: str, key: str, said: str, parked: bool
) -> None:
    declared = declare(f"tasks: {{a: {{run: [x], {keys}}}}}")
    (finding,) = declared.findings
    assert (("tasks", "a", key), True) == (finding.path, said in finding.message)
    assert parked == bool(declared.tasks[0].parked)


def test_tasks_that_would_run_each_other_for_ever_are_parked_and_no_others(declare: Declare) -> None:
    declared = declare(
        """
tasks:
  a: {run: [x], on: task.c.success}
  b: {run: [x], on: task.a.failed, every: 1h}
  c: {run: [x], on: task.b.success}
  d: {run: [x], on: task.a.success}
"""
    )
    assert ["a", "b", "c"] == [task.name for task in declared.tasks if task.parked]
    assert [("tasks", name, "on") for name in "abc"] == [finding.path for finding in declared.findings]
    assert "a → b → c → a is a circle" in declared.tasks[0].parked
    assert ":3:" in str(declared.findings[0])
