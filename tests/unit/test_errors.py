"""The tree of errors is as it is drawn."""

import re

import pytest

from dms import errors
from dms.errors import DmsError, RemoteError, did_you_mean

DRAWN = re.compile(r"    ((?:[│ ]   )*)(?:[├└]── )?(\w+) +(\(the node's code\)|\w+) ")
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DmsError)]


def drawn() -> list[tuple[str, str, str]]:
    """Name, parent and code of each error in the drawing."""
    branch: list[str] = []
    found = []
    for line in (errors.__doc__ or "").splitlines():
        if match := DRAWN.match(line):
            depth = line.index(match[2]) // 4 - 1
            branch[depth:] = [match[2]]
            found.append((match[2], branch[depth - 1] if depth else "Exception", match[3]))
    return found


def test_the_drawing_holds_every_error_with_its_parent_and_code() -> None:
    made = {(kind.__name__, kind.__bases__[0].__name__, kind.code) for kind in KINDS if kind is not RemoteError}
    assert made == {each for each in drawn() if each[0] != "RemoteError"}
    assert ("RemoteError", "DmsError", "(the node's code)") in drawn()


def test_no_two_errors_have_one_code() -> None:
    assert len(KINDS) == len({kind.code for kind in KINDS})


@pytest.mark.parametrize(("word", "hint"), [("bakcup", " Did you mean backup?"), ("zebra", ""), ("", "")])
def test_a_near_word_is_named_and_a_far_one_is_not(word: str, hint: str) -> None:
    assert hint == did_you_mean(word, ["backup", "report"])


def test_what_nobody_types_is_compared_with_nothing() -> None:
    assert "" == did_you_mean("x" * 300, ["x" * 300])
