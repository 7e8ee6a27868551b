"""`task.add|remove|enable|disable`: what is declared, changed by overrides under `tasks.NAME`."""

from typing import Any

import msgspec

from dms.access.caller import TASK_WRITE
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import check_name
from dms.command.command import Command
from dms.command.config import author_of, permit_of
from dms.command.operation import Effect, Operation
from dms.config.changed import Changed
from dms.config.layer import ABSENT, value_at
from dms.config.live import LiveConfig
from dms.errors import Conflict, Refused


class AddParameters(msgspec.Struct, frozen=True):
    """A new task's name, and what `tasks.NAME` in a file would say of it."""

    name: str
    declaration: dict[str, Any]


class NameParameters(msgspec.Struct, frozen=True):
    """The task's name or ID."""

    name: str | int


class _Declarations:
    """The handlers."""

    def __init__(self, scheduler: Scheduler, live: LiveConfig) -> None:
        self._scheduler, self._live = scheduler, live

    async def add(self, params: AddParameters, command: Command) -> Changed:
        check_name(params.name)
        path = ("tasks", params.name)
        if self._is_said(path):
            raise Conflict(f"tasks.{params.name} is declared already; change it with config.set, or remove it first")
        return await self._live.set({".".join(path): params.declaration}, **self._asking(command))

    async def remove(self, params: NameParameters, command: Command) -> Changed:
        name = self._declared(params.name)
        path = ("tasks", name)
        for layer in self._live.loaded.layers:
            if value_at(layer.values, path) is not ABSENT and not layer.name.is_override:
                raise Refused(f"{name} is declared in {layer.source}: take it out there, or hold it back: task disable")
        return await self._live.unset([".".join(path)], **self._asking(command))

    async def enable(self, params: NameParameters, command: Command) -> Changed:
        return await self._switch(params.name, True, command)

    async def disable(self, params: NameParameters, command: Command) -> Changed:
        return await self._switch(params.name, False, command)

    async def _switch(self, which: str | int, enabled: bool, command: Command) -> Changed:
        """By taking the override away where that does it, else by one."""
        path = ("tasks", self._declared(which), "enabled")
        key, asking = ".".join(path), self._asking(command)
        below = [value_at(layer.values, path) for layer in self._live.loaded.layers if not layer.name.is_override]
        said = [value for value in below if value is not ABSENT]
        if (said[-1] if said else True) is enabled:
            return await self._live.unset([key], **asking)
        return await self._live.set({key: enabled}, **asking)

    def _asking(self, command: Command) -> dict[str, Any]:
        """Who asks for a change, and what they may; a conflict where what it builds on has changed meanwhile."""
        permit = permit_of(command.caller, self._live.loaded.sections)
        return {"author": author_of(command.caller), "permit": permit, "expected_revision": self._live.revision}

    def _declared(self, which: str | int) -> str:
        """The name of a declared task. NotFound where there is no such task, Refused where nothing declares it."""
        name = self._scheduler.get_task(which).name if isinstance(which, int) else which
        if not self._is_said(("tasks", name)):
            origin = self._scheduler.get_task(name).origin
            raise Refused(f"{name} is not declared in the configuration, its origin is {origin}; pause it instead")
        return name

    def _is_said(self, path: tuple[str, ...]) -> bool:
        return value_at(self._live.loaded.merged.values, path) is not ABSENT


def task_declaration_operations(scheduler: Scheduler, live: LiveConfig) -> list[Operation]:
    """What changes the declarations; each gives what `config.set` gives."""
    handlers = _Declarations(scheduler, live)

    def writing(name: str, parameters: Any, handler: Any, effect: Effect, summary: str, example: Any) -> Operation:
        return Operation(name, parameters, Changed, TASK_WRITE, effect, handler, summary, (example,))

    once, again, backup = Effect.ONCE, Effect.IDEMPOTENT, {"name": "backup"}
    declared = {"name": "backup", "declaration": {"run": ["restic", "backup", "/srv"], "cron": "0 3 * * *"}}
    on, off = "Lets a task run by itself again.", "Lets a task run only when it is asked for."
    return [
        writing("task.add", AddParameters, handlers.add, once, "Declares a task, as an override.", declared),
        writing("task.remove", NameParameters, handlers.remove, once, "Removes a task that was added.", backup),
        writing("task.enable", NameParameters, handlers.enable, again, on, backup),
        writing("task.disable", NameParameters, handlers.disable, again, off, backup),
    ]
