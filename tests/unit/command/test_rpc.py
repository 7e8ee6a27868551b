import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.access.caller import SCOPES
from dms.access.identity import new_identity
from dms.access.tokens import Tokens
from dms.adapters.config_store import MemoryConfigStore
from dms.adapters.transcripts import FileTranscripts
from dms.background_tasks.scheduler import Scheduler
from dms.clock import SystemClock
from dms.command.config import config_operations
from dms.command.events import event_operations
from dms.command.logs import logs_operations, logs_topic
from dms.command.node import NodeInfo, node_operations
from dms.command.operation import Operation, by_name
from dms.command.parameters import decode_parameters
from dms.command.rpc import describe, rpc_operations
from dms.command.subscription import subscription_operations
from dms.command.task_declarations import task_declaration_operations
from dms.command.task_fires import task_fire_operations
from dms.command.task_logs import task_log_operations
from dms.command.task_questions import task_question_operations
from dms.command.tasks import task_operations
from dms.command.tokens import token_operations
from dms.config import Loaded, load
from dms.config.live import LiveConfig
from dms.health import Health

Ask = Callable[..., Any]


async def unread() -> Loaded:
    raise AssertionError("nothing is read anew here")


def every_operation() -> list[Operation]:
    scheduler, logs, clock = Scheduler(), logs_topic(1), SystemClock()
    live = LiveConfig(load(environ={}), MemoryConfigStore(), clock, unread)
    info = NodeInfo("heron", "1", 1, 0, "/", None, [])
    operations = [
        *task_operations(scheduler),
        *task_fire_operations(scheduler),
        *task_question_operations(scheduler),
        *task_log_operations(scheduler, FileTranscripts("nowhere")),
        *event_operations(scheduler),
        *config_operations(live),
        *task_declaration_operations(scheduler, live),
        *logs_operations(logs),
        *node_operations(lambda: info, scheduler, Health(), clock),
        *subscription_operations([logs]),
        *token_operations(Tokens(Path(), new_identity(), clock), clock, lambda: SCOPES, print),
    ]
    return list(by_name(operations, rpc_operations(lambda: operations, "1")).values())


EVERY = every_operation()


async def test_a_ping_is_answered(ask: Ask) -> None:
    assert "pong" == await ask(EVERY, "rpc.ping")


async def test_every_method_is_described_with_its_parameters(ask: Ask) -> None:
    described = await ask(EVERY, "rpc.discover")
    methods = {method["name"]: method for method in described["methods"]}
    run = [(each["name"], each["required"]) for each in methods["task.run"]["params"]]
    assert [("name", True), ("wait", False), ("event", False), ("timeout", False), ("overlap", False)] == run
    assert [("topic", True), ("filter", False), ("from", False)] == [
        (each["name"], each["required"]) for each in methods["sub.open"]["params"]
    ]


def test_what_a_description_refers_to_is_in_it() -> None:
    described = describe(EVERY, "1")
    assert {f"#/components/schemas/{name}" for name in described["components"]["schemas"]} >= set(references(described))


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for each in value.values() for found in references(each)]
    return [found for each in value for found in references(each)] if isinstance(value, list) else []


@pytest.mark.parametrize("operation", EVERY, ids=lambda operation: operation.name)
def test_every_example_can_be_read(operation: Operation) -> None:
    assert operation.examples
    for example in operation.examples:
        decode_parameters(operation.parameters, example)


def test_every_method_is_in_the_reference_with_its_parameters_and_scope() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/reference/protocol.md").read_text()
    row = re.compile(r"^\| `(\w+\.\w+)` \|(.*?)\|.*\| `([\w:]+)`[^|]*\|$", re.MULTILINE)
    methods = page[page.index("## Methods") : page.index("## Subscriptions")]
    told = {
        (name, tuple(re.findall(r"`(\w+)`", parameters)), scope) for name, parameters, scope in row.findall(methods)
    }
    there_are = {
        (operation.name, operation.parameters.__struct_encode_fields__, operation.scope) for operation in EVERY
    }
    assert there_are == told
