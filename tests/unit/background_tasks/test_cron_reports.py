"""Cron times that users of other programs reported as wrong, each under its source."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cost import calls_of
from dms.background_tasks.triggers.cron import CronExpression
from dms.errors import InvalidCron
from dms.instant import from_datetime, to_datetime


def times_after(text: str, zone: str, after: str, count: int) -> list[str]:
    expression = CronExpression(text, ZoneInfo(zone))
    at, found = from_datetime(datetime.fromisoformat(after)), []
    for _ in range(count):
        following = expression.next_after(at)
        assert following is not None
        assert following > at
        at = following
        found.append(to_datetime(at).astimezone(expression.zone).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        pytest.param(
            "0 12 * * 0",
            "Europe/Berlin",
            "2022-03-24T12:00+01:00",
            ["2022-03-27T12:00+02:00", "2022-04-03T12:00+02:00"],
            id="cronie-crond/cronie#218 a day of 23 hours was stepped over, and a week with it",
        ),
        pytest.param(
            "15 2 * * 0",
            "America/Winnipeg",
            "2021-03-08T08:15-06:00",
            ["2021-03-14T03:00-05:00", "2021-03-21T02:15-05:00"],
            id="dragonmantank/cron-expression#112 a weekly run in the gap was lost for the week",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Zurich",
            "2022-03-27T01:59+01:00",
            ["2022-03-27T03:00+02:00", "2022-03-28T02:30+02:00"],
            id="spring-projects/spring-framework#28245 a nightly run in the gap was skipped",
        ),
        pytest.param(
            "0 2 * * *",
            "Europe/Berlin",
            "2023-10-28T12:00+02:00",
            ["2023-10-29T02:00+02:00", "2023-10-30T02:00+01:00"],
            id="kubernetes/kubernetes#121594 a nightly run came twice when the clocks went back",
        ),
        pytest.param(
            "0 17 * * *",
            "America/New_York",
            "2016-03-12T17:00-05:00",
            ["2016-03-13T17:00-04:00"],
            id="jmrozanec/cron-utils#61 an afternoon run was an hour late on the day of the change",
        ),
        pytest.param(
            "0 0 * * 0",
            "America/Santiago",
            "2022-08-28T12:00-04:00",
            ["2022-09-04T00:00-04:00", "2022-09-11T01:00-03:00", "2022-09-18T00:00-03:00"],
            id="PrefectHQ/prefect#5957 a midnight that does not exist was given again and again",
        ),
        pytest.param(
            "0 6 * * *",
            "America/Santiago",
            "2018-08-11T12:00-04:00",
            ["2018-08-12T06:00-03:00"],
            id="jmrozanec/cron-utils#332 a day without a midnight was an endless loop",
        ),
        pytest.param(
            "0 1 4 11 *",
            "America/Sao_Paulo",
            "2018-11-03T23:00-03:00",
            ["2018-11-04T01:00-02:00"],
            id="nats-io/nats-server#8543 what comes after a missing midnight was put off for a year",
        ),
        pytest.param(
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T12:00+11:00",
            ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"],
            id="elizaOS/eliza#11100 half an hour that comes twice was taken for a whole one",
        ),
        pytest.param(
            "25 0 * * *",
            "Asia/Kolkata",
            "2014-05-13T17:19+05:30",
            ["2014-05-14T00:25+05:30"],
            id="mtdowling/cron-expression#55 an offset of half an hour was an endless loop",
        ),
        pytest.param(
            "0 0 31,L * *",
            "UTC",
            "2024-08-12T00:00+00:00",
            ["2024-08-31T00:00+00:00", "2024-09-30T00:00+00:00", "2024-10-31T00:00+00:00"],
            id="pallets-eco/croniter#89 months of 30 days were skipped",
        ),
        pytest.param(
            "0 0 */10 */2 *",
            "UTC",
            "2025-01-31T00:00+00:00",
            ["2025-03-01T00:00+00:00", "2025-03-11T00:00+00:00"],
            id="pallets-eco/croniter#178 the first of March was stepped over",
        ),
        pytest.param(
            "0 12 1-31 * 1",
            "UTC",
            "2026-06-01T00:00+00:00",
            ["2026-06-01T12:00+00:00", "2026-06-02T12:00+00:00"],
            id="kelektiv/node-cron#1070 a range that covers all days was taken for a star",
        ),
        pytest.param(
            "0 0 * * */2",
            "UTC",
            "2026-01-01T00:00+00:00",
            ["2026-01-03T00:00+00:00", "2026-01-04T00:00+00:00", "2026-01-06T00:00+00:00"],
            id="cronie-crond/cronie#215 a step in a day field was taken for a star",
        ),
        pytest.param(
            "0 0 */2 * 1",
            "UTC",
            "2024-12-31T23:59+00:00",
            ["2025-01-13T00:00+00:00", "2025-01-27T00:00+00:00"],
            id="robfig/cron#448 a stepped star made either day field enough",
        ),
        pytest.param(
            "0 0 * * 5-7",
            "UTC",
            "2026-11-25T00:00+00:00",
            ["2026-11-27T00:00+00:00", "2026-11-28T00:00+00:00", "2026-11-29T00:00+00:00", "2026-12-04T00:00+00:00"],
            id="hpcc-systems/HPCC-Platform#1127 a range that ends on Sunday's 7 held nothing",
        ),
        pytest.param(
            "5/15 * * * *",
            "UTC",
            "2026-11-22T00:00+00:00",
            ["2026-11-22T00:05+00:00", "2026-11-22T00:20+00:00", "2026-11-22T00:35+00:00"],
            id="stablyai/orca#20202 the step after a single number was thrown away",
        ),
        pytest.param(
            "0 5 LW * *",
            "UTC",
            "2023-10-01T00:00+00:00",
            ["2023-10-31T05:00+00:00", "2023-11-30T05:00+00:00", "2023-12-29T05:00+00:00"],
            id="dragonmantank/cron-expression#168 the last weekday was some other day",
        ),
        pytest.param(
            "*/5 14 * * *",
            "UTC",
            "2024-09-13T14:15+00:00",
            ["2024-09-13T14:20+00:00", "2024-09-13T14:25+00:00"],
            id="kubernetes/kubernetes#127344 a line added within its hour did not run",
        ),
    ],
)
def test_the_next_times_are_those_of_the_zones_clock(text: str, zone: str, after: str, expected: list[str]) -> None:
    assert expected == times_after(text, zone, after, len(expected))


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 4 *", "0 0 31 2,4,6,9,11 *", "0 0 30-31 2 *"])
def test_a_day_that_no_month_has_is_refused_and_not_searched_for(text: str) -> None:
    """Steve-Mcl/node-red-contrib-cron-plus#110, jaclarke/cronosjs#37: the search for it never ended."""

    def read() -> None:
        with pytest.raises(InvalidCron, match="never fires"):
            CronExpression(text, ZoneInfo("UTC"))

    assert calls_of(read) < 5_000
