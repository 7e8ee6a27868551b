"""What is said of why a task ran or did not: a sentence for each case, from plain values."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from dms.background_tasks.asking.explanation import Evidence, explain
from dms.background_tasks.store import Life, Pause, Skipped
from dms.background_tasks.tasks.task import Event, Execution, Status
from dms.instant import SECOND, from_datetime

HELSINKI = ZoneInfo("Europe/Helsinki")


def at(text):
    """A moment of 25 November 2026 in Helsinki, or of another day where the text names one."""
    day, _, clock = text.rpartition(" ")
    return from_datetime(datetime.fromisoformat(f"{day or '2026-11-25'}T{clock}").replace(tzinfo=HELSINKI))


def ran(due, started=None, took=41, status=Status.SUCCESS, **fields):
    begun = at(started or due)
    fields = {"id": "1-1", "run_id": "1-1", "ended": begun + took * SECOND} | fields
    return Execution(task="backup", task_id=1, attempt=1, status=status, due=at(due), started=begun, **fields)


KNOWN = Evidence("backup", at("12:00"), HELSINKI, triggers=["03:00 daily"], next_fire=at("2026-11-26 03:00"))


def asked(moment=None, **known):
    told = explain(replace(KNOWN, **known), None if moment is None else at(moment))
    return [told.verdict, told.sentence, *told.facts]


# ── as it stands ──


@pytest.mark.parametrize(
    ("known", "verdict", "sentence"),
    [
        ({}, "ready", "backup will run at 03:00 on 26 Nov (Europe/Helsinki), in 15 h."),
        ({"next_fire": at("12:00:30")}, "ready", "backup will run at 12:00:30 today (Europe/Helsinki), in 30 s."),
        (
            {"next_fire": at("2027-01-01 03:00")},
            "ready",
            "backup will run at 03:00 on 1 Jan 2027 (Europe/Helsinki), in 36 d.",
        ),
        ({"next_fire": at("11:59:42")}, "ready", "backup will run shortly: its fire of 11:59:42 today is due."),
        ({"next_fire": None, "triggers": ["on door"]}, "ready", "backup waits for its next fire: on door."),
        ({"next_fire": None, "triggers": []}, "ready", "backup runs when somebody asks."),
        ({"state": "parked", "reason": "no module x"}, "parked", "backup can't run: no module x."),
        ({"state": "disabled"}, "disabled", "backup is disabled: it runs only when somebody asks for it."),
        ({"state": "waiting", "reason": "no free slot", "next_fire": None}, "waiting", "backup waits: no free slot."),
        ({"state": "running", "next_fire": None}, "running", "backup runs."),
        (
            {"state": "running", "next_fire": None, "executions": [ran("11:59", status=Status.RUNNING, ended=None)]},
            "running",
            "backup runs since 11:59 today, because it was due.",
        ),
        (
            {"state": "paused", "pause": Pause(at("11:00"), at("13:00"), "new disk")},
            "paused",
            "backup is paused since 11:00 today until 13:00 today (new disk); what comes due meanwhile is left out.",
        ),
        (
            {"state": "paused", "pause": Pause(at("11:00"))},
            "paused",
            "backup is paused since 11:00 today; what comes due meanwhile is left out.",
        ),
    ],
)  # fmt: skip
def test_how_it_stands_with_a_task_is_one_sentence(known, verdict, sentence):
    assert [verdict, sentence] == asked(**known)


def test_a_task_that_is_quarantined_is_told_with_what_lets_it_go_on():
    why = "it was running in each of the last 3 crashes"
    told = asked(state="parked", reason=why, pause=Pause(at("11:00"), None, why), next_fire=None)

    sentence, fact = f"backup is quarantined: {why}.", "`dms task resume backup`, or a run by hand, lets it go on."
    assert ["parked", sentence, fact] == told


def test_while_it_runs_the_next_fire_is_a_fact():
    assert "It comes due next at 03:00 on 26 Nov." in asked(state="running")


def test_one_that_waits_to_be_tried_again_is_told_with_when_and_with_the_fire_that_may_come_before():
    failed = ran("11:55", status=Status.FAILED, error="no route", retry_at=at("12:55"))
    waiting = replace(ran("12:55", status=Status.WAITING, cause="retry", id="1-2"), attempt=2, started=None, ended=None)
    told = asked(state="retrying", reason="attempt 2 waits for its time", executions=[waiting, failed])
    assert [
        "retrying",
        "backup waits for attempt 2, due at 12:55 today (Europe/Helsinki), in 55 m.",
        "It comes due next at 03:00 on 26 Nov.",
        "It last ran at 11:55 today because it was due; it failed after 41 s: no route.",
    ] == told


def test_a_fire_that_is_to_be_skipped_is_told_with_who_wanted_it_and_when():
    assert [
        "ready",
        "backup will leave out its fire at 03:00 on 26 Nov (Europe/Helsinki), in 15 h.",
        "An operator asked at 11:58 today to skip its next fire.",
    ] == asked(skip_next=at("11:58"))


@pytest.mark.parametrize(
    ("execution", "fact"),
    [
        (ran("03:00"), "at 03:00 today because it was due; it ended in success"),
        (ran("03:00", cause="operator"), "at 03:00 today because an operator asked for it; it ended in success"),
        (
            ran("03:00", "09:00", cause="catch_up"),
            "at 09:00 today to make up for its fire of 03:00 today; it ended in success",
        ),
        (
            ran("2026-11-20 03:00", "09:00", cause="backfill"),
            "at 09:00 today because an operator wanted its fire of 03:00 on 20 Nov; it ended in success",
        ),
        (
            ran("03:00", cause="event", event=Event("door.opened")),
            "at 03:00 today because of the event door.opened; it ended in success",
        ),
        (ran("03:00", cause="trigger"), "at 03:00 today because of its trigger; it ended in success"),
        (ran("03:00", cause="crash"), "at 03:00 today because a crash had cut it off; it ended in success"),
        (replace(ran("03:00", cause="retry"), attempt=2), "at 03:00 today as attempt 2 of a run; it ended in success"),
        (ran("03:00", status=Status.FAILED), "at 03:00 today because it was due; it failed"),
        (ran("03:00", status=Status.TIMED_OUT), "at 03:00 today because it was due; it was timed out"),
        (ran("03:00", status=Status.ABANDONED), "at 03:00 today because it was due; it was given up"),
    ],
)  # fmt: skip
def test_the_last_run_is_told_with_its_cause_and_its_end(execution, fact):
    assert f"It last ran {fact} after 41 s." == asked(executions=[execution])[2]


def test_a_run_that_failed_is_told_with_its_error():
    told = asked(executions=[ran("03:00", status=Status.FAILED, error="no route")])
    assert "It last ran at 03:00 today because it was due; it failed after 41 s: no route." == told[2]


@pytest.mark.parametrize(
    ("skipped", "fact"),
    [
        (
            Skipped("missed", at("03:00"), at("03:00"), 1, at("12:00"), "its catch_up_window is 1h"),
            "Its fire of 03:00 today did not run: it was missed by 9 h, and its catch_up_window is 1h; the node was off"
            " from 01:12 today to 12:00 today.",
        ),
        (
            Skipped("paused", at("03:00"), at("05:00"), 3, at("05:00"), "new disk", at("02:00")),
            "3 fires between 03:00 today and 05:00 today did not run: it was paused since 02:00 today (new disk).",
        ),
        (
            Skipped("skipped", at("03:00"), at("03:00"), 1, at("03:00"), "", at("02:00")),
            "Its fire of 03:00 today did not run: an operator asked at 02:00 today to skip it.",
        ),
        (
            Skipped("overlap", at("03:00"), at("03:00"), 1, at("03:00"), "backup is running already"),
            "Its fire of 03:00 today did not run: backup is running already.",
        ),
    ],
)  # fmt: skip
def test_what_was_left_out_last_is_told_with_why(skipped, fact):
    lives = [Life(1, at("2026-11-20 03:00"), at("01:12"), True), Life(2, at("12:00"), at("12:00"))]
    assert fact == asked(skips=[skipped], lives=lives)[2]


# ── at a moment ──


def test_what_ran_then_is_told_with_cause_and_end_and_where_to_look():
    assert [
        "ran",
        "backup ran at 03:00:20 today because it was due; it ended in success after 41 s.",
        "It was due at 03:00 today and started 20 s later.",
        "Execution 1-1, attempt 1 of run 1-1.",
    ] == asked("03:00", executions=[ran("03:00", "03:00:20")])


def test_what_was_due_then_and_ran_when_the_node_was_back_has_run():
    lives = [Life(1, at("2026-11-20 03:00"), at("01:12"), True), Life(2, at("09:00"), at("12:00"))]
    assert [
        "ran",
        "backup ran at 09:00 today to make up for its fire of 03:00 today; it ended in success after 41 s.",
        "It was due at 03:00 today and started 6 h later.",
        "The node was off from 01:12 today to 09:00 today.",
        "Execution 1-1, attempt 1 of run 1-1.",
    ] == asked("03:00", executions=[ran("03:00", "09:00", cause="catch_up")], lives=lives)


def test_one_that_failed_tells_when_it_was_to_be_tried_again_and_the_attempts_after_it():
    first = ran("03:00", status=Status.FAILED, error="no route", retry_at=at("03:05"))
    second = ran("03:05", cause="retry", id="1-2", occurrence=at("03:00"))
    told = asked("03:00", executions=[replace(second, attempt=2), first])
    assert "backup ran at 03:00 today because it was due; it failed after 41 s: no route." == told[1]
    assert "Another: at 03:05 today as attempt 2 of a run; it ended in success after 41 s." == told[2]
    assert "Its next attempt was due at 03:05 today." == told[3]


def test_one_that_was_cancelled_before_its_turn_did_not_run():
    cancelled = replace(ran("03:00", status=Status.CANCELLED, error="the task was removed"), started=None)
    expected = ["did_not_run", "backup came due at 03:00 today and did not run: the task was removed."]
    assert expected == asked("03:00", executions=[cancelled])


@pytest.mark.parametrize(("cause", "what"), [("schedule", "its turn"), ("retry", "its next attempt")])
def test_one_that_waits_is_told_with_what_it_waits_for(cause, what):
    waiting = replace(ran("12:00", status=Status.WAITING, cause=cause), started=None, ended=None)
    assert ["waiting", f"backup came due at 12:00 today and waits for {what}."] == asked("12:00", executions=[waiting])


def test_an_attempt_that_is_to_come_is_told_at_its_own_time_and_beside_the_one_that_failed():
    failed = ran("11:55", status=Status.FAILED, error="no route", retry_at=at("12:55"))
    waiting = replace(
        ran("12:55", status=Status.WAITING, cause="retry", id="1-2", occurrence=at("11:55")),
        attempt=2, started=None, ended=None,
    )  # fmt: skip
    told = asked("12:55", executions=[waiting, failed])
    assert told == [
        "will_run",
        "backup will be tried again at 12:55 today (Europe/Helsinki), in 55 m: attempt 2 of its run of 11:55 today.",
    ]
    assert "Another: at 12:55 today as attempt 2 of a run; it waits." in asked("11:55", executions=[waiting, failed])


def test_one_that_waits_for_its_turn_is_told_with_why_that_has_not_come():
    waiting = replace(ran("12:00", status=Status.WAITING), started=None, ended=None)
    told = asked("12:00", executions=[waiting], state="waiting", reason="no free slot, 2 runs ahead")
    assert told[1] == "backup came due at 12:00 today and waits for its turn: no free slot, 2 runs ahead."


def test_a_fire_among_several_that_were_left_out_is_told_with_all_of_them():
    skipped = Skipped("paused", at("03:00"), at("05:00"), 3, at("05:00"), "new disk", at("02:00"))
    assert [
        "did_not_run",
        "backup did not run at 04:00 today: it was paused since 02:00 today (new disk).",
        "So it went with 3 fires between 03:00 today and 05:00 today.",
    ] == asked("04:00", skips=[skipped], fires=[at("04:00")])


def test_an_event_that_was_left_out_is_found_by_when_it_came():
    skipped = Skipped("paused", at("03:00:12"), at("03:00:12"), 1, at("03:00:12"), "", at("02:00"))
    assert ["did_not_run", "backup did not run at 03:00:12 today: it was paused since 02:00 today."] == asked(
        "03:00", skips=[skipped]
    )


def test_a_moment_between_fires_that_were_left_out_is_none_of_theirs():
    skipped = Skipped("paused", at("03:00"), at("05:00"), 3, at("05:00"), "", at("02:00"))
    assert "not_due" == asked("04:30", skips=[skipped])[0]


def test_a_run_that_went_on_over_the_moment_is_told():
    assert [
        "running",
        "backup was running at 03:30 today: it had started at 03:00 today because it was due.",
        "Of that run: it ended in success after 1 h.",
    ] == asked("03:30", executions=[ran("03:00", took=3600)])


def test_where_nothing_was_due_the_next_fire_is_told():
    assert [
        "not_due",
        "backup was not due at 04:00 today by what fires it now, 03:00 daily.",
        "The next fire after that: 03:00 on 26 Nov.",
    ] == asked("04:00", following=at("2026-11-26 03:00"))


@pytest.mark.parametrize(
    ("known", "verdict", "sentence"),
    [
        ({}, "will_run", "backup will run at 03:00 on 26 Nov (Europe/Helsinki), in 15 h."),
        ({"state": "disabled"}, "will_not_run", "backup will not run at 03:00 on 26 Nov: it is disabled."),
        (
            {"pause": Pause(at("11:00"))},
            "will_not_run",
            "backup will not run at 03:00 on 26 Nov: it is paused since 11:00 today.",
        ),
        (
            {"pause": Pause(at("11:00"), at("13:00"))},
            "will_run",
            "backup will run at 03:00 on 26 Nov (Europe/Helsinki), in 15 h.",
        ),
    ],
)
def test_of_what_is_to_come_it_is_told_whether_it_will_run(known, verdict, sentence):
    assert [verdict, sentence] == asked("2026-11-26 03:00", fires=[at("2026-11-26 03:00")], **known)


def test_the_fire_that_is_to_be_skipped_will_not_run_and_the_one_after_it_will():
    known = {"skip_next": at("11:58")}
    next_one = asked("2026-11-26 03:00", fires=[at("2026-11-26 03:00")], **known)
    after_it = asked("2026-11-27 03:00", fires=[at("2026-11-27 03:00")], **known)
    assert ("will_not_run", "will_run") == (next_one[0], after_it[0])


# ── where nothing is remembered ──


def test_while_the_node_was_surely_off_nothing_ran():
    lives = [Life(1, at("2026-11-20 03:00"), at("01:12"), True), Life(2, at("09:00"), at("12:00"))]
    assert [
        "did_not_run",
        "backup did not run at 03:00 today: the node was off from 01:12 today to 09:00 today.",
    ] == asked("03:00", fires=[at("03:00")], lives=lives)


@pytest.mark.parametrize(
    "lives",
    [
        [Life(1, 0, at("01:12")), Life(2, at("09:00"), at("12:00"))],
        [Life(1, 0, at("01:12"), True), Life(3, at("09:00"), at("12:00"))],
    ],
)
def test_of_a_node_that_was_only_not_heard_of_no_more_is_said(lives):
    """It was killed, or a process lived in between that left nothing."""
    told = asked("03:00", fires=[at("03:00")], lives=lives)
    assert ("unknown", "Nothing was heard of the node between 01:12 today and 09:00 today.") == (told[0], told[-1])


def test_what_nobody_remembers_is_said_to_be_so():
    assert [
        "unknown",
        "backup is due at 03:00 today by what fires it now, and nothing is remembered of that.",
        "Its history begins with 04:00 today.",
        "It may have been disabled then, or not there, or fired by something else than now.",
    ] == asked("03:00", fires=[at("03:00")], executions=[ran("04:00")])
    assert "It has no history." in asked("03:00", fires=[at("03:00")])
    unread = asked("03:00", fires=[at("03:00")], executions=[ran("04:00")], complete=False)
    assert "Its history is longer than what was looked through." in unread


def test_moments_are_told_in_the_zone_that_is_asked_for():
    assert "backup will run at 01:00 on 26 Nov (UTC), in 15 h." == asked(zone=UTC)[1]


def test_two_fires_up_to_one_that_ran_are_told_up_to_that_moment():
    skipped = Skipped("missed", at("03:00"), at("05:00") - 1, 2, at("05:00"), "its catch_up_limit is 1")
    fact = "2 fires between 03:00 today and 05:00 today did not run: it was missed, and its catch_up_limit is 1."
    assert fact == asked(skips=[skipped])[2]


@pytest.mark.parametrize(("late", "told"), [("03:00:59", "missed, and"), ("03:01", "missed by 1 m, and")])
def test_how_late_a_fire_was_is_told_from_a_minute_on(late, told):
    skipped = Skipped("missed", at("03:00"), at("03:00"), 1, at(late), "its catch_up is none")
    assert f"Its fire of 03:00 today did not run: it was {told} its catch_up is none." == asked(skips=[skipped])[2]


def test_of_a_run_that_never_began_no_length_is_told():
    cancelled = replace(ran("03:00", status=Status.CANCELLED, error="the task was removed"), started=None)
    fact = "It last ran at 03:00 today because it was due; it was cancelled: the task was removed."
    assert fact == asked(executions=[cancelled])[2]


def test_a_length_is_that_of_the_clock_that_nobody_sets():
    assert (
        "It last ran at 03:00 today because it was due; it ended in success after 7 s."
        == asked(executions=[ran("03:00", ran=7 * SECOND)])[2]
    )
