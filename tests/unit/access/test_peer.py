import os
import socket

from dms.access.peer import Peer, peer_of, user_name


def test_the_kernel_tells_who_is_at_the_other_end() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert Peer(os.getpid(), os.geteuid(), os.getegid()) == peer_of(one)


def test_a_user_without_a_name_is_called_by_number() -> None:
    assert "54321" == user_name(54321)
    assert "root" == user_name(0)
