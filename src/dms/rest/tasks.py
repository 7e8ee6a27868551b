"""`/api/v1/tasks`: tasks and their executions."""

from dms.rest.resource import API, FIELDS, Method, Resource

_TASKS = f"{API}/tasks"
_TASK = f"{_TASKS}/{{name}}"

TASKS = [
    Resource(f"{API}/preview", {"GET": Method("task.preview", query=("days",))}),
    Resource(_TASKS, {"GET": Method("task.list"), "POST": Method("task.add", body=FIELDS, created=_TASK)}),
    Resource(_TASK, {"GET": Method("task.get"), "DELETE": Method("task.remove")}),
    Resource(f"{_TASK}/run", {"POST": Method("task.run", query=("wait", "timeout"), body=FIELDS, accepted=True)}),
    Resource(f"{_TASK}/pause", {"POST": Method("task.pause", body=FIELDS)}),
    Resource(f"{_TASK}/resume", {"POST": Method("task.resume")}),
    Resource(f"{_TASK}/skip-next", {"POST": Method("task.skip_next", body=FIELDS)}),
    Resource(f"{_TASK}/backfill", {"POST": Method("task.backfill", body=FIELDS, accepted=True)}),
    Resource(f"{_TASK}/enable", {"POST": Method("task.enable")}),
    Resource(f"{_TASK}/disable", {"POST": Method("task.disable")}),
    Resource(f"{_TASK}/explanation", {"GET": Method("task.explain", query=("at",))}),
    Resource(f"{_TASK}/logs", {"GET": Method("task.logs", query=("run", "from", "limit", "newest", "wait"))}),
    Resource(f"{_TASK}/executions", {"GET": Method("task.history", query=("limit", "before"), paged="id")}),
]
