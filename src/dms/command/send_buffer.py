"""SendBuffer: what waits for a peer to read, how long for, and who waits for it."""

import asyncio
from collections.abc import Callable


class SendBuffer:
    """Holds at most about `limit` bytes: while it is full nothing more is read from the peer, so that it can't ask for
    more either. `too_slow` is called where a peer with a full buffer takes nothing for `patience` seconds."""

    def __init__(
        self, transport: asyncio.Transport, *, limit: int, patience: float, too_slow: Callable[[], object]
    ) -> None:
        self._transport = transport
        self._patience = patience
        self._too_slow = too_slow
        self._impatience: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._sent = 0
        self._held = 0
        transport.set_write_buffer_limits(high=limit)

    @property
    def full(self) -> bool:
        """Whether the peer has to read before anything goes on."""
        return not self._writable.is_set()

    @property
    def reads(self) -> bool:
        """Whether anything is read from the peer now."""
        return not (self.full or self._held or self._transport.is_closing())

    def write(self, data: bytes) -> None:
        """Send it, or keep it until the peer has read what comes before."""
        self._transport.write(data)
        self._sent += len(data)

    async def drained(self) -> None:
        """Wait until there is room."""
        await self._writable.wait()

    def pause(self) -> None:
        """It is full: the peer reads more slowly than it asks."""
        self._writable.clear()
        self._transport.pause_reading()
        self._bear_with_it(self._taken)

    @property
    def _taken(self) -> int:
        """Bytes that the system has taken for the peer so far."""
        return self._sent - self._transport.get_write_buffer_size()

    def _bear_with_it(self, taken: int) -> None:
        self._impatience = asyncio.get_running_loop().call_later(self._patience, self._lose_patience, taken)

    def _lose_patience(self, taken: int) -> None:
        """One that merely reads slowly is let be: it costs no more than its buffer."""
        if self._taken == taken:
            self._too_slow()
        else:
            self._bear_with_it(self._taken)

    def resume(self) -> None:
        """There is room again."""
        self.release()
        self._read_on()

    def hold(self) -> None:
        """The peer has asked for more than can be done at once: read nothing more from it until as many `go_on`."""
        self._held += 1
        self._transport.pause_reading()

    def go_on(self) -> None:
        """What it has asked for is done."""
        self._held -= 1
        self._read_on()

    def _read_on(self) -> None:
        if self.reads:
            self._transport.resume_reading()

    def release(self) -> None:
        """Nobody waits any more."""
        if self._impatience is not None:
            self._impatience.cancel()
        self._writable.set()
