"""What something costs, told without a clock: on a slow machine and a fast one it is the same."""

import sys
from collections.abc import Callable
from typing import Any


def calls_of(act: Callable[[], Any]) -> int:
    """How many calls of Python functions it takes."""
    count = 0

    def heed(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(heed)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count
