"""What the TCP door serves, for wiring: REST and the WebSocket, over the same operations and tokens."""

from collections.abc import Callable

from dms import __version__
from dms.access.bearer import Authenticate
from dms.access.caller import Caller
from dms.command.limits import Limits
from dms.command.operation import Operations
from dms.command.rate_limit import RateLimit
from dms.config import Config
from dms.health import Health
from dms.http.guard import LiveGuard
from dms.http.live import Serving
from dms.init.limits import limits_of
from dms.instant import Clock
from dms.rest.app import rest_app
from dms.websocket.connection import Endpoint
from dms.websocket.endpoint import websocket_protocol
from dms.websocket.hello import Node
from dms.websocket.registry import SocketRegistry


def serving(
    operations: Operations,
    authenticate: Authenticate,
    guard: LiveGuard,
    registry: SocketRegistry,
    *,
    config: Callable[[], Config],
    node: tuple[str, str],
    health: Health,
    metrics: Callable[[], bytes],
    clock: Clock,
) -> Serving:
    """The application and the protocol class; `node` is its name and the number of its start."""
    rate = RateLimit(lambda: config().rest.max_rate, clock)

    def admit(caller: Caller) -> None:
        rate.take(caller.token_id or caller.name)

    def limits() -> Limits:
        return limits_of(config())

    endpoint = Endpoint(operations, authenticate, guard, limits, rate, registry, Node(*node), clock)
    rest = rest_app(operations, authenticate, health=health, metrics=metrics, version=__version__, admit=admit)
    return Serving(rest, websocket_protocol(endpoint))
