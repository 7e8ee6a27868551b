"""What every test shares: the option for the long forms, how hard hypothesis tries, collectors of telemetry."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Derandomised, so that a change is judged by itself and not by its luck; the long form looks for new examples.
# What tests the tests by mutants calls them several times in one process, each time with new objects of their classes.
_AGAIN = [HealthCheck.differing_executors]
settings.register_profile(
    "short", max_examples=50, deadline=None, derandomize=True, database=None, suppress_health_check=_AGAIN
)
settings.register_profile("nightly", max_examples=2_000, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run the long forms too")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("nightly" if config.getoption("--nightly") else "short")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--nightly"):
        return
    long = [item for item in items if item.get_closest_marker("nightly")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in set(long)]


@pytest.fixture(scope="session")
def nightly(pytestconfig: pytest.Config) -> bool:
    """Whether this is the long form, for a test that merely tries harder in it."""
    return bool(pytestconfig.getoption("--nightly"))


@pytest.fixture
def collectors() -> Iterator[Callable[..., Any]]:
    """Makes collectors of telemetry, by their manner, and closes them at the end."""
    from collectors import Collector

    made: list[Collector] = []

    def make(manner: int | str = 200) -> Collector:
        made.append(Collector(manner))
        return made[-1]

    yield make
    for collector in made:
        collector.close()
