import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from dms.errors import AddressInUse, ConfigError
from dms.http.socket_address import bind, share


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A socket of somebody who listens."""
    bound = bind("127.0.0.1", 0)
    yield bound
    bound.close()


def port_of(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


def connects(port: int) -> bool:
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


def test_what_is_bound_listens(taken: socket.socket) -> None:
    assert connects(port_of(taken))


async def test_nothing_that_is_sent_through_it_is_held_back(taken: socket.socket) -> None:
    """An answer in two parts took 40 ms: the second one waited until the first was acknowledged."""
    came: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

    class Peer(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            came.set_result(transport.get_extra_info("socket"))

    async with await asyncio.get_running_loop().create_server(Peer, sock=taken):
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(taken))
        assert (await came).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_is_taken_is_said_with_what_to_do(taken: socket.socket, address: str) -> None:
    with pytest.raises(AddressInUse) as raised:
        bind(address, port_of(taken))
    assert (
        f"rest.port: {address} port {port_of(taken)} is taken, perhaps by another node; stop it, or give this one "
        "another port (0: any free one), or close its TCP door with rest.enabled: false"
    ) == str(raised.value)


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(ConfigError, match=r"^rest.addr: can't listen at 192.0.2.1 .*: it is no address of this"):
        bind("192.0.2.1", 0)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_beside_a_socket_of_ours_another_takes_the_same_port_and_does_not_listen_yet(
    taken: socket.socket, address: str
) -> None:
    with bind(address, port_of(taken), beside=taken) as new:
        assert port_of(taken) == port_of(new)
        taken.close()
        assert not connects(port_of(new))
        new.listen()
        assert connects(port_of(new))


def test_a_port_that_was_shared_among_ours_is_taken_for_others(taken: socket.socket) -> None:
    with bind("0.0.0.0", port_of(taken), beside=taken), pytest.raises(AddressInUse):
        bind("127.0.0.1", port_of(taken))
    share(taken, False)
    with pytest.raises(AddressInUse):
        bind("0.0.0.0", port_of(taken))


def test_every_network_is_both_versions_of_ip() -> None:
    with bind("::", 0) as bound:
        assert connects(port_of(bound))
