"""`/metrics`: the node's figures in Prometheus's text format. They tell much of what a node does: a token is needed."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from dms.access.caller import NODE_READ
from dms.rest.answer import text
from dms.rest.entry import Entry
from dms.rest.exchange import Answering

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(exposition: Callable[[], bytes], entry: Entry) -> Answering:
    """What `exposition` gives, for one who holds the scope `node:read`."""

    async def answering(request: Request) -> Response:
        entry.require(request, NODE_READ)
        return text(exposition(), MEDIA_TYPE)

    return answering
