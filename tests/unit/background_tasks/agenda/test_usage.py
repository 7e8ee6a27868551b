"""What each attempt used: how long it waited and ran, by the clock that nobody sets."""

import pytest

from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Status, Task, Usage
from dms.instant import SECOND


def work():
    pass


@pytest.mark.parametrize("set_to", ["2026-01-04T00:00", "2026-01-05T00:00", "2036-01-05T00:00"])
def test_the_length_of_a_run_is_right_whatever_the_wall_clock_is_set_to(world, set_to):
    world.busy.add("work")
    world.add(Task("work", work))
    world.run("work")
    world.go("3s")
    world.set_wall(set_to)
    world.go("2s")
    world.finish("work")

    assert Usage(0, 5 * SECOND) == world.ended[-1].usage
    assert 5 * SECOND == world.ended[-1].took


def test_the_wait_for_a_slot_is_told_beside_the_length(world):
    world.busy |= {"first", "second"}
    world.add(Task("first", work), Task("second", work))
    world.resize(1)
    world.run("first")
    world.run("second")
    world.go("7s")
    world.finish("first")
    world.go("2s")
    world.finish("second")

    assert Usage(7 * SECOND, 2 * SECOND) == world.ended[-1].usage


def test_each_attempt_has_its_own_usage_and_the_wait_for_a_retry_is_none_of_it(world):
    world.busy.add("work")
    world.add(Task("work", work, retry_policy=RetryPolicy(1, "1m")))
    world.run("work")
    world.go("1s")
    world.finish("work", Failed("refused"))
    world.go("1m2s")
    world.finish("work")

    assert [Usage(0, SECOND), Usage(0, 2 * SECOND)] == [each.usage for each in world.ended]


def test_what_never_ran_used_nothing(world):
    world.busy |= {"first", "second"}
    world.add(Task("first", work), Task("second", work))
    world.resize(1)
    world.run("first")
    world.run("second")
    world.remove("second")

    assert (Status.CANCELLED, None, None) == (world.ended[-1].status, world.ended[-1].usage, world.ended[-1].took)


def test_of_what_a_crash_cut_off_no_more_is_known_than_the_wall_clock_says(world):
    world.busy.add("work")
    world.add(Task("work", work))
    world.run("work")
    world.crash(down="4s")
    world.add(Task("work", work))

    cut = world.agenda.entries[world.id_of("work")].last
    assert (Status.INTERRUPTED, None, 4 * SECOND) == (cut.status, cut.usage, cut.took)
