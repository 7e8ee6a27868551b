"""Jitter: a stable share of what lies before the next fire."""

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.triggers.trigger import PeriodicTrigger
from timed_tasks import at, cron, every


def test_jitter_delays_each_fire_by_the_same_share_in_every_process(world):
    task = every("1h", jitter="30m", start=at("2026-01-05T00:00"))
    world.add(task)
    world.go("10h")
    other = type(world)()
    other.add(task)
    other.go("10h")

    assert world.runs("tick") == other.runs("tick")
    assert 1 < len({run[14:] for run in world.runs("tick")})


@given(st.integers(1, 7200), st.sampled_from(["*/10 * * * *", None]))
def test_jitter_is_never_negative_and_never_reaches_the_next_fire(make_world, jitter, expression):
    world = make_world(stored=False, seed="quiet-heron")
    task = cron(expression, jitter=jitter) if expression else every("10m", name="job", jitter=jitter)
    world.add(task)
    world.go("3h")

    delays = [begun.at.wall - begun.due for begun in world.begun]
    room = min(jitter, 600) * 1_000_000
    if expression:
        assert all(0 <= delay < room for delay in delays)
        assert all(begun.due % 600_000_000 == 0 for begun in world.begun)
    gaps = [later.at.boot - earlier.at.boot for earlier, later in zip(world.begun, world.begun[1:], strict=False)]
    assert 17 <= len(world.begun) <= 18
    assert all(gap > 0 for gap in gaps)
    assert 0 == world.skipped.total()


def test_without_jitter_nothing_is_late(world):
    world.add(cron("*/10 * * * *"), every("10m"))
    world.go("1h")

    assert {0} == {begun.at.wall - begun.due for begun in world.begun}
    assert 0 == PeriodicTrigger("10m").jitter


def test_jitter_never_reaches_the_next_fire_where_clocks_change(make_world):
    """The room of a fire is what really lies before the next, also where a gap or an overlap makes it shorter."""
    world = make_world("2026-10-24T22:30", zone=ZoneInfo("Europe/Helsinki"), seed="quiet-heron")
    world.add(cron("30 2,3,4 * * *", timezone=None, jitter="3h"))
    world.go("48h")

    gaps = [later.due - earlier.at.wall for earlier, later in pairwise(world.begun)]
    assert 6 == len(world.begun)
    assert all(gap > 0 for gap in gaps)


def test_two_tasks_of_a_node_do_not_share_their_jitter(make_world):
    world = make_world(seed="quiet-heron")
    world.add(cron("0 * * * *", "one", jitter="50m"), cron("0 * * * *", "two", jitter="50m"))
    world.go("5h")

    assert world.runs("one") != world.runs("two")


def test_two_nodes_do_not_share_their_jitter(make_world):
    here, there = make_world(seed="quiet-heron"), make_world(seed="loud-owl")
    for world in (here, there):
        world.add(cron("0 * * * *", jitter="50m"))
        world.go("5h")

    assert here.runs("job") != there.runs("job")


def test_a_fire_whose_jitter_is_not_over_is_not_run_before_its_time_by_a_late_wakeup(make_world):
    world = make_world(seed="quiet-heron")
    world.add(cron("*/10 * * * *", jitter="10m"))
    world.go("1h")
    times = world.runs("job")
    late = make_world(seed="quiet-heron")
    late.add(cron("*/10 * * * *", jitter="10m"))
    for _ in range(360):
        late.sleep("10s")
        late.turn()

    assert [time[:15] for time in times] == [time[:15] for time in late.runs("job")]


@pytest.mark.parametrize("policy", [{"catch_up": "none"}, {"catch_up_window": "1m"}, {}])
@pytest.mark.parametrize(
    "make",
    [
        lambda **more: cron("0 * * * *", **more),
        lambda **more: every("1h", "job", **more),
        lambda **more: every("1h", "job", mode="fixed_delay", **more),
    ],
)
def test_a_fire_that_comes_by_its_jitter_is_not_late(world, make, policy):
    world.add(make(jitter="40m", **policy))
    world.go("10h")

    assert len(world.runs("job")) >= 5
    assert any(run[14:16] > "02" for run in world.runs("job")), "the jitter delays nothing by more than a minute"
    assert {"schedule"} == set(world.causes("job"))
    assert {} == world.agenda.entries[world.id_of("job")].skipped


def test_what_comes_later_than_its_jitter_and_its_window_is_missed(world):
    world.add(cron("0 * * * *", jitter="20m", catch_up_window="10m"))
    world.go("30s")
    world.sleep("95m")
    world.go("1s")

    assert [] == world.runs("job")
    assert {"missed": 1} == world.agenda.entries[world.id_of("job")].skipped
