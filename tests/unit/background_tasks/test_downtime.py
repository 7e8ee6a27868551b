"""When no process lived."""

from dms.background_tasks.asking.downtime import Downtime, downtimes
from dms.background_tasks.store import Life

LIVES = [Life(1, 0, 10, True), Life(2, 20, 30), Life(3, 40, 50, True), Life(5, 60, 70), Life(6, 65, 80)]


def test_only_after_a_stop_that_the_next_start_follows_there_was_certainly_no_process():
    assert [Downtime(10, 20, True), Downtime(30, 40, False), Downtime(50, 60, False)] == downtimes(LIVES, 0, 100)


def test_what_does_not_overlap_with_the_span_is_left_out():
    assert [20, 40] == [downtime.until for downtime in downtimes(LIVES, 19, 31)]
    assert [] == downtimes(LIVES, 20, 30)
