"""`/api/v1/node`: which node this is, and how it is."""

from dms.rest.resource import API, Method, Resource

NODE = [
    Resource(f"{API}/node", {"GET": Method("node.info")}),
    Resource(f"{API}/node/status", {"GET": Method("node.status")}),
]
