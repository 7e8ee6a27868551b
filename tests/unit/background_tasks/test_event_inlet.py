"""More events than anybody can look at: bounded, counted, told."""

import asyncio

import pytest

import dms
from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.host import Host
from dms.background_tasks.scheduler import Scheduler


async def test_events_that_come_faster_than_they_are_looked_at_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dms.background_tasks.loop.event_inlet.MOST_WAITING", 10)
    heard: asyncio.Queue[object] = asyncio.Queue()
    alerts: list[Alert] = []

    async def hear(run: dms.Run) -> None:
        heard.put_nowait(run.event.payload if run.event else None)

    async with Scheduler(host=Host(alert=alerts.append)) as scheduler:
        bell = [dms.EventTrigger("bell")]
        scheduler.add_task(dms.Task("job", hear, triggers=bell, overlap="queue", queue_limit=100))
        scheduler.running_tasks_count()  # by now it is taken in
        for number in range(50):
            scheduler.emit("bell", number)
        assert list(range(10)) == [await heard.get() for _ in range(10)]
        message = "40 events were dropped, the last of them bell: they came faster than they could be looked at"
        assert [Alert("events", "events", message), Alert("events", "events", "")] == alerts
        scheduler.emit("bell", "after")
        assert "after" == await heard.get()
