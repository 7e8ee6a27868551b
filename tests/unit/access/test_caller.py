import pytest

from dms.access.caller import caller_by_socket
from dms.access.peer import Peer
from dms.errors import Refused


@pytest.mark.parametrize("uid", [0, 1000])
def test_root_and_the_node_s_own_user_may_do_everything(uid: int) -> None:
    caller = caller_by_socket(Peer(1, uid, 1), own_uid=1000)
    assert ("socket", True, True) == (caller.door, caller.may("task:run"), caller.may("admin"))


@pytest.mark.parametrize("uid", [1001, 65534])
def test_everybody_else_is_refused_and_told_who_may(uid: int) -> None:
    with pytest.raises(Refused, match="may not command this node, which runs as 54321; ask as 54321 or as root"):
        caller_by_socket(Peer(1, uid, 1), own_uid=54321)
