"""Why a task ran, or did not, at a moment, and what comes of it next: told from what is remembered. Pure.

What the history says comes first, what is known of fires that were left out second, what the triggers would have done
as they are now last. Where nothing is remembered, that is what is said.
"""

from collections.abc import Sequence
from datetime import tzinfo

import msgspec

from dms.background_tasks.asking.downtime import Downtime, downtimes
from dms.background_tasks.asking.phrases import MINUTE, Phrases, about, moment_of, outcome, sentence
from dms.background_tasks.store import Life, Pause, Skipped
from dms.background_tasks.tasks.task import Execution, Status
from dms.instant import SECOND

WINDOW = MINUTE
"""A moment is asked for to the minute: whatever happened within one after it is meant."""


class Evidence(msgspec.Struct, frozen=True):
    """All that an explanation goes by. `fires` are the times at which the triggers as they are now come within a minute
    of the moment that is asked for, `following` is the first after that which no
    calendar leaves out, `excluded` the calendar that leaves the first
    of them out. Executions are newest first; those that are kept are all there as far as `complete` says. Times are
    wall microseconds, told in `zone`."""

    task: str
    now: int
    zone: tzinfo
    state: str = "ready"
    reason: str = ""
    triggers: Sequence[str] = ()
    next_fire: int | None = None
    pause: Pause | None = None
    skip_next: int | None = None
    executions: Sequence[Execution] = ()
    complete: bool = True
    skips: Sequence[Skipped] = ()
    lives: Sequence[Life] = ()
    fires: Sequence[int] = ()
    following: int | None = None
    excluded: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """A plain sentence and the facts under it, about a task as it is or (`at`, wall microseconds) was or will be.

    `verdict` is, of a moment, one of ran, running, waiting, did_not_run, not_due, will_run, will_not_run and unknown;
    else the task's state.
    """

    task: str
    at: int | None
    verdict: str
    sentence: str
    facts: list[str]


def explain(known: Evidence, at: int | None = None) -> Explanation:
    """Why a task ran or did not within a minute from `at` on, or will; without `at`, how it stands with it."""
    return _Now(known).told() if at is None else _Then(known, at).told()


class _Told:
    """The facts gather while the sentence is found."""

    def __init__(self, known: Evidence, at: int | None) -> None:
        self.known, self.at, self.words = known, at, Phrases(known.now, known.zone)
        self.facts: list[str] = []

    def ends(self, verdict: str, said: str) -> Explanation:
        """`said` follows the task's name."""
        return Explanation(self.known.task, self.at, verdict, f"{self.known.task} {said.rstrip('.')}.", self.facts)

    def tell_of_downtime(self, since: int, until: int) -> None:
        """When there was no process meanwhile."""
        self.facts += [sentence(self.words.off(downtime)) for downtime in self.downtimes(since, until)]

    def downtimes(self, since: int, until: int) -> list[Downtime]:
        """The latest of them."""
        return downtimes(self.known.lives, since, until)[-_FEW:]

    def tell_of_skip_next(self) -> None:
        """That an operator wants its next fire left out."""
        if self.known.skip_next is not None:
            self.facts.append(f"An operator asked at {self.words.moment(self.known.skip_next)} to skip its next fire.")


class _Now(_Told):
    """How it stands with a task: what comes next, what was last, what was left out last."""

    def __init__(self, known: Evidence) -> None:
        super().__init__(known, None)

    def told(self) -> Explanation:
        known = self.known
        if known.state in ("running", "waiting", "retrying") and known.next_fire is not None:
            self.facts.append(f"It comes due next at {self.words.moment(known.next_fire)}.")
        self.tell_of_skip_next()
        over = next((each for each in known.executions if each.status.final), None)
        if over is not None:
            self.facts.append(sentence(f"it last ran {self.words.run(over)}"))
        if known.skips:
            self._tell_what_was_left_out(known.skips[-1])
        return self.ends(known.state, self._stands())

    def _stands(self) -> str:
        known = self.known
        match known.state:
            case "parked" if known.pause is not None and known.pause.reason == known.reason:
                self.facts.append(f"`dms task resume {known.task}`, or a run by hand, lets it go on.")
                return f"is quarantined: {known.reason}"
            case "parked":
                return f"can't run: {known.reason}"
            case "disabled":
                return "is disabled: it runs only when somebody asks for it"
            case "paused":
                return f"{self.words.pause(known.pause)}; what comes due meanwhile is left out"
            case "running":
                return self._runs()
            case "waiting" | "retrying":
                return self._waits()
        return self._comes() if known.next_fire is None else self._comes_at(known.next_fire)

    def _comes(self) -> str:
        if self.known.reason:
            return f"runs only when somebody asks: {self.known.reason}"
        triggers = ", ".join(self.known.triggers)
        return f"waits for its next fire: {triggers}" if triggers else "runs when somebody asks"

    def _comes_at(self, fire: int) -> str:
        runs = self.known.skip_next is None
        if fire <= self.known.now:  # its share of a start's catch-up is still to come
            due = f"its fire of {self.words.moment(fire)} is due"
            return f"will run shortly: {due}" if runs else f"will not run for now: {due}, and left out"
        return f"{'will run' if runs else 'will leave out its fire'} at {self.words.ahead(fire)}"

    def _runs(self) -> str:
        current = next((each for each in self.known.executions if each.started and not each.status.final), None)
        if current is None or current.started is None:
            return "runs"
        return f"runs since {self.words.moment(current.started)}, {self.words.because(current)}"

    def _waits(self) -> str:
        for each in self.known.executions if self.known.state == "retrying" else ():
            if each.status is Status.WAITING and each.cause.startswith("retry"):
                return f"waits for attempt {each.attempt}, due at {self.words.ahead(each.due)}"
        return f"waits: {self.known.reason}"

    def _tell_what_was_left_out(self, skipped: Skipped) -> None:
        missed = self.downtimes(skipped.first, skipped.at)[-1:] if skipped.reason == "missed" else []
        said = "; ".join([self.words.left_out(skipped), *(self.words.off(downtime) for downtime in missed)])
        self.facts.append(sentence(said))


class _Then(_Told):
    """Why a task ran, or did not, or will, within a minute from a moment on."""

    def __init__(self, known: Evidence, at: int) -> None:
        super().__init__(known, at)
        self.window = range(at, at + WINDOW)

    def told(self) -> Explanation:
        return self._by_history() or self._by_what_was_left_out() or self._by_a_longer_run() or self._by_triggers()

    def _by_history(self) -> Explanation | None:
        mine = [each for each in self.known.executions if self._is_of_then(each)]
        if not mine:
            return None
        begun = [each for each in mine if each.started is not None]
        first = min(begun or mine, key=lambda each: (each.started not in self.window, each.due))
        others = [each for each in reversed(mine) if each is not first]
        self.facts += [sentence(f"another: {self.words.run(each)}") for each in others[:_FEW]]
        if first.started is not None:
            return self._ran(first, first.started)
        if first.cause.startswith("retry") and first.due in self.window and first.due > self.known.now:
            its_run = f"attempt {first.attempt} of its run of {self.words.moment(moment_of(first))}"
            return self.ends("will_run", f"will be tried again at {self.words.ahead(first.due)}: {its_run}")
        came = f"came due at {self.words.moment(moment_of(first))}"
        if first.status.final:
            return self.ends("did_not_run", f"{came} and did not run: {first.error or outcome(first)}")
        wait = "its next attempt" if first.cause.startswith("retry") else "its turn"
        why = f": {self.known.reason}" if self.known.state == "waiting" and self.known.reason else ""
        return self.ends("waiting", f"{came} and waits for {wait}{why}")

    def _is_of_then(self, execution: Execution) -> bool:
        if execution.started in self.window or moment_of(execution) in self.window:
            return True
        return execution.status is Status.WAITING and execution.due in self.window

    def _ran(self, execution: Execution, started: int) -> Explanation:
        late = started - execution.due
        if late >= SECOND and execution.cause != "backfill":
            due = self.words.moment(execution.due)
            self.facts.insert(0, f"It was due at {due} and started {about(late)} later.")
            self.tell_of_downtime(execution.due, started)
        if execution.retry_at is not None:
            self.facts.append(f"Its next attempt was due at {self.words.moment(execution.retry_at)}.")
        self.facts.append(f"Execution {execution.id}, attempt {execution.attempt} of run {execution.run_id}.")
        return self.ends("ran", f"ran {self.words.run(execution)}")

    def _by_what_was_left_out(self) -> Explanation | None:
        for skipped in reversed(self.known.skips):
            when = self._left_out_then(skipped)
            if when is not None:
                return self._was_left_out(skipped, when)
        return None

    def _left_out_then(self, skipped: Skipped) -> int | None:
        """Which of those fires is of then, as far as that can be told: one of several is known by the triggers."""
        fires = [fire for fire in self.known.fires if skipped.first <= fire <= skipped.last]
        if fires:
            return fires[0]
        return skipped.last if skipped.count == 1 and skipped.last in self.window else None

    def _was_left_out(self, skipped: Skipped, when: int) -> Explanation:
        if skipped.count > 1:
            self.facts.append(f"So it went with {self.words.span(skipped)}.")
        if skipped.reason == "missed":
            self.tell_of_downtime(skipped.first, skipped.at)
        return self.ends("did_not_run", f"did not run at {self.words.moment(when)}: {self.words.reason(skipped)}")

    def _by_a_longer_run(self) -> Explanation | None:
        at, now = self.window.start, self.known.now
        running = next((each for each in self.known.executions if _runs_over(each, at, now)), None)
        if running is None or running.started is None:
            return None
        since = f"it had started at {self.words.moment(running.started)} {self.words.because(running)}"
        self.facts.append(sentence(f"of that run: {outcome(running)}"))
        return self.ends("running", f"was running at {self.words.moment(at)}: {since}")

    def _by_triggers(self) -> Explanation:
        if not self.known.fires:
            return self._not_due()
        fire = self.known.fires[0]
        return self._to_come(fire) if fire > self.known.now else self._forgotten(fire)

    def _not_due(self) -> Explanation:
        known, at = self.known, self.window.start
        verb = "was" if at <= known.now else "is"
        when = f", {', '.join(known.triggers)}" if known.triggers else ""
        if known.following is not None:
            self.facts.append(f"The next fire after that: {self.words.moment(known.following)}.")
        self.tell_of_downtime(at, at + WINDOW)
        return self.ends("not_due", f"{verb} not due at {self.words.moment(at)} by what fires it now{when}")

    def _to_come(self, fire: int) -> Explanation:
        why = self._why_not(fire)
        if why:
            return self.ends("will_not_run", f"will not run at {self.words.moment(fire)}: it {why}")
        return self.ends("will_run", f"will run at {self.words.ahead(fire)}")

    def _why_not(self, fire: int) -> str:
        """Why a fire that is to come won't run; empty where it will."""
        known = self.known
        if known.state in ("parked", "disabled"):
            return f"is {known.state}"
        if known.pause is not None and (known.pause.until is None or fire < known.pause.until):
            return self.words.pause(known.pause)
        if known.excluded:
            return f"falls on a time that the calendar {known.excluded} leaves out"
        if known.state == "ready" and known.reason:
            return known.reason.removeprefix("it ")
        if known.skip_next is not None and fire == known.next_fire:
            self.tell_of_skip_next()
            return "is to be skipped"
        return ""

    def _forgotten(self, fire: int) -> Explanation:
        """Its triggers come then, and nothing is remembered of it."""
        moment, off = self.words.moment(fire), self.downtimes(fire, fire + 1)
        if off and off[0].certain:
            return self.ends("did_not_run", f"did not run at {moment}: {self.words.off(off[0])}")
        self.facts.append(self._how_far_the_history_goes())
        self.facts.append("It may have been disabled then, or not there, or fired by something else than now.")
        self.tell_of_downtime(fire, fire + 1)
        return self.ends("unknown", f"is due at {moment} by what fires it now, and nothing is remembered of that")

    def _how_far_the_history_goes(self) -> str:
        if not self.known.complete:
            return "Its history is longer than what was looked through."
        if not self.known.executions:
            return "It has no history."
        return f"Its history begins with {self.words.moment(min(map(moment_of, self.known.executions)))}."


_FEW = 3


def _runs_over(execution: Execution, at: int, now: int) -> bool:
    if execution.started is None or execution.started > at:
        return False
    return at < now and (not execution.status.final if execution.ended is None else execution.ended > at)
