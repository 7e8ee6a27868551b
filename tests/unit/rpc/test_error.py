from typing import Any

import pytest

import dms.errors
from dms.errors import ConfigError, CursorExpired, DmsError, InvalidParameters, Refused, RemoteError
from dms.rpc.error import KINDS, error_from


def every(kind: type[DmsError]) -> list[type[DmsError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in every(child))]


def test_every_error_of_dms_has_its_row() -> None:
    codes = {kind.code for kind in every(DmsError) if kind.__module__ == dms.errors.__name__}
    assert set() == codes - {RemoteError.code} - set(KINDS)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidParameters("name: missing", ("name",)), {"fields": ("name",)}),
        (ConfigError("two problems", ("a", "b")), {"findings": ("a", "b")}),
        (CursorExpired("gone", "3-7"), {"oldest": "3-7"}),
    ],
)
def test_what_an_error_knows_is_told_too(error: DmsError, expected: dict[str, Any]) -> None:
    assert {"reason": error.code, "retryable": False, **expected} == error_from(error)["data"]


def test_no_word_of_an_unforeseen_error_gets_out() -> None:
    error = error_from(ValueError("password=hunter2"))
    assert -32603 == error["code"]
    assert "hunter2" not in str(error)


def test_an_extension_s_own_error_is_told_as_its_nearest_known_ancestor() -> None:
    class Forbidden(Refused):
        code = "forbidden_by_plugin"

    assert (-32003, "refused") == (error_from(Forbidden("no"))["code"], error_from(Forbidden("no"))["data"]["reason"])


def test_a_remote_error_is_handed_on_as_it_came() -> None:
    remote = RemoteError("busy", reason="conflict", number=-32005, data={"retryable": False})
    expected = {"code": -32005, "message": "busy", "data": {"reason": "conflict", "retryable": False}}
    assert expected == error_from(remote)
