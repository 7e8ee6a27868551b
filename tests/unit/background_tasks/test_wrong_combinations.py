"""What can't be meant together is refused when the task is added, by the name of the field and with the reason: one
table for tasks, one for their declarations. A new option needs a row in each, or a word in `ALONE` on why it has none.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from dms.background_tasks.registry import Registry
from dms.background_tasks.running.calling import prepare
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.gate import BUILT_IN, check_gates
from dms.background_tasks.tasks.limits import Limits
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Program, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.config import TaskDeclaration, load
from dms.config.setting import is_section, keys_of
from dms.declared_tasks import check_tasks
from dms.errors import InvalidInput

SOON, LATER = "2026-01-01T00:00+00:00", "2027-01-01T00:00+00:00"


def nothing() -> None:
    pass


def task(**fields: Any) -> Callable[[], Any]:
    """Has a task with these fields made and looked at as `add_task` does."""

    def add() -> None:
        made = Task("job", fields.pop("function", nothing), **fields)
        prepare(made)
        check_gates(made, BUILT_IN)
        Registry(numbered=True).add(made)

    return add


def shared(**limits: Any) -> Callable[[], Any]:
    """Has a task added that says this of a key of which another one says `limit: 1`."""

    def add() -> None:
        registry = Registry(numbered=True)
        registry.add(Task("other", nothing, concurrency=Concurrency("disk", 1)))
        registry.add(Task("job", nothing, concurrency=Concurrency("disk", **limits)))

    return add


def in_memory(durability: str) -> Callable[[], Any]:
    """Has such a task added where there is no store."""
    return lambda: Scheduler().add_task(Task("job", nothing, durability=durability))


TASKS: list[tuple[str, Callable[[], Any], str]] = [
    ("args", task(function=Program(("df",)), args=["-h"]), "a program takes its arguments in its own list"),
    ("kwargs", task(function=Program(("df",)), kwargs={"a": 1}), "a program takes its arguments in its own list"),
    ("queue_limit", task(queue_limit=2), "needs overlap: queue"),
    ("queue_limit", task(queue_limit=2, overlap="allow"), "needs overlap: queue"),
    ("max_instances", task(max_instances=2), "needs overlap: allow"),
    ("max_instances", task(max_instances=2, overlap="queue"), "needs overlap: allow"),
    ("catch_up_limit", task(catch_up_limit=2), "needs catch_up: all"),
    ("catch_up_limit", task(catch_up_limit=2, catch_up="none"), "needs catch_up: all"),
    ("catch_up_window", task(catch_up_window=0), "0 would leave every fire out"),
    ("timeout", task(timeout=0), "0 would end every attempt"),
    ("heartbeat_timeout", task(function=Program(("df",)), heartbeat_timeout=0), "0 would end every attempt"),
    ("heartbeat_timeout", task(heartbeat_timeout="1m"), "the function takes no parameter run"),
    (
        "heartbeat_timeout",
        task(function=Program(("df",)), heartbeat_timeout="2m", timeout="1m"),
        "no shorter than timeout",
    ),
    (
        "heartbeat_timeout",
        task(function=Program(("df",)), heartbeat_timeout="1m", timeout="1m"),
        "no shorter than timeout",
    ),
    ("kill_after", task(kill_after=None), "0 kills at once"),
    ("expect_success_within", task(expect_success_within=0), "0 can't be kept"),
    (
        "expect_success_within",
        task(expect_success_within="1m", triggers=[PeriodicTrigger("5m")]),
        "shorter than the interval of 5m",
    ),
    ("executor", task(executor="coroutine"), "coroutine can't run a plain function"),
    ("executor", task(function=Program(("df",)), executor="process"), "process can't run a program"),
    ("limits.memory", task(limits=Limits("64MB")), "give the task executor: process"),
    ("limits.cpu_time", task(limits=Limits(cpu_time="1s"), executor="thread"), "give the task executor: process"),
    ("limits.output", task(limits=Limits(output="1kB")), "give the task executor: process"),
    ("durability", in_memory("at_least_once"), "at_least_once needs a store"),
    ("durability", in_memory("at_most_once"), "at_most_once needs a store"),
    ("hold_until", task(hold_until=["netwrk"]), "there is no gate netwrk. Did you mean network?"),
    ("concurrency.limit", shared(limit=2), "2 contradicts 1, which other says"),
    ("concurrency.limit", shared(rate="5/m"), "none contradicts 1, which other says"),
    ("concurrency.rate", shared(limit=1, rate="5/m"), "5/m contradicts none, which other says"),
    ("breaker.probe", lambda: Breaker(3, probe=0), "0 would never hold it back"),
    ("retry.factor", lambda: RetryPolicy(3, factor=3), "it needs backoff: exponential"),
    ("retry.retry_on", task(retry_policy=RetryPolicy(3, retry_on=["exit 75"])), "name an exception"),
    ("retry.give_up_on", task(retry_policy=RetryPolicy(3, give_up_on=["signal 9"])), "name an exception"),
    ("retry.retry_on", task(retry_policy=RetryPolicy(3, retry_on=["limit memory"])), "give the task executor: process"),
    ("retry.max_delay", lambda: RetryPolicy(3, "10m", max_delay="1m"), "it needs backoff: exponential"),
    (
        "retry.give_up_on",
        lambda: RetryPolicy(3, retry_on=[OSError, ValueError], give_up_on=[ValueError]),
        "builtins.ValueError is in retry_on too",
    ),
    ("interval, cron", lambda: PeriodicTrigger("5m", cron="* * * * *"), "exactly one of the two"),
    ("interval, cron", lambda: PeriodicTrigger(), "exactly one of the two"),
    ("end", lambda: PeriodicTrigger("5m", start=LATER, end=SOON), "before start"),
    ("at_start", lambda: PeriodicTrigger("5m", start=LATER, at_start=True), "start says already"),
    ("at_start", lambda: PeriodicTrigger(cron="* * * * *", at_start=True), "@reboot"),
    ("mode", lambda: PeriodicTrigger(cron="* * * * *", mode="fixed_delay"), "belongs to an interval"),
    ("timezone", lambda: PeriodicTrigger("5m", timezone="UTC"), "belongs to cron"),
    ("delay, at", lambda: OneTimeTrigger("5m", at=SOON), "exactly one of the two"),
    ("timezone", lambda: OneTimeTrigger("5m", timezone="UTC"), "belongs to at"),
    ("topic, channel", lambda: EventTrigger(), "exactly one of the two"),
    ("debounce", lambda: EventTrigger("bell", debounce=0), "leave it out"),
    ("max_wait", lambda: EventTrigger("bell", max_wait="5s"), "bounds the wait of debounce, which is not given"),
    ("max_wait", lambda: EventTrigger("bell", debounce="5s", max_wait="1s"), "shorter than debounce"),
]


@pytest.mark.parametrize(("field", "add", "reason"), TASKS)
def test_what_can_not_be_meant_together_is_refused_by_its_field_with_the_reason(
    field: str, add: Callable[[], Any], reason: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        add()
    assert str(caught.value).startswith(f"{field}: ")
    assert reason in str(caught.value)


DECLARATIONS: list[tuple[str, str, str]] = [
    ("", "run: [df], call: a:b", "give exactly one of the two"),
    ("", "every: 5m", "give exactly one of the two"),
    ("args", "run: [df], args: [-h]", "belongs to call"),
    ("kwargs", "run: [df], kwargs: {a: 1}", "belongs to call"),
    ("cwd", "call: a:b, cwd: /srv", "belongs to run"),
    ("env", "call: a:b, env: {A: b}", "belongs to run"),
    ("queue_limit", "run: [df], queue_limit: 2", "needs overlap: queue"),
    ("max_instances", "run: [df], max_instances: 2", "needs overlap: allow"),
    ("catch_up_limit", "run: [df], catch_up_limit: 2", "needs catch_up: all"),
    ("catch_up_window", "run: [df], catch_up_window: 0s", "0 would leave every fire out"),
    ("heartbeat_timeout", "run: [df], heartbeat_timeout: 2m, timeout: 1m", "no shorter than timeout"),
    ("expect_success_within", "run: [df], every: 5m, expect_success_within: 1m", "shorter than the interval of 5m"),
    ("executor", "run: [df], executor: process", "process can't run a program"),
    ("limits.memory", "run: [df], limits: {memory: 1kB}", "nothing can start"),
    ("limits.cpu_time", "run: [df], limits: {cpu_time: 500ms}", "whole seconds"),
    ("limits.memory", "call: 'a:b', limits: {memory: 64MB}", "give the task executor: process"),
    ("limits.cpu_time", "call: 'a:b', limits: {cpu_time: 1s}", "give the task executor: process"),
    ("limits.output", "call: 'a:b', limits: {output: 1kB}", "give the task executor: process"),
    ("hold_until", "run: [df], hold_until: [netwrk]", "there is no gate netwrk"),
    ("concurrency.key", "run: [df], concurrency: {limit: 2}", "not a name"),
    ("concurrency.limit", "run: [df], concurrency: {key: disk, limit: 2}", "2 contradicts 1, which other says"),
    ("concurrency.rate", "run: [df], concurrency: {key: disk, limit: 1, rate: 5/m}", "5/m contradicts none"),
    ("breaker.probe", "run: [df], breaker: {probe: 0s}", "0"),
    ("retry.factor", "run: [df], retry: {max_retries: 3, factor: 3}", "it needs backoff: exponential"),
    ("retry.retry_on", "call: 'a:b', retry: {max_retries: 3, retry_on: [OSError, exit 75]}", "name an exception"),
    (
        "retry.max_delay",
        "run: [df], retry: {max_retries: 3, delay: 10m, max_delay: 1m}",
        "it needs backoff: exponential",
    ),
    ("retry.give_up_on", "run: [df], retry: {retry_on: [A], give_up_on: [A]}", "A is in retry_on too"),
    ("end", f"run: [df], every: 5m, start: '{LATER}', end: '{SOON}'", "before start"),
    ("at_start", f"run: [df], every: 5m, start: '{LATER}', at_start: true", "start says already"),
    ("at_start", "run: [df], cron: '* * * * *', at_start: true", "does nothing without every"),
    ("mode", "run: [df], cron: '* * * * *', mode: fixed_delay", "does nothing without every"),
    ("jitter", "run: [df], jitter: 5s", "does nothing without cron or every"),
    ("max_runs", "run: [df], at: '2027-01-01T00:00Z', max_runs: 2", "does nothing without cron or every"),
    ("exclude", "run: [df], every: 5m, exclude: [nights]", "nights"),
    ("timezone", "run: [df], every: 5m, timezone: UTC", "does nothing without cron or at"),
    ("debounce", "run: [df], every: 5m, debounce: 5s", "does nothing without on"),
    ("max_wait", "run: [df], on: bell, max_wait: 5s", "bounds the wait of debounce"),
    ("max_wait", "run: [df], on: bell, debounce: 5s, max_wait: 1s", "shorter than debounce"),
]


@pytest.mark.parametrize(("key", "declaration", "reason"), DECLARATIONS)
def test_what_a_declaration_can_not_mean_is_told_by_its_key_with_the_reason(
    tmp_path: Path, key: str, declaration: str, reason: str
) -> None:
    file = tmp_path / "dms.yaml"
    file.write_text(f"tasks:\n  other: {{run: [df], concurrency: {{key: disk}}}}\n  job: {{{declaration}}}\n")
    loaded = load(file, environ={"HOME": "/home/ada", "TZ": "UTC"})
    findings = [*loaded.findings, *check_tasks(loaded)]
    told = {".".join(map(str, finding.path)): finding.message for finding in findings}
    assert reason in told.get(f"tasks.job.{key}".removesuffix("."), f"nothing of that key; told: {told}")


ALONE = {
    "name": "any", "description": "any", "triggers": "have rows of their own", "function": "has rows of its own",
    "run": "with call", "call": "with run", "cron": "with interval", "every": "with cron", "after": "with at",
    "at": "with delay", "on": "any", "start": "with end", "enabled": "any", "priority": "any", "timeout": "any",
    "kill_after": "any", "overlap": "its limits have rows", "catch_up": "its limit has rows",
    "lane": "any", "durability": "any in a node", "limits": "its fields have rows", "retry": "its fields have rows",
    "breaker": "its fields have rows", "concurrency": "its fields have rows", "breaker.failures": "any",
    "concurrency.key": "any", "retry.max_retries": "0 switches off what the others say",
    "retry.delay": "may be longer than max_delay if it grows", "retry.backoff": "its factor has rows",
    "retry.jitter": "any", "retry.supersede": "any",
}  # fmt: skip
"""Options that go with all others, or that rows of others are about."""

_INNER = {"origin", "parked", "restored", "id", "_registration", "_target", "_calling", "retry_policy"}


def _keys(section: Any, prefix: str = "") -> Iterator[str]:
    for name, key in keys_of(section).items():
        yield f"{prefix}{name}"
        if is_section(key.type):
            yield from _keys(key.type, f"{prefix}{name}.")


def test_every_option_of_a_task_has_a_row_or_needs_none() -> None:
    rows = {field.partition(".")[0] for field, _, _ in TASKS} | set(ALONE)
    assert set() == set(Task.__struct_fields__) - _INNER - rows, "add a row to TASKS, or a word to ALONE"


def test_every_key_of_a_declaration_has_a_row_or_needs_none() -> None:
    rows = {key for key, _, _ in DECLARATIONS} | set(ALONE)
    assert set() == set(_keys(TaskDeclaration)) - rows, "add a row to DECLARATIONS, or a word to ALONE"


def test_nothing_is_listed_that_there_is_not() -> None:
    there = set(_keys(TaskDeclaration)) | set(Task.__struct_fields__) | set(get_type_hints(RetryPolicy))
    assert set() == set(ALONE) - there
