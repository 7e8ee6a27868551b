# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
import dms

import _wait
