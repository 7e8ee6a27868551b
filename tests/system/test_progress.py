"""How far a run has come, seen by whoever waits for it: on a terminal and without one."""

import os
import pty
import subprocess
from typing import Any

import pytest

FUNCTION = """
import os, time

def steps(run):
    for done in range(1, 5):
        while True:
            run.progress(done, 4, f"step {done}")
            if os.path.exists(f"go-{done}"):
                break
            time.sleep(0.01)
    return "all done"
"""


@pytest.fixture
def node(nodes: Any) -> Any:
    (nodes.folder / "functions.py").write_text(FUNCTION)
    nodes.configure(tasks={"steps": {"call": "functions:steps"}})
    return nodes.start()


class OnTerminal:
    """A `dms` whose standard error (and output, where it is told to) is a terminal."""

    def __init__(self, node: Any, *words: str, output: bool = False) -> None:
        self._terminal, its_end = pty.openpty()
        self.process = subprocess.Popen(
            [node.command[0], *words],
            env={**node.environment, "TERM": "xterm"},
            stdout=its_end if output else subprocess.PIPE,
            stderr=its_end,
            text=True,
        )
        os.close(its_end)
        self.seen = ""

    def sees(self, text: str) -> None:
        """Read on until that is there."""
        while text not in self.seen:
            self.seen += os.read(self._terminal, 4096).decode()

    def rest(self) -> str:
        """All that comes until its end."""
        try:
            while data := os.read(self._terminal, 4096):
                self.seen += data.decode()
        except OSError:
            pass
        os.close(self._terminal)
        return self.seen


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_goes_at_the_end(node: Any, nodes: Any) -> None:
    waiting = OnTerminal(node, "task", "run", "steps", "--wait")
    for done in range(1, 5):
        waiting.sees(f"step {done}")
        waiting.sees(f"{done * 25} %")
        (nodes.folder / f"go-{done}").touch()
    assert waiting.rest().endswith("\x1b[1A\r\x1b[J")
    assert "steps: success after" in waiting.process.communicate()[0]
    assert 0 == waiting.process.returncode


def test_who_watches_on_a_terminal_sees_a_bar_and_then_the_end(node: Any, nodes: Any) -> None:
    watching = OnTerminal(node, "task", "watch", output=True)
    watching_too = node.ask("task.run", name="steps")
    assert watching_too["status"] in ("starting", "running", "waiting")
    (nodes.folder / "go-1").touch()
    watching.sees("step 2")
    for done in range(2, 5):
        (nodes.folder / f"go-{done}").touch()
    watching.sees("all done")
    watching.process.terminate()
    watching.rest()
    watching.process.wait()


def test_without_a_terminal_a_short_run_is_waited_for_without_a_word(node: Any, nodes: Any) -> None:
    for done in range(1, 5):
        (nodes.folder / f"go-{done}").touch()
    ended = node.dms("task", "run", "steps", "--wait")
    assert (0, "", True) == (ended.returncode, ended.stderr, "all done" in ended.stdout)
