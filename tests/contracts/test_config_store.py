"""What every ConfigStore promises, tried on each adapter."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dms.adapters.config_store import KEPT, MemoryConfigStore, SqliteConfigStore
from dms.adapters.sqlite import SqliteStore
from dms.config.overrides import Override
from dms.config.store import ConfigStore, RecordedChange, Revision
from dms.errors import NotFound, StoreError

Open = Callable[[], ConfigStore]


@pytest.fixture(params=["memory", "sqlite"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the store, as at each start of a node."""
    memory, opened = MemoryConfigStore(), []

    def open_it() -> ConfigStore:
        if request.param == "memory":
            return memory
        for store in opened:
            store.close()
        opened.append(SqliteStore(tmp_path / "dms.db"))
        config_store = SqliteConfigStore(opened[-1], opened[-1].open())
        config_store.newest()
        opened[-1].load()
        return config_store

    yield open_it
    for store in opened:
        store.close()


def newest(tmp_path: Path) -> Revision | None:
    store = SqliteStore(tmp_path / "dms.db")
    try:
        return SqliteConfigStore(store, store.open()).newest()
    finally:
        store.close()


def revision(number: int, value: Any = 2) -> Revision:
    return Revision(
        number,
        1_700_000_000_000_000 + number,
        "ana",
        f"reason {number}",
        [RecordedChange("scheduler.max_running_tasks", 4, value)],
        [Override(("scheduler", "max_running_tasks"), value, number, "ana", 7)],
        {"scheduler": {"max_running_tasks": value}},
        f"hash {number}",
    )


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(2**63), 2**64 - 1, 2**70, -(10**300), 0.1, 5e-324, "", "ä\n\x00", [], {}, {"a": [{"b": None}]}],
)
def test_a_revision_comes_back_as_it_was_saved(again: Open, value: Any) -> None:
    """Cog-Creators/Red-DiscordBot#2091: integers beyond 64 bits are valid JSON, and could be set and not kept."""
    store = again()
    store.save(revision(1, value)).result()
    assert revision(1, value) == store.revision(1).result()
    assert [revision(1, value)] == again().revisions(10, None).result()


def test_what_has_no_plain_form_is_refused_and_nothing_of_it_is_kept(again: Open) -> None:
    store = again()
    for value in (object(), {"half a character": "\ud800"}):
        with pytest.raises(StoreError, match="revision 1 holds something that can't be kept"):
            store.save(revision(1, value)).result()
    assert [] == store.revisions(10, None).result()


def test_half_a_character_in_the_reason_or_the_author_is_kept_as_an_escape(again: Open) -> None:
    store = again()
    store.save(replace(revision(1), reason="so \ud800", author="an\udcffa")).result()
    kept = store.revision(1).result()
    assert ("so \\ud800", "an\\udcffa") == (kept.reason, kept.author)


def test_a_number_is_given_once(again: Open) -> None:
    store = again()
    store.save(revision(1)).result()
    with pytest.raises(StoreError):
        store.save(revision(1, 3)).result()
    assert revision(1) == store.revision(1).result()


def test_revisions_come_newest_first_and_page_by_page(again: Open) -> None:
    store = again()
    for number in range(1, 6):
        store.save(revision(number)).result()
    assert [5, 4] == [each.number for each in store.revisions(2, None).result()]
    assert [3, 2] == [each.number for each in store.revisions(2, 4).result()]
    assert [] == store.revisions(0, None).result()


@pytest.mark.parametrize(("limit", "before", "numbers"), [(2**80, 2**80, [2, 1]), (9, -(2**80), []), (-(2**80), 9, [])])
def test_a_page_may_be_asked_for_with_any_number(again: Open, limit: int, before: int, numbers: list[int]) -> None:
    store = again()
    store.save(revision(1)).result()
    store.save(revision(2)).result()
    assert numbers == [each.number for each in store.revisions(limit, before).result()]


@pytest.mark.parametrize("number", [0, 7, -1, 2**80])
def test_a_revision_that_is_not_there_is_not_found(again: Open, number: int) -> None:
    with pytest.raises(NotFound):
        again().revision(number).result()


def test_only_the_newest_are_kept(again: Open) -> None:
    store = again()
    saves = [store.save(revision(number)) for number in range(1, KEPT + 4)]
    saves[-1].result()
    assert list(range(KEPT + 3, 3, -1)) == [each.number for each in store.revisions(1000, None).result()]


def test_the_newest_is_there_before_the_store_is_loaded(tmp_path: Path) -> None:
    assert newest(tmp_path) is None
    store = SqliteStore(tmp_path / "dms.db")
    kept = SqliteConfigStore(store, store.open())
    store.load()
    kept.save(revision(1))
    kept.save(revision(2)).result()
    store.close()
    assert revision(2) == newest(tmp_path)
