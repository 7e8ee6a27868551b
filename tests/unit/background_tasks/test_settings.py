"""What a scheduler is set to is checked once, and what is left out is chosen well."""

from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dms.background_tasks.settings import SHORTEST_POLL, Settings, changed_settings, usual_settings
from dms.errors import InvalidInput

GIVEN: dict[str, Any] = {
    "max_running_tasks": 3,
    "timezone": "Europe/Helsinki",
    "aging_quantum": "30s",
    "poll_interval": timedelta(seconds=2),
    "history_limit": 7,
}


def settings(stored: bool = False, **given: Any) -> Settings:
    return changed_settings(usual_settings(stored), **GIVEN | given)


def test_settings_are_read_into_whole_values() -> None:
    assert Settings(3, ZoneInfo("Europe/Helsinki"), 30_000_000, 2_000_000, 7, {}) == settings()


def test_a_store_keeps_more_than_memory_unless_a_number_is_given() -> None:
    assert [100, 1000] == [settings(stored, history_limit=None).history_limit for stored in (False, True)]


def test_what_is_not_given_stays_as_it_was() -> None:
    assert settings() == changed_settings(settings(), None, None, None, None, None, None)


def test_slots_that_are_not_given_follow_the_machine_and_are_at_least_four(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, slots in ((1, 4), (2, 4), (8, 16)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert slots == settings(max_running_tasks=None).slots


def test_a_zone_that_is_not_given_is_the_machines_or_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert ZoneInfo("Asia/Tokyo") == settings(timezone=None).zone
    monkeypatch.setattr("dms.background_tasks.settings.host_zone", lambda: None)
    assert UTC == settings(timezone=None).zone


def test_third_parties_are_not_asked_without_a_pause() -> None:
    assert SHORTEST_POLL == settings(poll_interval=0).poll_interval


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("max_running_tasks", 0, "max_running_tasks: 0 is not a whole number from 1 to 10000"),
        ("max_running_tasks", 10_001, "max_running_tasks: 10001"),
        ("max_running_tasks", True, "max_running_tasks: True"),
        ("max_running_tasks", "4", "max_running_tasks: '4'"),
        ("history_limit", 0, "history_limit: 0 is not a whole number from 1 to 1000000"),
        ("timezone", "Mars", "timezone: 'Mars' is not a time zone; give a name such as Europe/Helsinki"),
        ("aging_quantum", "soon", "aging_quantum: 'soon'"),
        ("poll_interval", -1, "poll_interval: -1 is negative"),
        (
            "calendars",
            {"nights": "22:00-06:00"},
            "calendars: 'nights': '22:00-06:00' is not a name with its dms.Calendar",
        ),
    ],
)
def test_a_setting_that_can_not_be_is_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        settings(**{field: value})
    assert str(caught.value).startswith(message)
