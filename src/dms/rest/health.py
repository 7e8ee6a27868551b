"""`/health`: how the node is, for whoever watches over it; no token is needed, and no detail is told."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from dms.health import Health, State
from dms.rest.answer import answer
from dms.rest.exchange import Answering
from dms.rest.problem import RETRY_AFTER


def live() -> Answering:
    """200 as long as anybody answers at all."""

    async def answering(request: Request) -> Response:
        return answer({"state": "live"})

    return answering


def ready(health: Health) -> Answering:
    """200 with `well` or `degraded` while the node takes work, 503 with `not_ready` while it does not."""

    async def answering(request: Request) -> Response:
        state = health.state()
        if state is State.NOT_READY:
            return answer({"state": state}, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(RETRY_AFTER)})
        return answer({"state": state})

    return answering
