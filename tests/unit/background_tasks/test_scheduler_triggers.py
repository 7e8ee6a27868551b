"""What makes tasks run: time, on a clock turned by hand, channels, and third parties' triggers, well and badly made."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from threading import enumerate as threads_now
from typing import Any

import pytest

import dms
from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.host import Host
from dms.background_tasks.loop.third_party import ThirdParty
from dms.background_tasks.scheduler import Scheduler
from dms.testing import FakeClock

Make = Callable[..., Any]
PATIENCE = 5


def answer() -> int:
    return 42


def node(clock: FakeClock | None = None, alert: Callable[[Alert], None] = lambda alert: None) -> Scheduler:
    """A scheduler on a clock that is turned by hand; third parties are asked each millisecond."""
    clock = clock or FakeClock()
    scheduler = Scheduler(clock=clock, poll_interval="1ms", host=Host(alert=alert))
    clock.woken = scheduler.wake
    return scheduler


class Alerts:
    """Hears alerts; `told` once there is one with a message, `withdrawn` once one was taken back."""

    def __init__(self) -> None:
        self.heard: list[Alert] = []
        self.told, self.withdrawn = Event(), Event()

    def __call__(self, alert: Alert) -> None:
        self.heard.append(alert)
        (self.told if alert.message else self.withdrawn).set()


# ── time ──


def test_an_interval_fires_each_time_it_has_gone_by(witness: Make) -> None:
    clock = FakeClock()
    with node(clock) as scheduler:
        seen = witness(scheduler)
        task = scheduler.add_task(dms.Task("a", answer, triggers=[dms.PeriodicTrigger(interval="5m")]))
        start = task.next_fire
        for fires in (1, 2, 3):
            clock.advance("5m")
            seen.until("ended", "a", fires)
        assert start is not None
        dues = [event.execution.due_at for event in seen.of("ended", "a")]
        assert [start + timedelta(minutes=5 * n) for n in range(3)] == dues


def test_a_calendar_fires_at_its_time_in_its_zone(witness: Make) -> None:
    clock = FakeClock(datetime(2026, 3, 28, 12, tzinfo=UTC))
    with node(clock) as scheduler:
        seen = witness(scheduler)
        trigger = dms.PeriodicTrigger(cron="0 3 * * *", timezone="Europe/Helsinki")
        task = scheduler.add_task(dms.Task("a", answer, triggers=[trigger]))
        assert datetime(2026, 3, 29, 1, tzinfo=UTC) == task.next_fire
        clock.set_wall(datetime(2026, 3, 29, 1, tzinfo=UTC))
        seen.until("ended", "a")


def test_a_calendar_without_a_zone_takes_the_schedulers() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    with Scheduler(clock=clock, timezone="Asia/Tokyo") as scheduler:
        task = scheduler.add_task(dms.Task("a", answer, triggers=[dms.PeriodicTrigger(cron="30 9 * * *")]))
        assert datetime(2026, 1, 1, 0, 30, tzinfo=UTC) == task.next_fire


def test_one_time_is_once(witness: Make) -> None:
    clock = FakeClock()
    with node(clock) as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[dms.OneTimeTrigger(delay="30s")]))
        clock.advance("29s")
        assert scheduler.view("a").next_fire is not None
        clock.advance("1s")
        seen.until("ended", "a")
        assert [] == scheduler.tasks()


def test_an_execution_tells_when_it_was_due_when_it_started_and_when_it_ended(gate: Make, witness: Make) -> None:
    def at(minute: int) -> datetime:
        return datetime(2026, 1, 1, 0, minute, tzinfo=UTC)

    clock, first, second = FakeClock(at(0)), gate(), gate()
    with Scheduler(1, clock=clock) as scheduler:
        clock.woken = scheduler.wake
        seen = witness(scheduler)
        scheduler.add_tasks([dms.Task("a", first), dms.Task("b", second, triggers=[dms.PeriodicTrigger("5m")])])
        scheduler.run_task("a")
        first.await_begin()
        clock.advance("5m")
        clock.advance("1m")
        first.open()
        second.await_begin()
        clock.advance("2m")
        second.open()
        end = seen.until("ended", "b")[0].execution
        assert (at(5), at(6), at(8)) == (end.due_at, end.started_at, end.ended_at)
        assert ("schedule", 1, "success", None, None, "let go") == (
            end.cause, end.attempt, end.status, end.error, end.event, end.results
        )  # fmt: skip


def test_a_disabled_task_does_not_fire(witness: Make) -> None:
    clock = FakeClock()
    with node(clock) as scheduler:
        seen = witness(scheduler)
        every = [dms.PeriodicTrigger(interval="1m")]
        scheduler.add_tasks(
            [dms.Task("off", answer, triggers=every, enabled=False), dms.Task("on", answer, triggers=every)]
        )
        clock.advance("1m")
        seen.until("ended", "on")
        assert [] == seen.of("started", "off")
        assert scheduler.view("off").next_fire is None


# ── channels ──


def test_what_a_channel_is_sent_reaches_its_task_in_order(witness: Make) -> None:
    channel = dms.Channel()
    channel.send("before the start")
    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(
            dms.Task(
                "a",
                lambda run: run.event.payload,
                triggers=[dms.EventTrigger(channel)],
                overlap="queue",
                queue_limit=10,
            )
        )
        channel.send("after it")
        ends = seen.until("ended", "a", 2)
        assert ["before the start", "after it"] == [event.execution.results for event in ends]


def test_a_channel_keeps_what_it_is_sent_while_no_task_listens(witness: Make) -> None:
    channel = dms.Channel()

    def listener(name: str) -> dms.Task:
        return dms.Task(name, lambda run: run.event.payload, triggers=[dms.EventTrigger(channel)])

    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_tasks([listener("a"), listener("b")])
        scheduler.remove_task("a")
        scheduler.wake()
        channel.send("heard by b")
        assert "heard by b" == seen.until("ended", "b")[0].execution.results
        scheduler.remove_task("b")
        scheduler.wake()
        channel.send("for c")
        scheduler.add_task(listener("c"))
        assert "for c" == seen.until("ended", "c")[0].execution.results
    channel.send("for the next")
    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(listener("d"))
        assert "for the next" == seen.until("ended", "d")[0].execution.results


# ── third parties' triggers ──


class Polled:
    """Ready each time it is set; `reset` takes that back."""

    def __init__(self) -> None:
        self.ready = self.resets = 0
        self.nows: list[datetime] = []

    def is_ready(self, now: datetime) -> bool:
        self.nows.append(now)
        return self.ready > self.resets

    def reset(self, now: datetime) -> None:
        self.resets += 1


class PolledWithoutNow:
    def __init__(self) -> None:
        self.ready = True

    def is_ready(self) -> bool:
        return self.ready

    def reset(self) -> None:
        self.ready = False


def test_a_trigger_with_only_the_two_methods_is_polled(witness: Make) -> None:
    trigger, clock = Polled(), FakeClock()
    with node(clock) as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[trigger]))
        trigger.ready = 1
        end = seen.until("ended", "a")[0].execution
        assert "trigger" == end.cause
        trigger.ready = 2
        seen.until("ended", "a", 2)
        assert 2 == trigger.resets
        assert datetime(2026, 1, 1, tzinfo=UTC) == trigger.nows[0]


def test_a_trigger_whose_methods_take_no_now_is_polled_too(witness: Make) -> None:
    with node() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[PolledWithoutNow()]))
        seen.until("ended", "a")


def test_each_of_several_polled_triggers_is_asked_and_let_go(witness: Make) -> None:
    before = set(threads_now())
    first, second = Polled(), Polled()
    with node() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[first, second]))
        first.ready = 1
        seen.until("ended", "a")
        second.ready = 1
        seen.until("ended", "a", 2)
        polls = [thread for thread in set(threads_now()) - before if thread.name == "dms-poll"]
        assert 2 == len(polls)
        scheduler.remove_task("a")
        for thread in polls:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in polls)


def test_a_polled_trigger_of_a_paused_task_is_skipped_and_counted(witness: Make) -> None:
    trigger = Polled()
    with node() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[trigger]))
        scheduler.pause("a")
        trigger.ready = 1
        assert "paused" == seen.until("skipped", "a")[0].text
        assert {"paused": 1} == scheduler.view("a").skipped


def test_a_polled_trigger_that_raises_is_reported_once_and_asked_again(witness: Make) -> None:
    class Raising(Polled):
        def is_ready(self, now: datetime) -> bool:
            if super().is_ready(now):
                return True
            raise OSError("sensor unplugged")

    trigger, alerts = Raising(), Alerts()
    with node(alert=alerts) as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[trigger]))
        assert alerts.told.wait(PATIENCE)
        assert Alert("trigger", "a", "its trigger raised OSError: sensor unplugged") == alerts.heard[0]
        trigger.ready = 1
        seen.until("ended", "a")
        assert alerts.withdrawn.wait(PATIENCE)
        assert Alert("trigger", "a", "") == alerts.heard[1]


def test_the_report_on_a_trigger_goes_with_its_task() -> None:
    class Raising(Polled):
        def is_ready(self, now: datetime) -> bool:
            raise OSError("sensor unplugged")

    alerts = Alerts()
    with node(alert=alerts) as scheduler:
        scheduler.add_task(dms.Task("a", answer, triggers=[Raising()]))
        assert alerts.told.wait(PATIENCE)
        scheduler.remove_task("a")
        assert alerts.withdrawn.wait(PATIENCE)


def test_a_polled_trigger_that_blocks_holds_up_nobody_and_is_reported(witness: Make) -> None:
    class Blocking(Polled):
        def is_ready(self, now: datetime) -> bool:
            asked.set()
            assert let_go.wait(PATIENCE)
            return super().is_ready(now)

    asked, let_go = Event(), Event()
    alerts, clock = Alerts(), FakeClock()
    with node(clock, alerts) as scheduler:
        scheduler.add_tasks([dms.Task("a", answer, triggers=[Blocking()]), dms.Task("b", answer)])
        assert asked.wait(PATIENCE)
        assert 42 == scheduler.run_task("b").wait("5s").results
        clock.advance("31s")
        assert alerts.told.wait(PATIENCE)
        assert Alert("trigger", "a", "its trigger has not answered for half a minute") == alerts.heard[0]
        let_go.set()
        assert alerts.withdrawn.wait(PATIENCE)


class Calendar:
    """A third party's calendar: each minute. It can be broken."""

    broken: Exception | None = None
    gives: Any = None

    def is_ready(self, now: datetime) -> bool:
        return False

    def reset(self, now: datetime) -> None:
        pass

    def next_after(self, now: datetime) -> Any:
        if self.broken is not None:
            raise self.broken
        return self.gives or now.replace(second=0, microsecond=0) + timedelta(minutes=1)


def test_a_trigger_that_knows_its_next_time_is_asked_for_it_and_not_polled(witness: Make) -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    with node(clock) as scheduler:
        seen = witness(scheduler)
        task = scheduler.add_task(dms.Task("a", answer, triggers=[Calendar()]))
        assert datetime(2026, 1, 1, 0, 1, tzinfo=UTC) == task.next_fire
        clock.advance("1m")
        seen.until("ended", "a")
        assert datetime(2026, 1, 1, 0, 2, tzinfo=UTC) == task.next_fire
        assert "dms-poll" not in {thread.name for thread in threads_now()}


def test_a_calendar_that_raises_is_reported_and_stops_nobody_else(witness: Make) -> None:
    clock, alerts, calendar = FakeClock(), Alerts(), Calendar()
    with node(clock, alerts) as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[calendar]))
        scheduler.add_task(dms.Task("b", answer, triggers=[dms.PeriodicTrigger(interval="1m")]))
        scheduler.wake()
        calendar.broken = OSError("almanac gone")
        clock.advance("1m")
        seen.until("ended", "b")
        assert alerts.told.wait(PATIENCE)
        assert ("trigger", "a") == (alerts.heard[0].code, alerts.heard[0].subject)
        assert "OSError: almanac gone" in alerts.heard[0].message
        clock.advance("1m")
        seen.until("ended", "b", 2)


@pytest.mark.parametrize("given", [datetime(2030, 1, 1), "tomorrow", datetime(1999, 1, 1, tzinfo=UTC)])
def test_a_calendar_that_answers_nonsense_stops_nobody_else(given: Any) -> None:
    calendar = Calendar()
    calendar.gives = given
    with node() as scheduler:
        scheduler.add_tasks([dms.Task("a", answer, triggers=[calendar]), dms.Task("b", answer)])
        assert 42 == scheduler.run_task("b").wait("5s").results
        assert 42 == scheduler.run_task("a").wait("5s").results
        assert scheduler.view("a").next_fire is None


def test_a_calendar_that_does_not_answer_holds_the_loop_for_a_moment_only_and_is_not_asked_again(
    witness: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a third party's code does on the loop, it does to every other task."""
    let_go, asked = Event(), list[datetime]()

    class Hanging(Calendar):
        def next_after(self, now: datetime) -> Any:
            asked.append(now)
            let_go.wait(PATIENCE)
            return super().next_after(now)

    monkeypatch.setattr("dms.background_tasks.scheduler.ThirdParty", lambda: ThirdParty(0.01))
    clock, alerts = FakeClock(), Alerts()
    with node(clock, alerts) as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[Hanging()]))
        scheduler.add_task(dms.Task("b", answer, triggers=[dms.PeriodicTrigger(interval="1m")]))
        assert alerts.told.wait(PATIENCE)
        told = "its next_after gave no answer within 0.01 s, and is not asked again"
        assert Alert("trigger", "a", told) == alerts.heard[0]
        for turn in range(1, 4):
            clock.advance("1m")
            seen.until("ended", "b", turn)
        assert (1, None) == (len(asked), scheduler.get_task("a").next_fire)
        let_go.set()
