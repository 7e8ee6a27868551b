"""What a Concurrency may say."""

from typing import Any

import pytest

from dms.background_tasks.tasks.concurrency import Concurrency
from dms.errors import InvalidTask
from dms.instant import SECOND


@pytest.mark.parametrize(
    ("given", "kept", "pace"),
    [
        ("5/m", "5/m", (5, 60 * SECOND)),
        ("5 / 1m", "5/m", (5, 60 * SECOND)),
        ("1/10s", "1/10s", (1, 10 * SECOND)),
        ("100/500ms", "100/500ms", (100, SECOND // 2)),
        ("60/60m", "60/h", (60, 3_600 * SECOND)),
    ],
)
def test_a_rate_is_a_number_of_starts_in_a_length_of_time(given: str, kept: str, pace: tuple[int, int]) -> None:
    concurrency = Concurrency("server", rate=given)
    assert (kept, pace) == (concurrency.rate, concurrency.pace)


def test_without_anything_said_one_runs_at_a_time_and_with_a_rate_as_many_as_that_lets() -> None:
    assert [1, None, 3] == [
        Concurrency("a").limit, Concurrency("a", rate="5/m").limit, Concurrency("a", 3, "5/m").limit,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("key", bad) for bad in (None, "", 5, "a\nb", "x" * 101)),
        *(("limit", bad) for bad in (0, -1, 1.5, True, "2", 1_000_001)),
        *(("rate", bad) for bad in ("", "5", "5/", "/m", "5/0s", "0/m", "-1/m", "1001/m", "5/x", 5, "5/m/m", "1.5/m")),
    ],
)
def test_what_can_not_be_is_refused_by_the_name_of_its_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidTask, match=rf"^concurrency\.{field}: "):
        Concurrency(**{"key": "disk", field: value})
