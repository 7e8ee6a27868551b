"""Whoever has a key: in which order they start, and what it costs others that a key is full."""

from itertools import count

import hypothesis.strategies as st
from hypothesis import given

from dms.background_tasks.agenda.alarms import Alarms
from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.ledger import Ledger
from dms.background_tasks.agenda.ready import Slots
from dms.background_tasks.agenda.turnstile import Turnstiles
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.task import Lane, Status, Task
from dms.instant import Instant

QUANTUM = 60
KEYS = [Concurrency("x", 1), Concurrency("y", 2), None]


class Room:
    """Slots, turnstiles, and who starts when: what the attempts do with both, and no more."""

    def __init__(self, slots):
        self.now = Instant(1_000_000, 0)
        self.slots = Slots(slots, QUANTUM)
        self.turnstiles = Turnstiles({Lane.USER: self.slots}, Alarms(self.now), Ledger(""), QUANTUM)
        self.started, self.running, self._ids = [], [], count(1)

    def wait(self, key, priority):
        task = Task("job", print, priority=priority, concurrency=KEYS[key])
        attempt = Attempt(Entry(task, key + 1, stored=False), f"1-{next(self._ids)}", 0, "schedule", None)
        attempt.ready = self.now.boot
        if task.concurrency is None:
            self.slots.wait(attempt)
        else:
            self.turnstiles.line_up(attempt, self.now)

    def start(self):
        while (attempt := self.slots.next()) is not None:
            if attempt.task.concurrency is not None and not self.turnstiles.enter(attempt, self.now):
                self.slots.release()
                continue
            attempt.status = Status.RUNNING
            self.started.append(attempt)
            self.running.append(attempt)

    def end(self, which):
        attempt = self.running.pop(which % len(self.running))
        attempt.over = True
        self.slots.release()
        if attempt.task.concurrency is not None:
            self.turnstiles.left(attempt, True, self.now)
        self.start()


steps = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 2), st.integers(-5, 5), st.integers(0, 3)), max_size=40)


@given(steps, st.integers(1, 3))
def test_of_one_key_a_run_is_overtaken_only_by_more_urgent_ones_that_come_within_the_bound(taken, slots):
    """Each step: so much time goes by, a run of that key and priority is ready, and so many others end. Of one key the
    same bound counts as for all who wait for a slot: (p - q) * aging_quantum."""
    room = Room(slots)
    for wait, key, priority, ends in taken:
        room.now = room.now.ahead(wait)
        room.wait(key, priority)
        room.start()
        for which in range(ends):
            if room.running:
                room.end(which)
    while room.running:
        room.end(0)

    assert len(taken) == len(room.started)
    for place, later in enumerate(room.started):
        for earlier in room.started[:place]:
            if earlier.entry.id == later.entry.id and earlier.ready > later.ready:
                gained = later.task.priority - earlier.task.priority
                assert gained > 0
                assert earlier.ready <= later.ready + gained * QUANTUM


@given(steps, st.integers(1, 3))
def test_no_slot_is_free_while_somebody_waits_whose_key_has_room(taken, slots):
    """PrefectHQ/prefect#23183, rails/solid_queue#694: a place that was free again stayed so for minutes, since nobody
    was told, or two told each other."""
    room = Room(slots)
    waiting = [0, 0, 0]
    for _, key, priority, ends in taken:
        room.wait(key, priority)
        room.start()
        for which in range(ends):
            if room.running:
                room.end(which)
        waiting[key] += 1
        left = [waiting[each] - sum(a.entry.id == each + 1 for a in room.started) for each in range(3)]
        runs = [sum(a.entry.id == each + 1 for a in room.running) for each in range(3)]
        if len(room.running) < slots:
            assert [] == [each for each in range(3) if left[each] and (each == 2 or runs[each] < KEYS[each].limit)]


def test_a_run_that_needs_no_key_passes_ten_thousand_that_wait_for_a_full_one():
    room = Room(2)
    for _ in range(10_000):
        room.wait(0, 0)
    room.start()
    room.wait(2, 9)
    room.start()

    assert [1, 3] == [attempt.entry.id for attempt in room.started]
    assert 0 == len(room.slots._waiting)
