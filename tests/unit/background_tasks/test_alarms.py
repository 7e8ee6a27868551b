"""Alarms: two clocks, one earliest of all."""

from dms.background_tasks.agenda.alarms import Alarms
from dms.background_tasks.times.single_timetable import OnceTimetable
from dms.instant import Instant

START = Instant(1_000_000_000, 5_000_000)


def act(what, now):
    pass


def due(alarms, now):
    return [what for _, what in alarms.due(now)]


def test_an_alarm_comes_once_when_its_clock_has_reached_it():
    alarms = Alarms(START)
    alarms.at_boot(START.boot + 10, act, "boot")
    alarms.at_wall(START.wall + 5, act, "wall")

    assert [] == due(alarms, START)
    assert ["wall"] == due(alarms, START.ahead(5))
    assert ["boot"] == due(alarms, START.ahead(10))
    assert [] == due(alarms, START.ahead(1000))


def test_alarms_of_one_clock_come_in_the_order_of_their_times_and_equal_ones_in_that_of_their_setting():
    alarms = Alarms(START)
    for boot, what in ((3, "c"), (1, "a"), (3, "d"), (2, "b")):
        alarms.at_boot(START.boot + boot, act, what)

    assert ["a", "b", "c", "d"] == due(alarms, START.ahead(3))


def test_an_alarm_that_is_set_while_others_come_due_comes_with_them():
    alarms = Alarms(START)
    alarms.at_boot(START.boot, act, "first")
    came = []
    for _, what in alarms.due(START):
        came.append(what)
        if what == "first":
            alarms.at_boot(START.boot, act, "second")

    assert ["first", "second"] == came


def test_the_earliest_of_all_is_told_on_both_clocks():
    alarms = Alarms(START)
    assert alarms.next() is None

    alarms.at_boot(START.boot + 10, act, "boot")
    assert START.ahead(10) == alarms.next()

    alarms.at_wall(START.wall + 5, act, "wall")
    assert START.ahead(5) == alarms.next()


def test_the_earliest_follows_a_clock_that_is_set():
    alarms = Alarms(START)
    alarms.at_wall(START.wall + 5_000_000, act, "wall")
    alarms.step(Instant(START.wall - 10_000_000, START.boot))

    assert Instant(START.wall + 5_000_000, START.boot + 15_000_000) == alarms.next()


def test_each_step_of_a_wall_clock_that_is_set_is_told_once_and_time_that_goes_by_is_none():
    alarms = Alarms(START)
    readings = [(0, 0), (-3, 0), (-3, 0), (7, 10), (12, 10)]

    assert [0, -3, 0, 0, 5] == [alarms.step(Instant(START.wall + wall, START.boot + boot)) for wall, boot in readings]


def test_a_timetable_that_is_planned_again_comes_at_its_new_time_only():
    alarms, timetable = Alarms(START), OnceTimetable(None, 10)
    timetable.begin(START)
    alarms.plan(timetable, act)
    timetable.due = START.boot + 20
    alarms.plan(timetable, act)

    assert START.ahead(20) == alarms.next()
    assert [] == due(alarms, START.ahead(10))
    assert [timetable] == due(alarms, START.ahead(20))


def test_a_timetable_that_has_no_time_any_more_does_not_come():
    alarms, timetable = Alarms(START), OnceTimetable(None, 10)
    timetable.begin(START)
    alarms.plan(timetable, act)
    timetable.due = None
    alarms.plan(timetable, act)

    assert alarms.next() is None
    assert [] == due(alarms, START.ahead(10))


def test_plans_that_do_not_count_take_no_room():
    alarms, timetable = Alarms(START), OnceTimetable(None, 10)
    timetable.begin(START)
    for _ in range(10_000):
        alarms.plan(timetable, act)

    assert len(alarms._boot) < 200
    assert [timetable] == due(alarms, START.ahead(10))


def test_alarms_of_one_moment_come_in_the_order_in_which_they_were_set():
    for clock in ("at_wall", "at_boot"):
        alarms, told = Alarms(Instant(0, 0)), []
        for number in range(3):
            getattr(alarms, clock)(5, lambda what, now: None, number)
        told = [what for _, what in alarms.due(Instant(5, 5))]
        assert [0, 1, 2] == told


def test_a_timetable_that_is_put_off_comes_then_and_behind_what_was_set_before():
    alarms, timetable = Alarms(Instant(0, 0)), OnceTimetable(None, 10)
    alarms.at_boot(5, act, "before")
    alarms.put_off(timetable, 5, act)
    alarms.at_boot(5, act, "after")
    assert timetable.token
    assert ["before", timetable, "after"] == due(alarms, Instant(5, 5))


def test_what_is_kept_is_counted_whatever_comes_goes_or_is_passed_over():
    alarms, timetables = Alarms(Instant(0, 0)), [OnceTimetable(None, 10) for _ in range(7)]
    for number, timetable in enumerate(timetables):
        timetable.due = number
        alarms.plan(timetable, act)
        alarms.put_off(timetable, number + 20, act)
        alarms.at_wall(number, act, number)
    for now in range(0, 30, 3):
        assert alarms.next() is None or alarms.next().boot >= now - 3
        due(alarms, Instant(now, now))
        assert alarms._size == len(alarms._boot) + len(alarms._wall)
        alarms.at_boot(now + 40, act, now)
    alarms.at_wall(1_000, act, "far")
    alarms.clear_away()
    assert alarms._size == len(alarms._boot) + len(alarms._wall) == 11
