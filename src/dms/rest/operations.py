"""`/api/v1/operations`: by its name every operation that no resource asks, those of packages above all."""

from collections.abc import Collection, Iterable

from dms.rest.resource import API, FIELDS, Method, Resource

_LASTING = "sub."
"""Operations that only one who stays connected can ask."""


def others(operations: Iterable[str], asked: Collection[str]) -> list[Resource]:
    """A resource for each operation that is not among those asked."""
    return [
        Resource(f"{API}/operations/{name}", {"POST": Method(name, body=FIELDS)})
        for name in sorted(operations)
        if name not in asked and not name.startswith(_LASTING)
    ]
