"""`/api/v1/events`: tell the node that something happened."""

from dms.rest.resource import API, FIELDS, Method, Resource

EVENTS = [Resource(f"{API}/events", {"POST": Method("event.emit", body=FIELDS)})]
