"""The configuration's revision as HTTP has it: an entity tag, for `ETag`, `If-Match` and `If-None-Match`."""

import re

from dms.errors import InvalidParameters

_TAG = re.compile(r'"(\d{1,18})"', re.ASCII)


def entity_tag(revision: int) -> str:
    """The tag of a revision."""
    return f'"{revision}"'


def expected_revision(if_match: str) -> int | None:
    """The revision that a change builds on; None where any will do (`*`). InvalidParameters where it is no tag that a
    node gave: passed over, the change would be made all the same."""
    if if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidParameters(f'If-Match: {if_match} is no revision as the header ETag tells it, such as "7"')
    return int(found[1])


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the asker has what this tag stands for."""
    if if_none_match is None:
        return False
    known = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in known or "*" in known
