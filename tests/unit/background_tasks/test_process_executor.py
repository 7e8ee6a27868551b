"""A function in a process of its own: what it gives and tells, how it ends, and nothing of it left behind."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import dms
import in_processes
from dms.adapters.memory import MemoryStore
from dms.background_tasks.host import Host
from dms.background_tasks.scheduler import Scheduler

PATIENCE = 20


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    with Scheduler() as scheduler:
        yield scheduler


def ended(scheduler: Scheduler, function: Any, *args: Any, event: Any = None, **policies: Any) -> dms.Execution:
    scheduler.add_task(dms.Task("job", function, args, executor="process", **policies))
    return scheduler.run_task("job", event).wait(PATIENCE)


def wait_for(sign: Path) -> Path:
    deadline = monotonic() + PATIENCE
    while not sign.exists() and monotonic() < deadline:
        sleep(0.01)
    return sign


# ── what it gives ──


@pytest.mark.parametrize(
    ("function", "args", "results"),
    [
        (in_processes.add, (1, 2), 3),
        (in_processes.wait_and_add, (1, 2), 3),
        (partial(in_processes.add, second=5), (1,), 6),
        ("in_processes:add", (1,), 1),
        (in_processes.length, (b"x" * 3_000_000,), 3_000_000),
        (in_processes.give_back, ("large",), "x" * 5_000_000),
    ],
)
def test_what_it_gives_back_is_the_result(scheduler: Scheduler, function: Any, args: Any, results: Any) -> None:
    end = ended(scheduler, function, *args)
    assert ("success", None, results) == (end.status, end.error, end.results)


def test_only_the_standard_descriptors_are_open_in_it_and_its_channel(scheduler: Scheduler, tmp_path: Path) -> None:
    """tsl0922/ttyd#162: a child kept a socket of its parent. Here: the standard three, the channel, and the listing."""
    with open(tmp_path / "file", "w") as file:
        os.set_inheritable(file.fileno(), True)
        assert 5 == len(ended(scheduler, in_processes.open_descriptors).results)


def test_what_it_used_is_its_own(scheduler: Scheduler) -> None:
    end = ended(scheduler, in_processes.use_memory, 60)
    assert end.usage is not None
    assert end.usage.cpu is not None
    assert end.usage.memory is not None
    assert 60_000_000 < end.usage.memory < 110_000_000


# ── its run ──


def test_what_its_run_tells_is_told_here_and_what_it_prints_too() -> None:
    told: list[tuple[str, str, dict[str, Any]]] = []
    progress: list[Any] = []
    host = Host(log=lambda run, level, line, fields: told.append((level, line, dict(fields))))
    with Scheduler(host=host, snapshot=lambda: {"general": "config"}) as scheduler:
        scheduler.subscribe(lambda event: progress.append(event.progress) if event.kind == "progress" else None)
        end = ended(scheduler, in_processes.tell, "x", event={"door": "front"})
    assert ("warning", "half", {"level": "x", "odd": "{1}"}) in told
    assert ("debug", "printed", {"stream": "stdout"}) in told
    assert ("debug", "wrong", {"stream": "stderr"}) in told
    assert [dms.Progress(1, 2, "half")] == progress
    assert (end.id, 1, "job", {"general": "config"}, {"door": "front"}) == (
        end.results["id"],
        end.results["attempt"],
        end.results["task"],
        end.results["config"],
        end.results["event"].payload,
    )


def test_what_it_saves_is_there_for_its_next_attempt() -> None:
    with Scheduler(store=MemoryStore()) as scheduler:
        end = ended(scheduler, in_processes.count_up, 2, retry_policy=dms.RetryPolicy(1, "1ms"))
    assert ("success", [2, 4]) == (end.status, end.results)


def test_what_it_may_not_save_is_its_own_error(scheduler: Scheduler) -> None:
    end = ended(scheduler, in_processes.save_too_much)
    assert "InvalidInput: state: it takes 100002 bytes of JSON" in str(end.error)


def test_signs_of_life_reach_the_scheduler(scheduler: Scheduler) -> None:
    end = ended(scheduler, in_processes.beat, 300, heartbeat_timeout="2s")
    assert ("success", None) == (end.status, end.error)


# ── how it ends ──


@pytest.mark.parametrize(
    ("function", "args", "error"),
    [
        (in_processes.refuse, (), "in_processes.Refused: the door is shut (in_processes.py:"),
        (in_processes.exit_by_itself, (), "SystemExit: enough (in_processes.py:"),
        (in_processes.leave, (3,), "exit status 3: leaving"),
        (in_processes.leave, (0,), "its process ended before the function did"),
        (in_processes.crash, (), "ended by SIGSEGV"),
        (in_processes.yields, (), "it holds a yield, so that calling it ran none of it"),
        (in_processes.give_back, ("lambda",), "what it gave back can't be pickled: "),
        (in_processes.give_back, ("unreadable",), "what it gave back can't be read here: ValueError: "),
    ],
)
def test_how_it_failed_is_told(scheduler: Scheduler, function: Any, args: Any, error: str) -> None:
    end = ended(scheduler, function, *args)
    assert ("failed", error) == (end.status, str(end.error)[: len(error)])


@pytest.mark.parametrize("death", [(in_processes.crash, ()), (in_processes.leave, (9,)), (os.abort, ())])
def test_the_death_of_one_process_is_nobody_elses(scheduler: Scheduler, tmp_path: Path, death: Any) -> None:
    """agronholm/apscheduler#362, temporalio/sdk-python#245, TkTech/chancy#94: one death broke a pool for all others."""
    scheduler.add_task(dms.Task("other", in_processes.until_there, [str(tmp_path / "go")], executor="process"))
    beside = scheduler.run_task("other")
    assert "failed" == ended(scheduler, death[0], *death[1]).status
    (tmp_path / "go").touch()
    assert ["success", "success"] == [beside.wait(PATIENCE).status, scheduler.run_task("other").wait(PATIENCE).status]


def test_its_traceback_is_printed_and_begins_in_its_own_code() -> None:
    lines: list[str] = []
    with Scheduler(host=Host(log=lambda run, level, line, fields: lines.append(line))) as scheduler:
        ended(scheduler, in_processes.refuse)
    assert "Traceback (most recent call last):" == lines[0]
    assert "in_processes.py" in lines[1]
    assert "in_processes.Refused: the door is shut" == lines[-1]


@pytest.mark.parametrize(
    ("retry_on", "function", "args", "attempts"),
    [
        ("ConnectionError", in_processes.refuse, (), 2),
        ("ValueError", in_processes.refuse, (), 1),
        ("signal 11", in_processes.crash, (), 2),
        ("exit 3", in_processes.leave, (3,), 2),
        ("ConnectionError", in_processes.give_up, (), 1),
    ],
)
def test_whether_it_is_tried_again_goes_by_what_it_raised_or_how_its_process_ended(
    scheduler: Scheduler, retry_on: str, function: Any, args: Any, attempts: int
) -> None:
    end = ended(scheduler, function, *args, retry_policy=dms.RetryPolicy(1, "1ms", retry_on=[retry_on]))
    assert ("failed", attempts) == (end.status, end.attempt)


def test_a_wait_that_it_asks_for_is_obeyed(scheduler: Scheduler) -> None:
    scheduler.add_task(dms.Task("job", in_processes.come_later, executor="process"))
    handle = scheduler.run_task("job")
    with pytest.raises(dms.WaitTimeout):
        handle.wait("2s")
    (failed,) = scheduler.get_task("job").execution_history
    assert ("busy; again in 5m", True) == (failed.error, failed.retry_at is not None)


# ── told to end ──


def test_a_function_that_looks_at_its_run_ends_in_order(scheduler: Scheduler, tmp_path: Path) -> None:
    end = ended(scheduler, in_processes.until_cancelled, str(tmp_path / "sign"), timeout="2s")
    assert ("timed_out", "tidied up") == (end.status, end.results)


@pytest.mark.parametrize(
    "function",
    [
        in_processes.sleep_with_nobody_to_ask,
        in_processes.wait_for_ever,
        in_processes.ignores_its_run,
        in_processes.hold_the_loop,
    ],
)
def test_any_other_is_interrupted_by_an_exception_and_tidies_up(
    scheduler: Scheduler, tmp_path: Path, function: Any
) -> None:
    scheduler.add_task(dms.Task("job", function, [str(tmp_path / "sign")], executor="process", kill_after="4s"))
    handle = scheduler.run_task("job")
    wait_for(tmp_path / "sign")
    assert [] == scheduler.stop(drain="0s", cancel="10s")
    assert ("interrupted", "the scheduler stopped", False) == (
        handle.wait(PATIENCE).status,
        handle.wait(PATIENCE).error,
        (tmp_path / "sign").exists(),
    )


def test_one_that_ignores_the_signal_is_killed_with_all_that_it_started(
    scheduler: Scheduler, tmp_path: Path, has_ended: Callable[[int], bool]
) -> None:
    sign = tmp_path / "sign"
    end = ended(scheduler, in_processes.stubborn, str(sign), timeout="2s", kill_after="100ms")
    assert ("timed_out", "it ran longer than its timeout of 2s") == (end.status, end.error)
    assert all(has_ended(int(pid)) for pid in sign.read_text().split())


# ── what can't be ──


def test_a_function_that_no_module_has_is_refused_when_it_is_added(scheduler: Scheduler) -> None:
    with pytest.raises(dms.InvalidTask, match=r"executor: a process can't be told .*<lambda> .*one that a module has"):
        scheduler.add_task(dms.Task("job", lambda: None, executor="process"))


def test_arguments_that_another_process_can_not_have_are_refused_when_it_is_added(scheduler: Scheduler) -> None:
    with pytest.raises(dms.InvalidTask, match="args: they can't be pickled"):
        scheduler.add_task(dms.Task("job", in_processes.add, [sys.stdout], executor="process"))


def test_arguments_that_became_so_later_fail_the_run(scheduler: Scheduler) -> None:
    given: list[Any] = [1]
    scheduler.add_task(dms.Task("job", in_processes.length, [given], executor="process"))
    given.append(sys.stdout)
    end = scheduler.run_task("job").wait(PATIENCE)
    assert "its process can't be told what to call: TypeError: cannot pickle" in str(end.error)


def test_a_program_whose_file_is_gone_can_not_be_loaded_anew(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "on_the_command_line", in_processes.add, raising=False)
    monkeypatch.setattr(in_processes.add, "__module__", "__main__")
    monkeypatch.setattr(in_processes.add, "__qualname__", "on_the_command_line")
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.delattr(main, "__file__", raising=False)
    with pytest.raises(dms.InvalidTask, match="executor: a process can't load on_the_command_line"):
        scheduler.add_task(dms.Task("job", in_processes.add, [1], executor="process"))


@pytest.mark.parametrize(
    ("function", "executor", "reason"),
    [
        (dms.Program(("ls",)), "process", "executor: process can't run a program"),
        (in_processes.add, "coroutine", "executor: coroutine can't run a plain function"),
        (in_processes.wait_and_add, "thread", "executor: thread can't run a coroutine function"),
        (in_processes.add, "program", "executor: program can't run a plain function"),
    ],
)
def test_an_executor_that_does_not_fit_is_refused(
    scheduler: Scheduler, function: Any, executor: str, reason: str
) -> None:
    with pytest.raises(dms.InvalidTask, match=reason):
        scheduler.add_task(dms.Task("job", function, executor=executor))


def test_an_executor_that_there_is_not_is_refused() -> None:
    with pytest.raises(dms.InvalidTask, match="executor: 'fork' is not one of coroutine, thread, process, program"):
        dms.Task("job", in_processes.add, executor="fork")


def test_the_executor_that_it_has_anyway_may_be_named(scheduler: Scheduler) -> None:
    scheduler.add_task(dms.Task("job", in_processes.add, [1, 2], executor="thread"))
    assert 3 == scheduler.run_task("job").wait(PATIENCE).results


# ── where modules are found ──

SCRIPT = """
import dms

LOADED_AS = __name__

def work(number):
    return number + 1, LOADED_AS

if __name__ == "__main__":
    with dms.Scheduler() as scheduler:
        scheduler.add_task(dms.Task("job", work, [41], executor="process"))
        end = scheduler.run_task("job").wait("20s")
        print(end.status, end.results, end.error)
"""


@pytest.mark.parametrize("words", [["program.py"], ["-m", "program"]])
def test_a_function_of_the_program_itself_is_found_and_the_program_not_begun_again(
    tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "program.py").write_text(SCRIPT)
    with Scheduler() as scheduler:
        environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        scheduler.add_task(dms.Task("program", dms.Program((sys.executable, *words), str(tmp_path), environment)))
        end = scheduler.run_task("program").wait(PATIENCE)
    assert "success (42, '__dms_main__') None\n" == end.results["output"]


def test_a_module_is_the_one_that_the_function_came_from_though_another_stands_before_it(
    scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, answer in (("first", 1), ("second", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "twice_there.py").write_text(f"def answer(): return {answer}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "first"))
    from twice_there import answer  # type: ignore[import-not-found]

    monkeypatch.syspath_prepend(str(tmp_path / "second"))
    try:
        assert 1 == ended(scheduler, answer).results
    finally:
        del sys.modules["twice_there"]
