import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dms.init.service_manager import ServiceManager


class Listener:
    """A service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.settimeout(5)

    def hear(self, within: float = 5) -> list[str]:
        """The lines of the next message; none where none comes."""
        self.socket.settimeout(within)
        try:
            return self.socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []

    def fill(self) -> None:
        """Leave no room for one more message."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as another:
            another.setblocking(False)
            try:
                while another.sendto(b"X=1", self.address.replace("@", "\0", 1)):
                    pass
            except BlockingIOError:
                return

    def empty(self) -> None:
        """Forget what has come until now."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(4096):
                pass
        except BlockingIOError:
            return


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    made = Listener(str(tmp_path / "notify") if request.param == "path" else f"@dms-unit-{tmp_path.name}")
    yield made
    made.socket.close()


def manager(listener: Listener, **more: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": listener.address, **more})


async def test_it_is_told_each_state_with_what_people_are_to_read(listener: Listener) -> None:
    told = manager(listener)
    told.ready()
    assert ["READY=1", "STATUS=running"] == listener.hear()
    told.reloading()
    reloading, moment, status = listener.hear()
    assert ("RELOADING=1", "STATUS=reading the configuration anew") == (reloading, status)
    assert 0 < int(moment.removeprefix("MONOTONIC_USEC="))
    told.stopping(8.5, "draining 2 tasks: backup, sync")
    assert ["STOPPING=1", "EXTEND_TIMEOUT_USEC=9500000", "STATUS=draining 2 tasks: backup, sync"] == listener.hear()


async def test_what_stops_is_never_ready_again(listener: Listener) -> None:
    told = manager(listener)
    told.stopping(1, "stopping: the start")
    listener.empty()
    told.ready()
    told.reloading()
    assert [] == listener.hear(within=0.01)


async def test_where_it_has_no_room_now_that_the_node_is_ready_is_said_again(listener: Listener) -> None:
    """The queue of a datagram socket is short, and a manager that is busy reads nothing for seconds."""
    told = manager(listener)
    listener.fill()
    told.ready()
    listener.empty()
    assert ["READY=1", "STATUS=running"] == await asyncio.to_thread(listener.hear)


async def test_without_a_manager_nothing_is_tried_and_nothing_fails() -> None:
    """systemd/systemd#39535: with no socket there is nobody to tell."""
    alone = ServiceManager({})
    alone.ready()
    alone.reloading()
    alone.stopping(9, "draining")
    alone.feed_while(lambda: pytest.fail("there is nobody to feed"))


@pytest.mark.parametrize("address", ["/nowhere/at/all", "vsock:2:1234", "@" + "x" * 300, "\udcff"])
async def test_an_address_at_which_nobody_listens_harms_nothing(address: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": address}).ready()


def test_the_variables_are_taken_out_of_the_environment() -> None:
    environ = {"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    ServiceManager(environ)
    assert {"PATH": "/bin"} == environ


async def test_the_watchdog_is_fed_each_half_of_its_period_after_a_turn(listener: Listener) -> None:
    turns = []
    told = manager(listener, WATCHDOG_USEC="20000", WATCHDOG_PID=str(os.getpid()))
    told.feed_while(lambda: turns.append(1))
    assert [["WATCHDOG=1"]] * 3 == [await asyncio.to_thread(listener.hear) for _ in range(3)]
    assert 3 <= len(turns)


async def test_a_loop_that_is_stuck_starves_the_watchdog_until_it_turns_again(listener: Listener) -> None:
    stuck, let_go, heard = threading.Event(), threading.Event(), list[list[str]]()

    def block() -> None:
        stuck.set()
        assert let_go.wait(5)

    def look_on() -> None:
        assert stuck.wait(5)
        listener.empty()
        heard.append(listener.hear(within=0.2))
        let_go.set()
        heard.append(listener.hear())

    manager(listener, WATCHDOG_USEC="20000").feed_while(lambda: None)
    asyncio.get_running_loop().call_soon(block)
    await asyncio.to_thread(look_on)
    assert [[], ["WATCHDOG=1"]] == heard


async def test_a_scheduler_that_fails_to_turn_starves_the_watchdog(listener: Listener) -> None:
    turns = iter([None])

    def turn() -> None:
        for _ in turns:
            return
        raise RuntimeError("the agenda is broken")

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    manager(listener, WATCHDOG_USEC="20000").feed_while(turn)
    assert ["WATCHDOG=1"] == await asyncio.to_thread(listener.hear)
    assert [] == await asyncio.to_thread(listener.hear, 0.1)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        *[{"WATCHDOG_USEC": odd} for odd in ("", "0", "-5", "1.5", "1e6", " ", "soon", "0x10", "²", "9" * 400)],
        {"WATCHDOG_USEC": str(2**64 - 1)},
        {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "mine"},
    ],
)
async def test_nothing_is_fed_where_nobody_watches_this_process(listener: Listener, environ: dict[str, str]) -> None:
    manager(listener, **environ).feed_while(lambda: pytest.fail("nobody watches"))
    assert [] == listener.hear(within=0.001)


async def test_a_period_that_is_next_to_nothing_does_not_take_the_whole_loop(listener: Listener) -> None:
    turns = []
    manager(listener, WATCHDOG_USEC="1").feed_while(lambda: turns.append(1))
    for _ in range(1000):
        await asyncio.sleep(0)
    assert len(turns) < 100
