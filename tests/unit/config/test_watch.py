"""The watch of the configuration's files, with real files. A notice is waited for, never slept for."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Event

import pytest

from dms.config.watch import LONGEST, FileWatch, fingerprint, folders_of

PATIENCE = 10.0

Watch = Callable[[Path], "Queue[str]"]


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Watches a file; each notice puts the file's content, as it then is, into the queue."""
    watches: list[FileWatch] = []

    def begin(path: Path) -> "Queue[str]":
        notices: Queue[str] = Queue()
        watches.append(FileWatch(lambda: [path], lambda: notices.put(path.read_text() if path.exists() else "gone")))
        watches[-1].start()
        return notices

    yield begin
    for each in watches:
        each.stop()


def until(notices: "Queue[str]", wanted: str) -> list[str]:
    """The notices up to the wanted one."""
    found = [notices.get(timeout=PATIENCE)]
    while found[-1] != wanted:
        found.append(notices.get(timeout=PATIENCE))
    return found


def replaced(path: Path, content: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(content)
    new.replace(path)


def test_a_file_that_is_renamed_over_again_and_again_is_seen_each_time(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "dms.yaml"
    path.write_text("one")
    notices = watch(path)
    for content in ("two", "three", "four"):
        replaced(path, content)
        until(notices, content)


def test_a_swapped_link_is_seen_again_and_again(tmp_path: Path, watch: Watch) -> None:
    """spf13/viper#284: an orchestrator swaps a hidden link to a folder, and neither the file nor its own link is
    touched."""
    for number in (1, 2, 3):
        (tmp_path / f"..v{number}").mkdir()
        (tmp_path / f"..v{number}" / "dms.yaml").write_text(f"v{number}")
    (tmp_path / "..data").symlink_to("..v1")
    path = tmp_path / "dms.yaml"
    path.symlink_to("..data/dms.yaml")
    notices = watch(path)
    for number in (2, 3):
        (tmp_path / "..data_tmp").symlink_to(f"..v{number}")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        shutil.rmtree(tmp_path / f"..v{number - 1}")
        assert [f"v{number}"] == until(notices, f"v{number}")


def test_a_file_in_a_folder_whose_name_is_no_text_is_seen_by_looking(tmp_path: Path, watch: Watch) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")) / "dms.yaml"
    path.parent.mkdir()
    path.write_text("one")
    notices = watch(path)
    for content in ("two", "three"):
        replaced(path, content)
        until(notices, content)


def test_a_file_that_is_emptied_and_written_in_pieces_comes_whole(tmp_path: Path, watch: Watch) -> None:
    """microsoft/service-fabric-traefik#31: a file that was read while it was half written."""
    path = tmp_path / "dms.yaml"
    path.write_text("all of it")
    notices = watch(path)
    with path.open("w") as file:
        file.flush()
        os.fsync(file.fileno())
        file.write("new ")
        file.flush()
        os.fsync(file.fileno())
        file.write("content")
    assert "new content" == notices.get(timeout=PATIENCE)
    with pytest.raises(Empty):
        notices.get(timeout=2 * LONGEST / 1000)


def test_a_file_that_goes_and_comes_again_is_seen(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "dms.yaml"
    path.write_text("one")
    notices = watch(path)
    path.unlink()
    until(notices, "gone")
    path.write_text("two")
    until(notices, "two")


def test_a_folder_that_is_made_anew_is_watched_anew(tmp_path: Path, watch: Watch) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    path = folder / "dms.yaml"
    path.write_text("one")
    notices = watch(path)
    path.unlink()
    folder.rmdir()
    until(notices, "gone")
    folder.mkdir()
    path.write_text("two")
    until(notices, "two")
    replaced(path, "three")
    until(notices, "three")


def test_a_folder_in_whose_place_another_is_put_is_watched_anew(tmp_path: Path, watch: Watch) -> None:
    """Deployments swap whole folders by renaming; a watch of the old one sees nothing more, or what goes on in it."""
    folder, path = tmp_path / "conf", tmp_path / "conf" / "dms.yaml"
    folder.mkdir()
    path.write_text("one")
    notices = watch(path)
    for number, content in enumerate(("two", "three")):
        (tmp_path / "next").mkdir()
        (tmp_path / "next" / "dms.yaml").write_text(content)
        folder.rename(tmp_path / f"old{number}")
        (tmp_path / "next").rename(folder)
        until(notices, content)
        (tmp_path / f"old{number}" / "dms.yaml").write_text("nobody reads this")
        replaced(path, f"{content} again")
        assert [f"{content} again"] == until(notices, f"{content} again")


def in_place(path: Path, content: str) -> None:
    path.write_text(content)


def backed_up(path: Path, content: str) -> None:
    """As vim does by default: the file becomes the backup, a new one is written, the backup goes."""
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    path.write_text(content)
    backup.unlink()


def linked_anew(path: Path, content: str) -> None:
    """As some packagers do: away with the file, and a link to a new one in its place."""
    new = path.with_name(f"{content}.real")
    new.write_text(content)
    path.unlink()
    path.symlink_to(new)


def taken_back(path: Path, content: str) -> None:
    """As who copies a backup over it with its times: new content, an older time."""
    replaced(path, content)
    os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.mark.parametrize("save", [in_place, replaced, backed_up, linked_anew, taken_back])
def test_however_an_editor_saves_it_is_seen_each_time(
    tmp_path: Path, watch: Watch, save: Callable[[Path, str], None]
) -> None:
    path = tmp_path / "dms.yaml"
    path.write_text("one")
    notices = watch(path)
    for content in ("two", "three", "four"):
        save(path, content)
        until(notices, content)


def test_a_drop_in_that_comes_changes_or_goes_is_seen(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "dms.yaml"
    path.write_text("main")
    notices = watch(path)
    (tmp_path / "conf.d").mkdir()
    drop_in = tmp_path / "conf.d" / "10.yaml"
    for change in (lambda: drop_in.write_text("a"), lambda: replaced(drop_in, "bb"), drop_in.unlink):
        change()
        assert "main" == notices.get(timeout=PATIENCE)


def test_other_files_of_the_folder_are_no_change(tmp_path: Path) -> None:
    path = tmp_path / "dms.yaml"
    path.write_text("one")
    before = fingerprint([path])
    (tmp_path / "other.yaml").write_text("x")
    assert before == fingerprint([path])
    replaced(path, "two")
    assert before != fingerprint([path])


def test_an_edit_that_keeps_size_and_time_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "dms.yaml"
    path.write_text("one")
    os.utime(path, ns=(0, 0))
    before = fingerprint([path])
    path.write_text("two")
    os.utime(path, ns=(0, 0))
    assert before != fingerprint([path])


def test_a_look_that_fails_does_not_end_the_watch(tmp_path: Path) -> None:
    path = tmp_path / "dms.yaml"
    path.write_text("one")
    notices: Queue[str] = Queue()
    failed: Queue[None] = Queue()
    broken = Event()

    def files() -> list[Path]:
        if broken.is_set():
            failed.put(None)
            raise PermissionError(13, "Permission denied", str(path))
        return [path]

    watch = FileWatch(files, lambda: notices.put(path.read_text()))
    watch.start()
    broken.set()
    for _ in range(2):
        failed.get(timeout=PATIENCE)
    broken.clear()
    replaced(path, "two")
    until(notices, "two")
    watch.stop()


def test_folders_of_a_link_that_leads_to_itself_are_found_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "dms.yaml"
    path.symlink_to("dms.yaml")
    assert [tmp_path] == folders_of([path])
