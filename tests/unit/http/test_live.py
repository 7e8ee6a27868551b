"""The door while the configuration changes, seen from outside."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dms.errors import AddressInUse, ConfigError
from dms.http.listening import files_of
from dms.http.socket_address import bind

Begin = Callable[..., Any]


def hello(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"hello")


def refused(port: int) -> bool:
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


async def test_it_answers_where_it_says(begin: Begin, said: Any) -> None:
    door = await begin()
    assert hello(await said(door.url))
    assert (f"http://127.0.0.1:{door.port}", []) == (door.url, door.told)


async def test_what_is_disabled_is_nowhere(begin: Begin) -> None:
    door = await begin(enabled="false")
    assert ([], []) == (door.door.urls, door.told)


# ── at the start ──


async def test_a_port_that_is_taken_at_the_start_is_an_error(begin: Begin) -> None:
    with bind("127.0.0.1", 0) as taken, pytest.raises(AddressInUse):
        await begin(port=taken.getsockname()[1])


@pytest.mark.parametrize("addr", ["0.0.0.0", "::"])
async def test_wider_without_tls_is_closed_to_this_machine_and_a_finding(begin: Begin, said: Any, addr: str) -> None:
    door = await begin(addr=addr)
    assert door.url.startswith("http://127.0.0.1:")
    assert hello(await said(door.url))
    (told,) = door.told
    assert told.startswith(f"--set rest.addr  rest.addr: {addr} is open to others, and without TLS")
    assert told.endswith("Until it is mended the door is open to this machine alone")


async def test_a_certificate_that_is_not_there_closes_it_to_this_machine(begin: Begin, tmp_path: Path) -> None:
    door = await begin(addr="0.0.0.0", tls_certificate=tmp_path / "none.crt", allow_plain="true")
    assert door.url.startswith("http://127.0.0.1:")
    assert "none.crt can't be used: No such file or directory" in door.told[0]


async def test_tls_that_was_said_badly_is_not_left_out_though_plain_is_allowed(begin: Begin) -> None:
    door = await begin(addr="0.0.0.0", tls_certificate='"{', allow_plain="true")
    assert door.url.startswith("http://127.0.0.1:")
    assert "is open to others" in door.told[0]


async def test_an_address_that_is_not_there_shuts_it(begin: Begin) -> None:
    door = await begin(addr="192.0.2.1", allow_plain="true")
    assert [] == door.door.urls
    assert door.told[0].endswith("it is no address of this machine. The door is shut")


async def test_what_is_allowed_outright_is_done(begin: Begin) -> None:
    door = await begin(addr="0.0.0.0", allow_plain="true")
    assert door.url.startswith("http://0.0.0.0:")
    assert [] == door.told


async def test_what_was_wrong_is_tried_again_when_it_is_asked_to(begin: Begin, authority: Any, said: Any) -> None:
    certificate, key = authority.folder / "node.crt", authority.folder / "node.key"
    door = await begin(addr="0.0.0.0", tls_certificate=certificate, tls_key=key)
    await door.refresh()
    assert door.told[0].endswith("The door stays as it is")
    assert hello(await said(door.url))
    authority.issue("node")
    await door.refresh()
    assert [] == door.told
    assert door.url.startswith("https://0.0.0.0:")
    assert hello(await said(f"https://127.0.0.1:{door.port}", trust=authority.trust))


# ── changes ──


async def test_a_new_port_is_open_and_the_old_one_is_not(begin: Begin, said: Any) -> None:
    door = await begin(port=0)
    before = door.port
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    await door.set(port=port)
    assert port == door.port
    assert hello(await said(door.url))
    assert refused(before)


async def test_a_port_that_is_taken_is_a_veto_and_the_old_one_stays(begin: Begin, said: Any) -> None:
    door = await begin()
    with bind("127.0.0.1", 0) as taken, pytest.raises(AddressInUse):
        await door.set(port=taken.getsockname()[1])
    assert hello(await said(door.url))
    assert 0 == door.live.config.rest.port


async def test_a_wider_address_at_the_same_port(begin: Begin, said: Any) -> None:
    """nginx/unit#20: from one address to all of them at the same port can't be done without a restart."""
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    door = await begin(port=port)
    await door.set(addr="0.0.0.0", allow_plain=True)
    assert f"http://0.0.0.0:{port}" == door.url
    assert hello(await said(f"http://127.0.0.1:{port}"))
    await door.set(addr="127.0.0.1")
    assert f"http://127.0.0.1:{port}" == door.url
    assert hello(await said(door.url))
    with pytest.raises(AddressInUse):
        bind("0.0.0.0", port)


@pytest.mark.parametrize("change", [{"addr": "0.0.0.0"}, {"tls_key": "/x"}, {"tls_certificate": "/nowhere/x"}])
async def test_what_can_not_be_is_a_veto(begin: Begin, said: Any, change: dict[str, Any]) -> None:
    door = await begin()
    with pytest.raises(ConfigError, match=r"^rest\."):
        await door.set(**change)
    assert hello(await said(door.url))


@pytest.mark.parametrize("same_port", [True, False])
async def test_a_veto_of_somebody_else_lets_go_of_what_was_bound(begin: Begin, said: Any, same_port: bool) -> None:
    with bind("127.0.0.1", 0) as free, bind("127.0.0.1", 0) as other:
        first, second = free.getsockname()[1], other.getsockname()[1]
    door = await begin(port=first)
    door.veto.refuses = True
    with pytest.raises(ConfigError, match="no"):
        await door.set(**({"addr": "0.0.0.0", "allow_plain": True} if same_port else {"port": second}))
    assert hello(await said(door.url))
    assert first == door.port
    bind("127.0.0.1", second).close()
    with pytest.raises(AddressInUse):
        bind("0.0.0.0", first)


async def test_hosts_and_origins_change_without_another_listener(begin: Begin, said: Any) -> None:
    door = await begin()
    request = b"GET / HTTP/1.1\r\nhost: node.example\r\norigin: https://a\r\nconnection: close\r\n\r\n"
    assert (await said(door.url, request)).startswith(b"HTTP/1.1 403 ")
    before = door.port
    await door.set(allowed_hosts=["node.example"], allowed_origins=["https://a"])
    assert hello(await said(door.url, request))
    assert before == door.port


async def test_tls_comes_and_goes_at_the_same_port(begin: Begin, said: Any, authority: Any) -> None:
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    door = await begin(port=port)
    certificate, key = authority.issue()
    await door.set(tls_certificate=str(certificate), tls_key=str(key))
    assert f"https://127.0.0.1:{port}" == door.url
    assert hello(await said(door.url, trust=authority.trust))
    await door.set(tls_certificate=None, tls_key=None)
    assert hello(await said(f"http://127.0.0.1:{port}"))


async def test_a_closed_door_opens_again(begin: Begin, said: Any) -> None:
    door = await begin()
    before = door.port
    await door.set(enabled=False)
    assert [] == door.door.urls
    assert refused(before)
    await door.set(enabled=True)
    assert hello(await said(door.url))


async def test_a_change_of_other_keys_leaves_it_alone(begin: Begin) -> None:
    """vnovick/itervox#44: each change of the configuration takes another free port."""
    door = await begin()
    before = door.url
    await door.live.set({"general.host_city": "Oulu"}, author="ana")
    assert before == door.url


async def test_who_is_in_is_answered_though_the_address_is_given_up(begin: Begin) -> None:
    door = await begin()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\na")
    await writer.drain()
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", door.port)
    await asyncio.wait_for(_until(lambda: len(_connections(door)) == 2), 5)
    await door.set(enabled=False)
    assert b"" == await asyncio.wait_for(idle.read(), 5)
    writer.write(b"b")
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"hello")
    writer.close()
    idle_writer.close()


def _connections(door: Any) -> Any:
    return door.door._listener._connections.connections


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - there is no event to wait for, and no time passes
        await asyncio.sleep(0)


async def test_who_has_come_but_was_not_seen_yet_is_answered_too(begin: Begin, said: Any) -> None:
    """A server that is closed at that moment resets those who wait to be accepted, or leaves them hanging."""
    door = await begin()
    await said(door.url)  # what it serves with is loaded
    peers = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(5)]
    for peer in peers:
        peer.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    await door.set(enabled=False)
    for peer in peers:
        peer.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=peer)
        assert hello(await asyncio.wait_for(reader.read(), 5))
        writer.close()


# ── certificates ──


async def test_a_renewed_certificate_is_shown_from_then_on(begin: Begin, authority: Any) -> None:
    certificate, key = authority.issue()
    door = await begin(tls_certificate=certificate, tls_key=key)
    assert [certificate, key] == files_of(door.live.config.rest)
    before = await authority.serial_at(door.url)
    authority.issue()
    await door.refresh()
    assert before != await authority.serial_at(door.url)


async def test_one_that_is_no_good_changes_nothing_and_is_a_finding(begin: Begin, authority: Any, said: Any) -> None:
    """jmrplens/libgen-mcp#176: between the writing of a new certificate and of its key nobody can connect."""
    certificate, key = authority.issue()
    door = await begin(tls_certificate=certificate, tls_key=key)
    before, good = await authority.serial_at(door.url), key.read_bytes()
    authority.issue("other")
    key.write_bytes((authority.folder / "other.key").read_bytes())
    await door.refresh()
    assert "the key is not the certificate's" in door.told[0]
    assert before == await authority.serial_at(door.url)
    key.write_bytes(good)
    await door.refresh()
    assert [] == door.told
    assert before == await authority.serial_at(door.url)


async def test_another_file_is_shown_without_another_listener(begin: Begin, authority: Any) -> None:
    certificate, key = authority.issue()
    door = await begin(tls_certificate=certificate, tls_key=key)
    before, port = await authority.serial_at(door.url), door.port
    other, other_key = authority.issue("other")
    await door.set(tls_certificate=str(other), tls_key=str(other_key))
    assert (True, port) == (before != await authority.serial_at(door.url), door.port)


async def test_peers_that_begin_no_handshake_are_not_more_than_may_be(begin: Begin, authority: Any) -> None:
    certificate, key = authority.issue()
    door = await begin(tls_certificate=certificate, tls_key=key, max_connections=2)
    await authority.serial_at(door.url)
    mute = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(3)]
    assert b"" == await asyncio.wait_for(mute[2][0].read(), 5)
    for _, writer in mute:
        writer.close()


# ── the stop ──


class Slow:
    """An application that answers nothing for a long time; `begun` once it has been asked. Where it is `polite` it says
    so when it is cancelled, else it does not even end."""

    def __init__(self, *, polite: bool) -> None:
        self.begun, self.end, self._polite = asyncio.Event(), asyncio.Event(), polite

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            if not self._polite:
                await self.end.wait()
            await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})
            raise


async def test_whoever_waits_at_a_stop_is_told_so_before_it_is_cut_off(begin: Begin, said: Any) -> None:
    door = await begin()
    door.application = slow = Slow(polite=True)
    waiting = asyncio.ensure_future(said(door.url))
    await asyncio.wait_for(slow.begun.wait(), 5)
    await asyncio.wait_for(door.door.stop(within=0.01), 5)
    assert (await waiting).startswith(b"HTTP/1.1 503 ")
    assert [] == door.door.urls


async def test_what_does_not_even_end_then_is_cut_off(begin: Begin, said: Any) -> None:
    door = await begin()
    door.application = slow = Slow(polite=False)
    waiting = asyncio.ensure_future(said(door.url))
    await asyncio.wait_for(slow.begun.wait(), 5)
    await asyncio.wait_for(door.door.stop(within=0.01), 5)
    with suppress(ConnectionResetError):
        assert b"" == await waiting
    slow.end.set()


async def test_what_comes_to_its_end_after_the_stop_opens_nothing(begin: Begin) -> None:
    door = await begin()
    await door.door.stop(within=1)
    await door.refresh()
    await door.set(port=0, addr="127.0.0.2")
    assert [] == door.door.urls
