# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
"""What a program pays that uses DMS as a library."""

from dms import PeriodicTrigger, RetryPolicy, Scheduler, Task

import _wait
