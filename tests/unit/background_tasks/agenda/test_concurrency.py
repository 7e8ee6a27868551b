"""Tasks that share a key: at most so many at once, or so often; and whoever has another key is not held up."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dms.background_tasks.agenda.decision import Cancelled, Failed
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.instant import microseconds

DISK = Concurrency("disk")


def nothing():
    pass


def job(name, concurrency=DISK, **fields):
    return Task(name, nothing, concurrency=concurrency, **fields)


def asked(world, *names):
    """An operator asks for each of them, a second apart."""
    for name in names:
        world.run(name)
        world.go("1s")


def test_of_one_key_no_more_run_at_once_than_its_limit(world):
    two = Concurrency("disk", 2)
    world.busy |= {"a", "b", "c"}
    world.add(job("a", two), job("b", two), job("c", two))
    asked(world, "a", "b", "c")
    assert ["a", "b"] == world.order()

    world.finish("b")
    assert ["a", "b", "c"] == world.order()


def test_a_full_key_holds_up_no_other_key(make_world):
    """agenda/agenda#304: jobs that had come to their limit blocked those of others in the queue."""
    world = make_world(slots=2)
    world.busy.add("a")
    world.add(job("a"), job("b"), job("c", Concurrency("net")), Task("d", nothing))
    asked(world, "a", "b", "c", "d")

    assert ["a", "c", "d"] == world.order()


def test_what_waits_for_its_key_goes_by_priority_and_then_by_who_was_first(make_world):
    world = make_world(slots=8, aging_quantum=microseconds("1m"))
    names = ["holder", "first", "second", "urgent"]
    world.busy |= set(names)
    world.add(*(job(name, priority=-1 if name == "urgent" else 0) for name in names))
    asked(world, *names)
    for name in ("holder", "urgent", "first"):
        world.finish(name)

    assert ["holder", "urgent", "first", "second"] == world.order()


def test_a_key_that_is_free_again_is_taken_by_the_more_urgent_though_another_was_called_first(make_world):
    world = make_world(slots=1)
    world.busy |= {"a", "hog", "late"}
    world.add(job("a"), job("early"), job("late", priority=-5), Task("hog", nothing, priority=-9))
    asked(world, "a", "early", "hog")
    world.finish("a")
    asked(world, "late")
    world.finish("hog")
    assert ["a", "hog", "late"] == world.order()

    world.finish("late")
    assert ["a", "hog", "late", "early"] == world.order()


def test_a_called_run_that_is_cancelled_leaves_its_place_to_the_next(make_world):
    world = make_world(slots=1)
    world.busy |= {"a", "hog"}
    world.add(job("a"), job("called"), job("next"), Task("hog", nothing, priority=-9))
    asked(world, "a", "called", "next", "hog")
    world.finish("a")
    world.remove("called")
    world.finish("hog")

    assert ["a", "hog", "next"] == world.order()


def test_a_called_run_that_needs_the_key_no_more_leaves_its_place_to_the_next(make_world):
    world = make_world(slots=1)
    world.busy |= {"a", "hog", "called"}
    world.add(job("a"), job("called"), job("next"), Task("hog", nothing, priority=-9))
    asked(world, "a", "called", "next", "hog")
    world.finish("a")
    world.replace(job("called", None))
    world.finish("hog")
    world.resize(2)

    assert ["a", "hog", "called", "next"] == world.order()


def test_a_rate_lets_so_many_start_within_any_such_length(world):
    world.add(*(job(name, Concurrency("server", rate="2/m")) for name in "abcde"))
    world.go("20s")
    asked(world, *"abcde")
    world.go("3m")

    times = ["00:00:20", "00:00:21", "00:01:20", "00:01:21", "00:02:20"]
    assert [f"2026-01-05T{time}" for time in times] == [start for name in "abcde" for start in world.runs(name)]


def test_a_rate_counts_the_time_since_boot_whatever_the_wall_clock_says(world):
    world.add(job("a", Concurrency("server", rate="1/m")))
    world.run("a")
    world.set_wall("2031-01-05T00:00")
    world.run("a")
    assert 1 == len(world.runs("a"))
    world.go("59s")
    assert 1 == len(world.runs("a"))

    world.go("1s")
    assert 2 == len(world.runs("a"))


@pytest.mark.parametrize("reboot", [False, True])
def test_a_rate_counts_what_was_started_before_a_crash(world, reboot):
    """temporalio/temporal#4361: a restart of the worker began the limit anew, and the third party's was exceeded."""
    limited = job("a", Concurrency("server", rate="2/10m"))
    world.add(limited)
    asked(world, "a", "a")
    world.crash(down="4m", reboot=reboot)
    world.add(job("a", Concurrency("server", rate="2/10m")))
    world.run("a")
    world.go("5m57s")
    assert 2 == len(world.runs("a"))

    world.go("1s")
    assert 3 == len(world.runs("a"))


def test_a_rate_counts_what_was_started_before_several_reboots(world):
    def limited(**fields):
        return job("a", Concurrency("server", rate="1/10m"), **fields)

    world.add(limited())
    world.run("a")
    for number in range(2):
        world.crash(down="4m", reboot=True)
        world.add(limited(description=f"start {number}"))
    world.run("a")
    world.go("1m59s")
    assert 1 == len(world.runs("a"))

    world.go("1s")
    assert 2 == len(world.runs("a"))


def test_what_waits_for_its_key_ages_as_fast_as_all_that_waits(make_world):
    world = make_world(aging_quantum=microseconds("1s"))
    world.busy.add("holder")
    world.add(job("holder"), job("early", priority=5), job("late"))
    asked(world, "holder", "early")
    world.go("1m")
    asked(world, "late")
    world.agenda.age_by(microseconds("1h"), world.now)
    world.finish("holder")

    assert ["holder", "late", "early"] == world.order()


def test_a_rate_waits_no_longer_than_its_length_though_the_clock_was_set_back_meanwhile(world):
    world.add(job("a", Concurrency("server", rate="1/10m")))
    world.run("a")
    world.crash(reboot=True)
    world.set_wall("2025-01-05T00:00")
    world.add(job("a", Concurrency("server", rate="1/10m")))
    world.run("a")
    world.go("10m")

    assert 2 == len(world.runs("a"))


def test_a_key_that_is_gone_and_comes_again_within_its_rate_counts_what_it_had_started(world):
    world.add(job("a", Concurrency("server", rate="1/10m")))
    world.run("a")
    world.remove("a")
    world.add(job("b", Concurrency("server", rate="1/10m")))
    world.run("b")
    assert [] == world.runs("b")

    world.go("10m")
    assert 1 == len(world.runs("b"))


def test_a_key_that_nobody_has_any_more_takes_no_room(world):
    for number in range(3):
        world.add(job("a", Concurrency(f"key {number}", rate="1/10m")))
        world.run("a")
        world.remove("a")
    world.go("10m")

    assert {} == world.agenda.attempts.turnstiles._by_key


def test_a_retry_counts_for_the_rate_as_any_start_does(world):
    """celery/celery#4349: retries were started beyond the rate limit."""
    world.busy.add("a")
    world.add(job("a", Concurrency("server", rate="2/10m"), retry_policy=RetryPolicy(5, delay="1m")))
    world.run("a")
    for _ in range(2):
        world.finish("a", Failed("no"))
        world.go("1m")
    assert 2 == len(world.begun)

    world.go("8m")
    assert 3 == len(world.begun)


def test_to_wait_for_a_rate_uses_up_no_attempt(world):
    """Bogdanp/dramatiq#257, sidekiq/sidekiq#6010: being over the limit was a failure, and after some of them the job
    was lost."""
    world.add(*(job(name, Concurrency("server", rate="1/h")) for name in "abc"))
    asked(world, *"abc")
    world.go("3h")

    assert [1, 1, 1] == [begun.attempt for begun in world.begun]


def test_a_crash_leaves_no_key_taken(world):
    """rails/solid_queue#546, kestra-io/kestra#14356: the place of a job whose worker had died was never free again."""
    world.busy |= {"a", "b"}
    world.add(job("a"), job("b"))
    asked(world, "a")
    world.crash()
    world.add(job("a"), job("b"))
    asked(world, "b")

    assert (["interrupted"], ["a", "b"]) == (world.in_store("a"), world.order())


@pytest.mark.parametrize("how", ["while it waits", "while it runs", "on its way to the disk"])
def test_a_run_that_is_cancelled_leaves_its_key(world, how):
    """PrefectHQ/prefect#8566: the place of a run that was cancelled stayed taken."""
    world.busy |= {"first", "a", "b"}
    world.add(job("first"), job("a", overlap="cancel_running"), job("b"))
    if how == "while it waits":
        asked(world, "first", "a")
    elif how == "on its way to the disk":
        world.disk = "slow"
    world.run("a")
    world.remove("a")
    world.disk = "quick"
    while world.unsaved:
        world.acknowledge()
    for name in {attempt.task.name for attempt in world.running.values()}:
        world.finish(name, Cancelled())
    asked(world, "b")

    assert "b" == world.order()[-1]


def test_a_run_that_was_given_up_leaves_its_key_once(world):
    """rails/solid_queue#761: a job that had been given up and ended later gave its place back twice, and more ran than
    might."""
    world.busy |= {"a", "b", "c"}
    world.add(job("a", timeout="1m", kill_after="10s"), job("b"), job("c"))
    world.run("a")
    given_up = world.begun[0].id
    world.go("2m")
    asked(world, "b", "c")
    assert ["a", "b"] == world.order()

    world.agenda.attempts.finished(given_up, Failed("late"), world.now)
    world.turn()
    assert ["a", "b"] == world.order()


def test_a_run_whose_window_passes_while_its_key_is_full_is_skipped_because_of_the_limit(world):
    world.busy.add("a")
    world.add(job("a"), job("b", triggers=[PeriodicTrigger("10m")], catch_up_window="3m"))
    world.run("a")
    world.go("12m")
    assert {} == world.skipped

    world.go("2m")
    assert {("b", "limit"): 1} == world.skipped
    assert ["cancelled"] == world.ends("b")
    world.go("6m")
    world.finish("a")
    assert ["2026-01-05T00:20"] == world.labels("b")


def test_a_run_whose_window_passes_while_it_waits_for_a_slot_is_skipped_because_of_the_limit(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), Task("b", nothing, triggers=[PeriodicTrigger("10m")], catch_up_window="3m"))
    world.run("hog")
    world.go("15m")
    world.finish("hog")
    world.go("5m")

    assert {("b", "limit"): 1} == world.skipped
    assert ["2026-01-05T00:20"] == world.labels("b")


def test_a_retry_is_a_run_that_goes_on_and_has_no_window(make_world):
    world = make_world(slots=1)
    world.busy |= {"hog", "b"}
    once_more = RetryPolicy(1, delay="1m")
    world.add(Task("hog", nothing), Task("b", nothing, catch_up_window="3m", retry_policy=once_more))
    world.run("b")
    world.finish("b", Failed("no"))
    world.run("hog")
    world.go("10m")
    world.finish("hog")

    assert 2 == len(world.runs("b"))
    assert {} == world.skipped


def test_a_run_that_could_not_be_saved_gives_its_place_and_its_start_back(world):
    world.add(job("a", Concurrency("disk", 1, rate="1/h")), job("b", Concurrency("disk", 1, rate="1/h")))
    world.disk = "slow"
    world.run("a")
    world.refuse()
    world.disk = "quick"
    world.go("2s")

    assert ["a"] == world.order()


def test_another_limit_counts_for_those_that_wait_already(world):
    world.busy |= {"a", "b", "c"}
    world.add(job("a"), job("b"), job("c"))
    asked(world, "a", "b", "c")
    world.replace(job("a", Concurrency("disk", 2)))

    assert ["a", "b"] == world.order()


def test_a_waiting_run_whose_task_gets_another_key_or_none_waits_for_the_old_one_no_more(world):
    world.busy |= {"a", "b", "c"}
    world.add(job("a"), job("b"), job("c"))
    asked(world, "a", "b", "c")
    world.replace(job("b", Concurrency("net")))
    world.replace(job("c", None))
    assert ["a", "b", "c"] == world.order()

    world.finish("a")
    world.finish("b")
    assert {"c"} == {attempt.task.name for attempt in world.running.values()}


def test_what_runs_under_the_old_key_leaves_that_one_when_it_ends(world):
    world.busy |= {"a", "b"}
    world.add(job("a"), job("b"))
    asked(world, "a", "b")
    world.replace(job("a", Concurrency("net")))
    assert ["a"] == world.order()

    world.finish("a")
    assert ["a", "b"] == world.order()


def test_what_waited_for_its_key_waits_again_after_a_crash(world):
    world.busy |= {"a", "b"}
    world.add(job("a", durability="at_least_once"), job("b"))
    asked(world, "a", "b")
    world.crash()
    world.add(job("a", durability="at_least_once"), job("b"))
    assert ["a", "a"] == world.order()

    world.finish("a")
    assert ["a", "a", "b"] == world.order()


def test_a_key_that_comes_and_goes_while_it_is_counted_takes_no_room_either(world):
    world.busy.add("b")
    for name in "ab":
        world.add(job(name, Concurrency("server", rate="5/m")))
        world.run(name)
        world.remove(name)
    world.go("10m")
    world.finish("b")
    world.go("1m")

    assert {} == world.agenda.attempts.turnstiles._by_key


def test_a_run_that_ends_after_its_task_is_gone_leaves_no_key_behind(world):
    world.busy.add("a")
    world.add(job("a"))
    world.run("a")
    world.remove("a")
    world.finish("a")

    assert {} == world.agenda.attempts.turnstiles._by_key


def test_what_only_the_store_brought_back_does_not_say_what_counts_for_its_key(world):
    world.busy |= {"a", "b"}
    world.add(job("a", Concurrency("disk", 2)), job("b", DISK, restored=True))
    asked(world, "a", "b")

    assert ["a", "b"] == world.order()


def test_a_start_that_the_disk_refuses_gives_its_place_back(world):
    world.busy |= {"a", "b"}
    world.add(job("a"), job("b", durability="none"))
    world.disk = "slow"
    world.run("a")
    world.refuse()
    world.run("b")

    assert ["b"] == world.order()


def test_a_rate_writes_nothing_for_tasks_that_are_not_to_be_written(world):
    world.add(job("a", Concurrency("server", rate="5/m"), durability="none"))
    world.disk = "slow"
    world.run("a")

    assert (["a"], []) == (world.order(), world.unsaved)


@pytest.mark.parametrize("how", ["limit", "rate"])
def test_ten_thousand_runs_that_wait_for_one_key_start_one_by_one(make_world, how):
    """Each step takes log n: this would take minutes if each looked at all that wait."""
    world = make_world(stored=False)
    key = Concurrency("disk", 1) if how == "limit" else Concurrency("disk", rate="1/s")
    world.add(*(job(f"job-{number}", key) for number in range(10_000)))
    for number in range(10_000):
        world.agenda.fire(number + 1, None, world.now)
    world.turn()
    world.go("9999s")

    assert 10_000 == len(world.begun)


steps = st.lists(
    st.tuples(st.sampled_from(["run", "end", "wait", "remove"]), st.integers(0, 5), st.integers(0, 90)), max_size=60
)
LIMITS = {"x": Concurrency("x", 1), "y": Concurrency("y", 2, rate="3/m"), "z": Concurrency("z", rate="2/m")}
KEYS = ["x", "x", "y", "y", "z", None]


@given(steps)
def test_whatever_happens_no_limit_is_broken_nobody_waits_without_need_and_none_is_lost(make_world, taken):
    world = make_world(stored=False, slots=3)
    tasks = [
        job(f"t{n}", None if key is None else LIMITS[key], overlap="queue", queue_limit=9, priority=n % 3)
        for n, key in enumerate(KEYS)
    ]
    world.busy |= {task.name for task in tasks}
    world.add(*tasks)
    starts = {}
    for what, which, length in taken:
        if what == "run":
            world.run(f"t{which}")
        elif what == "end" and any(attempt.task.name == f"t{which}" for attempt in world.running.values()):
            world.finish(f"t{which}")
        elif what == "wait":
            world.go(f"{length}s")
        elif what == "remove":
            world.remove(f"t{which}")
            world.add(job(f"t{which}", tasks[which].concurrency, overlap="queue", queue_limit=9, priority=which % 3))
        _check(world, starts)


def _check(world, starts):
    now, running = world.now.boot, [attempt.task.name for attempt in world.running.values()]
    for begun in world.begun:
        starts[begun.id] = (KEYS[int(begun.task[1])], begun.at.boot)
    waiting = {attempt.task.name for attempt in world.agenda.attempts.live.values() if attempt.status == "waiting"}
    assert len(running) <= 3
    for key, limits in LIMITS.items():
        runs = sum(KEYS[int(name[1])] == key for name in running)
        times = sorted(boot for of, boot in starts.values() if of == key)
        count, length = limits.pace or (99, 1)
        assert limits.limit is None or runs <= limits.limit
        assert all(later - earlier >= length for earlier, later in zip(times, times[count:], strict=False))
        recent = sum(boot > now - length for boot in times)
        if len(running) < 3 and recent < count and (limits.limit is None or runs < limits.limit):
            idle = {name for name in waiting if KEYS[int(name[1])] == key and name not in running}
            assert not idle
