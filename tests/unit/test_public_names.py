"""`import dms` gives the public names, each loaded when it is first used."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import dms

NAMES = """Scheduler Task Execution Run Event Status Trigger PeriodicTrigger OneTimeTrigger EventTrigger Channel
Calendar Concurrency Limits RetryPolicy RetryLater GiveUp Backoff Breaker Overlap CatchUp Durability Program Handle
Progress TaskView RunEvent
ExecutionStore MemoryStore SqliteStore FileTranscripts Usage
DmsError ConfigError Conflict InvalidInput InvalidCron InvalidTask InvalidTrigger Misuse NotFound ShuttingDown
StoreError WaitTimeout
Config load_config find_config get_config default_config remove_comments search_paths set_config
NodeContext Operation Effect Command Recording replay""".split()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there(name: str) -> None:
    assert name in dir(dms)
    assert name in dms.__all__
    assert getattr(dms, name).__doc__


def test_every_public_name_is_listed_here() -> None:
    assert {*NAMES, "__version__"} == set(dms.__all__)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'dms' has no attribute 'Sheduler'"):
        dms.Sheduler  # noqa: B018 - the access is what is tested


def test_the_version_is_that_of_the_distribution() -> None:
    assert version("dms-node") == dms.__version__


def test_import_dms_and_a_scheduler_load_nothing_of_a_server() -> None:
    script = "import sys, dms; dms.Scheduler, dms.Task; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"dms", "msgspec", "asyncio"} <= loaded
    assert set() == loaded & {
        "apsw",
        "click",
        "rich",
        "ruamel",
        "structlog",
        "prometheus_client",
        "http",
        "socketserver",
    }


def test_import_dms_alone_loads_no_room() -> None:
    script = "import sys, dms; print(*[name for name in sys.modules if name.startswith('dms.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "" == done.stdout.strip()
