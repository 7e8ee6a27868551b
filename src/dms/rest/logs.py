"""`/api/v1/logs`: what the node says of itself."""

from dms.rest.resource import API, Method, Resource

LOGS = [Resource(f"{API}/logs", {"GET": Method("logs.tail", query=("limit",))})]
