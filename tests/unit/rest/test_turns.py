import asyncio

from dms.clock import stopwatch
from dms.command.pieces import AT_ONCE
from dms.rest.turns import Turns


def work(seconds: float) -> None:
    began = stopwatch()
    while stopwatch() - began < seconds:
        pass


async def test_whoever_asks_for_nothing_here_is_heard_between_those_who_take_long() -> None:
    turns, order = Turns(), []

    async def one(name: str) -> None:
        async with turns.turn():
            order.append(name)
            work(AT_ONCE)

    async def another() -> None:
        order.append("another")

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(one(name))
        group.create_task(another())
    assert ["a", "another", "b", "c"] == order


async def test_those_who_take_no_time_go_one_after_the_other_at_once() -> None:
    turns, order = Turns(), []

    async def one(name: str) -> None:
        async with turns.turn():
            order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(one(name))
        group.create_task(asyncio.sleep(0)).add_done_callback(lambda _: order.append("another"))
    assert ["a", "b", "c", "another"] == order


async def test_a_failure_leaves_the_turn_to_the_next() -> None:
    turns = Turns()
    try:
        async with turns.turn():
            raise ValueError
    except ValueError:
        async with asyncio.timeout(5), turns.turn():
            pass
