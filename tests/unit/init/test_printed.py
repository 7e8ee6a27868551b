"""What a function prints on a node goes to its run, line by line, and what anybody else prints where it went before."""

import sys
from pathlib import Path
from threading import Thread

import pytest

import dms
from dms.background_tasks.running.transcript import Wanted
from dms.init.printed import printed_to_runs


def lines_of(function: object, folder: Path) -> list[tuple[str, str]]:
    """The kinds and texts of what a task's run has said that calls this function."""
    transcripts = dms.FileTranscripts(folder)
    with printed_to_runs(), dms.Scheduler(transcripts=transcripts) as scheduler:
        scheduler.add_task(dms.Task("talk", function))
        scheduler.run_task("talk").wait("10s")
        return [(line.kind, line.text) for line in transcripts.read(Wanted("talk")).lines]


def in_pieces() -> None:
    print("a", 1, end="")
    print(" and", flush=True)
    print("oops", file=sys.stderr)
    print("no end", end="")


async def together() -> None:
    in_pieces()


@pytest.mark.parametrize("function", [in_pieces, together])
def test_what_a_function_prints_is_kept_by_whole_lines(
    function: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [("stdout", "a 1 and"), ("stderr", "oops"), ("stdout", "no end")] == lines_of(function, tmp_path)
    assert ("", "") == capsys.readouterr()


def test_of_a_line_that_is_written_over_the_last_state_is_kept(tmp_path: Path) -> None:
    def bar() -> None:
        for share in range(0, 101, 10):
            print(f"\r{share} %", end="")
        print()
        print("a line of another system\r")

    assert [("stdout", "100 %"), ("stdout", "a line of another system")] == lines_of(bar, tmp_path)


def test_a_line_without_an_end_takes_no_more_memory_than_the_longest(tmp_path: Path) -> None:
    def flood() -> None:
        for _ in range(10):
            print("x" * 50_000, end="")

    assert all(len(text) <= 120_000 for _, text in lines_of(flood, tmp_path))


def test_what_others_print_goes_where_it_went_before(capsys: pytest.CaptureFixture[str]) -> None:
    with printed_to_runs():
        print("of nobody")
        thread = Thread(target=lambda: print("of a thread", file=sys.stderr))
        thread.start()
        thread.join()
        assert not sys.stdout.isatty()
    print("after it")
    assert ("of nobody\nafter it\n", "of a thread\n") == capsys.readouterr()


def test_where_the_stream_is_closed_nothing_is_printed_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with printed_to_runs():
        print("to nobody", flush=True)
