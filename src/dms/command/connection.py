"""Connection: what one peer says becomes commands, what they give becomes answers. A lasting door has one a peer."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from math import inf
from typing import Any, Protocol

from dms.access.caller import Caller
from dms.clock import stopwatch
from dms.command.command import Command
from dms.command.limits import DEFAULT_LIMITS, Limits
from dms.command.operation import Operations
from dms.command.pieces import AT_ONCE, Reading
from dms.command.subscription import Subscription
from dms.command.topic import Topic
from dms.errors import DmsError, NotFound, Overloaded, ShuttingDown
from dms.rpc.message import Answer, Batch, Cancellation, Notification, Params, Received, Request
from dms.rpc.session import Session

OwnMethod = Callable[[Params], Any]
"""A method that concerns the connection itself: it gives its result at once, or raises a DmsError."""


class Door(Reading, Protocol):
    """What a connection needs of the door through which its peer came."""

    def send(self, text: bytes) -> None:
        """Send a message; it is queued where the peer reads slowly."""

    async def drained(self) -> None:
        """Wait until the queue is short enough for more."""

    def idle(self) -> None:
        """Nothing is under way any more, and nothing is followed."""


class Connection:
    """One peer: its commands under way and its subscriptions. All of it runs on one event loop.

    When the peer goes, nothing that has an effect is undone, but nobody waits for it any more. `own` are methods that
    the door answers by itself, such as `session.refresh`; they need no scope. `admit` is asked before each command, and
    raises where it comes too often. A new `caller` counts from the next command on.
    """

    def __init__(
        self,
        door: Door,
        operations: Operations,
        caller: Caller,
        *,
        limits: Limits = DEFAULT_LIMITS,
        own: Mapping[str, OwnMethod] | None = None,
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        self.caller = caller
        self._door = door
        self._operations = operations
        self._limits = limits
        self._own = own or {}
        self._admit = admit
        self._session = Session(limits.message)
        self._unread: deque[str | bytes] = deque()
        self._saying: Iterator[Received] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._commands: dict[object, asyncio.Task[Any]] = {}
        self._subscriptions: dict[str, asyncio.Task[None] | None] = {}
        self._numbers = count(1)
        self._opened: dict[Command, Subscription] = {}
        self._held: dict[Batch | None, list[Subscription]] = {}
        self._stopping = False
        self._gone = False

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, nothing is followed, and all that was said has been heard."""
        return not self._commands and not self._subscriptions and self._saying is None

    def receive(self, *texts: str | bytes) -> None:
        """The peer said something, or several things at once. What takes long is heard in pieces: nobody else has to
        wait for the end of it."""
        self._unread.extend(texts)
        if self._saying is None:
            self._saying = self._messages()
            if not self._hear(AT_ONCE):
                self._door.hold()
                self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())

    def _messages(self) -> Iterator[Received]:
        while self._unread:
            yield from self._session.receive(self._unread.popleft())

    def _hear(self, within: float) -> bool:
        """Do what it says, for so many seconds; gives whether that was all."""
        began = stopwatch()
        for message in self._saying or ():
            self._do(message)
            if stopwatch() - began > within:
                return False
        self._saying = None
        return True

    async def _catch_up(self) -> None:
        """Do the rest, a piece a turn of the loop, and no faster than the peer reads the answers."""
        all_heard = False
        while not all_heard:
            await asyncio.sleep(0)
            await self._door.drained()
            all_heard = self._hear(AT_ONCE)
        self._door.go_on()
        if self.idle and not self._gone:
            self._door.idle()

    def _do(self, message: Received) -> None:
        match message:
            case Request():
                self._request(message)
            case Notification():
                self._notification(message)
            case Cancellation(request=request):
                if request.id in self._commands:  # what came in one batch with it may have been answered meanwhile
                    self._commands[request.id].cancel()
            case Answer(text=answer):
                self._door.send(answer)

    def _request(self, request: Request) -> None:
        try:
            if self._is_own(request):
                return self._tell(request, self._session.reply(request, self._own[request.method](request.params)))
        except DmsError as error:
            return self._tell(request, self._session.fail(request, error))
        command = self._command(request)
        self._start(request.id, command, partial(self._answer, request, command))

    def _notification(self, notification: Notification) -> None:
        """Nobody waits for it: beyond the limits it is dropped, and what it raises was logged where it mattered."""
        with suppress(DmsError):
            if self._is_own(notification):
                self._own[notification.method](notification.params)
            else:
                self._start(object(), self._command(notification), lambda _: None)

    def _is_own(self, call: Request | Notification) -> bool:
        """Whether the door answers it. ShuttingDown, RateLimited or Overloaded where nobody does now."""
        if self._stopping:
            raise _stopping()
        self._admit()
        if call.method in self._own:
            return True
        if len(self._commands) >= self._limits.in_flight:
            raise Overloaded(
                f"{self._limits.in_flight} commands of this connection are under way; wait for one of them"
            )
        return False

    def _command(self, call: Request | Notification) -> Command:
        return Command(call.method, call.params, caller=self.caller, connection=self)

    def _start(self, key: object, command: Command, finish: Callable[[BaseException | None], None]) -> None:
        """Begin a command; `finish` is told its error once it has ended, which may be at once."""
        try:
            waiting = command.begin(self._operations)
        except Exception as error:  # noqa: BLE001 - whatever it is becomes the answer, and was logged where it matters
            finish(error)
        else:
            if waiting is None:
                finish(None)
            else:
                self._await(key, waiting, finish)

    def _await(
        self, key: object, waiting: Coroutine[Any, Any, Any], finish: Callable[[BaseException | None], None]
    ) -> None:
        """In a callback and not in the task, since a task that is cancelled before its first step never runs at all."""

        def finished(done: asyncio.Task[Any]) -> None:
            del self._commands[key]
            finish(asyncio.CancelledError() if done.cancelled() else done.exception())
            if self.idle and not self._gone:
                self._door.idle()

        task = self._commands[key] = asyncio.get_running_loop().create_task(waiting)
        task.add_done_callback(finished)

    def _answer(self, request: Request, command: Command, error: BaseException | None) -> None:
        opened = [self._opened.pop(command)] if command in self._opened else []
        self._tell(request, self._text(request, command, error), opened)

    def _tell(self, request: Request, text: bytes | None, opened: Sequence[Subscription] = ()) -> None:
        """Send an answer, None where its batch waits for others; what was opened begins after it."""
        if text is not None:
            self._send(text)
            for subscription in (*self._held.pop(request.batch, ()), *opened):
                self._begin(subscription)
        elif opened:
            self._held.setdefault(request.batch, []).extend(opened)

    def _text(self, request: Request, command: Command, error: BaseException | None) -> bytes | None:
        if error is None:
            return self._session.reply(request, command.result)
        trace_id = None if command.trace is None else command.trace.id
        if not isinstance(error, asyncio.CancelledError):
            return self._session.fail(request, error, trace_id)
        if self._stopping:
            return self._session.fail(request, _stopping(), trace_id)
        return self._session.cancelled(request, trace_id)

    def _send(self, text: bytes | None) -> None:
        if text is not None and not self._gone:
            self._door.send(text)

    def subscribe(self, command: Command, topic: Topic, wanted: dict[str, Any], cursor: str | None) -> Subscription:
        """Follow a topic, as a command asked. Its first event is sent after the answer to that command."""
        if len(self._subscriptions) >= self._limits.subscriptions:
            raise Overloaded(f"this connection holds {self._limits.subscriptions} subscriptions; close one of them")
        subscription = Subscription(f"s{next(self._numbers)}", topic, wanted=wanted, cursor=cursor)
        self._opened[command] = subscription
        self._subscriptions[subscription.name] = None
        return subscription

    def unsubscribe(self, name: str) -> None:
        """Follow it no longer. NotFound where there is no such subscription."""
        if name not in self._subscriptions:
            raise NotFound(f"this connection holds no subscription {name}")
        pump = self._subscriptions.pop(name)
        if pump is not None:
            pump.cancel()

    def _begin(self, subscription: Subscription) -> None:
        if subscription.name in self._subscriptions and not self._gone:
            pump = asyncio.get_running_loop().create_task(self._pump(subscription))
            self._subscriptions[subscription.name] = pump

    async def _pump(self, subscription: Subscription) -> None:
        """Hand on what is new, as fast as the peer reads it. What it is too slow for leaves the topic's ring."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        unfollow = subscription.topic.follow(lambda: loop.call_soon_threadsafe(news.set))
        try:
            while True:
                news.clear()
                while (notifications := subscription.read()) is not None:
                    for method, params in notifications:
                        self._send(self._session.notify(method, params))
                    await asyncio.sleep(0)
                    await self._door.drained()
                await news.wait()
        finally:
            unfollow()

    async def stop(self) -> None:
        """The node stops: whoever waits is told so, and so is the peer."""
        self._stopping = True
        await self._cancel_all()
        self._hear(inf)
        self._send(self._session.notify("session.closing", {"reason": "shutting_down"}))

    async def close(self) -> None:
        """The peer has gone."""
        self._gone = True
        await self._cancel_all()

    async def _cancel_all(self) -> None:
        pumps = [pump for pump in (*self._subscriptions.values(), self._catching_up) if pump is not None]
        self._subscriptions.clear()
        under_way = [*self._commands.values(), *pumps]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _stopping() -> ShuttingDown:
    return ShuttingDown("the node is stopping; ask again once it is back")
