"""What somebody who asks for a run wants where the task is busy."""

import pytest

from dms.background_tasks.overlap import told_overlap
from dms.background_tasks.task import Overlap
from dms.errors import InvalidInput


def test_an_overlap_that_is_told_counts_and_none_leaves_the_tasks_own():
    assert [Overlap.QUEUE, Overlap.ALLOW, None] == [told_overlap(given) for given in ("queue", Overlap.ALLOW, None)]


def test_what_is_no_overlap_is_refused_with_those_that_are():
    with pytest.raises(InvalidInput) as refused:
        told_overlap("both")
    assert "overlap: 'both' is not one of skip, queue, cancel_running, allow" == str(refused.value)
