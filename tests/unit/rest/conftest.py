"""A whole node behind the application, asked through httpx without a wire. Every answer that it gives in a test is held
against its own description."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator

from dms.access.caller import ADMIN, NODE_READ, TASK_READ, Caller
from dms.access.identity import new_identity
from dms.access.tokens import Tokens
from dms.adapters.config_store import MemoryConfigStore
from dms.adapters.memory import MemoryStore
from dms.adapters.transcripts import FileTranscripts
from dms.background_tasks.running.run import Run
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.clock import SystemClock
from dms.command.command import Command
from dms.command.config import config_operations
from dms.command.events import event_operations
from dms.command.logs import logs_operations, logs_topic
from dms.command.node import NodeInfo, node_operations
from dms.command.operation import Effect, Operation, Operations, by_name
from dms.command.rpc import rpc_operations
from dms.command.subscription import subscription_operations
from dms.command.task_declarations import task_declaration_operations
from dms.command.task_fires import task_fire_operations
from dms.command.task_logs import task_log_operations
from dms.command.task_questions import task_question_operations
from dms.command.tasks import task_operations
from dms.command.tokens import token_operations
from dms.config import Loaded, load
from dms.config.live import LiveConfig
from dms.errors import Refused
from dms.health import Health
from dms.rest.app import resources_of, rest_app
from dms.rest.openapi import describe

Ask = Callable[..., Awaitable[httpx.Response]]

CONFIGURATION = """
scheduler:
  max_running_tasks: 3
tasks:
  filed:
    run: ["true"]
"""


class Drink(msgspec.Struct, frozen=True):
    """What is to be priced."""

    large: bool = False


class Price(msgspec.Struct, frozen=True):
    """What it costs."""

    euros: int


class Node:
    """`answer` gives 42, `hold` sets `begun` and runs until `let_go` is set, `filed` is declared in a file; `ended` is
    set once an operation was waited for. `admin` may do everything, `reader` may read tasks and the node, `dora` may
    not come in; `tokens` makes others."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.health = Health()
        self.health.ready(True)
        self.tokens = Tokens(folder, new_identity(), self.clock)
        self.begun, self.let_go, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.asked: list[Command] = []
        self.metrics = lambda: b"dms_up 1.0\n"
        self._transcripts = FileTranscripts(folder / "runs")
        self.scheduler = Scheduler(
            max_running_tasks=4, store=MemoryStore(), clock=self.clock, transcripts=self._transcripts
        )
        self.scheduler.add_tasks(
            [
                Task("answer", lambda: 42, description="The answer.", triggers=[PeriodicTrigger("90m")]),
                Task("hold", self._hold),
            ]
        )
        self.live = self._configuration(folder)
        self.logs = logs_topic(epoch=1)
        self.operations = self._operations(folder)

    async def _hold(self, run: Run) -> str:
        run.log.info("begun")
        self.begun.set()
        await self.let_go.wait()
        return "let go"

    def _configuration(self, folder: Path) -> LiveConfig:
        file = folder / "dms_config.yaml"
        file.write_text(CONFIGURATION)

        async def read() -> Loaded:
            return load(file, environ={"HOME": str(folder)})

        live = LiveConfig(load(file, environ={"HOME": str(folder)}), MemoryConfigStore(), self.clock, read)
        live.start()
        return live

    def _operations(self, folder: Path) -> Operations:
        def price(params: Drink, command: Command) -> Price:
            return Price(3 if params.large else 2)

        coffee = Operation("coffee.price", Drink, Price, "coffee:read", Effect.READ, price, "Tells what one costs.")

        def info() -> NodeInfo:
            return NodeInfo("quiet-heron", "0.1.0", 42, 0, str(folder), None, [], {"country": "FI"})

        families = by_name(
            [coffee],
            rpc_operations(lambda: [coffee], "0.1.0"),
            subscription_operations([self.logs]),
            task_operations(self.scheduler),
            task_fire_operations(self.scheduler),
            task_question_operations(self.scheduler),
            task_log_operations(self.scheduler, self._transcripts),
            event_operations(self.scheduler),
            config_operations(self.live),
            task_declaration_operations(self.scheduler, self.live),
            logs_operations(self.logs),
            node_operations(info, self.scheduler, self.health, self.clock),
            token_operations(self.tokens, self.clock, lambda: {ADMIN, TASK_READ, NODE_READ}, lambda token: None),
        )
        return by_name(map(self._remembered, families.values()))

    def _remembered(self, operation: Operation) -> Operation:
        def told(params: Any, command: Command) -> Any:
            self.asked.append(command)
            return operation.handler(params, command)

        async def waited_for(params: Any, command: Command) -> Any:
            try:
                return await told(params, command)
            finally:
                self.ended.set()

        handler = waited_for if iscoroutinefunction(operation.handler) else told
        return msgspec.structs.replace(operation, handler=handler)

    def authenticate(self, token: str) -> Caller:
        scopes = {"admin": {ADMIN}, "reader": {TASK_READ, NODE_READ}}
        if token == "dora":
            raise Refused("dora may not come in here")
        if token in scopes:
            return Caller(token, "token", frozenset(scopes[token]), token_id=token)
        return self.tokens.authenticate(token)

    def app(self, **options: Any) -> Any:
        operations = options.pop("operations", self.operations)
        told = {"health": self.health, "metrics": lambda: self.metrics(), "version": "0.1.0", **options}
        return rest_app(operations, self.authenticate, **told)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    await node.live.record_start()
    async with node.scheduler:
        yield node
        node.let_go.set()


class Wire:
    """Somebody who asks for something without httpx in between, and leaves when `left` is set. Of its body
    `body` comes; where there is `more`, that never does."""

    def __init__(self, method: str, path: str, body: bytes = b"", *, more: bool = False, token: str = "admin") -> None:
        address, _, query = path.partition("?")
        headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json")]
        self.left = asyncio.Event()
        self.sent: list[Any] = []
        self._said = [{"type": "http.request", "body": body, "more_body": more}]
        self._scope = {
            "type": "http",
            "method": method,
            "path": address,
            "raw_path": address.encode(),
            "query_string": query.encode(),
            "headers": headers,
        }

    async def ask(self, app: Any) -> None:
        await app(self._scope, self._receive, self._send)

    async def _receive(self) -> Any:
        if self._said:
            return self._said.pop()
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> Any:
        return self.sent[0]["status"]

    @property
    def told(self) -> Any:
        return json.loads(self.sent[1]["body"])


@pytest.fixture
def wire() -> type[Wire]:
    return Wire


@pytest.fixture
def app(node: Node) -> Any:
    return node.app()


@pytest.fixture
async def ask(app: Any, node: Node) -> AsyncIterator[Ask]:
    """`await ask("GET", "/api/v1/tasks", token="reader", json=…)` gives the answer; token None shows none."""
    document = describe(resources_of(node.operations), node.operations, "0.1.0")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:

        async def run(
            method: str, path: str, *, token: str | None = "admin", headers: Any = None, **more: Any
        ) -> httpx.Response:
            shown = {} if token is None else {"Authorization": f"Bearer {token}"}
            response = await client.request(method, path, headers={**shown, **(headers or {})}, **more)
            check(document, method, response)
            return response

        yield run


def check(document: dict[str, Any], method: str, response: httpx.Response) -> None:
    """Fail where the document tells of this path and method, and of no such answer."""
    path = response.request.url.path
    told = next((each for known, each in document["paths"].items() if _matches(known, path)), {}).get(method.lower())
    if told is None:
        return
    answer = told["responses"].get(str(response.status_code))
    assert answer is not None, f"{method} {path} is not said to answer {response.status_code}: {response.text}"
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    if "content" not in answer:
        assert b"" == response.content
        return
    schema = answer["content"][response.headers["Content-Type"]]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(json.loads(response.content))


def _matches(known: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", known), path) is not None
