"""What the SQLite store of revisions promises beyond the contract."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dms.adapters.config_store import SqliteConfigStore
from dms.adapters.sqlite import SqliteStore
from dms.config.overrides import Override
from dms.config.store import RecordedChange, Revision
from dms.errors import StoreBroken, StoreError

REVISION = Revision(1, 7, "ana", "why", [RecordedChange("a", 1, 2)], [Override(("a",), 2, 1, "ana", 7)], {"a": 2}, "h")


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.save(REVISION),
        lambda store: store.revisions(3, None),
        lambda store: store.revision(1),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_store_that_is_not_open_fails_the_future(
    tmp_path: Path, ask: Callable[[SqliteConfigStore], Future[Any]], when: str
) -> None:
    store = SqliteStore(tmp_path / "dms.db")
    kept = SqliteConfigStore(store, store.open())
    if when == "after":
        store.load()
        store.close()
    future = ask(kept)
    with pytest.raises(StoreError, match="not open"):
        future.result(0)
    store.close()


def stored(tmp_path: Path, detail: bytes) -> Revision | None:
    """The newest revision of a file into which somebody wrote this detail."""
    store = SqliteStore(tmp_path / "dms.db")
    store.open()
    store.load()
    store.writer.save([("INSERT INTO config_revision VALUES (1, 7, 'ana', 'why', 'h', ?)", (detail,))]).result(10)
    store.close()
    again = SqliteStore(tmp_path / "dms.db")
    try:
        return SqliteConfigStore(again, again.open()).newest()
    finally:
        again.close()


def test_a_revision_of_the_first_format_is_read(tmp_path: Path) -> None:
    detail = [1, REVISION.changes, REVISION.overrides, REVISION.effective]
    assert REVISION == stored(tmp_path, msgspec.msgpack.encode(detail))


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        (b"[3,[],[],{}]", "kept in the unknown format 3"),
        (b"[2,[],[]", "can't be read"),
        (b"{}", "can't be read"),
        (b"", "can't be read"),
        (b"\xff", "can't be read"),
        (b"[" * 100_000, "can't be read"),
    ],
)
def test_a_revision_that_makes_no_sense_is_refused(tmp_path: Path, detail: bytes, message: str) -> None:
    with pytest.raises(StoreBroken, match=f"revision 1 of the configuration .*{message}"):
        stored(tmp_path, detail)
