# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
"""A node's log as it stands: JSON to its stream, a copy for `dms logs`, the guard against floods (with room for all)."""

from dms.clock import SystemClock
from dms.command.logs import logs_topic
from dms.init.flood import FloodGuard
from dms.init.logger import configure_logger, get_logger

from _arena import FIELDS, FILE, main

guard = FloodGuard(burst=1_000_000_000)
configure_logger("info", open(FILE, "w"), logs_topic(0).publish, SystemClock(), pretty=False, flood=guard)
log = get_logger("bench")

main(lambda: log.info("device updated", **FIELDS), lambda: log.debug("device updated", **FIELDS))
