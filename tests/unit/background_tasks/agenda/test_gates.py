"""Fires that wait until the network is there, or whatever else their task needs."""

from collections import Counter

import pytest

from dms.background_tasks.agenda.decision import AskGate, LeaveGate
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger


def nothing():
    pass


def upload(*gates, name="upload", **fields):
    return Task(name, nothing, hold_until=gates or ("network",), **fields)


def every(interval, *gates, **fields):
    return upload(*gates, triggers=[PeriodicTrigger(interval)], **fields)


@pytest.fixture
def asked(world):
    """Which gates are asked about, as of the decisions carried out until now."""
    asked = Counter()
    carry_out = world._carry_out

    def heed(decision):
        match decision:
            case AskGate(gate):
                asked[gate] += 1
            case LeaveGate(gate):
                asked[gate] -= 1
        carry_out(decision)

    world._carry_out = heed
    return lambda: {gate for gate, count in asked.items() if count}


def observe(world, **conditions):
    world.agenda.observe(conditions, world.now)
    world.turn()


def test_a_fire_waits_until_its_gate_is_open(world):
    """cronie-crond/cronie#114, openSUSE/open-build-service#1731: on battery no job ran at all, and none could say that
    it may."""
    world.add(every("10m"))
    world.go("12m")
    assert [] == world.runs("upload")

    observe(world, network=False)
    observe(world, network=True)
    assert (["2026-01-05T00:12"], ["2026-01-05T00:10"]) == (world.runs("upload"), world.labels("upload"))
    assert {} == world.skipped


def test_all_gates_of_a_task_have_to_be_open_at_once(world):
    world.add(upload("network", "mains_power"))
    world.run("upload")
    observe(world, network=True)
    observe(world, network=False, mains_power=True)
    assert [] == world.order()

    observe(world, network=True)
    assert ["upload"] == world.order()


def test_a_gate_is_asked_about_only_while_somebody_waits_for_it(world, asked):
    world.add(upload(), upload("network", "mains_power", name="sync"))
    assert set() == asked()

    world.run("upload")
    assert {"network"} == asked()
    world.run("sync")
    assert {"network", "mains_power"} == asked()
    observe(world, network=True)
    assert {"network", "mains_power"} == asked()
    observe(world, mains_power=True)
    assert set() == asked()


def test_what_was_known_of_a_gate_counts_no_more_once_nobody_waited_for_it(world):
    world.add(upload())
    world.run("upload")
    observe(world, network=True)
    world.go("1h")
    world.run("upload")
    assert 1 == len(world.begun)

    observe(world, network=True)
    assert 2 == len(world.begun)


def test_what_is_told_of_a_gate_that_nobody_waits_for_is_not_heard(world):
    world.add(upload())
    observe(world, network=True, paper=True)
    world.run("upload")

    assert [] == world.order()


def test_a_fire_whose_window_passes_at_its_gate_is_skipped_because_of_the_gate(world, asked):
    world.add(every("10m", catch_up_window="3m"))
    world.go("13m")
    assert {} == world.skipped

    world.go("1s")
    assert {("upload", "gate"): 1} == world.skipped
    assert ["cancelled"] == world.ends("upload")
    assert set() == asked()
    (skipped,) = world.agenda.entries[1].skips.latest
    assert "its catch_up_window is 3m; held until network" == skipped.why

    world.go("7m")
    observe(world, network=True)
    assert ["2026-01-05T00:20"] == world.labels("upload")


def test_a_fire_that_waits_at_its_gate_counts_as_running_and_as_waiting_already(world):
    world.add(every("10m"))
    world.go("35m")
    observe(world, network=True)

    assert ["2026-01-05T00:10"] == world.labels("upload")
    assert {("upload", "overlap"): 2} == world.skipped
    (skipped,) = world.agenda.entries[1].skips.latest
    assert "upload waits already, held until network; its overlap is skip" == skipped.why


def test_of_fires_that_cancel_what_waits_the_latest_runs(world):
    world.add(every("10m", overlap="cancel_running"))
    world.go("35m")
    observe(world, network=True)

    assert ["2026-01-05T00:30"] == world.labels("upload")


def test_a_gate_that_closes_while_the_run_waits_for_a_slot_holds_it_again(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), upload(), Task("other", nothing))
    for name in ("hog", "upload"):
        world.run(name)
    observe(world, network=True)
    observe(world, network=False)
    world.run("other")
    world.finish("hog")
    assert ["hog", "other"] == world.order()

    observe(world, network=True)
    assert ["hog", "other", "upload"] == world.order()


def test_a_run_at_its_gate_holds_no_slot_and_no_place_at_its_key(make_world):
    world = make_world(slots=1)
    disk = Concurrency("disk")
    world.add(upload(concurrency=disk), Task("other", nothing, concurrency=disk), Task("free", nothing))
    for name in ("upload", "other", "free"):
        world.run(name)

    assert ["other", "free"] == world.order()


def test_a_run_past_its_gate_waits_for_its_key_and_the_gate_is_looked_at_again_when_that_is_free(world):
    world.busy |= {"holder", "upload"}
    disk = Concurrency("disk")
    world.add(
        Task("holder", nothing, concurrency=disk), upload(concurrency=disk), Task("next", nothing, concurrency=disk)
    )
    for name in ("holder", "upload", "next"):
        world.run(name)
    observe(world, network=True)
    observe(world, network=False)
    world.finish("holder")
    assert ["holder", "next"] == world.order()

    observe(world, network=True)
    assert ["holder", "next", "upload"] == world.order()


def test_an_event_waits_at_the_gate_too(world):
    world.add(upload(triggers=[EventTrigger("bell")]))
    world.emit("bell", 5)
    observe(world, network=True)

    assert [5] == [begun.event.payload for begun in world.begun]


def test_what_waits_at_its_gate_waits_there_again_after_a_crash(world):
    world.add(every("10m"))
    world.go("12m")
    world.crash(down="1m")
    world.add(every("10m"))
    assert [] == world.order()

    observe(world, network=True)
    assert ["2026-01-05T00:10"] == world.labels("upload")


@pytest.mark.parametrize("through", [False, True])
def test_a_waiting_run_goes_by_the_gates_that_its_task_has_now(make_world, through):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), upload())
    for name in ("hog", "upload"):
        world.run(name)
    observe(world, network=through)
    world.replace(upload("paper"))
    observe(world, network=True)
    world.finish("hog")
    assert ["hog"] == world.order()

    observe(world, paper=True)
    assert ["hog", "upload"] == world.order()


def test_a_waiting_run_whose_task_needs_no_gate_any_more_runs(world, asked):
    world.add(upload())
    world.run("upload")
    world.replace(Task("upload", nothing))

    assert ["upload"] == world.order()
    assert set() == asked()


def test_a_task_that_is_removed_while_it_waits_asks_for_nothing_any_more(world, asked):
    world.add(upload())
    world.run("upload")
    world.remove("upload")

    assert set() == asked()
    assert ["cancelled"] == world.ends("upload")


def test_a_run_that_could_not_be_saved_waits_for_its_gate_anew(world):
    world.disk = "slow"
    world.add(upload())
    world.acknowledge()
    world.run("upload")
    observe(world, network=True)
    world.acknowledge()
    world.refuse()
    world.disk = "quick"
    world.go("2s")
    assert [] == world.order()

    observe(world, network=True)
    assert ["upload"] == world.order()


def test_a_gate_that_opens_again_and_again_puts_nobody_in_line_twice(make_world):
    world = make_world(slots=1)
    world.busy |= {"hog", "upload"}
    world.add(Task("hog", nothing), upload(), Task("free", nothing, hold_until=["paper"]))
    for name in ("hog", "upload"):
        world.run(name)
    for is_open in (True, False, True):
        observe(world, network=is_open)
    assert "no free slot" == world.agenda.attempts.waits_for(world.agenda.entries[2])

    world.finish("hog")
    world.finish("upload")
    assert ["hog", "upload"] == world.order()
    assert not world.agenda.attempts.holding._let_through


def test_what_each_waits_for_is_told(world):
    world.add(upload("network", "mains_power"), Task("plain", nothing))
    world.run("upload")
    assert "held until network, mains_power" == world.agenda.attempts.waits_for(world.agenda.entries[1])
    observe(world, network=True)
    assert "held until mains_power" == world.agenda.attempts.waits_for(world.agenda.entries[1])
