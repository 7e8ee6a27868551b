"""What is told of a preview: a timeline in steps, and what stands out."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dms.background_tasks.asking.preview import LeftOut, Preview, collisions
from dms.background_tasks.asking.rehearsal import ComingRun, Full
from dms.command.preview import MOST_RUNS, MOST_STEPS, MOST_TASKS, MOST_TOLD, preview_document
from dms.instant import SECOND, from_datetime

HOUR = 3_600 * SECOND
NOON = from_datetime(datetime(2026, 11, 25, 12, 30, tzinfo=UTC))


def run(task, hours, length=None, cause="schedule"):
    return ComingRun(task, NOON + int(hours * HOUR), NOON + int(hours * HOUR), 0, length, cause)


def preview(*runs, days=7.0, **more):
    fields = {"complete": True, "slots": 4, "lengths": {}, "skipped": {}, "full": [], "left_out": []} | more
    return Preview(NOON, NOON + int(days * 24 * HOUR), runs=runs, collisions=collisions(runs, ()), **fields)


@pytest.mark.parametrize(
    ("days", "step"),
    [(0.0001, 1), (1 / 24, 300), (1, 1_800), (2, 3_600), (7, 10_800), (30, 86_400), (366, 604_800)],
)
def test_a_timeline_has_whole_steps_and_not_too_many(days, step):
    timeline = preview_document(preview(run("a", 0), days=days), UTC).timeline
    assert (step, True) == (timeline.length, len(timeline.together) <= MOST_STEPS)


def test_steps_begin_with_those_of_the_day_where_the_scheduler_is():
    since = {str(zone): preview_document(preview(), zone).timeline.since for zone in (UTC, ZoneInfo("Asia/Kolkata"))}
    assert {"UTC": "2026-11-25T12:00:00.000000+00:00", "Asia/Kolkata": "2026-11-25T12:30:00.000000+00:00"} == since


def test_a_task_is_told_with_its_runs_by_step():
    told = preview_document(
        preview(run("b", 1), run("a", 2), run("a", 3), run("a", 4), lengths={"a": 41 * SECOND}, days=1), UTC
    )
    b, a = told.tasks
    assert ("b", 1, None) == (b.task, b.runs, b.length)
    assert ("a", 3, 41.0, "2026-11-25T14:30:00.000000+00:00") == (a.task, a.runs, a.length, a.next)
    assert [4, 6, 8] == [step for step, count in enumerate(a.by_step) if count]


def test_fires_that_will_not_run_are_told_of_their_task_also_where_none_of_it_runs():
    told = preview_document(preview(run("a", 1), skipped={("a", "overlap"): 2, ("b", "paused"): 3}), UTC)
    assert [("a", {"overlap": 2}), ("b", {"paused": 3})] == [(each.task, each.skipped) for each in told.tasks]


def test_who_starts_together_is_told_with_how_often_the_most_first():
    daily = [run(task, 24 * day) for day in range(3) for task in "ab"]
    told = preview_document(preview(*daily, *(run(task, 5) for task in "bcd"), run("z", 7)), UTC)
    assert [(["b", "c", "d"], 1), (["a", "b"], 3)] == [(each.tasks, each.times) for each in told.collisions]
    assert ("2026-11-25T12:30:00.000000+00:00", "2026-11-27T12:30:00.000000+00:00") == (
        told.collisions[1].first,
        told.collisions[1].last,
    )
    assert [(0, 2), (1, 3), (8, 2), (16, 2)] == [
        (step, count) for step, count in enumerate(told.timeline.together) if count
    ]


def test_who_has_to_wait_for_a_slot_comes_together_with_the_others_all_the_same():
    late = ComingRun("b", NOON, NOON + HOUR, HOUR, None, "schedule")
    assert [["a", "b"]] == [each.tasks for each in preview_document(preview(run("a", 0), late), UTC).collisions]


def test_what_follows_from_another_run_is_no_collision():
    assert [] == preview_document(preview(run("a", 1), run("b", 1, cause="event")), UTC).collisions


def test_full_slots_are_told_by_the_part_of_each_step_and_the_longest_first():
    short = Full(NOON, NOON + 5 * 60 * SECOND, 1)
    long = Full(NOON + 2 * HOUR, NOON + 3 * HOUR)
    told = preview_document(preview(run("a", 1), days=1, full=[short, long]), UTC)
    assert [1, 0] == [each.waited for each in told.full][::-1]
    assert {0: 0.167, 4: 1.0, 5: 1.0} == {step: part for step, part in enumerate(told.timeline.full) if part}


def test_of_what_is_much_the_first_are_told():
    runs = [run(f"t{number % (MOST_TASKS + 3)}", number / 60) for number in range(MOST_RUNS + 5)]
    left_out = [LeftOut(f"x{number}", 10**6) for number in range(MOST_TOLD + 5)]
    told = preview_document(preview(*runs, left_out=left_out, unseen=7), UTC)
    assert (MOST_RUNS, MOST_TOLD, MOST_TASKS) == (len(told.runs), len(told.left_out), len(told.tasks))
    assert (7, 3, 2) == (told.unseen, told.more, told.tasks[0].runs)


def test_only_some_tasks_are_told_of_with_whom_they_collide():
    runs = [run("a", 1), run("b", 1), run("c", 2), run("d", 2)]
    assert [("a", "b")] == [each.tasks for each in collisions(runs, {"a"})]
