"""`/api/v1/config`: the configuration, its keys and its past."""

from dms.rest.resource import API, FIELDS, Method, Parameters, Resource

_CONFIG = f"{API}/config"
_HOW = ("volatile", "dry_run", "reason")


def _one_change(given: Parameters) -> Parameters:
    return {"changes": {given.pop("key"): given.pop("value")}, **given}


def _one_key(given: Parameters) -> Parameters:
    return {"keys": [given.pop("key")], **given}


CONFIG = [
    Resource(
        _CONFIG,
        {
            "GET": Method("config.get", revised=True),
            "PATCH": Method("config.set", query=_HOW, body="changes", revised=True),
        },
    ),
    Resource(f"{_CONFIG}/history", {"GET": Method("config.history", query=("limit", "before"), paged="revision")}),
    Resource(f"{_CONFIG}/diff", {"GET": Method("config.diff", query=("from", "to"))}),
    Resource(f"{_CONFIG}/rollback", {"POST": Method("config.rollback", query=("dry_run",), body=FIELDS, revised=True)}),
    Resource(
        f"{_CONFIG}/restore-defaults",
        {"POST": Method("config.restore_defaults", query=("dry_run",), body=FIELDS, revised=True)},
    ),
    Resource(f"{_CONFIG}/reload", {"POST": Method("config.reload", revised=True)}),
    Resource(
        f"{_CONFIG}/{{key}}",
        {
            "GET": Method("config.get", revised=True),
            "PUT": Method("config.set", query=_HOW, body="value", shape=_one_change, revised=True),
            "DELETE": Method("config.unset", query=_HOW, shape=_one_key, revised=True),
        },
    ),
    Resource(f"{_CONFIG}/{{key}}/explain", {"GET": Method("config.explain")}),
]
