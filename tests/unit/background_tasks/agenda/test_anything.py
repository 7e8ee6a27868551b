"""Anything may happen, in any order; what must hold all the same. A naive model beside the agenda knows when each
ticking task had to fire, and what the disk must have."""

from collections import Counter, defaultdict

import hypothesis.strategies as st
import pytest
from hypothesis import assume, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dms.background_tasks.agenda.decision import Cancelled, Failed, Succeeded
from dms.background_tasks.asking.recording import Recording
from dms.background_tasks.asking.replaying import replay
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Lane, Status, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.instant import Instant

SLOTS = 2
MINUTE = 60_000_000
FIRED_BY_TIME = ("schedule", "catch_up")


def nothing():
    pass


KEYS = [Concurrency("one"), Concurrency("two", 2, rate="4/m"), Concurrency("paced", rate="2/m")]
TOO_LONG = "waited longer than its catch_up_window"

policies = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(["skip", "queue", "cancel_running", "allow"]),
        "catch_up": st.sampled_from(["one", "none", "all"]),
        "durability": st.sampled_from(["none", "at_most_once", "at_least_once"]),
        "priority": st.integers(-3, 3),
        "max_retries": st.integers(0, 2),
        "timeout": st.sampled_from([None, "5m"]),
        "heartbeat_timeout": st.sampled_from([None, "3m"]),
        "concurrency": st.sampled_from([None, None, *KEYS]),
        "hold_until": st.sampled_from([(), (), ("network",)]),
        "catch_up_window": st.sampled_from([None, None, "20m"]),
    }
)
outcomes = st.sampled_from([Succeeded("done"), Failed("no"), Cancelled()])


def _fires(trigger, anchor, now):
    """How many times of a trigger lie after one instant and until another."""
    if trigger.interval is not None:
        return (now.boot - anchor.boot) // trigger.interval
    length = int(trigger.cron[2 : trigger.cron.index(" ")]) * MINUTE
    return now.wall // length - anchor.wall // length


class Anything(RuleBasedStateMachine):
    """`tasks` are those that are registered. Of those that come due again and again `anchors` is the instant from which
    it is counted, and `fires_before` how many fires were accounted for until then. More than `slots` run only where
    `taken` say that so many ran before the slots became fewer. Calendars are there only where nobody sets the clock."""

    make_world = None

    @initialize(steady=st.booleans())
    def begin(self, steady):
        self.steady = steady
        self.world = self.make_world(slots=SLOTS)
        self.slots, self.taken = SLOTS, 0
        self.tasks, self.counter = {}, 0
        self.anchors, self.fires_before = {}, {}
        self.started, self.ended = Counter(), Counter()
        self.seen_begun = self.seen_ended = 0
        self.runs = defaultdict(set)
        self.occurrences = defaultdict(set)
        self.dropped = set()

    # ── what may happen ──

    @rule(policy=policies, interval=st.integers(1, 30))
    def add_ticking(self, policy, interval):
        self._add("tick", [PeriodicTrigger(interval * 60)], policy)

    @rule(policy=policies, minutes=st.sampled_from([1, 5, 10, 30]))
    @precondition(lambda self: self.steady)
    def add_calendar(self, policy, minutes):
        self._add("tick", [PeriodicTrigger(cron=f"*/{minutes} * * * *", timezone="UTC")], policy)

    @rule(policy=policies, delay=st.integers(0, 60))
    def add_once(self, policy, delay):
        assume(policy["durability"] != "none")
        self._add("once", [OneTimeTrigger(delay * 60)], policy)

    @rule(policy=policies)
    def add_listening(self, policy):
        self._add("listen", [EventTrigger("bell")], policy)

    def _add(self, kind, triggers, policy):
        assume(len(self.tasks) < 8)
        self.counter += 1
        name = f"{kind}-{self.counter}"
        self.tasks[name] = self._task(name, triggers, policy)
        self.world.busy.add(name)
        self.world.add(self.tasks[name])
        if kind == "tick":
            self._anchor(name)

    @staticmethod
    def _task(name, triggers, policy):
        given = dict(policy)
        retries = RetryPolicy(given.pop("max_retries"), "3m")
        if given["overlap"] == "queue":
            given["queue_limit"] = 2
        if given["overlap"] == "allow":
            given["max_instances"] = 2
        if given["catch_up"] == "all":
            given["catch_up_limit"] = 3
        return Task(name, nothing, triggers=triggers, retry_policy=retries, **given)

    def _anchor(self, name):
        self.anchors[name] = self.world.now
        self.fires_before[name] = self._accounted(name)

    @rule(data=st.data(), policy=policies)
    @precondition(lambda self: self.tasks)
    def replace(self, data, policy):
        name = data.draw(st.sampled_from(sorted(self.tasks)))
        policy = policy | {"durability": self.tasks[name].durability}
        self.tasks[name] = self._task(name, list(self.tasks[name].triggers), policy)
        self.world.replace(self.tasks[name])

    @rule(data=st.data())
    @precondition(lambda self: self.tasks)
    def remove(self, data):
        name = data.draw(st.sampled_from(sorted(self.tasks)))
        self._forget(name)
        self.world.remove(name)

    def _forget(self, name):
        del self.tasks[name]
        self.dropped.add(name)
        self.anchors.pop(name, None)

    @rule()
    @precondition(lambda self: any(name.startswith("listen") for name in self.tasks))
    def ring(self):
        self.world.emit("bell")

    @rule(data=st.data())
    @precondition(lambda self: any(name.startswith("listen") for name in self.tasks))
    def ask(self, data):
        name = data.draw(st.sampled_from(sorted(name for name in self.tasks if name.startswith("listen"))))
        self.world.run(name, ticket=object())

    @rule(slots=st.integers(1, 4))
    def resize(self, slots):
        self.slots = slots
        self.world.resize(slots)

    @rule(minutes=st.integers(0, 40))
    def go(self, minutes):
        self.world.go(f"{minutes}m")

    @rule(minutes=st.integers(1, 600))
    def sleep(self, minutes):
        self.world.sleep(f"{minutes}m")
        self.world.turn()

    @rule(hours=st.integers(-80, 80))
    @precondition(lambda self: not self.steady)
    def set_clock(self, hours):
        now = self.world.now
        self.world.now = Instant(now.wall + hours * 60 * MINUTE, now.boot)
        self.world.turn()

    @rule(data=st.data(), outcome=outcomes)
    @precondition(lambda self: self.world.running)
    def finish(self, data, outcome):
        attempt = data.draw(st.sampled_from(list(self.world.running.values())))
        self.world._finish(attempt, outcome)
        self.world.turn()

    @rule(data=st.data())
    def pause(self, data):
        self.world.pause(data.draw(st.sampled_from([None, *sorted(self.tasks)])))

    @rule(data=st.data())
    def resume(self, data):
        self.world.resume(data.draw(st.sampled_from([None, *sorted(self.tasks)])))

    @rule(is_open=st.booleans())
    def tell_of_gate(self, is_open):
        self.world.open_gates = {"network"} if is_open else set()
        self.world.agenda.observe({"network": is_open}, self.world.now)
        self.world.turn()

    @rule(speed=st.sampled_from(["slow", "quick"]))
    @precondition(lambda self: not self.world.unsaved)
    def change_disk(self, speed):
        self.world.disk = speed

    @rule(works=st.sampled_from([True, True, False]))
    @precondition(lambda self: self.world.unsaved)
    def disk_answers(self, works):
        if works:
            self.world.acknowledge()
        else:
            self.world.refuse()

    @rule(written=st.integers(0, 3), minutes=st.integers(0, 90))
    def crash(self, written, minutes):
        """Some of the batches may be on disk though nobody has been told."""
        for save in self.world.unsaved[:written]:
            self.world.store.save(save.changes).result()
        self._restart(minutes)

    @rule(minutes=st.integers(0, 90), patient=st.booleans())
    def stop(self, minutes, patient):
        """A clean stop; what does not end in time is given up."""
        world = self.world
        world.agenda.stop(world.now)
        world.agenda.attempts.cancel_running("the scheduler stopped", world.now)
        for attempt in list(world.running.values()) if patient else ():
            world._finish(attempt, Cancelled())
        world.agenda.attempts.abandon(world.now)
        world.turn()
        self._disk_catches_up()
        self._observe()
        assert not world.agenda.attempts.unfinished()
        self._restart(minutes)

    def _restart(self, minutes):
        world = self.world
        self._observe()
        world.crash(down=f"{minutes}m")
        known = set(world.agenda._memory.tasks)
        tasks = dict(self.tasks)
        for name in tasks:
            if name in self.anchors and (name not in known or tasks[name].durability == "none"):
                self.anchors[name] = None
        for name, task in tasks.items():
            world.agenda.add(task, world.id_of(name), world.now)
            if self.anchors.get(name, 0) is None:
                self._anchor(name)
        world.agenda.drop_undeclared("code", world.now)
        world.turn()

    def _disk_catches_up(self):
        self.world.disk = "quick"
        while self.world.unsaved:
            self.world.acknowledge()
        if self.world.agenda._ledger.failing:
            self.world.now = self.world.now.ahead(1_000_000)
            self.world.turn()

    # ── what must hold ──

    def _observe(self):
        """Take in what has begun and ended since the last look."""
        for begun in self.world.begun[self.seen_begun :]:
            self.started[begun.id] += 1
            self.runs[begun.task].add(begun.run_id)
            if begun.attempt == 1 and begun.cause in FIRED_BY_TIME:
                self.occurrences[begun.task, begun.due].add(begun.id)
        for execution in self.world.ended[self.seen_ended :]:
            self.ended[execution.id] += 1
        self.seen_begun, self.seen_ended = len(self.world.begun), len(self.world.ended)
        for name in set(self.world.removed) & set(self.tasks):
            assert name.startswith("once")
            self._forget(name)

    def _accounted(self, name):
        """The fires of a task by time that were started, wait, or are counted as skipped; one that waited for too long
        was taken on, and then skipped."""
        world = self.world
        entry = world.agenda.entries.get(world.id_of(name))
        fired = {e.id for e in world.store._executions.values() if e.task == name and e.cause in FIRED_BY_TIME}
        late = {e.id for e in world.store._executions.values() if e.error == TOO_LONG}
        late |= {e.id for e in world.ended if e.error == TOO_LONG}
        late |= {e.id for batch in self._batches() for e in batch.executions.values() if e.error == TOO_LONG}
        fired |= {a.id for a in world.agenda.attempts.live.values() if a.task.name == name and a.cause in FIRED_BY_TIME}
        fired |= {e.id for e in world.ended if e.task == name and e.cause in FIRED_BY_TIME}
        fired |= {
            e.id
            for batch in self._batches()
            for e in batch.executions.values()
            if e.task == name and e.cause in FIRED_BY_TIME
        }
        return len(fired - late) + sum(entry.skipped.values()) if entry else len(fired)

    def _batches(self):
        ledger = self.world.agenda._ledger
        return [batch for batch in (ledger._under_way, ledger._batch) if batch is not None]

    @invariant()
    def what_began_and_ended(self):
        self._observe()
        assert all(count == 1 for count in self.started.values()), "started twice"
        assert all(count == 1 for count in self.ended.values()), "ended twice"

    @invariant()
    def slots_are_kept_and_used(self):
        agenda = self.world.agenda
        taken = [attempt for attempt in agenda.attempts.live.values() if attempt.status is not Status.WAITING]
        assert len(taken) == agenda.attempts.running_count(Lane.USER) <= max(self.slots, self.taken)
        self.taken = len(taken)
        if not agenda._ledger.failing:
            assert not (agenda.attempts.running_count() < self.slots and agenda.attempts.waiting())
        assert {a.id for a in taken if a.status is Status.RUNNING} <= set(self.world.running)

    @invariant()
    def keys_are_kept_and_used(self):
        """Of a key no more run than its limit, and who was called waits for a slot."""
        attempts = [a for a in self.world.agenda.attempts.live.values() if a.task.concurrency is not None]
        for key in KEYS:
            runs = [a for a in attempts if a.task.concurrency == key and a.status is not Status.WAITING]
            assert key.limit is None or len(runs) <= key.limit
        turnstiles = self.world.agenda.attempts.turnstiles._by_key.values()
        assert all(turnstile.called <= set(attempts) for turnstile in turnstiles)

    @invariant()
    def nothing_waits_at_an_open_gate(self):
        for attempt in self.world.agenda.attempts.live.values():
            assert not (self.world.open_gates and self.world.agenda.attempts.holding.holds(attempt))

    @invariant()
    def every_attempt_is_somewhere(self):
        """It waits for a slot, for its task or for its time, or it is held back by the disk, or it runs."""
        agenda = self.world.agenda
        for attempt in agenda.attempts.live.values():
            assert attempt in attempt.entry.unfinished()
            assert not attempt.over
        for entry in agenda.entries.values():
            assert {a.id for a in entry.unfinished()} == {
                i for i, a in agenda.attempts.live.items() if a.entry is entry
            }
            assert entry.active == len(entry.attempts or ())
            assert not (entry.queue and entry.active < entry.task.max_instances)

    @invariant()
    def every_fire_is_accounted_for(self):
        for name, anchor in self.anchors.items():
            expected = _fires(self.tasks[name].triggers[0], anchor, self.world.now)
            assert expected == self._accounted(name) - self.fires_before[name], name

    @invariant()
    def no_occurrence_is_fired_twice(self):
        for (name, _), attempts in self.occurrences.items() if self.steady else ():
            assert len(attempts) == 1 or name not in self.tasks or self.tasks[name].durability == "none"

    @invariant()
    def a_one_time_task_runs_once(self):
        assert all(len(runs) <= 1 for name, runs in self.runs.items() if name.startswith("once"))

    @invariant()
    def nothing_of_a_task_that_is_gone_begins(self):
        gone = {a.id for a in self.world.agenda.attempts.live.values() if a.entry.removed}
        assert gone <= set(self.world.running)

    @invariant()
    def attempts_are_numbered(self):
        numbers = defaultdict(list)
        for begun in self.world.begun:
            numbers[begun.run_id].append((begun.attempt, begun.cause))
        for attempts in numbers.values():
            last = 0
            for number, cause in attempts:
                assert number == last + 1 or (number == last and cause in ("crash", "retry"))
                last = number

    @invariant()
    def what_runs_is_on_disk_first(self):
        kept = {execution.id: execution.status for execution in self.world.store._executions.values()}
        for attempt in self.world.running.values():
            assert not attempt.entry.durable or attempt.id in kept

    @invariant()
    def the_disk_knows_what_is_unfinished(self):
        world = self.world
        if world.unsaved or world.agenda._ledger.failing:
            return
        kept = {e.id for e in world.store._executions.values() if not e.status.final}
        assert kept == {a.id for a in world.agenda.attempts.live.values() if a.in_store}
        assert all(a.in_store for a in world.agenda.attempts.live.values() if a.entry.durable and not a.entry.removed)

    def teardown(self):
        """In the end all that waits has run, and what must run at least once was not left interrupted."""
        if not hasattr(self, "world"):
            return
        world = self.world
        self._disk_catches_up()
        for name in (None, *self.tasks):
            world.resume(name)
        world.busy.clear()
        self.tell_of_gate(is_open=True)
        for attempt in list(world.running.values()):
            world._finish(attempt, Succeeded())
        world.turn()
        world.go("90m")
        self._observe()
        self.what_began_and_ended()
        last = {}
        for number in sorted(world.store._executions):
            execution = world.store._executions[number]
            last[execution.run_id] = execution
        assert all(execution.status.final for execution in last.values())
        for execution in last.values():
            task = self.tasks.get(execution.task)
            if task is not None and task.durability == "at_least_once":
                assert execution.status is not Status.INTERRUPTED


def run(make_world, limits):
    machine = type("Machine", (Anything,), {"make_world": staticmethod(make_world)})
    run_state_machine_as_test(machine, settings=limits)


def test_whatever_happens_nothing_is_lost_nothing_runs_twice_and_the_disk_knows(make_world):
    run(make_world, settings())


@pytest.mark.nightly
def test_the_same_holds_for_long_lives(make_world):
    run(make_world, settings(max_examples=100, stateful_step_count=400))


class Recorded(Anything):
    """Anything happens, recorded; at the end all of it is replayed."""

    folder = None

    def teardown(self):
        super().teardown()
        for path in self.folder.iterdir():
            assert replay(path).difference is None
            path.unlink()


def test_whatever_happened_is_decided_once_more_from_its_recording(make_world, tmp_path):
    def recorded(**options):
        numbers = iter(range(1000))
        return make_world(record=lambda: Recording(tmp_path / f"{next(numbers)}.jsonl"), **options)

    machine = type("Machine", (Recorded,), {"make_world": staticmethod(recorded), "folder": tmp_path})
    run_state_machine_as_test(machine, settings=settings(max_examples=25))
