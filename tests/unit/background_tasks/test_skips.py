"""What is remembered of fires that did not run."""

from dms.background_tasks.agenda.skips import LATEST, Skips
from dms.background_tasks.store import Skipped


def skipped(at, reason="gate", count=1, why="it waited for network", since=None):
    return Skipped(reason, at, at, count, at, why, since)


def test_any_reason_is_counted():
    skips = Skips()
    for each in (skipped(1, "gate"), skipped(2, "limit", 3), skipped(3, "gate")):
        skips.add(each)
    assert {"gate": 2, "limit": 3} == skips.counts


def test_what_is_left_out_for_one_reason_without_a_run_between_is_one_stretch():
    skips = Skips()
    for at in (5, 3, 9):
        skips.add(skipped(at))
    assert (Skipped("gate", 3, 9, 3, 9, "it waited for network"),) == skips.latest


def test_another_reason_or_a_run_between_begins_another_stretch():
    skips = Skips()
    skips.add(skipped(1))
    skips.add(skipped(2, why="it waited for mains_power"))
    skips.end_stretch()
    skips.add(skipped(3, why="it waited for mains_power"))
    skips.add(skipped(4, why="it waited for mains_power", since=2))
    assert [1, 2, 3, 4] == [each.first for each in skips.latest]


def test_only_the_latest_stretches_are_remembered_and_all_are_counted():
    skips = Skips()
    for at in range(LATEST + 5):
        skips.add(skipped(at, why=str(at)))
    assert (LATEST, 5, {"gate": LATEST + 5}) == (len(skips.latest), skips.latest[0].first, skips.counts)


def test_what_was_remembered_before_a_restart_is_another_stretch():
    skips = Skips({"gate": 1}, (skipped(1),))
    skips.add(skipped(2))
    assert ({"gate": 2}, [1, 2]) == (skips.counts, [each.last for each in skips.latest])


def test_a_stretch_that_goes_on_leaves_those_before_it_and_ends_with_the_last_moment_of_all():
    skips = Skips()
    for each in (skipped(1, why="a"), skipped(2, why="b"), skipped(9), skipped(5)):
        skips.add(each)
    assert [(1, 1), (2, 2), (5, 9)] == [(each.first, each.last) for each in skips.latest]
