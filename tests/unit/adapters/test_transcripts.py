"""What runs log and print, in files: whole, bounded, told from what is missing."""

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms import Program, Scheduler, SqliteStore, Task
from dms.adapters.transcripts import MOST_WAITING, Bounds, FileTranscripts
from dms.background_tasks.running.transcript import Transcript, TranscriptLine, Wanted
from dms.errors import InvalidInput, StoreError
from dms.instant import Instant

PATIENCE = 10


class Turned:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.wall = 1_000_000

    def now(self) -> Instant:
        return Instant(self.wall, self.wall)


class Kept:
    """Transcripts in a folder, with bounds that may change."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bounds, self.troubles = folder, Bounds(), list[OSError | None]()
        self.clock = Turned()
        self.all = FileTranscripts(folder, lambda: self.bounds, clock=self.clock, troubled=self.troubles.append)

    def said(self, run: str, *texts: str, execution: str = "", task: str = "backup") -> Transcript:
        transcript = self.all.open(task, run, execution or run)
        for text in texts:
            transcript.add("stdout", [text], {})
        self.all.write()
        return transcript

    def lines(self, run: str | None = None, **wanted: Any) -> list[TranscriptLine]:
        return self.all.read(Wanted("backup", run, **wanted)).lines

    def texts(self, run: str | None = None, **wanted: Any) -> list[str]:
        return [line.text for line in self.lines(run, **wanted)]

    def size(self) -> int:
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "runs")
    yield made
    made.all.close()


# ── what is kept ──


def test_each_line_has_its_number_time_kind_and_fields(kept: Kept) -> None:
    transcript = kept.all.open("backup", "1-1", "1-2")
    transcript.add("info", ["copied"], {"files": 3})
    kept.clock.wall += 5
    transcript.add("stderr", ["slow"], {})
    assert [
        TranscriptLine("1-2", 1, 1_000_000, "info", "copied", {"files": 3}),
        TranscriptLine("1-2", 2, 1_000_005, "stderr", "slow"),
    ] == kept.lines()


def test_nothing_is_made_for_those_who_say_nothing(kept: Kept) -> None:
    kept.all.open("backup", "1-1", "1-1")
    assert not kept.folder.exists()
    assert [] == kept.lines()


def test_another_process_reads_what_was_written_and_files_are_the_owners_alone(kept: Kept) -> None:
    kept.said("1-1", "one", "two")
    assert ["one", "two"] == [line.text for line in FileTranscripts(kept.folder).read(Wanted("backup")).lines]
    assert [0o700, 0o600] == [path.stat().st_mode & 0o777 for path in sorted(kept.folder.rglob("*"))]


class Odd:
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def test_whatever_a_line_holds_it_is_kept(kept: Kept) -> None:
    loop: list[object] = []
    loop.append(loop)
    transcript = kept.all.open("backup", "1-1", "1-1")
    transcript.add("info", ["one\nline \x1b[2J\udcff"], {"odd": Odd(), "huge": 2**80, "loop": loop, "lone": "\udcff"})
    transcript.add("info", [Odd()], {1: "one"})  # type: ignore[arg-type,dict-item]
    transcript.add("info", ["x" * 200_000], {"wide": "y" * 200_000})
    first, second, third = kept.lines()
    assert ("one\nline \x1b[2J\\udcff", "<Odd>", 2**80, "\\udcff") == (
        first.text,
        first.fields["odd"],
        int(first.fields["huge"]),
        first.fields["lone"],
    )
    assert ("<Odd>", {"1": "one"}) == (second.text, second.fields)
    assert third.text.endswith("x… (68928 characters more)")
    assert "are not kept" in third.fields["fields"]


def test_an_exception_is_kept_with_where_it_was_raised(kept: Kept) -> None:
    transcript = kept.all.open("backup", "1-1", "1-1")
    try:
        raise ValueError("odd")
    except ValueError as error:
        transcript.add("error", ["by hand"], {"exc_info": True})
        transcript.add("error", ["given"], {"exc_info": error})
    assert ["ValueError: odd"] * 2 == [line.fields["exception"].splitlines()[-1] for line in kept.lines()]


# ── bounds of one run ──


def test_a_full_transcript_keeps_its_first_half_and_its_latest_lines_and_tells_what_is_missing(kept: Kept) -> None:
    kept.bounds = Bounds(execution=20_000)
    kept.said("1-1", *(f"line {number}" for number in range(1, 5001)))
    lines = kept.lines()
    numbers = [line.number for line in lines]
    gap = next(place for place, line in enumerate(lines) if line.dropped)
    assert list(range(1, gap + 1)) == numbers[:gap]
    assert list(range(numbers[gap], 5001)) == numbers[gap:]
    assert numbers[gap] - gap - 1 == lines[gap].dropped
    assert 5000 == len(lines) + sum(line.dropped for line in lines)
    assert 15_000 - 200 < kept.size() <= 20_000
    assert 10_000 - 100 < (kept.folder / "backup" / "1-1_1-1.log").stat().st_size <= 10_000


def test_the_bound_holds_however_much_comes_at_once(kept: Kept) -> None:
    kept.bounds = Bounds(execution=100_000)
    transcript = kept.all.open("backup", "1-1", "1-1")
    for number in range(100_000):
        transcript.add("stdout", [f"{number:0100}"], {})
    assert "99999" == kept.texts(newest=True, limit=1)[0].lstrip("0")
    assert kept.size() <= 100_000


def test_where_nobody_may_wait_for_the_disk_the_oldest_that_wait_go_and_are_counted(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an event loop: one that waited for a slow disk would hold up everybody else's coroutine."""
    monkeypatch.setattr("dms.adapters.transcripts.asyncio._get_running_loop", lambda: object())
    held, went_on = Event(), Event()
    monkeypatch.setattr(kept.all, "write", lambda *_: (held.set(), went_on.wait(PATIENCE)))
    transcript = kept.all.open("backup", "1-1", "1-1")
    for number in range(40_000):
        transcript.add("stdout", [f"{number:0100}"], {})
    assert held.wait(PATIENCE)
    monkeypatch.undo()
    went_on.set()
    lines = kept.lines(newest=True, limit=40_000)
    assert 40_000 == lines[-1].number
    assert sum(len(line.text) for line in lines) < MOST_WAITING


def test_with_a_bound_of_0_nothing_is_kept(kept: Kept) -> None:
    kept.bounds = Bounds(execution=0)
    kept.said("1-1", "one")
    assert [] == kept.lines()
    assert not kept.folder.exists()


# ── bounds of a task, and of all ──


def test_beyond_what_a_task_may_take_its_oldest_runs_go(kept: Kept) -> None:
    kept.bounds = Bounds(task=20_000)
    for number in range(1, 11):
        kept.said(f"1-{number}", "x" * 3000)
    kept.said("1-1", "another's", task="other")
    assert [] == kept.texts("1-1")
    assert ["x" * 3000] == kept.texts("1-10")
    assert kept.size() < 20_000
    assert 1 == len(kept.all.read(Wanted("other")).lines)


def test_the_newest_run_stays_however_little_its_task_may_take(kept: Kept) -> None:
    kept.bounds = Bounds(task=1_000, all=1_000)
    kept.said("1-1", "x" * 3000)
    kept.said("1-2", "y" * 3000)
    assert ["y" * 3000] == kept.texts(cursor="0-0:0")


def test_beyond_what_all_may_take_the_oldest_of_all_go(kept: Kept) -> None:
    kept.bounds = Bounds(all=40_000)
    for number in range(1, 21):
        kept.said(f"1-{number}", "x" * 3000, task=f"task-{number % 2}")
    assert kept.size() < 40_000
    assert [1, 1] == [len(kept.all.read(Wanted(f"task-{which}")).lines) for which in (0, 1)]
    assert not kept.all.read(Wanted("task-1", "1-1")).lines


def test_what_an_earlier_process_left_counts(kept: Kept) -> None:
    kept.said("1-1", "x" * 15_000)
    kept.bounds = Bounds(task=20_000)
    later = FileTranscripts(kept.folder, lambda: kept.bounds)
    later.open("backup", "2-1", "2-1").add("stdout", ["y" * 15_000], {})
    assert ["y"] == [line.text[0] for line in later.read(Wanted("backup", cursor="0-0:0")).lines]


# ── retention ──


def test_what_is_older_than_the_history_goes_with_it(kept: Kept) -> None:
    for number in range(1, 5):
        kept.said(f"1-{number}", "one")
    assert 2 == kept.all.retain({"backup": "1-3"}, 0, 0).result(PATIENCE)
    assert ["1-3", "1-4"] == [line.execution for line in kept.lines(cursor="0-0:0")]


def test_of_a_task_without_a_history_so_many_and_so_old_ones_stay(kept: Kept) -> None:
    for number in range(1, 5):
        kept.said(f"1-{number}", "one")
    os.utime(kept.folder / "backup" / "1-2_1-2.log", (0, 0))
    kept.clock.wall = (kept.folder / "backup" / "1-4_1-4.log").stat().st_mtime_ns // 1000
    assert 2 == kept.all.retain({}, 3_600_000_000, 3).result(PATIENCE)
    assert ["1-3", "1-4"] == [line.execution for line in kept.lines(cursor="0-0:0")]
    assert 2 == kept.all.retain({}, 3_600_000_000, 0).result(PATIENCE)
    assert [] == os.listdir(kept.folder)


# ── reading ──


def test_a_run_is_read_with_all_its_attempts_and_an_attempt_by_itself(kept: Kept) -> None:
    kept.said("1-1", "first")
    kept.said("1-2", "another run")
    kept.said("1-1", "second", execution="1-3")
    assert ["first", "second"] == kept.texts("1-1")
    assert ["second"] == kept.texts("1-3")
    assert ["first", "second"] == kept.texts()  # of the run with the newest execution
    assert [] == kept.texts("9-9")


def test_a_reader_goes_on_where_it_was_and_gets_the_runs_that_come_after(kept: Kept) -> None:
    growing = kept.said("1-1", "one", "two")
    page = kept.all.read(Wanted("backup", limit=1, live=["1-1"]))
    assert (["one"], True) == ([line.text for line in page.lines], page.more)
    kept.said("1-2", "next run")
    growing.add("stdout", ["three"], {})
    page = kept.all.read(Wanted("backup", cursor=page.cursor, live=["1-1", "1-2"]))
    assert (["two", "three", "next run"], False) == ([line.text for line in page.lines], page.more)
    growing.add("stdout", ["four"], {})
    page = kept.all.read(Wanted("backup", cursor=page.cursor, live=["1-1", "1-2"]))
    assert ["four"] == [line.text for line in page.lines]
    assert [] == kept.all.read(Wanted("backup", cursor=page.cursor)).lines


def test_whoever_begins_to_read_gets_the_newest_run_and_what_still_runs(kept: Kept) -> None:
    for number in (1, 2, 3):
        kept.said(f"1-{number}", str(number))
    assert ["1", "3"] == kept.texts(live=["1-1"])


def test_a_page_that_ends_within_an_execution_leaves_out_nothing_of_those_after_it(kept: Kept) -> None:
    growing = [kept.said(f"1-{number}", "first") for number in (1, 2, 3)]
    page = kept.all.read(Wanted("backup", cursor="0-0:0", live=["1-1", "1-2", "1-3"]))
    for transcript in growing:
        transcript.add("stdout", ["second", "third"], {})
    read: list[tuple[str, str]] = []
    while not read or page.more:  # by now all have ended
        page = kept.all.read(Wanted("backup", cursor=page.cursor, limit=1))
        read += [(line.execution, line.text) for line in page.lines]
    assert [(f"1-{number}", word) for number in (1, 2, 3) for word in ("second", "third")] == read


def test_what_has_begun_after_a_page_that_is_full_hides_nothing_that_came_before_it(kept: Kept) -> None:
    for number in (1, 2):
        kept.said(f"1-{number}", "one")
    page = kept.all.read(Wanted("backup", cursor="0-0:0", limit=1, live=["1-3"]))
    assert ["1-2"] == [line.execution for line in kept.lines(cursor=page.cursor, live=["1-3"])]


def test_what_was_read_to_its_end_does_not_come_again_though_an_older_one_goes_on(kept: Kept) -> None:
    older, _ = kept.said("1-1", "one"), kept.said("1-2", "two")
    page = kept.all.read(Wanted("backup", cursor="0-0:0", live=["1-1"]))
    older.add("stdout", ["more"], {})
    page = kept.all.read(Wanted("backup", cursor=page.cursor, live=["1-1"]))
    older.add("stdout", ["and more"], {})
    assert ["and more"] == kept.texts(cursor=page.cursor, live=["1-1"])


def test_who_reads_too_slowly_is_told_how_many_lines_went_meanwhile(kept: Kept) -> None:
    kept.bounds = Bounds(execution=2_000)
    growing = kept.said("1-1", *("x" * 100 for _ in range(10)))
    page = kept.all.read(Wanted("backup", live=["1-1"]))
    for number in range(100):
        growing.add("stdout", [str(number)], {})
    lines = kept.all.read(Wanted("backup", cursor=page.cursor)).lines
    assert lines[0].number - page.lines[-1].number - 1 == lines[0].dropped > 0


@given(data=st.data())
def test_however_it_is_read_each_line_comes_once_or_is_counted_as_missing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = Kept(tmp_path_factory.mktemp("runs"))
    kept.bounds = Bounds(execution=data.draw(st.sampled_from([600, 3_000, 1_000_000])))
    writing: dict[str, Transcript] = {}
    said: Counter[str] = Counter()
    heard: dict[str, list[TranscriptLine]] = defaultdict(list)
    cursor, ended = "0-0:0", set[str]()

    def read(limit: int) -> bool:
        nonlocal cursor
        page = kept.all.read(Wanted("backup", cursor=cursor, limit=limit, live=set(writing) - ended))
        cursor = page.cursor
        for line in page.lines:
            heard[line.execution].append(line)
        return page.more

    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["begin", "say", "say", "read", "end"])):
            case "begin":
                name = f"1-{len(writing) + 1}"
                writing[name] = kept.all.open("backup", name, name)
            case "say" if set(writing) - ended:
                name = data.draw(st.sampled_from(sorted(set(writing) - ended)))
                texts = [f"{name} {said[name] + n}" for n in range(data.draw(st.integers(1, 30)))]
                writing[name].add("stdout", texts, {})
                said[name] += len(texts)
            case "read":
                read(data.draw(st.integers(1, 40)))
            case "end" if set(writing) - ended:
                ended.add(data.draw(st.sampled_from(sorted(set(writing) - ended))))
    while read(1000):
        pass
    for name, count in said.items():
        numbers = [line.number for line in heard[name]]
        assert sorted(set(numbers)) == numbers
        assert count == len(numbers) + sum(line.dropped for line in heard[name])
        assert [f"{name} {number - 1}" for number in numbers] == [line.text for line in heard[name]]
    kept.all.close()


@pytest.mark.parametrize("cursor", ["", "1-1", "1-1:", "x", "1-1:2,", "1-1:٣", "1-1:2;3", "9" * 5000])
def test_what_is_no_cursor_is_refused(kept: Kept, cursor: str) -> None:
    with pytest.raises(InvalidInput, match=r"^from: .* is not a cursor"):
        kept.lines(cursor=cursor)


def test_a_line_that_a_crash_cut_off_and_files_of_others_are_passed_over(kept: Kept) -> None:
    kept.said("1-1", "one")
    with (kept.folder / "backup" / "1-1_1-1.log").open("ab") as file:
        file.write(b'{"n":2,"at":5,"kind":"stdo')
    (kept.folder / "backup" / "notes.txt").write_text("mine")
    (kept.folder / "backup" / "x_y.log").write_text("mine")
    assert ["one"] == kept.texts()


def test_a_page_is_no_longer_than_about_a_million_characters(kept: Kept) -> None:
    kept.bounds = Bounds(execution=10_000_000)
    kept.said("1-1", *("x" * 100_000 for _ in range(30)))
    page = kept.all.read(Wanted("backup"))
    assert (11, True) == (len(page.lines), page.more)


def test_whoever_follows_is_woken_by_new_lines_of_that_task(kept: Kept) -> None:
    woken: list[str] = []
    end = kept.all.follow("backup", lambda: woken.append("backup"))
    kept.said("1-1", "one", task="other")
    kept.said("1-1", "one")
    end()
    kept.said("1-2", "two")
    assert ["backup"] == woken


# ── trouble ──


def test_a_disk_that_takes_nothing_is_told_and_stops_nobody(kept: Kept) -> None:
    kept.folder.parent.joinpath("runs").write_text("in the way")
    growing = kept.said("1-1", "lost")
    growing.add("stdout", ["lost too"], {})
    kept.all.write()
    kept.folder.unlink()
    growing.add("stdout", ["kept"], {})
    assert [("kept", 2)] == [(line.text, line.dropped) for line in kept.lines()]
    assert [True, False] == [error is not None for error in kept.troubles]


def test_files_that_can_not_be_read_are_told(kept: Kept) -> None:
    kept.said("1-1", "one")
    (kept.folder / "backup" / "1-1_1-1.log").unlink()
    (kept.folder / "backup" / "1-1_1-1.log").mkdir()
    with pytest.raises(StoreError, match="can't be read: Is a directory"):
        kept.lines()


def test_the_same_id_of_another_process_begins_anew(kept: Kept) -> None:
    """Without a store on disk IDs begin anew with each process."""
    kept.bounds = Bounds(execution=1000)
    kept.said("1-1", *("old" for _ in range(100)))
    kept.said("1-1", "new")
    assert ["new"] == kept.texts()


# ── with a scheduler ──


def test_what_functions_log_and_programs_print_is_kept_by_execution(tmp_path: Path) -> None:
    def talk(run: Any) -> None:
        run.log.info("mine", n=1)
        logging.getLogger("theirs").warning("of %s", "others")
        Thread(target=lambda: logging.getLogger("theirs").warning("of nobody's run")).start()

    async def talk_together(run: Any) -> None:
        logging.getLogger("theirs").error("from a coroutine")

    transcripts = FileTranscripts(tmp_path / "runs")
    with Scheduler(store=SqliteStore(tmp_path / "dms.db"), transcripts=transcripts) as scheduler:
        script = r"echo out; echo err >&2; printf '10 %%\r100 %%\r\n\377'"
        ran = [
            scheduler.run_task(scheduler.add_task(task).name).wait(PATIENCE).id
            for task in (
                Task("talk", talk),
                Task("together", talk_together),
                Task("shell", Program(("sh", "-c", script))),
            )
        ]
    told = [(line.kind, line.text) for name in ("talk", "together") for line in transcripts.read(Wanted(name)).lines]
    assert [("info", "mine"), ("warning", "of others"), ("error", "from a coroutine")] == told
    printed = transcripts.read(Wanted("shell", ran[2])).lines
    assert [("stderr", "err"), ("stdout", "100 %"), ("stdout", "out"), ("stdout", "�")] == (
        sorted((line.kind, line.text) for line in printed)
    )
    logging.getLogger("theirs").warning("after the stop")


def test_what_comes_after_the_end_of_a_run_is_not_heard(tmp_path: Path) -> None:
    runs: list[Any] = []
    transcripts = FileTranscripts(tmp_path / "runs")
    with Scheduler(transcripts=transcripts) as scheduler:
        scheduler.add_task(Task("talk", lambda run: (runs.append(run), run.log.info("in time"))))
        scheduler.run_task("talk").wait(PATIENCE)
        runs[0].log.info("too late")
    assert ["in time"] == [line.text for line in transcripts.read(Wanted("talk")).lines]


def test_transcripts_go_with_the_executions_that_the_history_lets_go(tmp_path: Path) -> None:
    transcripts = FileTranscripts(tmp_path / "runs")
    with Scheduler(store=SqliteStore(tmp_path / "dms.db"), transcripts=transcripts) as scheduler:
        scheduler.add_task(Task("talk", lambda run: run.log.info("here")))
        ids = [scheduler.run_task("talk").wait(PATIENCE).id for _ in range(4)]
        transcripts.write()
        assert 2 == scheduler.retain("1d", 2).result(PATIENCE)
        deadline = Event()
        while len(os.listdir(tmp_path / "runs" / "talk")) > 2 and not deadline.wait(0.01):
            pass
    assert ids[2:] == [line.execution for line in transcripts.read(Wanted("talk", cursor="0-0:0")).lines]
