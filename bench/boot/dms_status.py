# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# params = { node = "running" }
# ///
"""`dms status` of a node that is there: from the start of its process to the end of its output."""

import contextlib
import io
import os

from dms.cli import main

with contextlib.redirect_stdout(io.StringIO()):
    assert main(["status", "--data-dir", os.path.join(os.environ["BENCH_SCRATCH"], "data")]) == 0

import _wait
