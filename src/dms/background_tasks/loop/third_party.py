"""Asking third parties' code that has to answer at once: in a thread, and no longer than the loop can wait."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, TypeVar

T = TypeVar("T")

DEADLINE = 0.5
"""Seconds that an answer may take."""


class _Question:
    __slots__ = ("answer", "call", "done", "error")

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call, self.done = call, Event()
        self.answer: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        try:
            self.answer = self.call()
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
            self.error = error
        self.done.set()


class ThirdParty:
    """Makes calls, one after the other. The thread of one that does not answer in time is given up, and the next call
    gets another one. It ends with `close`; a thread that is given up, once its call returns."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._questions: SimpleQueue[_Question | None] | None = None
        self._lock = Lock()

    def ask(self, call: Callable[[], T]) -> T:
        """What the call gives, or raises. TimeoutError where it does not within the deadline."""
        question = _Question(call)
        with self._lock:
            if self._questions is None:
                self._questions = SimpleQueue()
                Thread(target=_serve, args=(self._questions,), name="dms-third-party", daemon=True).start()
            self._questions.put(question)
            if not question.done.wait(self._deadline):
                self._questions.put(None)
                self._questions = None
                raise TimeoutError(f"no answer within {self._deadline:g} s")
        if question.error is not None:
            raise question.error
        answer: T = question.answer
        return answer

    def close(self) -> None:
        """Let the thread end."""
        with self._lock:
            if self._questions is not None:
                self._questions.put(None)
                self._questions = None


def _serve(questions: "SimpleQueue[_Question | None]") -> None:
    while (question := questions.get()) is not None:
        question.settle()
