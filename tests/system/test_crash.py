"""A busy node is killed at random instants (see tests/torture.py): what it has told anybody stays, nothing runs twice
that must not, and what must run to its end does."""

from typing import Any

from torture import Torture, kept_on_failure

LONGEST_LIFE = 1.2


def test_a_kill_at_any_instant_loses_nothing_and_repeats_nothing(nodes_in: Any, seed: int, nightly: bool) -> None:
    with kept_on_failure(seed) as folder:
        torture = Torture(nodes_in(folder), seed)
        for _ in range(200 if nightly else 20):
            torture.live(LONGEST_LIFE)
        torture.end()
