import pytest

from dms.cli.exit_status import STATUSES, exit_status
from dms.errors import Conflict, DmsError, NoNode, NotFound, RemoteError, StoreBroken
from dms.rpc.error import KINDS


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 3),
        (Conflict("x"), 4),
        (NoNode("x"), 69),
        (StoreBroken("x"), 1),
        (RemoteError("x", reason="configuration", number=-32602), 78),
        (RemoteError("x", reason="a reason of a later version", number=-1), 1),
    ],
)
def test_an_error_ends_with_its_status_wherever_it_was_raised(error: DmsError, status: int) -> None:
    assert status == exit_status(error)


def test_only_codes_that_exist_have_a_status() -> None:
    assert set() == set(STATUSES) - set(KINDS)
