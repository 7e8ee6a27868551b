"""What stays of one-time tasks that are over."""

from dms.background_tasks.agenda.tombstones import Tombstones
from dms.background_tasks.store import StoredTask, TaskState


def over(name, task_id, finished):
    return StoredTask(task_id, name, {}, TaskState(finished=finished))


def test_those_that_are_too_many_go_the_longest_forgotten_first():
    stones = Tombstones([over("a", 1, 9), over("b", 2, 3), over("c", 3, 3), over("living", 4, None)], most=1)
    assert [2, 3] == list(stones.surplus())
    assert [] == list(stones.surplus())
    assert (1, None) == (stones.open("a"), stones.open("living"))


def test_one_that_has_come_again_is_not_forgotten_for_longest():
    stones = Tombstones([over("a", 1, 3), over("b", 2, 3)], most=1)
    stones.bury("a", 1)
    assert [2] == list(stones.surplus())


def test_as_many_as_may_be_stay():
    assert [] == list(Tombstones([over("a", 1, 3), over("b", 2, 3)], most=2).surplus())


def test_a_name_that_is_taken_anew_gives_its_tombstone_up():
    stones = Tombstones([over("a", 1, 3)])
    assert (1, None, None) == (stones.open("a"), stones.open("a"), stones.open("b"))
