# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# params = { door = "socket", node = "stopped" }
# ///
"""A whole node whose store exists: from the start of its process to its first answer on the Unix socket."""

import os
import sys

from dms.cli import main

sys.exit(main(["run", "--data-dir", os.path.join(os.environ["BENCH_SCRATCH"], "data"), "--set", "rest.port=0"]))
