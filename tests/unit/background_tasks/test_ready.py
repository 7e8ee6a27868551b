"""Who runs next: the bound on the wait, as a property, and what it costs."""

from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.ready import Line, Slots
from dms.background_tasks.tasks.task import Task

QUANTUM = 60


def attempt(ready, priority=0, due=0):
    made = Attempt(Entry(Task("job", print, priority=priority), 1, stored=False), "1-1", due, "schedule", None)
    made.ready = ready
    return made


arrivals = st.lists(st.tuples(st.integers(0, 50), st.integers(-5, 5), st.integers(0, 3)), max_size=40)


@given(arrivals)
def test_a_run_is_overtaken_only_by_more_urgent_ones_that_come_within_the_bound(steps):
    """Each step: so much time goes by, a run of that priority becomes ready, and so many others end."""
    slots, now, started = Slots(1, QUANTUM), 0, []
    for wait, priority, ends in steps:
        now += wait
        slots.wait(attempt(now, priority))
        for _ in range(ends):
            if (begun := slots.next()) is not None:
                started.append(begun)
                slots.release()
    while (begun := slots.next()) is not None:
        started.append(begun)
        slots.release()

    assert len(steps) == len(started)
    for place, later in enumerate(started):
        for earlier in started[:place]:
            if earlier.ready > later.ready:
                gained = later.task.priority - earlier.task.priority
                assert gained > 0
                assert earlier.ready <= later.ready + gained * QUANTUM


@given(arrivals)
def test_who_waits_is_told_in_the_order_in_which_it_starts(steps):
    slots = Slots(len(steps), QUANTUM)
    for wait, priority, due in steps:
        slots.wait(attempt(wait, priority, due))
    told = slots.waiting()

    assert told == [slots.next() for _ in steps]


@given(arrivals)
def test_how_many_go_before_each_is_told_as_they_then_start(steps):
    slots = Slots(len(steps), QUANTUM)
    waiting = [attempt(wait, priority, due) for wait, priority, due in steps]
    for each in waiting:
        slots.wait(each)
    for each in waiting[::3]:
        each.over = True
    told = {id(each): slots.ahead_of(each) for each in waiting if not each.over}

    assert [0, *range(1, len(told))][: len(told)] == [told[id(each)] for each in slots.waiting()]
    assert 0 == slots.ahead_of(attempt(0))


def test_of_equals_the_first_due_goes_first():
    slots = Slots(2, QUANTUM)
    late, early = attempt(0, due=9), attempt(0, due=3)
    slots.wait(late)
    slots.wait(early)

    assert [early, late] == [slots.next(), slots.next()]


def test_no_attempt_starts_without_a_free_slot():
    slots = Slots(1, QUANTUM)
    slots.wait(attempt(0))
    slots.wait(attempt(0))
    slots.next()
    assert (None, 1) == (slots.next(), slots.running)

    slots.release()
    assert slots.next() is not None


def test_what_is_over_is_passed_over_and_takes_no_slot():
    slots = Slots(1, QUANTUM)
    gone, there = attempt(0), attempt(1)
    slots.wait(gone)
    slots.wait(there)
    gone.over = True

    assert [there] == slots.waiting()
    assert there is slots.next()
    assert 1 == slots.running


def test_what_is_over_takes_no_room_though_no_slot_is_ever_free():
    slots = Slots(0, QUANTUM)
    for ready in range(10_000):
        waiting = attempt(ready)
        slots.wait(waiting)
        waiting.over = True

    assert len(slots._waiting) < 200


def test_fewer_slots_cut_nothing_and_more_are_free_at_once():
    slots = Slots(2, QUANTUM)
    for _ in range(4):
        slots.wait(attempt(0))
    assert [True, True, False] == [slots.next() is not None for _ in range(3)]
    slots.resize(1)
    slots.release()
    assert (None, 1) == (slots.next(), slots.running)
    slots.resize(3)
    assert [True, True, False] == [slots.next() is not None for _ in range(3)]


def test_another_worth_of_a_step_counts_for_those_that_wait_already() -> None:
    slots = Slots(1, 10)
    early, urgent = attempt(0), attempt(100, priority=-1)
    slots.wait(early)
    slots.wait(urgent)
    assert [early, urgent] == slots.waiting()
    slots.age_by(1_000)
    assert [urgent, early] == slots.waiting()
    assert urgent is slots.next()


def test_more_slots_are_free_as_far_as_they_are_not_taken():
    slots = Slots(3, QUANTUM)
    for _ in range(6):
        slots.wait(attempt(0))
    taken = [slots.next() for _ in range(2)]
    slots.resize(5)
    taken += iter(slots.next, None)
    assert (5, 5) == (len(taken), slots.running)
    slots.resize(4)
    slots.release()
    assert (4, None) == (slots.running, slots.next())


def test_one_that_is_taken_out_of_a_line_waits_there_no_more_and_the_others_keep_their_places():
    line = Line(QUANTUM)
    first, second, third = attempt(1), attempt(2), attempt(3)
    for each in (first, second, third):
        line.wait(each)
    assert [True, False] == [line.take_out(second), line.take_out(second)]
    assert [first, third, None] == [line.take() for _ in range(3)]


def test_what_is_over_is_passed_over_in_a_line():
    line = Line(QUANTUM)
    over, there = attempt(1), attempt(2)
    for each in (over, there):
        line.wait(each)
    over.over = True
    assert [there, None] == [line.take(), line.take()]
