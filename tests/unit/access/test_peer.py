import os
import socket

import pytest

from dms.access.peer import Peer, caller_by_socket, own_uid, peer_of, user_name
from dms.errors import Refused


def test_the_kernel_tells_who_is_at_the_other_end() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert Peer(os.getpid(), os.geteuid(), os.getegid()) == peer_of(one)


@pytest.mark.parametrize("uid", [0, 1000])
def test_root_and_the_node_s_own_user_may_do_everything(uid: int) -> None:
    caller = caller_by_socket(Peer(1, uid, 1), own_uid=1000)
    assert ("socket", True, True) == (caller.door, caller.may("task:run"), caller.may("admin"))


@pytest.mark.parametrize("uid", [1001, 65534])
def test_everybody_else_is_refused_and_told_who_may(uid: int) -> None:
    with pytest.raises(Refused, match="may not command this node, which runs as 54321; ask as 54321 or as root"):
        caller_by_socket(Peer(1, uid, 1), own_uid=54321)


def test_a_user_without_a_name_is_called_by_number() -> None:
    assert "54321" == user_name(54321)
    assert user_name(own_uid()) == user_name(os.geteuid())
