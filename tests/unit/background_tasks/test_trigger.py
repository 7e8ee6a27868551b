"""Triggers by themselves: their next times, `is_ready` and `reset`, their definitions, and what can't be one."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.triggers.event_trigger import EventTrigger, check_topic
from dms.background_tasks.triggers.trigger import (
    OneTimeTrigger,
    PeriodicTrigger,
    definition_of,
    is_polled,
    trigger_from,
    zone_of,
)
from dms.errors import InvalidCron, InvalidInput, InvalidTrigger

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HELSINKI = ZoneInfo("Europe/Helsinki")


def after(length, since=NOON):
    return since + timedelta(**length)


# ── next_after ──


def test_an_interval_without_a_start_counts_from_now():
    assert after({"minutes": 5}) == PeriodicTrigger("5m").next_after(NOON)


def test_an_interval_with_a_start_keeps_its_phase():
    trigger = PeriodicTrigger("1h", start=datetime(2026, 1, 1, 0, 20, tzinfo=UTC))

    assert after({"minutes": 20}) == trigger.next_after(NOON)


def test_the_start_itself_is_the_first_fire():
    start = after({"days": 3})

    assert start == PeriodicTrigger("1h", start=start).next_after(NOON)


@given(st.integers(0, 10**7), st.integers(1, 10**5))
def test_an_interval_lies_strictly_after_now_and_no_further_than_itself(seconds, interval):
    trigger = PeriodicTrigger(interval, start=NOON)
    now = NOON + timedelta(seconds=seconds)
    due = trigger.next_after(now)

    assert now < due <= now + timedelta(seconds=interval)
    assert timedelta(0) == (due - NOON) % timedelta(seconds=interval)


def test_nothing_comes_after_the_end_which_itself_still_counts():
    end = after({"minutes": 10})
    trigger = PeriodicTrigger("5m", start=NOON, end=end)

    assert [after({"minutes": 5}), end, None] == [
        trigger.next_after(now) for now in (NOON, after({"minutes": 5}), end)
    ]  # fmt: skip


def test_a_calendar_is_read_in_its_own_zone_and_told_in_it():
    due = PeriodicTrigger(cron="0 3 * * *", timezone="Europe/Helsinki").next_after(NOON)

    assert ("2026-01-06T03:00:00+02:00", HELSINKI) == (due.isoformat(), due.tzinfo)


def test_a_calendar_without_a_zone_is_read_in_that_of_now():
    now = NOON.astimezone(HELSINKI)

    assert "2026-01-06T03:00:00+02:00" == PeriodicTrigger(cron="0 3 * * *").next_after(now).isoformat()


def test_a_one_time_delay_counts_from_now_and_a_moment_comes_once():
    assert after({"minutes": 5}) == OneTimeTrigger("5m").next_after(NOON)
    moment = OneTimeTrigger(at=after({"hours": 1}))
    assert [after({"hours": 1}), None] == [moment.next_after(NOON), moment.next_after(after({"hours": 1}))]


@pytest.mark.parametrize("trigger", [PeriodicTrigger("5m"), PeriodicTrigger(cron="* * * * *"), OneTimeTrigger("5m")])
def test_a_now_without_an_offset_is_refused(trigger):
    with pytest.raises(InvalidTrigger, match="now: 2026-01-05T12:00:00 has no UTC offset"):
        trigger.next_after(NOON.replace(tzinfo=None))


def test_a_local_moment_is_read_in_the_zone_beside_it():
    """agronholm/apscheduler#133."""
    trigger = OneTimeTrigger(at="2016-04-28T09:40:00", timezone="America/Chicago")

    assert datetime(2016, 4, 28, 14, 40, tzinfo=UTC) == trigger.next_after(datetime(2016, 4, 28, tzinfo=UTC))


def test_a_local_moment_without_a_zone_is_refused_for_want_of_one():
    """agronholm/apscheduler#133."""
    with pytest.raises(InvalidTrigger, match="neither a UTC offset nor a timezone"):
        OneTimeTrigger(at="2016-04-28T09:40:00")


def test_a_local_moment_in_the_spring_gap_means_the_end_of_the_gap():
    trigger = OneTimeTrigger(at="2026-03-29T03:30", timezone="Europe/Helsinki")

    assert datetime(2026, 3, 29, 1, tzinfo=UTC) == trigger.next_after(NOON)


def test_a_local_moment_that_comes_twice_means_the_first():
    trigger = OneTimeTrigger(at="2026-10-25T03:30", timezone="Europe/Helsinki")

    assert datetime(2026, 10, 25, 0, 30, tzinfo=UTC) == trigger.next_after(NOON)


# ── is_ready, reset ──


def test_a_periodic_trigger_is_ready_once_its_time_has_come_until_it_is_reset():
    trigger = PeriodicTrigger("5m")
    times = [NOON, after({"minutes": 4}), after({"minutes": 5}), after({"minutes": 6})]
    assert [False, False, True, True] == [trigger.is_ready(now) for now in times]

    trigger.reset(after({"minutes": 6}))
    assert [False, True] == [trigger.is_ready(after({"minutes": minutes})) for minutes in (10, 11)]


def test_a_one_time_trigger_is_not_ready_again_once_it_has_fired():
    trigger = OneTimeTrigger("5m")
    assert [False, True] == [trigger.is_ready(NOON), trigger.is_ready(after({"minutes": 5}))]

    trigger.reset(after({"minutes": 5}))
    assert not trigger.is_ready(after({"days": 400}))


def test_a_moment_that_has_passed_is_ready_at_once():
    assert OneTimeTrigger(at=NOON).is_ready(after({"days": 1}))


def test_an_event_trigger_is_ready_from_its_event_to_its_reset():
    trigger = EventTrigger("bell")
    assert not trigger.is_ready(NOON)

    trigger.mark_triggered()
    assert trigger.is_ready(NOON)

    trigger.reset(NOON)
    assert not trigger.is_ready(NOON)


# ── what can't be ──


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("interval, cron", {}),
        ("interval, cron", {"interval": "5m", "cron": "* * * * *"}),
        ("interval", {"interval": 0}),
        ("interval", {"interval": "5 parsecs"}),
        ("interval", {"interval": "0.5ms"}),
        ("interval", {"interval": -5}),
        ("interval", {"interval": "200000d"}),
        ("interval", {"interval": True}),
        ("timezone", {"interval": "5m", "timezone": "UTC"}),
        ("timezone", {"cron": "* * * * *", "timezone": "Mars/Olympus"}),
        ("timezone", {"cron": "* * * * *", "timezone": "../../etc/passwd"}),
        ("timezone", {"cron": "* * * * *", "timezone": ""}),
        ("mode", {"interval": "5m", "mode": "sometimes"}),
        ("mode", {"cron": "* * * * *", "mode": "fixed_delay"}),
        ("at_start", {"cron": "* * * * *", "at_start": True}),
        ("at_start", {"interval": "5m", "at_start": True, "start": NOON}),
        ("start", {"interval": "5m", "start": NOON.replace(tzinfo=None)}),
        ("end", {"interval": "5m", "end": NOON.replace(tzinfo=None)}),
        ("end", {"interval": "5m", "start": NOON, "end": NOON - timedelta(days=1)}),
        ("jitter", {"interval": "5m", "jitter": "-1s"}),
        ("max_runs", {"interval": "5m", "max_runs": 0}),
        ("max_runs", {"interval": "5m", "max_runs": True}),
        ("max_runs", {"interval": "5m", "max_runs": "3"}),
        ("exclude", {"interval": "5m", "exclude": "nights"}),
        ("exclude", {"interval": "5m", "exclude": ["nights", ""]}),
        ("exclude", {"interval": "5m", "exclude": [3]}),
    ],
)
def test_a_periodic_trigger_that_can_not_be_is_refused_by_the_name_of_its_field(field, fields):
    with pytest.raises(InvalidInput, match=f"^{field}"):
        PeriodicTrigger(**fields)


def test_an_impossible_calendar_is_refused_when_it_is_made():
    with pytest.raises(InvalidCron):
        PeriodicTrigger(cron="0 0 31 2 *")


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("delay, at", {}),
        ("delay, at", {"delay": "5m", "at": NOON}),
        ("delay", {"delay": "-5m"}),
        ("timezone", {"delay": "5m", "timezone": "UTC"}),
        ("at", {"at": "tomorrow"}),
        ("at", {"at": 5}),
        ("timezone", {"at": "2026-01-05T12:00", "timezone": "Nowhere"}),
    ],
)
def test_a_one_time_trigger_that_can_not_be_is_refused_by_the_name_of_its_field(field, fields):
    with pytest.raises(InvalidInput, match=f"^{field}"):
        OneTimeTrigger(**fields)


@pytest.mark.parametrize("topic", ["bell", "task.backup.success", "a-b.c_d", "ünïcode.7"])
def test_a_topic_is_words_joined_by_dots(topic):
    assert topic == check_topic(topic)


@pytest.mark.parametrize("topic", ["", ".", "a.", ".a", "a..b", "a b", "a/b", "*", "x" * 201, 5, object()])
def test_what_is_no_topic_is_refused(topic):
    with pytest.raises(InvalidTrigger, match="topic"):
        EventTrigger(topic)


def test_a_topic_that_is_no_text_is_refused_too():
    with pytest.raises(InvalidTrigger, match=r"topic: 5 is not text, such as task\.backup\.success"):
        check_topic(5)


def test_an_event_trigger_has_a_topic_or_a_channel():
    with pytest.raises(InvalidTrigger, match="exactly one"):
        EventTrigger()


# ── definitions ──

TRIGGERS = [
    PeriodicTrigger("5m"),
    PeriodicTrigger("1h30m", jitter="10s", at_start=True),
    PeriodicTrigger(90, mode="fixed_delay"),
    PeriodicTrigger("1d", start=NOON, end=NOON + timedelta(days=30)),
    PeriodicTrigger(cron="0 3 * * *"),
    PeriodicTrigger(cron="*/5 * * * *", timezone="Europe/Helsinki", jitter="1m"),
    PeriodicTrigger(cron="@reboot"),
    PeriodicTrigger("5m", max_runs=3),
    PeriodicTrigger("5m", exclude=["nights"]),
    PeriodicTrigger(cron="0 3 * * *", exclude=["nights", "holidays"], max_runs=1),
    OneTimeTrigger("10m"),
    OneTimeTrigger(0),
    OneTimeTrigger(at=NOON),
    EventTrigger("task.backup.success"),
    EventTrigger("bell", debounce="5s", max_wait="1m"),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
def test_a_trigger_comes_back_from_its_definition_as_it_was(trigger):
    again = trigger_from(definition_of(trigger))

    assert trigger == again
    assert hash(trigger) == hash(again)
    assert str(trigger) == str(again)


def test_a_definition_says_nothing_of_bounds_that_a_trigger_has_not():
    """What was kept before there were any is no changed definition."""
    assert {"max_runs", "exclude"}.isdisjoint(definition_of(PeriodicTrigger("5m")))


def test_no_two_different_triggers_are_equal():
    assert len(TRIGGERS) == len(set(TRIGGERS))


def test_the_same_zone_by_name_or_as_an_object_is_the_same_trigger():
    assert PeriodicTrigger(cron="0 3 * * *", timezone="Europe/Helsinki") == PeriodicTrigger(
        cron="0 3 * * *", timezone=HELSINKI
    )


@pytest.mark.parametrize("minutes", [0, 120, -210, 845])
def test_a_calendar_in_a_fixed_offset_comes_back_as_it_was(minutes):
    trigger = PeriodicTrigger(cron="0 3 * * *", timezone=timezone(timedelta(minutes=minutes)))
    again = trigger_from(definition_of(trigger))

    assert trigger.next_after(NOON) == again.next_after(NOON)


class Foreign:
    def is_ready(self, now):
        return False

    def reset(self, now):
        pass


class Calendar(Foreign):
    def next_after(self, now):
        return None


def test_a_third_partys_trigger_can_not_come_back_from_its_definition():
    assert trigger_from(definition_of(Foreign())) is None


def test_only_a_third_party_that_does_not_know_its_times_is_polled():
    assert [True, False, False] == [is_polled(trigger) for trigger in (Foreign(), Calendar(), PeriodicTrigger("5m"))]


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("every 1h30m", PeriodicTrigger("90m")),
        ("every 5m, 3 times at most", PeriodicTrigger("5m", max_runs=3)),
        ("every 5m, not in nights", PeriodicTrigger("5m", exclude=["nights"])),
        (
            "every 5m, not in a, b and c, 2 times at most",
            PeriodicTrigger("5m", exclude=["a", "b", "c"], max_runs=2),
        ),
        ("once after 10m", OneTimeTrigger(600)),
        ("once at 2026-01-05 12:00:00 UTC", OneTimeTrigger(at=NOON)),
        ("after backup success", EventTrigger("task.backup.success")),
        ("on bell", EventTrigger("bell")),
        ("on bell, once quiet for 5s", EventTrigger("bell", debounce=5)),
        ("after backup failed, once quiet for 1m30s", EventTrigger("task.backup.failed", debounce="90s")),
    ],
)
def test_a_trigger_says_what_it_is(text, trigger):
    assert text == str(trigger)


@pytest.mark.parametrize("timezone", [5, b"UTC", "UTC\0", "Europe/", "a" * 5000, "UTC+24:00", "UTC+2"])
def test_what_is_no_zone_is_refused(timezone):
    with pytest.raises(InvalidTrigger, match="timezone"):
        zone_of(timezone)


# ── debounce ──


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_wait": "1m"}, "max_wait: it bounds the wait of debounce, which is not given"),
        ({"debounce": "1m", "max_wait": "30s"}, "max_wait: it is shorter than debounce, which would then never count"),
        ({"debounce": 0}, "debounce: 0 waits for nothing; leave it out"),
        ({"debounce": "soon"}, "debounce: 'soon' is not a length of time"),
        ({"debounce": "1s", "max_wait": -1}, "max_wait: -1 is negative"),
    ],
)
def test_waits_that_can_not_be_are_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        EventTrigger("bell", **given)


def test_a_trigger_with_a_debounce_by_itself_is_ready_once_it_was_quiet_for_long_enough() -> None:
    trigger = EventTrigger("bell", debounce="10s", max_wait="25s")
    assert not trigger.is_ready(NOON)
    trigger.mark_triggered()
    assert [False, False, True] == [trigger.is_ready(NOON + timedelta(seconds=at)) for at in (0, 9, 10)]
    trigger.reset(NOON)
    assert not trigger.is_ready(NOON + timedelta(hours=1))
    for at in (0, 9, 18):
        trigger.mark_triggered()
        assert not trigger.is_ready(NOON + timedelta(seconds=at))
    assert trigger.is_ready(NOON + timedelta(seconds=25))


def test_a_trigger_without_waits_is_kept_as_it_was_before_there_were_any() -> None:
    assert {"type": "event", "topic": "bell"} == EventTrigger("bell").definition()


@pytest.mark.parametrize("zone", ["Europe/Helsinki", None])
def test_a_calendar_of_which_nothing_comes_between_its_start_and_its_end_is_refused(zone: str | None) -> None:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 27, tzinfo=UTC)
    with pytest.raises(InvalidTrigger, match=r"^end: nothing of '0 3 30 \* \*' comes between start and end"):
        PeriodicTrigger(cron="0 3 30 * *", timezone=zone, start=start, end=end)
    PeriodicTrigger(cron="0 3 26 * *", timezone=zone, start=start, end=end)


def test_where_the_zone_is_not_known_yet_a_time_near_the_end_may_still_come() -> None:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 27, tzinfo=UTC)
    PeriodicTrigger(cron="0 3 27 * *", start=start, end=end)
    with pytest.raises(InvalidTrigger, match=r"^end: nothing of"):
        PeriodicTrigger(cron="0 3 27 * *", timezone="UTC", start=start, end=end)
