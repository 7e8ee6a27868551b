"""The `tasks` section: a task as the configuration declares it. `dms.declared_tasks` makes tasks of it."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from dms.config.schema.checks import check_positive, check_timezone
from dms.config.setting import Applies, Section, Setting

_NEXT = Applies.NEXT_RUN
_RUN = "exec:run"


class RetryDeclaration(Section, frozen=True):
    """What happens after a failed attempt."""

    max_retries: Annotated[
        int,
        Meta(ge=0, le=1_000_000),
        Setting(
            "How many more attempts a failed run gets.",
            0,
            "A failure is shown, not hidden.",
            example="3",
            applies=_NEXT,
        ),
    ]
    delay: Annotated[
        timedelta,
        Setting(
            "The wait before an attempt.",
            timedelta(seconds=10),
            "Most hiccups are over by then.",
            example="30s",
            applies=_NEXT,
        ),
    ]
    backoff: Annotated[
        Literal["fixed", "exponential"],
        Setting("Whether the wait stays or grows.", "fixed", "Predictable.", example="exponential", applies=_NEXT),
    ]
    factor: Annotated[
        float,
        Meta(ge=1, le=1000),
        Setting("By what an exponential wait grows each time.", 2.0, "The usual.", example="3", applies=_NEXT),
    ]
    max_delay: Annotated[
        timedelta,
        Setting(
            "The longest that an exponential wait gets.",
            timedelta(hours=1),
            "A mended service is noticed soon.",
            example="10m",
            applies=_NEXT,
        ),
    ]
    jitter: Annotated[
        timedelta,
        Setting(
            "What a wait may be longer by, a share of it that differs from run to run.",
            timedelta(0),
            "Predictable; a fleet that asks one server says more.",
            example="10s",
            applies=_NEXT,
        ),
    ]
    retry_on: Annotated[
        list[str],
        Setting(
            "Which failures are tried again: exceptions by name, TimeoutError for a timeout, `exit 75`, `signal 9`.",
            [],
            "All of them.",
            example="[ConnectionError, exit 75]",
            applies=_NEXT,
        ),
    ]
    give_up_on: Annotated[
        list[str],
        Setting(
            "Which failures are never tried again, named in the same way.",
            [],
            "None of them.",
            example="[ValueError, exit 2]",
            applies=_NEXT,
        ),
    ]
    supersede: Annotated[
        bool,
        Setting(
            "Whether the next fire takes the place of a retry that waits; else both come.",
            True,
            "A long wait must not silence a task that comes often.",
            example="false",
            applies=_NEXT,
        ),
    ]


class BreakerDeclaration(Section, frozen=True):
    """When a task that keeps failing is held back."""

    failures: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Setting(
            "After how many failed attempts in a row.",
            5,
            "More than one bad day of the network.",
            unit="attempts",
            example="3",
            applies=_NEXT,
        ),
    ]
    probe: Annotated[
        timedelta | None,
        Setting(
            "For how long; the next fire after that is tried, and if it fails too, it is held back again.",
            why="Unset: until somebody resumes it.",
            example="10m",
            applies=_NEXT,
            check=check_positive,
        ),
    ]


class ConcurrencyDeclaration(Section, frozen=True):
    """What tasks that use the same thing share."""

    key: Annotated[
        str | None,
        Setting(
            "What they use; tasks that name the same key share the limits, and must say the same of them.",
            example="nas",
            applies=_NEXT,
        ),
    ]
    limit: Annotated[
        int | None,
        Meta(ge=1, le=1_000_000),
        Setting(
            "How many of them run at once.",
            why="Unset: 1, or no limit where there is a rate.",
            unit="runs",
            example="2",
            applies=_NEXT,
        ),
    ]
    rate: Annotated[
        str | None,
        Setting(
            "How many of them start within any such length of time: 5/m, 60/h, 1/10s; at most 1000 starts.",
            why="Unset: as often as they come.",
            example="5/m",
            applies=_NEXT,
        ),
    ]


class LimitsDeclaration(Section, frozen=True):
    """What each attempt of a program, or of a function in a process of its own, may use."""

    memory: Annotated[
        int | str | None,
        Setting(
            "What each of its processes may have reserved to write to, used or not: in bytes, or as 256MB.",
            why="Unset: what the machine has.",
            example="256MB",
            applies=_NEXT,
        ),
    ]
    cpu_time: Annotated[
        timedelta | None,
        Setting(
            "The processor time of each of its processes, in whole seconds.",
            why="Unset: no limit.",
            example="30s",
            applies=_NEXT,
            check=check_positive,
        ),
    ]
    output: Annotated[
        int | str | None,
        Setting(
            "How much it may print to its standard output and error together: in bytes, or as 10MB.",
            why="Unset: no limit; scheduler.log_max_run says how much of it is kept.",
            example="10MB",
            applies=_NEXT,
        ),
    ]


class TaskDeclaration(Section, frozen=True):
    """What to run (exactly one of `run` and `call`), when (any of `cron`, `every`, `after`, `at` and `on`; none: on
    demand only) and how."""

    run: Annotated[
        list[str] | None,
        Setting(
            "A program and its arguments; no shell is involved.",
            example="[restic, backup, /srv]",
            applies=_NEXT,
            scope=_RUN,
        ),
    ]
    call: Annotated[
        str | None,
        Setting(
            "A Python function, as package.module:function; see scheduler.import_paths.",
            example="house.heating:lower",
            applies=_NEXT,
            scope=_RUN,
        ),
    ]
    args: Annotated[list[Any] | None, Setting("The function's arguments.", example="[21.5]", applies=_NEXT, scope=_RUN)]
    kwargs: Annotated[
        dict[str, Any] | None,
        Setting("The function's named arguments.", example="{room: hall}", applies=_NEXT, scope=_RUN),
    ]
    cron: Annotated[
        str | None,
        Setting(
            "Whenever the calendar says so: a cron expression of 5 or 6 fields.", example='"0 3 * * *"', applies=_NEXT
        ),
    ]
    every: Annotated[
        timedelta | None,
        Setting("Again and again, so long apart.", example="5m", applies=_NEXT, check=check_positive),
    ]
    at_start: Annotated[
        bool,
        Setting(
            "With every: also when the task is first seen.",
            False,
            "The first interval passes.",
            example="true",
            applies=_NEXT,
        ),
    ]
    after: Annotated[
        timedelta | None, Setting("Once, so long after the task is first seen.", example="30s", applies=_NEXT)
    ]
    at: Annotated[
        str | None,
        Setting(
            "Once, at a moment; without an offset it is local in the time zone.",
            example="2026-12-24T18:00",
            applies=_NEXT,
        ),
    ]
    on: Annotated[
        str | None,
        Setting(
            "On an event, such as another task's end (task.NAME.success, task.NAME.failed).",
            example="task.backup.success",
            applies=_NEXT,
        ),
    ]
    debounce: Annotated[
        timedelta | None,
        Setting(
            "With on: events that follow each other within that time are one fire, once it has been quiet for so long.",
            why="Unset: each event is a fire.",
            example="5s",
            applies=_NEXT,
            check=check_positive,
        ),
    ]
    max_wait: Annotated[
        timedelta | None,
        Setting(
            "With debounce: the fire comes so long after the first event at the latest.",
            why="Unset: however long they go on.",
            example="1m",
            applies=_NEXT,
        ),
    ]
    timezone: Annotated[
        str | None,
        Setting(
            "The time zone of cron and at, and of start and end.",
            why="Unset: scheduler.timezone.",
            example="Europe/Helsinki",
            applies=_NEXT,
            check=check_timezone,
        ),
    ]
    jitter: Annotated[
        timedelta,
        Setting(
            "Each fire of cron and every is late by a share of this that depends on node, task and time alone.",
            timedelta(0),
            "On time.",
            example="2m",
            applies=_NEXT,
        ),
    ]
    start: Annotated[
        str | None,
        Setting(
            "With cron and every: nothing before that moment, which an every fires at itself; without an offset it is "
            "local in the time zone.",
            example="2026-12-24T18:00",
            applies=_NEXT,
        ),
    ]
    end: Annotated[
        str | None,
        Setting(
            "With cron and every: nothing after that moment, told in the same way.",
            example="2027-01-06T06:00",
            applies=_NEXT,
        ),
    ]
    mode: Annotated[
        Literal["fixed_rate", "fixed_delay"],
        Setting(
            "With every: counted from when the task was first seen, or from the end of its last run.",
            "fixed_rate",
            "It does not drift.",
            example="fixed_delay",
            applies=_NEXT,
        ),
    ]
    max_runs: Annotated[
        int | None,
        Meta(ge=1, le=1_000_000_000),
        Setting(
            "With cron and every: so many runs, and then no more. What is skipped does not count, nor what somebody "
            "asks for.",
            why="Unset: no end.",
            example="3",
            applies=_NEXT,
        ),
    ]
    exclude: Annotated[
        list[str],
        Setting(
            "With cron and every: calendars (see calendars.NAME) whose times are left out.",
            [],
            "None.",
            example="[holidays, nights]",
            applies=_NEXT,
        ),
    ]
    description: Annotated[
        str, Setting("What people should know about it.", "", example="Nightly backup", applies=_NEXT)
    ]
    enabled: Annotated[
        bool,
        Setting("Whether it runs by itself.", True, "It was declared to run.", example="false", applies=Applies.LIVE),
    ]
    priority: Annotated[
        int,
        Meta(ge=-1000, le=1_000_000),
        Setting("Smaller is more urgent.", 0, "All alike.", example="5", applies=_NEXT),
    ]
    timeout: Annotated[
        timedelta | None,
        Setting(
            "How long an attempt may take, from its start.",
            why="Unset: no limit.",
            example="2h",
            applies=_NEXT,
            check=check_positive,
        ),
    ]
    heartbeat_timeout: Annotated[
        timedelta | None,
        Setting(
            "How long an attempt may give no sign of life: run.heartbeat() or run.progress(), a line of a program.",
            why="Unset: no limit.",
            example="1m",
            applies=_NEXT,
            check=check_positive,
        ),
    ]
    kill_after: Annotated[
        timedelta,
        Setting(
            "What a cancelled attempt gets to end by itself before it is killed.",
            timedelta(seconds=10),
            "Enough to write a file to its end.",
            example="30s",
            applies=_NEXT,
        ),
    ]
    retry: Annotated[RetryDeclaration | None, Setting("What happens after a failed attempt.", applies=_NEXT)]
    overlap: Annotated[
        Literal["skip", "queue", "cancel_running", "allow"],
        Setting(
            "What a fire does while the task still runs.",
            "skip",
            "Never two at once by accident.",
            example="queue",
            applies=_NEXT,
        ),
    ]
    queue_limit: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Setting(
            "With overlap: queue, how many may wait.",
            1,
            "The latest news is enough.",
            unit="runs",
            example="3",
            applies=_NEXT,
        ),
    ]
    max_instances: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Setting(
            "With overlap: allow, how many may run at once.",
            1,
            "Say how many you mean.",
            unit="runs",
            example="2",
            applies=_NEXT,
        ),
    ]
    catch_up: Annotated[
        Literal["one", "all", "none"],
        Setting(
            "Which missed fires still run.",
            "one",
            "The latest stands for those before it.",
            example="none",
            applies=_NEXT,
        ),
    ]
    catch_up_limit: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Setting(
            "With catch_up: all, at most how many.",
            1,
            "Say how many you mean.",
            unit="runs",
            example="10",
            applies=_NEXT,
        ),
    ]
    catch_up_window: Annotated[
        timedelta | None,
        Setting(
            "How late a fire is still worth starting, be it missed or kept waiting.",
            why="Unset: never too late.",
            example="1h",
            applies=_NEXT,
        ),
    ]
    durability: Annotated[
        Literal["none", "at_most_once", "at_least_once"] | None,
        Setting(
            "What is on disk before it runs: at_most_once saves the start first, at_least_once also runs again what a "
            "crash cut off, none saves nothing first.",
            why="Unset: at_most_once.",
            example="at_least_once",
            applies=_NEXT,
        ),
    ]
    breaker: Annotated[
        BreakerDeclaration | None, Setting("When it is held back because it keeps failing.", applies=_NEXT)
    ]
    expect_success_within: Annotated[
        timedelta | None,
        Setting(
            "How long it may take from one success to the next, or to the first; beyond that it is overdue, and the "
            "node degraded.",
            why="Unset: nobody waits for it.",
            example="26h",
            applies=_NEXT,
            check=check_positive,
        ),
    ]
    concurrency: Annotated[
        ConcurrencyDeclaration | None,
        Setting("Of tasks that name the same key only so many run at once, or start so often.", applies=_NEXT),
    ]
    hold_until: Annotated[
        list[str],
        Setting(
            "Gates that must be open before it runs: network, mains_power, clock_trusted, or what a plugin brings. A "
            "fire waits for them, within its catch_up_window.",
            [],
            "It runs when it is due.",
            example="[network]",
            applies=_NEXT,
        ),
    ]
    executor: Annotated[
        Literal["coroutine", "thread", "process", "program"] | None,
        Setting(
            "How it is run: process calls a function in a process of its own, which can be killed, and whose crash is "
            "nobody else's.",
            why="Unset: a coroutine function on an event loop, another function in a thread, a program as itself.",
            example="process",
            applies=_NEXT,
        ),
    ]
    limits: Annotated[
        LimitsDeclaration | None,
        Setting("What each attempt may use at most; one that uses more fails.", applies=_NEXT),
    ]
    cwd: Annotated[
        Path | None,
        Setting(
            "The program's working folder.", why="Unset: general.work_dir.", example="/srv", applies=_NEXT, scope=_RUN
        ),
    ]
    env: Annotated[
        dict[str, str] | None,
        Setting("Added to the program's environment.", example="{LANG: C.UTF-8}", applies=_NEXT, scope=_RUN),
    ]
