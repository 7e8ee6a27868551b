"""From what went wrong to the exit status: the command line's own table."""

from dms.errors import DmsError, RemoteError

DONE = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
REFUSED = 4
NO_NODE = 69
CONFIGURATION = 78
INTERRUPTED = 130

STATUSES = {
    "parse_error": USAGE,
    "invalid_request": USAGE,
    "invalid_params": USAGE,
    "invalid": USAGE,
    "invalid_task": USAGE,
    "invalid_trigger": USAGE,
    "invalid_cron": USAGE,
    "invalid_duration": USAGE,
    "malformed": USAGE,
    "not_found": NOT_FOUND,
    "method_not_found": NOT_FOUND,
    "cursor_expired": NOT_FOUND,
    "conflict": REFUSED,
    "version_conflict": REFUSED,
    "refused": REFUSED,
    "forbidden": REFUSED,
    "unauthenticated": REFUSED,
    "hello_required": REFUSED,
    "unsupported": REFUSED,
    "rate_limited": REFUSED,
    "too_large": REFUSED,
    "too_slow": REFUSED,
    "overloaded": REFUSED,
    "shutting_down": REFUSED,
    "folder_in_use": REFUSED,
    "address_in_use": FAILED,
    "no_node": NO_NODE,
    "configuration": CONFIGURATION,
}
"""By stable code; every other code means that it failed."""


def exit_status(error: DmsError) -> int:
    """The status with which `dms` ends after this error."""
    return STATUSES.get(reason_of(error), FAILED)


def reason_of(error: DmsError) -> str:
    """The stable code of an error, the node's where it came from a node."""
    return error.reason if isinstance(error, RemoteError) else error.code
