"""Whatever is asked of the configuration, the answer is a change or an error with a code; nothing changes by half."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dms.access.caller import ADMIN, Caller
from dms.adapters.config_store import MemoryConfigStore
from dms.command.command import Command
from dms.command.config import config_operations
from dms.command.operation import by_name
from dms.config import Loaded, load
from dms.config.live import LiveConfig
from dms.config.reading import with_overrides
from dms.errors import DmsError
from dms.testing import FakeClock

CALLER = Caller("ana", "socket", frozenset({ADMIN}))

words = st.sampled_from(
    [
        "general",
        "scheduler",
        "tasks",
        "a",
        "run",
        "env",
        "retry",
        "kwargs",
        "timezone",
        "max_running_tasks",
        "delay",
        "",
        "é",
    ]
)
keys = st.lists(words, min_size=1, max_size=5).map(".".join)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
values = st.recursive(
    leaves | st.sampled_from(["5m", "UTC", "/srv"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
good = st.sampled_from(
    [
        ("scheduler.max_running_tasks", 3),
        ("scheduler", {"timezone": "UTC", "max_running_tasks": 5}),
        ("tasks.a", {"run": ["false"], "env": {"A": "1"}}),
        ("tasks.a.retry.delay", "1m"),
        ("tasks.a.retry", None),
        ("tasks.b", {"call": "math:sqrt", "args": [2**70, True, 1.5, None, "\0"]}),
        ("general.host_city", "é"),
        ("tasks", None),
    ]
)
somewhere = keys | good.map(lambda pair: pair[0])
asked = st.one_of(
    st.tuples(
        st.just("config.set"),
        st.fixed_dictionaries(
            {
                "changes": st.lists(good | st.tuples(keys, values), min_size=1, max_size=3).map(dict),
                "volatile": st.booleans(),
            },
            optional={
                "expected_revision": st.integers(1, 4) | st.integers(),
                "dry_run": st.booleans(),
                "reason": st.text(max_size=5),
            },
        ),
    ),
    st.tuples(st.just("config.unset"), st.fixed_dictionaries({"keys": st.lists(somewhere, min_size=1, max_size=2)})),
    st.tuples(st.just("config.restore_defaults"), st.fixed_dictionaries({"keys": st.lists(somewhere, max_size=2)})),
    st.tuples(st.just("config.rollback"), st.fixed_dictionaries({"revision": st.integers(1, 4) | st.integers()})),
    st.tuples(st.just("config.history"), st.fixed_dictionaries({"before": st.none() | st.integers()})),
    st.tuples(st.just("config.diff"), st.fixed_dictionaries({"from": st.none() | st.integers(-1, 4)})),
    st.tuples(st.sampled_from(["config.get", "config.explain"]), st.fixed_dictionaries({"key": somewhere})),
)


def _load() -> Loaded:
    return load(environ={"HOME": "/nowhere"}, arguments=['tasks.a={"run": ["true"], "retry": {"delay": "5m"}}'])


async def _load_again() -> Loaded:
    return _load()


@given(st.lists(asked, min_size=1, max_size=5))
def test_whatever_is_asked_the_configuration_stays_whole(asked: list[tuple[str, dict[str, Any]]]) -> None:
    async def ask_each() -> None:
        store = MemoryConfigStore()
        live = LiveConfig(_load(), store, FakeClock(), _load_again)
        live.start()
        await live.record_start()
        operations = by_name(config_operations(live))
        for method, params in asked:
            try:
                await Command(method, params, caller=CALLER).run(operations)
            except DmsError:
                pass
            newest = store.newest()
            assert newest is not None
            assert (live.revision, live.hash, live.loaded.effective) == (newest.number, newest.hash, newest.effective)
            assert live.loaded == with_overrides(_load(), newest.overrides, live._volatile)
            assert [] == live.loaded.findings

    asyncio.run(ask_each())
