import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dms.init.log_file import LogFile, LogFileSettings
from dms.instant import SECOND, Instant

DAY = 86_400
LINE = "x" * 9 + "\n"


class Clock:
    wall = 1_764_072_000 * SECOND

    def now(self) -> Instant:
        return Instant(self.wall, 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dms.log"


@pytest.fixture
def made() -> Iterator[list[LogFile]]:
    files: list[LogFile] = []
    yield files
    for file in files:
        file.close()


def file_at(path: Path, made: list[LogFile], size: int = 25, backups: int = 2, age: int = 30) -> LogFile:
    made.append(LogFile(LogFileSettings(path, size, backups, age), Clock()))
    return made[-1]


def texts(path: Path) -> dict[str, str]:
    return {found.name: found.read_text() for found in sorted(path.parent.iterdir())}


def test_lines_are_added_to_what_is_there(path: Path, made: list[LogFile]) -> None:
    path.write_text("before\n")
    file_at(path, made).write(LINE)
    assert f"before\n{LINE}" == path.read_text()


class Untrusted(Clock):
    def now(self) -> Instant:
        return Instant(self.wall, 0, trusted=False)


@pytest.mark.parametrize(("clock", "left"), [(Clock(), ["dms.log"]), (Untrusted(), ["dms.log", "dms.log.1"])])
def test_no_full_file_is_too_old_while_the_clock_is_not_trusted(
    path: Path, made: list[LogFile], clock: Clock, left: list[str]
) -> None:
    """jomjol/AI-on-the-edge-device#2106: what was written before the time was known was deleted as far too old."""
    (old := path.with_name("dms.log.1")).write_text(LINE)
    os.utime(old, (DAY, DAY))
    made.append(LogFile(LogFileSettings(path, 25, 2, 30), clock))
    made[-1].write(LINE)
    assert left == [found.name for found in sorted(path.parent.iterdir())]


@pytest.mark.parametrize("name", ["identity.json", "dms.db", "another"])
def test_no_line_gets_into_a_file_that_a_node_keeps_for_itself(path: Path, made: list[LogFile], name: str) -> None:
    path.with_name("dms.lock").write_text("")
    path.with_name(name).write_text("its own")
    (path.parent / "elsewhere").mkdir()
    (link := path.parent / "elsewhere" / "a.log").symlink_to(path.with_name(name))
    for file in (path.with_name(name), link):
        with pytest.raises(OSError, match=r"must end in \.log there"):
            file_at(file, made).write(LINE)
    file_at(path, made).write(LINE)
    assert ("its own", LINE) == (path.with_name(name).read_text(), path.read_text())


def test_folders_that_are_missing_are_made(path: Path, made: list[LogFile]) -> None:
    file_at(path.parent / "a" / "b" / "dms.log", made).write(LINE)
    assert LINE == (path.parent / "a" / "b" / "dms.log").read_text()


def test_half_a_line_that_a_power_cut_left_is_ended(path: Path, made: list[LogFile]) -> None:
    path.write_text('{"at":')
    file_at(path, made).write(LINE)
    assert f'{{"at":\n{LINE}' == path.read_text()


def test_a_full_file_is_put_aside_and_only_so_many_are_kept(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made)
    for number in range(9):
        file.write(f"line {number}...\n")
    kept = {"dms.log": "line 8...\n", "dms.log.1": "line 6...\nline 7...\n", "dms.log.2": "line 4...\nline 5...\n"}
    assert kept == texts(path)


def test_a_file_that_is_exactly_full_takes_no_more(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made, size=20)
    for _ in range(3):
        file.write(LINE)
    assert {"dms.log": LINE, "dms.log.1": LINE * 2} == texts(path)


def test_with_no_full_files_kept_one_begins_anew(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made, backups=0)
    for _ in range(3):
        file.write(LINE)
    assert {"dms.log": LINE} == texts(path)


def test_a_line_longer_than_a_file_may_be_has_one_for_itself(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made, size=5)
    file.write(LINE)
    file.write(LINE)
    assert {"dms.log": LINE, "dms.log.1": LINE} == texts(path)


def test_a_size_that_was_lowered_counts_from_the_next_line(path: Path, made: list[LogFile]) -> None:
    path.write_text(LINE * 9)
    file_at(path, made).write(LINE)
    assert {"dms.log": LINE, "dms.log.1": LINE * 9} == texts(path)


def test_full_files_that_are_too_many_or_too_old_are_removed_and_nobody_elses(path: Path, made: list[LogFile]) -> None:
    others = ["dms.log-1", "dms.log.2025", "dms.log.1.gz", "dms.log.0", "other.log.9"]
    for name in [*others, "dms.log.1", "dms.log.2", "dms.log.3"]:
        path.with_name(name).write_text("")
        days = 31 if name == "dms.log.2" else 29
        os.utime(path.with_name(name), (0, Clock.wall // SECOND - days * DAY))
    file_at(path, made).open()
    assert sorted([*others, "dms.log", "dms.log.1"]) == sorted(texts(path))


def test_a_full_file_becomes_too_old_while_lines_are_written(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made)
    path.with_name("dms.log.1").write_text(LINE)
    os.utime(path.with_name("dms.log.1"), (0, Clock.wall // SECOND - 29 * DAY))
    file.write(LINE)
    os.utime(path, (0, Clock.wall // SECOND + 2 * DAY))
    file.write(LINE)
    assert {"dms.log": LINE * 2} == texts(path)


def test_a_file_that_another_program_renames_is_begun_anew(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made)
    file.write("one\n")
    path.rename(path.with_name("dms.log-old"))
    file.write("two\n")
    assert {"dms.log": "two\n", "dms.log-old": "one\n"} == texts(path)


def test_a_file_that_another_program_has_begun_anew_is_used(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made)
    file.write("one\n")
    path.rename(path.with_name("dms.log-old"))
    path.write_text("theirs\n")
    file.write("two\n")
    assert {"dms.log": "theirs\ntwo\n", "dms.log-old": "one\n"} == texts(path)


def test_a_file_that_is_removed_with_its_folder_is_made_again(path: Path, made: list[LogFile]) -> None:
    path = path.parent / "logs" / "dms.log"
    file = file_at(path, made)
    file.write("one\n")
    path.unlink()
    path.parent.rmdir()
    file.write("two\n")
    assert {"dms.log": "two\n"} == texts(path)


def test_a_file_that_is_emptied_under_it_has_no_hole(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made)
    file.write("one\n")
    os.truncate(path, 0)
    file.write("two\n")
    assert {"dms.log": "two\n"} == texts(path)


def test_a_line_that_fits_only_in_part_is_not_written_at_all(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made, size=1_000)
    file.write(LINE)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15, limits[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            file.write(LINE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert LINE == path.read_text()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_and_does_not_hold_the_caller(make: object, path: Path, made: list[LogFile]) -> None:
    make(path)  # type: ignore[operator]
    with pytest.raises(OSError, match=r"Is a directory|not a regular file"):
        file_at(path, made).write(LINE)


def test_a_file_that_could_not_be_opened_is_tried_again(path: Path, made: list[LogFile]) -> None:
    file = file_at(path, made)
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        file.write(LINE)
    path.rmdir()
    file.write(LINE)
    assert LINE == path.read_text()


def test_no_descriptor_is_left_open(path: Path, made: list[LogFile]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    file = file_at(path, made)
    for _ in range(20):
        file.write(LINE)
    file.close()
    file.close()
    os.mkfifo(path.with_name("pipe"))
    with pytest.raises(OSError, match="regular"):
        file_at(path.with_name("pipe"), made).open()
    assert before == len(os.listdir("/proc/self/fd"))
