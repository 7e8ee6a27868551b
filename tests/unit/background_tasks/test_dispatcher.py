"""The dispatcher carries out what was decided, and what others do wrong in it stops nobody."""

from asyncio import CancelledError
from concurrent.futures import Future
from typing import Any

import pytest

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.decision import Alert, Attempt, Cancel, End, Failed, Kill, Save, Skip, Start
from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.handle import Handle
from dms.background_tasks.loop.dispatcher import REMEMBERED, Dispatcher, Messages
from dms.background_tasks.loop.gate_keeper import GateKeeper
from dms.background_tasks.running.calling import Arguments, prepare
from dms.background_tasks.running.executor import Deliver
from dms.background_tasks.running.run import Run
from dms.background_tasks.running.saving import Saving
from dms.background_tasks.tasks.task import Execution, Status, Task
from dms.errors import NotFound, StoreError
from dms.instant import Instant

NOW = Instant(1_000_000, 1_000_000)


class Started:
    """An executor that starts nothing and remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.error: Exception | None = None

    def start(self, attempt: Attempt, run: Run, arguments: Arguments, deliver: Deliver) -> "Started":
        if self.error is not None:
            raise self.error
        self.calls.append(("start", attempt.id, run.config, run in arguments.args))
        return self

    def cancel(self) -> None:
        self.calls.append("cancel")

    def kill(self) -> None:
        self.calls.append("kill")

    def close(self) -> None:
        pass


class World:
    """A dispatcher, and everything that it says to anybody."""

    def __init__(self, store: Any = None, snapshot: Any = None, history_limit: int = 3) -> None:
        self.agenda, self.executor = Agenda(NOW), Started()
        self.delivered: list[Any] = []
        self.written: list[tuple[int, BaseException | None]] = []
        self.alerts: list[Alert] = []
        self.listeners: list[Any] = []
        self.dispatcher = Dispatcher(
            self.agenda,
            {"thread": self.executor},
            Messages(
                lambda execution_id, outcome: self.delivered.append((execution_id, outcome)),
                lambda batch, future: self.written.append((batch, future.exception())),
                lambda run: None,
                lambda run: None,
                lambda run, packed: Saving(),
            ),
            store=store,
            snapshot=snapshot,
            log=lambda run, level, line, fields: None,
            history_limit=history_limit,
            listeners=self.listeners,
            gates=GateKeeper({}, 1, lambda gate, is_open: None, lambda gate, message: None),
            removed=lambda decision: None,
            alert=self.alerts.append,
        )

    def start(self, function: Any = print) -> Attempt:
        """Begin the only attempt of a task `a`."""
        task = Task("a", function)
        prepare(task)
        if 1 not in self.agenda.entries:
            self.agenda.add(task, 1, NOW)
        attempt = Attempt(self.agenda.entries[1], "1-1", 0, "operator", None)
        self.dispatcher.carry_out([Start(attempt)])
        return attempt


def ended(number: int, task: str = "a", task_id: int = 1) -> Execution:
    return Execution(f"1-{number}", f"1-{number}", task, task_id, 1, Status.SUCCESS, 0, results=number)


@pytest.mark.parametrize(("function", "wants"), [(lambda: 1, False), (lambda run: 1, True)])
def test_a_start_goes_to_the_executor_with_the_configuration_and_the_run(function: Any, wants: bool) -> None:
    world = World(snapshot=lambda: "config")
    world.start(function)
    assert [("start", "1-1", "config", wants)] == world.executor.calls


def test_a_start_that_fails_is_the_runs_own_failure() -> None:
    world = World()
    world.executor.error = RuntimeError("can't start new thread")
    world.start()
    execution_id, outcome = world.delivered[0]
    assert "1-1" == execution_id
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("it could not be started: RuntimeError: can't start new thread")


def test_cancel_and_kill_reach_what_runs_and_nothing_else() -> None:
    world = World()
    world.start()
    world.executor.calls.clear()
    world.dispatcher.carry_out([Cancel("1-1"), Kill("1-1"), Cancel("9-9"), Kill("9-9")])
    assert ["cancel", "kill"] == world.executor.calls
    world.dispatcher.kill_all()
    world.dispatcher.let_go("1-1")
    world.dispatcher.kill_all()
    assert ["cancel", "kill", "kill"] == world.executor.calls


@pytest.mark.parametrize("raises", [False, True])
async def test_a_save_that_fails_is_told_however_it_fails(raises: bool) -> None:
    class Failing:
        def save(self, changes: Any) -> "Future[None]":
            if raises:
                raise StoreError("full")
            failed: Future[None] = Future()
            failed.set_exception(StoreError("full"))
            return failed

    world = World(store=Failing())
    world.dispatcher.carry_out([Save(3, [])])
    batch, error = world.written[0]
    assert (3, "full", 1) == (batch, str(error), world.dispatcher.saving)


def test_the_final_end_settles_the_handle_and_others_do_not() -> None:
    world, handle = World(), Handle(lambda: False)
    world.dispatcher.carry_out([End(ended(1), False, handle)])
    assert handle.execution is None
    world.dispatcher.carry_out([End(ended(2), True, handle)])
    assert ended(2) == handle.execution


@pytest.mark.parametrize("error", [ValueError("no room"), SystemExit("no room"), CancelledError("no room")])
def test_a_listener_that_raises_is_reported_by_its_name_and_keeps_no_other_from_hearing(error: BaseException) -> None:
    """jmettraux/rufus-scheduler#335, quartz-scheduler/quartz#918: what a listener raised ended the scheduling."""
    world, heard = World(), []

    class Broken:
        def __call__(self, event: RunEvent) -> None:
            raise error

    world.listeners += [Broken(), heard.append]
    world.dispatcher.carry_out([End(ended(1), True), Skip("a", "overlap", 1)])
    assert [("ended", "1"), ("skipped", "overlap")] == [(event.kind, event.text) for event in heard]
    assert ["listener"] * 2 == [alert.code for alert in world.alerts]
    assert world.alerts[0].subject.endswith("Broken")
    assert f"{type(error).__name__}: no room" in world.alerts[0].message


def test_executions_are_remembered_newest_first_up_to_the_limit() -> None:
    world = World(history_limit=3)
    world.start()
    world.dispatcher.carry_out([End(ended(number), True) for number in range(1, 6)])
    assert [ended(5), ended(4), ended(3)] == world.dispatcher.history("a", 10, None)
    assert [ended(4)] == world.dispatcher.history("a", 1, "1-5")
    with pytest.raises(NotFound, match="there is no execution 1-1 of a"):
        world.dispatcher.history("a", 10, "1-1")


def test_executions_of_tasks_that_are_gone_are_among_the_recent_ones() -> None:
    world = World()
    world.start()
    world.dispatcher.carry_out([End(ended(1), True)])
    world.dispatcher.forget_history("a")
    assert [ended(1)] == world.dispatcher.history("a", 10, None)
    others = [End(ended(number, "b", 2), True) for number in range(2, REMEMBERED + 2)]
    world.dispatcher.carry_out(others)
    assert [] == world.dispatcher.history("a", 10, None)
    assert REMEMBERED == len(world.dispatcher.history("b", 2 * REMEMBERED, None))


def test_where_there_is_a_store_nothing_is_remembered_beside_it() -> None:
    world = World(store=object())
    world.start()
    world.dispatcher.carry_out([End(ended(1), True)])
    assert [] == world.dispatcher.history("a", 10, None)
