import json
import re
from pathlib import Path
from typing import Any

import pytest

import dms.errors
from dms.errors import (
    ConfigError,
    CursorExpired,
    DmsError,
    Forbidden,
    InvalidParameters,
    Overloaded,
    RateLimited,
    Refused,
    RemoteError,
    ShuttingDown,
    Unauthenticated,
    VersionConflict,
)
from dms.rest.problem import STATUSES, problem_from

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/errors.md").read_text()


def every(kind: type[DmsError]) -> list[type[DmsError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in every(child))]


def told(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(problem_from(error).body))
    return found


def test_every_error_of_dms_has_its_status() -> None:
    codes = {kind.code for kind in every(DmsError) if kind.__module__ == dms.errors.__name__}
    assert set() == codes - {RemoteError.code} - set(STATUSES)


@pytest.mark.parametrize("code", STATUSES)
def test_every_status_is_in_the_reference(code: str) -> None:
    row = re.search(rf"^\| `{code}` \| [^|]*\| [^|]*\| (\d+) \|", PAGE, re.MULTILINE)
    assert row is not None
    assert STATUSES[code] == int(row[1])


def test_a_problem_says_what_it_is_in_the_words_of_rfc_9457() -> None:
    response = problem_from(InvalidParameters("limit: expected `int`", ("limit",)))
    assert ("application/problem+json", 422) == (response.headers["Content-Type"], response.status_code)
    assert {
        "type": "urn:dms:error:invalid_params",
        "title": "Invalid params",
        "status": 422,
        "detail": "limit: expected `int`",
        "code": "invalid_params",
        "retryable": False,
        "fields": ["limit"],
    } == json.loads(bytes(response.body))


@pytest.mark.parametrize(
    ("error", "member", "expected"),
    [
        (VersionConflict("stale", 7), "revision", 7),
        (ConfigError("two", ("a", "b")), "findings", ["a", "b"]),
        (CursorExpired("gone", "3-7"), "oldest", "3-7"),
        (RateLimited("often", 1500), "retry_after_ms", 1500),
        (ShuttingDown("stopping"), "retryable", True),
    ],
)
def test_what_an_error_knows_is_told_too(error: DmsError, member: str, expected: Any) -> None:
    assert expected == told(error)[member]


@pytest.mark.parametrize(
    ("error", "expected"),
    [(RateLimited("often", 1500), "2"), (Overloaded("much"), "5"), (ShuttingDown("stop"), "5"), (Refused("no"), None)],
)
def test_whoever_may_ask_again_is_told_when(error: DmsError, expected: str | None) -> None:
    assert expected == problem_from(error).headers.get("Retry-After")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unauthenticated("who"), "Bearer"),
        (Forbidden("no scope"), 'Bearer error="insufficient_scope"'),
        (Refused("not here"), None),
    ],
)
def test_whoever_lacks_a_token_or_a_scope_is_told_the_scheme(error: DmsError, expected: str | None) -> None:
    assert expected == problem_from(error).headers.get("WWW-Authenticate")


def test_no_word_of_an_unforeseen_error_gets_out() -> None:
    assert ("internal", 500, False) == (
        told(ValueError("password=hunter2"))["code"],
        told(ValueError("password=hunter2"))["status"],
        "hunter2" in str(told(ValueError("password=hunter2"))),
    )


def test_an_extension_s_own_error_is_told_as_its_nearest_known_ancestor() -> None:
    class Vetoed(Refused):
        code = "vetoed_by_plugin"

    assert ("refused", 403) == (told(Vetoed("no"))["code"], told(Vetoed("no"))["status"])


def test_a_remote_error_of_a_code_that_is_unknown_here_is_a_server_error() -> None:
    remote = RemoteError("odd", reason="novel", number=-32099, data={"retryable": False})
    assert ("novel", 500) == (told(remote)["code"], told(remote)["status"])
