"""The machine's clocks, and the zone that it stands in."""

import ctypes
import os
import time
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from dms.clock import ClockChanges, SystemClock, boot_id, host_timezone, host_zone, is_synchronized


def test_both_clocks_go_on() -> None:
    first, second = SystemClock().now(), SystemClock().now()
    assert first.boot <= second.boot
    assert first.wall > first.boot > 0


def test_a_boot_is_told_from_others_by_what_the_kernel_calls_it() -> None:
    assert Path("/proc/sys/kernel/random/boot_id").read_text() == f"{boot_id()}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


def test_tz_comes_first(root: Path) -> None:
    (root / "etc/timezone").write_text("Asia/Tokyo\n")
    assert "Europe/Paris" == host_timezone({"TZ": ":Europe/Paris"}, root)


def test_then_comes_what_localtime_links_to(root: Path) -> None:
    (root / "etc/localtime").symlink_to("../usr/share/zoneinfo/America/Argentina/Ushuaia")
    (root / "etc/timezone").write_text("Asia/Tokyo\n")
    assert "America/Argentina/Ushuaia" == host_timezone({}, root)


def test_then_comes_what_timezone_says(root: Path) -> None:
    (root / "etc/localtime").write_bytes(b"TZif")
    (root / "etc/timezone").write_text("Asia/Tokyo\n")
    assert "Asia/Tokyo" == host_timezone({}, root)


@pytest.mark.parametrize("name", ["", "EST5EDT4,M3.2.0", "Mars/Olympus", "../../etc/passwd", "/etc/localtime"])
def test_a_zone_without_a_known_name_is_not_told(root: Path, name: str) -> None:
    assert "" == host_timezone({"TZ": name}, root)


def test_the_host_s_zone_is_the_one_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert ZoneInfo("Asia/Kathmandu") == host_zone()


def test_boot_time_counts_the_time_that_the_machine_sleeps() -> None:
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    now = SystemClock().now().boot
    assert before <= now <= time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


# ── what is told of a clock that is set ──


class Timers:
    """What Python 3.13 has of the kernel's timers; a pipe stands for one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reading, self.writing = os.pipe()
        self.armed: list[int] = []
        for number, name in enumerate(("NONBLOCK", "CLOEXEC", "TIMER_ABSTIME", "TIMER_CANCEL_ON_SET")):
            monkeypatch.setattr(os, f"TFD_{name}", 1 << number, raising=False)
        monkeypatch.setattr(os, "timerfd_create", self.create, raising=False)
        monkeypatch.setattr(os, "timerfd_settime", self.settime, raising=False)

    def create(self, clock: int, *, flags: int) -> int:
        assert (time.CLOCK_REALTIME, 0b11) == (clock, flags)
        os.set_blocking(self.reading, False)
        return self.reading

    def settime(self, descriptor: int, *, flags: int, initial: float) -> None:
        assert (self.reading, True) == (descriptor, initial > time.time() + 10**9)
        self.armed.append(flags)


def test_a_clock_that_is_set_is_told_by_a_timer_that_its_being_set_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    timers = Timers(monkeypatch)
    changes = ClockChanges.hear()
    assert changes is not None
    assert timers.reading == changes.fileno()
    changes.take()  # nothing can be read: it was cancelled
    assert [0b1100, 0b1100] == timers.armed
    changes.close()
    os.close(timers.writing)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(timers.reading)


def test_where_python_does_not_know_such_timers_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "timerfd_create", raising=False)
    assert ClockChanges.hear() is None


def test_where_the_kernel_has_no_such_timer_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(38, "Function not implemented")

    timers = Timers(monkeypatch)
    monkeypatch.setattr(os, "timerfd_create", refuse)
    assert ClockChanges.hear() is None
    os.close(timers.reading)
    os.close(timers.writing)


# ── whether it is right ──


class Turned:
    """The machine's clocks, in nanoseconds, turned by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.boot = 1_800_000_000 * 10**9, 100 * 10**9
        monkeypatch.setattr(time, "time_ns", lambda: self.wall)
        monkeypatch.setattr(time, "clock_gettime_ns", lambda _: self.boot)

    def go(self, seconds: float) -> None:
        self.wall += int(seconds * 10**9)
        self.boot += int(seconds * 10**9)


class Answers:
    """A time service that has set the clock right, or has not yet."""

    def __init__(self) -> None:
        self.answer, self.asked = False, 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.answer


def test_the_clock_is_trusted_once_a_time_service_has_set_it_and_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = Turned(monkeypatch)
    service = Answers()
    clock = SystemClock(service)
    before = clock.now().trusted
    service.answer = True
    turned.go(2)
    after = clock.now().trusted
    service.answer = False
    turned.go(100)

    assert (False, True, True) == (before, after, clock.now().trusted)


def test_the_time_service_is_asked_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = Turned(monkeypatch)
    service = Answers()
    clock = SystemClock(service)
    for _ in range(10):
        clock.now()
        turned.go(0.25)

    assert 3 == service.asked


def test_the_time_service_is_asked_at_once_where_the_wall_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = Turned(monkeypatch)
    service = Answers()
    clock = SystemClock(service)
    clock.now()
    service.answer = True
    turned.wall += 3_600 * 10**9

    assert clock.now().trusted


def test_a_clock_that_is_always_trusted_asks_nobody() -> None:
    service = Answers()
    clock = SystemClock(service)
    clock.trust_always = True

    assert (True, 0) == (clock.now().trusted, service.asked)


def test_the_mark_of_systemds_time_service_is_enough(tmp_path: Path) -> None:
    (tmp_path / "synchronized").touch()
    assert is_synchronized(tmp_path / "synchronized")


@pytest.mark.parametrize(("state", "synchronized"), [(0, True), (5, False), (-1, False)])
def test_without_it_the_kernel_tells(
    state: int, synchronized: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """adjtimex(2) answers TIME_ERROR (5) while nobody has synchronized the clock, and -1 where it may not be asked."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(adjtimex=lambda _: state))
    assert synchronized is is_synchronized(tmp_path / "nothing")


def test_a_system_that_can_not_be_asked_is_not_synchronized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert not is_synchronized(tmp_path / "nothing")


def test_the_kernel_itself_answers(tmp_path: Path) -> None:
    """Its flag for that, STA_UNSYNC, stands in the 64-bit struct timex behind six longs; nothing was changed by it."""
    timex = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).adjtimex(timex)
    unsynchronized = int.from_bytes(timex.raw[40:44], "little") & 0x40

    assert is_synchronized(tmp_path / "nothing") is not bool(unsynchronized)
