"""`/api/v1/tokens`: who may come in by the doors that know nobody."""

from dms.rest.resource import API, FIELDS, Method, Resource

_TOKENS = f"{API}/tokens"
_TOKEN = f"{_TOKENS}/{{id}}"

TOKENS = [
    Resource(_TOKENS, {"GET": Method("token.list"), "POST": Method("token.create", body=FIELDS, created=_TOKEN)}),
    Resource(_TOKEN, {"DELETE": Method("token.revoke")}),
]
