"""The three standard streams: there even where the caller closed them, and given up where nothing can be written."""

import os
import sys

_NAMES = ("stdin", "stdout", "stderr")


def open_missing() -> None:
    """Give the null device to each that is closed: no other file may take its number, and who prints need not ask."""
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            _take(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def give_up_output() -> None:
    """What is still buffered for standard output goes nowhere: it does not raise again at the interpreter's end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _take(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
