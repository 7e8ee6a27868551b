"""The TCP door follows the configuration: where it is, what it shows, and whom it lets in."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from socket import socket
from ssl import SSLContext
from typing import TYPE_CHECKING, NamedTuple

from dms.background_tasks.running.loop_thread import in_thread
from dms.config import ConfigChange, ConfigFinding, Loaded
from dms.errors import AddressInUse, ConfigError
from dms.http.guard import LiveGuard
from dms.http.listener import Listener
from dms.http.listening import Listening
from dms.http.opening import finding, opening_of, wanted
from dms.http.socket_address import bind
from dms.http.tls import tls_context
from dms.instant import Clock

if TYPE_CHECKING:
    from uvicorn.config import Config

    from dms.http.guarded import Application

FAREWELL = 6.0
"""Seconds that whoever is in may take to leave an address that is given up: longer than a socket's own grace."""

_AS_IT_IS = "The door stays as it is"


class Serving(NamedTuple):
    """What the door serves: an ASGI application, and what makes the protocol of a WebSocket."""

    application: "Application"
    websocket: Callable[..., asyncio.Protocol]


class LiveDoor:
    """Listens where the configuration says, and vetoes a change to where it can't.

    At the start it opens to this machine alone instead, or not at all, and that is a finding until `refresh` finds that
    it can. A port that is taken then is AddressInUse, since a node that nobody reaches by its port is worse than none.
    `serving` is called once, in a thread; `most` tells how many peers may be connected at once.
    """

    name = "http"

    def __init__(self, serving: Callable[[], Serving], guard: LiveGuard, clock: Clock, most: Callable[[], int]) -> None:
        self.findings: Sequence[ConfigFinding] = ()
        self._load = cache(lambda: _config(serving(), guard))
        self._guard, self._clock, self._most = guard, clock, most
        self._listener: Listener | None = None
        self._next: _Next | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def urls(self) -> list[str]:
        """Where it is open, as a client writes it."""
        return [] if self._listener is None else [self._listener.url]

    @property
    def peers(self) -> int:
        """How many are connected, by WebSocket or else."""
        return 0 if self._listener is None else self._listener.peers

    def claim(self, loaded: Loaded) -> None:
        """At the start: take the address, before anything else begins. AddressInUse where somebody else has it."""
        opening = opening_of(loaded)
        self.findings = opening.findings
        if opening.listening is None:
            return
        try:
            bound = bind(opening.listening.address, opening.listening.port)
        except ConfigError as error:
            self.findings = [*self.findings, finding(loaded, error, "The door is shut")]
        else:
            self._listener = self._listener_at(opening.listening, bound, opening.tls)

    def _listener_at(self, listening: Listening, bound: socket, tls: SSLContext | None) -> Listener:
        return Listener(listening, bound, tls, self._load, self._clock, self._most)

    def open(self) -> None:
        """Let people in at the address that was claimed."""
        if self._listener is not None:
            self._listener.open()

    # ── changes ──

    async def prepare(self, change: ConfigChange) -> None:
        """Bind what is new of it. ConfigError or AddressInUse where that can't be."""
        if change.touches("rest"):
            self._next = await self._made_ready(change.new)

    async def _made_ready(self, loaded: Loaded) -> "_Next":
        listening, now = wanted(loaded), self._listener
        if listening is None:
            return _Next(None, None)
        tls = await in_thread(lambda: tls_context(listening))
        if now is not None and now.listening.place == listening.place:
            return _Next(listening, now)
        beside = now.socket if now is not None and now.port == listening.port else None
        return _Next(listening, self._listener_at(listening, bind(listening.address, listening.port, beside), tls))

    async def apply(self, change: ConfigChange) -> None:
        """Be as the new configuration says, and give up an old address."""
        self._guard.follow(change.new.config.rest)
        if self._next is not None:
            ready, self._next = self._next, None
            self._take(ready, change.new)

    def _take(self, ready: "_Next", loaded: Loaded) -> None:
        if self._stopped:
            return self._let_go(ready)
        old = self._listener
        try:
            if ready.listener is not None and ready.listener is not old:
                ready.listener.open()
            elif ready.listener is not None and ready.listening is not None:
                ready.listener.show(ready.listening)
        except (ConfigError, AddressInUse) as error:
            self.findings = [finding(loaded, error, _AS_IT_IS)]
            return self._let_go(ready)
        self.findings, self._listener = (), ready.listener
        if old is not None and old is not ready.listener:
            self._give_up(old)
        if ready.listener is not None:
            ready.listener.alone()

    def _give_up(self, listener: Listener) -> None:
        """Nobody comes in there any more; who is in gets the time to leave."""
        listener.shut()
        task = asyncio.get_running_loop().create_task(listener.leave(FAREWELL))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def abandon(self, change: ConfigChange) -> None:
        """Let go of what was bound."""
        if self._next is not None:
            ready, self._next = self._next, None
            self._let_go(ready)

    def _let_go(self, ready: "_Next") -> None:
        if ready.listener is not None and ready.listener is not self._listener:
            ready.listener.shut()
        if self._listener is not None:
            self._listener.alone()

    async def refresh(self, loaded: Loaded) -> None:
        """The files on the disk may be others: take the certificate anew; where the door is not as the configuration
        wants it, try again. Not while a change is under way."""
        try:
            self._take(await self._made_ready(loaded), loaded)
        except (ConfigError, AddressInUse) as error:
            self.findings = [finding(loaded, error, _AS_IT_IS)]

    async def stop(self, within: float) -> None:
        """Close, tell everybody, and cut off who has not gone after so many seconds. Safe where it was never open."""
        listener, self._listener, self._stopped = self._listener, None, True
        if listener is not None:
            listener.shut()
            await listener.leave(within)


def _config(serving: Serving, guard: LiveGuard) -> "Config":
    from dms.http.connection import http_config
    from dms.http.cross_origin import cross_origin
    from dms.http.guarded import guarded

    return http_config(guarded(cross_origin(serving.application), guard), serving.websocket)


class _Next(NamedTuple):
    """Where the door is to be, and the listener there: the one that is open already, or one that is bound."""

    listening: Listening | None
    listener: Listener | None
