# /// script
# dependencies = []
#
# [tool.bench]
# project = true
#
# [tool.bench.params]
# path = "ws"
# shapes = ["msgspec"]
# headers = { Authorization = "Bearer dms_00000000_contest" }
# request = '{"jsonrpc":"2.0","id":%d,"method":"rpc.ping","params":{"_meta":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}}'
# ///
"""A whole node, with its token, scopes, metrics and limits: `rpc.ping` from a trace."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

from dms.access.identity import new_identity, write_identity
from dms.access.token import Token
from dms.cli import main

import msgspec

token = Token("00000000", "contest", hashlib.sha256(b"contest").hexdigest(), ("node:read",), 0, "the contest")
folder = Path(tempfile.mkdtemp())
write_identity(folder, msgspec.structs.replace(new_identity(), tokens=(token,)))
os.chdir(folder)
settings = [
    f"general.data_dir={folder}", f"rest.port={os.environ['PORT']}",
    "rest.max_rate=0", "rest.max_connections=10000", "websocket.max_sockets=10000",
]
sys.argv = ["dms", "run", *(word for setting in settings for word in ("--set", setting))]
main()
