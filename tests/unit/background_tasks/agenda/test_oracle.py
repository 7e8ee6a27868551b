"""The agenda against an oracle: a naive model that walks over a task's life fire by fire, one task at a time and with
slots for all, and says what starts, when, for which moment, why, and what is left out for which reason."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from dms.background_tasks.agenda.decision import Cancelled, Failed, Succeeded
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.instant import Instant, to_datetime

SECOND = 1_000_000
MINUTE = 60 * SECOND
GRACE = 60 * SECOND
KILL_AFTER = 7_300_000
RETRY_DELAY = 180_700_000
"""Fractions of a second that nothing else has: so nothing falls together that comes from different sides."""


def nothing():
    pass


whens = st.one_of(
    st.integers(20, 1_500).map(lambda seconds: ("every", seconds)),
    st.sampled_from([("cron", "*/3 * * * *"), ("cron", "15 * * * *"), ("cron", "40 */2 * * *")]),
)
policies = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(["skip", "queue", "cancel_running", "allow"]),
        "catch_up": st.sampled_from(["one", "none", "all"]),
        "catch_up_window": st.sampled_from([None, None, "5m", "1h"]),
        "durability": st.sampled_from(["at_most_once", "at_least_once"]),
        "max_retries": st.integers(0, 2),
        "supersede": st.booleans(),
    }
)


def task_of(when, policy, enabled):
    given = dict(policy)
    retries = RetryPolicy(given.pop("max_retries"), RETRY_DELAY / SECOND, supersede=given.pop("supersede"))
    limits = {"queue": {"queue_limit": 2}, "allow": {"max_instances": 2}}.get(given["overlap"], {})
    if given["catch_up"] == "all":
        limits["catch_up_limit"] = 3
    kind, value = when
    trigger = PeriodicTrigger(value) if kind == "every" else PeriodicTrigger(cron=value, timezone="UTC")
    kill_after = KILL_AFTER / SECOND
    return Task(
        "job",
        nothing,
        triggers=[trigger],
        retry_policy=retries,
        enabled=enabled,
        kill_after=kill_after,
        **limits,
        **given,
    )


def in_calendar(expression, wall):
    """Whether a cron line of the plain forms above names this whole minute."""
    moment = to_datetime(wall)
    minute, hour = expression.split()[:2]
    hours = moment.hour % 2 == 0 if hour == "*/2" else True
    return hours and (moment.minute % 3 == 0 if minute == "*/3" else moment.minute == int(minute))


class Run:
    """One run of the oracle's: `waiting` (it starts at the end of the turn), `running`, `queued` or `retry`."""

    made = 0

    def __init__(self, label, cause, attempt=1):
        self.count()
        self.label, self.cause, self.attempt = label, cause, attempt
        self.state, self.deadline, self.ready, self.retries = "waiting", None, None, 0

    def count(self):
        """It is the newest of all."""
        Run.made += 1
        self.number = Run.made


class Oracle:
    """What must become of one task."""

    def __init__(self, when, policy, now):
        self.when, self.policy, self.enabled = when, policy, True
        self.began = now.boot
        self.runs, self.starts, self.skipped = [], [], Counter()
        self.pause, self.skip_next = False, False
        self.begin(now)

    # ── when ──

    def begin(self, now):
        """What counts is what comes from now on."""
        self.seen_wall = now.wall
        self.due = now.boot + self.when[1] * SECOND if self.when[0] == "every" else None

    def came(self, now):
        """Each fire since the last look: when (boot) and for which moment (wall)."""
        if not self.enabled:
            return []
        kind, value = self.when
        offset = now.wall - now.boot
        if kind == "every":
            dues = []
            while self.due <= now.boot:
                dues.append(self.due)
                self.due += value * SECOND
            return [(due, due + offset) for due in dues]
        first = self.seen_wall // MINUTE * MINUTE + MINUTE
        walls = range(first, now.wall + 1, MINUTE)
        return [(wall - offset, wall) for wall in walls if in_calendar(value, wall)]

    # ── what happens ──

    def turn(self, now):
        """Deadlines, retries and fires in their order; calendars look last. What may start starts at the end."""
        fires = self.came(now)
        todo = [(run.deadline, self.give_up, run) for run in self.runs if run.deadline is not None]
        todo += [(run.ready, self.retry, run) for run in self.runs if run.state == "retry"]
        if fires:
            place = fires[0][0] if self.when[0] == "every" else now.boot + 1
            todo.append((place, self.fires, fires))
        for due, act, what in sorted(todo, key=lambda each: each[0]):
            if due <= now.boot or act == self.fires:
                act(what, now)
        self.seen_wall = max(now.wall, self.seen_wall)
        while waiting := self.of("waiting"):
            self.start(waiting[0], now)

    def start(self, run, now):
        if self.too_late(run, now):
            self.skipped["limit"] += 1
            self.leave(run, now)
        else:
            run.state, run.retries = "running", self.policy["max_retries"]
            self.starts.append((run.label, run.cause, run.attempt, now.wall))

    def fires(self, fires, now):
        labels = [label for _, label in fires][-3 if self.policy["catch_up"] == "all" else -1 :]
        labels = [] if self.pause else [label for label in labels if self.worth(label, now)]
        left_out = len(fires) - len(labels)
        if left_out:
            self.skipped["paused" if self.pause else "missed"] += left_out
        if labels and self.skip_next:
            self.skip_next = False
            self.skipped["skipped"] += 1
            labels = labels[1:]
        for label in labels:
            self.fire(label, "schedule" if self.on_time(label, now) else "catch_up", now, together=len(labels) > 1)

    def on_time(self, label, now):
        return now.wall - label <= min(GRACE, now.boot - self.began)

    def worth(self, label, now):
        if now.wall - label > self.window():
            return False
        return self.policy["catch_up"] != "none" or self.on_time(label, now)

    def window(self):
        return {"5m": 5 * MINUTE, "1h": 60 * MINUTE, None: 10**18}[self.policy["catch_up_window"]]

    def too_late(self, run, now):
        return run.cause not in ("retry", "crash") and now.wall - run.label > self.window()

    def fire(self, label, cause, now, together=False):
        overlap, busy = self.policy["overlap"], len(self.active()) >= self.most()
        room = overlap == "cancel_running" or (overlap == "queue" and len(self.of("queued")) < 2)
        if busy and not together and not room:
            self.skipped["overlap"] += 1
            return
        overtaken = self.active() + self.of("queued") if overlap == "cancel_running" and not together else []
        overtaken = overtaken if self.active() else []
        superseded = self.of("retry") if self.policy["supersede"] else []
        self.admit(Run(label, cause), now, new=True)
        for run in superseded:
            self.runs.remove(run)
        for run in overtaken:
            if run.state == "running":
                run.deadline = run.deadline or now.boot + KILL_AFTER
            elif run in self.runs:
                self.leave(run, now)

    def admit(self, run, now, new=False):
        if new:
            self.runs.append(run)
        else:  # it stands behind whatever waits already
            self.runs.remove(run)
            self.runs.append(run)
        run.state = "waiting" if len(self.active()) - (run.state in ("waiting", "running")) < self.most() else "queued"

    def give_up(self, run, now):
        if run in self.runs:
            self.leave(run, now)

    def retry(self, run, now):
        if run in self.runs and run.state == "retry" and not self.pause:
            self.admit(run, now)

    def leave(self, run, now):
        """It is over; the next of the queue that is still worth running takes its place."""
        self.runs.remove(run)
        self.next(now)

    def next(self, now):
        while self.of("queued") and len(self.active()) < self.most():
            run = self.of("queued")[0]
            if self.too_late(run, now):
                self.skipped["missed"] += 1
                self.runs.remove(run)
            else:
                run.state = "waiting"

    def end(self, run, outcome, now):
        """A function has returned. What it began with still counts, whatever its task says by now."""
        retried = run.attempt <= run.retries and isinstance(outcome, Failed) and run.deadline is None
        if retried:
            again = Run(now.wall + RETRY_DELAY, "retry", run.attempt + 1)
            again.state, again.ready = "retry", now.boot + RETRY_DELAY
            self.runs.append(again)
        self.leave(run, now)

    def resume(self, now):
        self.pause = False
        for run in self.of("retry"):
            if run.ready <= now.boot:
                self.admit(run, now)

    def crash(self, now):
        """What ran is cut off, and runs again only where it must; all that waited waits again, in the order of its
        moments."""
        self.began = now.boot
        before, self.runs = sorted(self.runs, key=lambda run: (run.label, run.number)), []
        for run in before:
            run.deadline = None
            if run.state == "running":
                if self.policy["durability"] == "at_most_once":
                    continue
                run.cause = "crash"
                run.count()
            if run.cause == "retry":
                run.state = "retry"
                run.ready = now.boot + min(max(0, run.label - now.wall), RETRY_DELAY)
                self.runs.append(run)
            else:
                run.state = "new"
                self.admit(run, now, new=True)

    def replace(self, when, policy, enabled, now):
        anew = when != self.when or (enabled and not self.enabled)
        self.when, self.policy, self.enabled = when, policy, enabled
        if anew:
            self.begin(now)
        self.next(now)

    def active(self):
        return [run for run in self.runs if run.state in ("waiting", "running")]

    def of(self, state):
        return [run for run in self.runs if run.state == state]

    def most(self):
        return 2 if self.policy["overlap"] == "allow" else 1


class Against(RuleBasedStateMachine):
    """A world with one task, and the oracle of it. The clock is set only where the task goes by an interval."""

    make_world = None

    @initialize(when=whens, policy=policies)
    def begin(self, when, policy):
        self.world = self.make_world("2026-01-05T06:00", slots=10)
        self.world.busy.add("job")
        self.world.add(task_of(when, policy, True))
        self.oracle = Oracle(when, policy, self.world.now)
        self.seen = 0

    @property
    def by_interval(self):
        return self.oracle.when[0] == "every"

    def look(self):
        """The world has had its turn: now the oracle, and both must say the same."""
        self.oracle.turn(self.world.now)
        begun = [(each.due, each.cause, each.attempt, each.at.wall) for each in self.world.begun]
        expected, found = Counter(self.oracle.starts), Counter(begun)
        assert (Counter(), Counter()) == (expected - found, found - expected)
        assert Counter(self.oracle.skipped) == Counter({why: count for (_, why), count in self.world.skipped.items()})

    # ── what may happen ──

    @rule(seconds=st.integers(1, 4_000))
    def go(self, seconds):
        """The agenda wakes as it wishes: at each of those moments the oracle looks too."""
        world, end = self.world, self.world.now.boot + seconds * SECOND
        while (wakeup := world.agenda.next_wakeup()) is not None and wakeup.boot <= end:
            world.now = world.now.ahead(max(0, wakeup.boot - world.now.boot))
            world.turn()
            self.look()
        world.now = world.now.ahead(end - world.now.boot)
        world.turn()
        self.look()

    @rule(seconds=st.integers(1, 20_000))
    def sleep(self, seconds):
        self.world.now = self.world.now.ahead(seconds * SECOND)
        self.world.turn()
        self.look()

    @rule(hours=st.integers(-50, 50))
    @precondition(lambda self: self.by_interval and not self.oracle.of("queued"))
    def set_clock(self, hours):
        now = self.world.now
        self.world.now = Instant(now.wall + hours * 60 * MINUTE, now.boot)
        self.world.turn()
        self.look()

    @rule(outcome=st.sampled_from([Succeeded("done"), Failed("no"), Cancelled()]), newest=st.booleans())
    @precondition(lambda self: self.world.running)
    def finish(self, outcome, newest):
        world = self.world
        attempt = list(world.running.values())[-1 if newest else 0]
        given_up = world.agenda.attempts.get(attempt.id) is None
        told = (attempt.due, attempt.cause, attempt.attempt)
        world._finish(attempt, outcome)
        if not given_up:
            run = next(r for r in self.oracle.of("running") if (r.label, r.cause, r.attempt) == told)
            self.oracle.end(run, outcome, world.now)
        world.turn()
        self.look()

    @rule()
    def ask(self):
        self.world.run("job", ticket=object())
        self.oracle.fire(self.world.now.wall, "operator", self.world.now)
        self.look()

    @rule()
    def pause(self):
        self.world.pause("job")
        self.oracle.pause = True
        self.look()

    @rule()
    def resume(self):
        self.world.resume("job")
        self.oracle.resume(self.world.now)
        self.look()

    @rule(skip=st.booleans())
    def skip_next(self, skip):
        self.world.skip_next("job", skip)
        self.oracle.skip_next = skip
        self.look()

    @rule(when=st.none() | whens, policy=st.none() | policies, enabled=st.booleans())
    def change(self, when, policy, enabled):
        when, policy = when or self.oracle.when, policy or self.oracle.policy
        policy = policy | {"durability": self.oracle.policy["durability"]}
        self.world.replace(task_of(when, policy, enabled))
        self.oracle.replace(when, policy, enabled, self.world.now)
        self.look()

    @rule(seconds=st.integers(0, 20_000))
    def crash(self, seconds):
        world = self.world
        task = task_of(self.oracle.when, self.oracle.policy, self.oracle.enabled)
        world.crash(down=f"{seconds}s")
        world.agenda.add(task, world.id_of("job"), world.now)
        self.oracle.crash(world.now)
        world.turn()
        self.look()


def run(make_world, limits):
    machine = type("Machine", (Against,), {"make_world": staticmethod(make_world)})
    run_state_machine_as_test(machine, settings=limits)


def test_a_task_does_what_a_walk_over_its_life_says(make_world):
    run(make_world, settings())


@pytest.mark.nightly
def test_the_same_holds_for_long_lives(make_world):
    run(make_world, settings(max_examples=300, stateful_step_count=200))
