"""Threads do everything at once, and the scheduler is stopped under them: each gets an answer, and nothing is left."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Barrier, Thread

import pytest

import dms
from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.handle import Handle
from dms.background_tasks.host import Host
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.store import ExecutionStore
from dms.errors import Conflict, NotFound, ShuttingDown

THREADS = 4
ROUNDS = 250


class Fickle:
    """A third party's trigger that is ready now and then."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def is_ready(self) -> bool:
        return self._random.random() < 0.3

    def reset(self) -> None:
        pass


class Crowd:
    """Threads that each do something at random, over and over, to the few tasks of one scheduler."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler, self.channel = scheduler, dms.Channel()
        self.handles: list[Handle] = []
        self.errors: list[Exception] = []
        self._together = Barrier(THREADS + 1)

    def go(self, seed: int) -> list[Thread]:
        threads = [Thread(target=self._act, args=(Random(seed * THREADS + n),)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        self._together.wait(10)
        return threads

    def _act(self, random: Random) -> None:
        self._together.wait(10)
        for _ in range(ROUNDS):
            try:
                random.choice(self._deeds())(random, f"t{random.randrange(6)}")
            except (NotFound, Conflict, ShuttingDown):
                pass  # somebody else was quicker
            except Exception as error:  # noqa: BLE001 - the test fails on it
                self.errors.append(error)

    def _deeds(self) -> list[Callable[[Random, str], object]]:
        scheduler = self.scheduler
        return [
            lambda random, name: scheduler.add_task(self._task(random, name)),
            lambda random, name: scheduler.remove_task(name) if random.random() < 0.3 else None,
            *[lambda random, name: self.handles.append(scheduler.run_task(name))] * 3,
            lambda random, name: scheduler.pause(name),
            lambda random, name: scheduler.resume(name),
            lambda random, name: scheduler.emit("go"),
            lambda random, name: self.channel.send(1),
            lambda random, name: scheduler.tasks(),
            lambda random, name: scheduler.view(name),
            lambda random, name: asyncio.run(scheduler.history(name)),
            lambda random, name: scheduler.get_task(name).execution_history,
            lambda random, name: (scheduler.running_tasks_count(), scheduler.get_task(name).next_fire),
            lambda random, name: scheduler.subscribe(lambda event: None)(),
        ]

    def _task(self, random: Random, name: str) -> dms.Task:
        def work(run: dms.Run) -> None:
            run.progress(1, 2)
            if random.random() < 0.3:
                raise OSError("refused")

        async def work_of_a_coroutine(run: dms.Run) -> None:
            run.progress(1, 2)
            await asyncio.sleep(0)

        triggers = [
            dms.PeriodicTrigger("1ms"),
            dms.OneTimeTrigger("1ms"),
            dms.EventTrigger("go"),
            dms.EventTrigger(self.channel),
            Fickle(random),
        ]
        return dms.Task(
            name,
            random.choice([work, work_of_a_coroutine]),
            triggers=random.sample(triggers, random.randrange(3)),
            overlap=random.choice(["skip", "queue", "cancel_running"]),
            retry_policy=dms.RetryPolicy(random.choice([0, 2]), "1ms"),
        )


@pytest.mark.parametrize("own_loop", [False, True])
@pytest.mark.parametrize("kept", ["nowhere", "memory", "file"])
@pytest.mark.parametrize("stopped", ["after", "under"])
def test_whatever_threads_do_at_once_each_gets_an_answer(
    own_loop: bool, kept: str, stopped: str, tmp_path: Path
) -> None:
    store: ExecutionStore | None = None
    if kept != "nowhere":
        store = dms.MemoryStore() if kept == "memory" else dms.SqliteStore(tmp_path / "dms.db")
    alerts: list[Alert] = []
    scheduler = Scheduler(
        3, store=store, poll_interval="1ms", host=Host(alert=alerts.append, own_coroutine_loop=own_loop)
    )
    crowd = Crowd(scheduler)
    scheduler.start()
    threads = crowd.go(seed=own_loop * 2 + (stopped == "under"))
    if stopped == "after":
        for thread in threads:
            thread.join(30)
    assert [] == scheduler.stop(drain="5s", cancel="5s")
    for thread in threads:
        thread.join(30)
    if store is not None:
        store.close()
    assert ([], []) == (crowd.errors, alerts)
    for handle in crowd.handles:
        try:
            assert handle.wait("5s").status.final
        except (Conflict, ShuttingDown):
            pass
    assert 0 == scheduler.running_tasks_count()
