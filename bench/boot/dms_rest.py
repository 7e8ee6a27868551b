# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# params = { node = "stopped", path = "/health/live" }
# ///
"""A whole node whose store exists: from the start of its process to its first answer over HTTP."""

import os
import sys

from dms.cli import main

port = f"rest.port={os.environ['PORT']}"
sys.exit(main(["run", "--data-dir", os.path.join(os.environ["BENCH_SCRATCH"], "data"), "--set", port]))
