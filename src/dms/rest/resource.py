"""Resource: a path, and for each of its methods the operation that it asks and where that one's parameters stand.

The routes and their description are both made from these values.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

API = "/api/v1"

FIELDS = "*"
"""A body that is an object of whatever parameters stand nowhere else."""

Parameters = dict[str, Any]


def _as_they_are(given: Parameters) -> Parameters:
    return given


class Method(msgspec.Struct, frozen=True):
    """One method: its operation, and the parameters of that in the query; the parts of the path are parameters too.

    `body` is FIELDS, or the name of the parameter that the whole body is; empty where there is none. `shape` brings
    what was given into the operation's own form. `revised` tells that the result bears the configuration's revision:
    it becomes `ETag`, and `If-Match` the revision that is expected. `created` is the path of what was made, of the
    result's or the parameters' members; `accepted` says that without `wait` the work is still ahead; `paged` is the
    member of the last item that the next page is `before`.
    """

    operation: str
    query: tuple[str, ...] = ()
    body: str = ""
    shape: Callable[[Parameters], Parameters] = _as_they_are
    revised: bool = False
    created: str = ""
    accepted: bool = False
    paged: str = ""

    def status(self, given: Parameters) -> HTTPStatus:
        """The status of a success."""
        if self.created:
            return HTTPStatus.CREATED
        return HTTPStatus.ACCEPTED if self.accepted and not given.get("wait") else HTTPStatus.OK


class Resource(msgspec.Struct, frozen=True):
    """A path such as `/api/v1/tasks/{name}`, and what can be done there."""

    path: str
    methods: Mapping[str, Method]
