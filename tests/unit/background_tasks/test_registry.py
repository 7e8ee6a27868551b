"""Names are unique, IDs are given once, and what the store brings back yields to what a program adds."""

from threading import Barrier, Thread
from typing import Any

import pytest

from dms.background_tasks.registry import Registry
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.task import Task
from dms.errors import Conflict, InvalidTask, NotFound


def task(name: str, restored: bool = False) -> Task:
    return Task(name, print, restored=restored)


def test_ids_count_up_where_they_are_given_at_once() -> None:
    registry, a, b = Registry(numbered=True), task("a"), task("b")
    registry.add(a)
    registry.add(b)
    assert [1, 2] == [a.id, b.id]
    assert [a, b] == registry.all()


def test_ids_come_with_the_store_where_there_is_one() -> None:
    registry, new, known = Registry(numbered=False), task("new"), task("known")
    registry.add(new)
    registry.add(known)
    assert [None, None] == [new.id, known.id]
    registry.number({"known": 3, "later": 4}, highest=7)
    later, last = task("later"), task("last")
    registry.add(later)
    registry.add(last)
    assert [8, 3, 4, 9] == [new.id, known.id, later.id, last.id]
    assert known is registry.find(3)


def test_an_id_that_the_store_knew_is_given_to_the_first_of_its_name_only() -> None:
    registry = Registry(numbered=False)
    registry.number({"a": 1}, highest=1)
    first, second = task("a"), task("a")
    registry.add(first)
    registry.remove(first)
    registry.add(second)
    assert [1, 2] == [first.id, second.id]


def test_a_name_that_is_taken_is_a_conflict_and_changes_nothing() -> None:
    registry, a, again = Registry(numbered=True), task("a"), task("a")
    registry.add(a)
    with pytest.raises(Conflict, match="a task called a is there already; remove it first, or take another name"):
        registry.add(again)
    assert again.id is None
    assert a is registry.find("a")


def test_a_task_that_was_added_is_not_added_again() -> None:
    registry, a = Registry(numbered=True), task("a")
    registry.add(a)
    registry.remove(a)
    with pytest.raises(Conflict, match="a is registered already; make another Task"):
        registry.add(a)


def test_what_the_store_brought_back_yields_to_the_programs_own_and_gives_it_its_id() -> None:
    registry, restored, own = Registry(numbered=False), task("a", restored=True), task("a")
    registry.number({}, highest=5)
    assert registry.restore(restored, 5)
    registry.add(own)
    assert 5 == own.id
    assert [own, own] == [registry.find(5), registry.find("a")]


def test_the_id_of_what_the_store_brought_back_is_not_given_again_once_that_is_removed() -> None:
    registry, restored, own = Registry(numbered=False), task("a", restored=True), task("a")
    registry.number({"a": 5}, highest=5)
    registry.restore(restored, 5)
    registry.remove(restored)
    registry.add(own)
    assert 6 == own.id


def test_what_the_store_brings_back_does_not_take_the_place_of_the_programs_own() -> None:
    registry, own = Registry(numbered=False), task("a")
    registry.number({"a": 5}, highest=5)
    registry.add(own)
    assert not registry.restore(task("a", restored=True), 5)
    assert own is registry.find("a")


def test_removing_a_task_leaves_another_of_its_name_alone() -> None:
    registry, old, new = Registry(numbered=True), task("a"), task("a")
    registry.add(old)
    registry.remove(old)
    registry.add(new)
    registry.remove(old)
    registry.remove_id(1)
    assert new is registry.find("a")
    registry.remove_id(2)
    assert [] == registry.all()


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("bakcup", "there is no task called bakcup. Did you mean backup?"),
        ("zebra", "there is no task called zebra."),
        (9, "there is no task with ID 9"),
    ],
)
def test_what_is_not_there_is_not_found(which: int | str, message: str) -> None:
    registry = Registry(numbered=True)
    registry.add(task("backup"))
    with pytest.raises(NotFound) as caught:
        registry.find(which)
    assert message == str(caught.value)


def test_of_threads_that_take_a_name_at_once_one_gets_it() -> None:
    registry, together, taken = Registry(numbered=True), Barrier(4), []

    def take() -> None:
        mine = task("a")
        together.wait(5)
        try:
            registry.add(mine)
            taken.append(mine)
        except Conflict:
            pass

    threads = [Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert [registry.find("a")] == taken


def of_key(name: str, limit: int | None = 1, rate: str | None = None, **fields: Any) -> Task:
    return Task(name, print, concurrency=Concurrency("disk", limit, rate), **fields)


@pytest.mark.parametrize(
    ("limit", "rate", "says"),
    [
        (2, None, "^concurrency.limit: 2 contradicts 1, which a says of the same key, disk; change both together$"),
        (1, "5/m", "^concurrency.rate: 5/m contradicts none"),
    ],
)
def test_a_task_that_contradicts_another_one_of_its_key_is_refused(limit: int, rate: str | None, says: str) -> None:
    registry = Registry(numbered=True)
    registry.add(of_key("a"))
    with pytest.raises(InvalidTask, match=says):
        registry.add(of_key("b", limit, rate))
    registry.add(of_key("c"))
    with pytest.raises(InvalidTask, match=says):
        registry.replace([of_key("c", limit, rate)])
    assert ["a", "c"] == [task.name for task in registry.all()]


def test_a_key_that_nobody_has_any_more_may_be_limited_in_another_way() -> None:
    registry, a = Registry(numbered=True), of_key("a")
    registry.add(a)
    registry.replace([of_key("a", 3)])
    registry.remove(registry.find("a"))
    registry.add(of_key("b", 2))
    registry.replace([Task("b", print)])
    registry.add(of_key("c", 1))


def test_all_that_share_a_key_change_together_or_not_at_all() -> None:
    registry = Registry(numbered=True)
    registry.add(of_key("a"))
    registry.add(of_key("b"))
    registry.replace([of_key("a", 2), of_key("b", 2)])
    with pytest.raises(InvalidTask, match=r"concurrency\.limit: 4 contradicts 3"):
        registry.replace([of_key("a", 3), of_key("b", 4)])
    with pytest.raises(NotFound):
        registry.replace([of_key("a", 5), of_key("gone", 5)])
    assert [2, 2] == [task.concurrency.limit for task in registry.all() if task.concurrency]


def test_what_only_the_store_brought_back_contradicts_nothing() -> None:
    registry = Registry(numbered=True)
    registry.restore(of_key("old", 1, restored=True), 1)
    registry.add(of_key("new", 2))


def test_of_many_tasks_all_are_taken_in_or_none() -> None:
    registry, there = Registry(numbered=True), task("c")
    registry.add(there)
    many = [task("a"), task("b"), task("c")]
    with pytest.raises(Conflict, match="a task called c is there already"):
        registry.add(*many)
    assert ([there], [None, None, None]) == (registry.all(), [each.id for each in many])
    with pytest.raises(Conflict, match="two of the tasks are called a; give each a name of its own"):
        registry.add(many[0], many[1], task("a"))
    assert [there] == registry.all()
    registry.add(*many[:2])
    assert [1, 2, 3] == [each.id for each in registry.all()]
