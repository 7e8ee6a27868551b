"""The launcher: a small process that starts programs for a scheduler (see `launching.py`). It imports nothing of DMS.

A program's peak memory, as the system tells it, is never less than that of the process from which it was forked: so it
is forked from here, and not from a node of two hundred megabytes. And a program does not outlive whoever wanted it: it
has a socket of its own, and when the other end of that is closed (as it is when the other process is killed), it is
killed with its whole group.

On the main socket (descriptor 0) each message brings five descriptors: a file with what to run, the program's standard
input, output and error, and its own socket. On that one the launcher tells ("pid", PID), ("ended", STATUS,
CPU_MICROSECONDS, PEAK_BYTES) and, where it can't be started, ("failed", ERRNO, STEP); it is told TERM or KILL, which is
for the whole group.
"""

import _signal  # type: ignore[import-not-found]  # `signal` itself costs half a megabyte
import _socket
import marshal
import os
import select

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than all of this
if TYPE_CHECKING:
    from typing import NoReturn

TERM, KILL = b"T", b"K"

_HELD = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP)
_DEFAULT = (*_HELD, _signal.SIGCHLD, _signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGXCPU)
_DESCRIPTORS = 5
_ENOENT = 2
_GRACE = 5


class _Child:
    """A program that was started. `told`: somebody wants it to end."""

    __slots__ = ("pid", "socket", "told")

    def __init__(self, pid: int, socket: _socket.socket) -> None:
        self.pid, self.socket, self.told = pid, socket, False

    def signal(self, number: int) -> None:
        self.told = True
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            os.kill(self.pid, number)  # it leads no group yet; held back, the signal comes once it does
        except PermissionError:
            pass  # of another user now: it has become somebody else

    def tell(self, *message: int | str) -> None:
        try:
            self.socket.send(marshal.dumps(message))
        except OSError:
            pass  # nobody wants to know any more


class Launcher:
    """Starts what it is asked for until the main socket is closed."""

    def __init__(self, main: _socket.socket) -> None:
        self._main = main
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()
        self._poll.register(main, select.POLLIN)
        self._woken, waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(waker, False)
        self._poll.register(self._woken, select.POLLIN)
        _signal.set_wakeup_fd(waker)
        _signal.signal(_signal.SIGCHLD, lambda number, frame: None)
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _HELD)

    def run(self) -> None:
        """Serve until nobody asks any more."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._main.fileno():
                    if not self._asked():
                        return self._end()
                elif descriptor == self._woken:
                    self._look_for_ended()
                elif descriptor in self._children:
                    self._told(self._children[descriptor])

    def _asked(self) -> bool:
        """Start a program; False where nobody asks any more."""
        data, ancillary, _, _ = self._main.recvmsg(1, _socket.CMSG_SPACE(4 * _DESCRIPTORS), _socket.MSG_CMSG_CLOEXEC)
        if not data:
            return False
        packed = ancillary[0][2]
        what, *standard, own = (
            int.from_bytes(packed[start : start + 4], "little") for start in range(0, 4 * _DESCRIPTORS, 4)
        )
        socket = _socket.socket(fileno=own)
        pid = os.fork()
        if pid == 0:
            _become(what, standard, socket)
        for descriptor in (what, *standard):
            os.close(descriptor)
        child = self._children[own] = _Child(pid, socket)
        self._poll.register(own, select.POLLIN)
        child.tell("pid", pid)
        return True

    def _told(self, child: _Child) -> None:
        """A signal is wanted; or nobody wants the program any more, which ends it."""
        try:
            wanted = child.socket.recv(1, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return  # it was another one's, who had the same descriptor
        except OSError:
            wanted = b""
        child.signal(_signal.SIGTERM if wanted == TERM else _signal.SIGKILL)
        if not wanted:
            self._poll.unregister(child.socket.fileno())

    def _look_for_ended(self) -> None:
        try:
            while os.read(self._woken, 4096):
                pass
        except BlockingIOError:
            pass
        for descriptor, child in list(self._children.items()):
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                self._ended(descriptor, child)

    def _ended(self, descriptor: int, child: _Child) -> None:
        """The leader is gone; where it was told to end, its whole group is."""
        if child.told:
            child.signal(_signal.SIGKILL)
        _, status, used = os.wait4(child.pid, 0)
        microseconds = round((used.ru_utime + used.ru_stime) * 1_000_000)
        child.tell("ended", os.waitstatus_to_exitcode(status), microseconds, used.ru_maxrss * 1024)
        try:
            self._poll.unregister(descriptor)
        except KeyError:
            pass  # its other end was closed before
        del self._children[descriptor]
        child.socket.close()

    def _end(self) -> None:
        """Whoever wanted all this is gone."""
        for child in self._children.values():
            child.signal(_signal.SIGKILL)


def _become(what: int, standard: list[int], socket: _socket.socket) -> "NoReturn":
    """In the new process: become the program, or tell why that can't be."""
    step = "start"
    try:
        os.setsid()
        for number in _DEFAULT:
            _signal.signal(number, _signal.SIG_DFL)
        with open(what, "rb") as file:
            argv, cwd, env, limits = marshal.load(file)
        for target, descriptor in enumerate(standard):
            os.dup2(descriptor, target)
        step = "folder"
        os.chdir(cwd)
        step = "program"
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _HELD)
        if limits != (None, None):
            _limit(*limits)
        _execute(argv, env)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
        socket.send(marshal.dumps(("failed", getattr(error, "errno", None) or 0, step)))
    finally:
        os._exit(127)


def _limit(memory: int | None, seconds: int | None) -> None:
    """Bound this process, and each that it starts: when its time is up the system sends XCPU, and KILL soon after."""
    import resource

    if seconds is not None:
        hardest = resource.getrlimit(resource.RLIMIT_CPU)[1]
        later = seconds + _GRACE if hardest == resource.RLIM_INFINITY else min(hardest, seconds + _GRACE)
        resource.setrlimit(resource.RLIMIT_CPU, (min(seconds, later), later))
    if memory is not None:
        hardest = resource.getrlimit(resource.RLIMIT_DATA)[1]
        most = memory if hardest == resource.RLIM_INFINITY else min(memory, hardest)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _execute(argv: list[str], env: dict[bytes, bytes]) -> "NoReturn":
    """As `os.execvpe` does, which imports `warnings` for it: two milliseconds for each program."""
    program = os.fsencode(argv[0])
    folders = [b""] if b"/" in program else env.get(b"PATH", os.fsencode(os.defpath)).split(b":")
    missing: OSError = FileNotFoundError(_ENOENT, "")
    refused: OSError | None = None
    for folder in folders:
        try:
            os.execve(os.path.join(folder, program), argv, env)
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = error
        except OSError as error:
            refused = refused or error
    raise refused or missing


if __name__ == "__main__":
    Launcher(_socket.socket(fileno=0)).run()
