"""What importing costs, and what must not be imported where. The floors themselves are import-linter's."""

import json
import subprocess
import sys

import pytest

SERVER = {"click", "rich", "ruamel", "structlog", "apsw", "prometheus_client", "opentelemetry", "http.server"}


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after this statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(json.loads(printed))


@pytest.mark.parametrize("statement", ["import dms", "import dms; dms.Scheduler; dms.Task"])
def test_a_library_user_loads_nothing_of_a_server(statement: str) -> None:
    assert set() == loaded_by(statement) & SERVER


def test_import_dms_enters_the_room_background_tasks_only() -> None:
    rooms = {name.split(".")[1] for name in loaded_by("import dms") if name.startswith("dms.")}
    assert set() == rooms - {"background_tasks", "clock", "errors", "health", "instant", "size"}


@pytest.mark.parametrize("room", ["dms.config", "dms.rpc", "dms.background_tasks.agenda.agenda"])
def test_a_core_does_not_load_an_event_loop_nor_a_parser(room: str) -> None:
    assert set() == loaded_by(f"import {room}") & {"asyncio", "ruamel", "apsw"}
