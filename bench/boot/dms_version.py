# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
"""`dms --version`: from the start of its process to the end of its output."""

import contextlib
import io

from dms.cli import main

with contextlib.redirect_stdout(io.StringIO()):
    assert main(["--version"]) == 0

import _wait
