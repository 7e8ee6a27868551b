"""What somebody who asks for a run wants where the task is busy."""

import pytest

from dms.background_tasks.agenda.overlap import told_overlap, why_busy
from dms.background_tasks.tasks.task import Overlap, Program, Task
from dms.errors import InvalidInput


def test_an_overlap_that_is_told_counts_and_none_leaves_the_tasks_own():
    assert [Overlap.QUEUE, Overlap.ALLOW, None] == [told_overlap(given) for given in ("queue", Overlap.ALLOW, None)]


def test_what_is_no_overlap_is_refused_with_those_that_are():
    with pytest.raises(InvalidInput) as refused:
        told_overlap("both")
    assert "overlap: 'both' is not one of skip, queue, cancel_running, allow" == str(refused.value)


@pytest.mark.parametrize(
    ("fields", "waits_for", "why"),
    [
        ({}, "", "job is running already; its overlap is skip"),
        ({}, "for network", "job waits already, for network; its overlap is skip"),
        (
            {"overlap": "queue", "queue_limit": 3},
            "",
            "job is running already, and as many wait for it as its queue_limit allows: 3",
        ),
        (
            {"overlap": "allow", "max_instances": 2},
            "",
            "job is running already, as often at once as its max_instances allows: 2",
        ),
    ],
)
def test_why_no_other_run_is_taken_on_is_told(fields, waits_for, why):
    assert why == why_busy(Task("job", Program(("true",)), **fields), waits_for)
