"""The ASGI application: every resource of which the node has the operations, and what stands beside them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from dms.access.bearer import Authenticate
from dms.command.limits import DEFAULT_LIMITS, Limits
from dms.command.operation import Operations
from dms.errors import NotFound, did_you_mean
from dms.health import Health
from dms.rest.config import CONFIG
from dms.rest.endpoint import Endpoint
from dms.rest.entry import Admit, Entry
from dms.rest.events import EVENTS
from dms.rest.exchange import Answering, Exchange, by_method
from dms.rest.health import live, ready
from dms.rest.logs import LOGS
from dms.rest.metrics import metrics_text
from dms.rest.node import NODE
from dms.rest.openapi import openapi
from dms.rest.operations import others
from dms.rest.resource import Resource
from dms.rest.tasks import TASKS
from dms.rest.tokens import TOKENS

RESOURCES = [*TASKS, *CONFIG, *NODE, *LOGS, *EVENTS, *TOKENS]


def rest_app(
    operations: Operations,
    authenticate: Authenticate,
    *,
    health: Health,
    metrics: Callable[[], bytes],
    version: str,
    admit: Admit = lambda caller: None,
    limits: Limits = DEFAULT_LIMITS,
) -> ASGIApp:
    """The application, over the operations that there are by now. `authenticate` tells whose token one is, `admit`
    whether its owner comes too often, `metrics` gives the text of `/metrics`."""
    entry = Entry(authenticate, admit, limits.in_flight)
    resources = resources_of(operations)
    paths: dict[str, Mapping[str, Answering]] = {
        each.path: {verb: Endpoint(method, operations, entry, limits) for verb, method in each.methods.items()}
        for each in resources
    }
    paths["/health/live"] = {"GET": live()}
    paths["/health/ready"] = {"GET": ready(health)}
    paths["/metrics"] = {"GET": metrics_text(metrics, entry)}
    paths["/openapi.json"] = {"GET": openapi(resources, operations, version, entry)}
    routes = [Route(path, Exchange(by_method(methods))) for path, methods in paths.items()]
    return Router(routes, redirect_slashes=False, default=Exchange(partial(_unknown, routes)))


def resources_of(operations: Iterable[str]) -> list[Resource]:
    """The resources, without what there is no operation for; the other operations by their names."""
    there_are = set(operations)
    possible = [
        Resource(each.path, {verb: method for verb, method in each.methods.items() if method.operation in there_are})
        for each in RESOURCES
    ]
    asked = {method.operation for each in RESOURCES for method in each.methods.values()}
    return [each for each in possible if each.methods] + others(there_are, asked)


async def _unknown(routes: Sequence[Route], request: Request) -> Response:
    """A path where nothing is. It is not mended: one that is asked for wrongly is seldom asked for wrongly once."""
    path = request.scope["path"]
    if path == "/ws":
        raise NotFound("/ws is a WebSocket, and this was no upgrade to one; connect to it with wscat or the like")
    mended = re.sub("/{2,}", "/", path).rstrip("/")
    if mended != path and any(route.path_regex.match(mended) for route in routes):
        raise NotFound(f"there is nothing at {path}; write it {mended}")
    raise NotFound(f"there is nothing at {path}.{did_you_mean(path, [route.path for route in routes])}")
