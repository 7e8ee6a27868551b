import asyncio
from typing import Any

from dms.clock import stopwatch
from dms.command.pieces import AT_ONCE, SIZE, Pieces


class Peer:
    """Somebody whose pieces take long to take; `events` has the pieces' first letters, and what else happened."""

    def __init__(self, takes: float = AT_ONCE) -> None:
        self.events: list[str] = []
        self.done = asyncio.Event()
        self.pieces = Pieces(self.take, self)
        self._takes = takes

    def take(self, data: bytes) -> None:
        self.events.append(chr(data[0]))
        began = stopwatch()
        while stopwatch() - began < self._takes:
            pass

    def hold(self) -> None:
        self.events.append("hold")

    def go_on(self) -> None:
        self.events.append("go on")
        self.done.set()


def of(letters: str) -> bytes:
    return b"".join(letter.encode() * SIZE for letter in letters)


async def test_others_have_their_turn_between_the_pieces_of_one_and_all_come_in_their_order() -> None:
    peer = Peer()
    peer.pieces.feed(of("abc"))
    asyncio.get_running_loop().call_soon(peer.events.append, "another")
    peer.pieces.feed(of("d"))
    await asyncio.wait_for(peer.done.wait(), 5)
    order = peer.events.index
    assert order("a") < order("hold") < order("another") < order("c") < order("d") < order("go on")
    assert ["a", "b", "c", "d"] == [each for each in peer.events if len(each) == 1]


async def test_what_takes_no_time_is_taken_at_once() -> None:
    peer = Peer(takes=0)
    peer.pieces.feed(of("ab"))
    peer.pieces.feed(b"c")
    assert ["a", "b", "c"] == peer.events


async def test_of_one_who_has_gone_no_piece_is_left() -> None:
    peer = Peer()
    peer.pieces.feed(of("abc"))
    peer.pieces.stop()
    await asyncio.sleep(0)
    assert ["a", "hold"] == peer.events


async def test_a_piece_may_be_the_last_that_is_wanted(monkeypatch: Any) -> None:
    peer = Peer(takes=0)
    monkeypatch.setattr(peer.pieces, "_take", lambda data: (peer.take(data), peer.pieces.stop()))
    peer.pieces.feed(of("abc"))
    assert ["a"] == peer.events
