"""The WebSocket as people try one by hand: wscat, from npm."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def wscat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """wscat, installed for these tests; they are skipped where npm is not there or can't fetch it."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, so there is no wscat")
    folder = tmp_path_factory.mktemp("wscat")
    words = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder), "wscat@6"]
    if subprocess.run(words, capture_output=True, timeout=120).returncode:
        pytest.skip("npm could not fetch wscat")
    return folder / "node_modules" / ".bin" / "wscat"


def door_of(node: Any) -> str:
    (url,) = [door for door in node.ask("node.info")["doors"] if door.startswith("http://")]
    return f"{url.replace('http', 'ws', 1)}/ws"


def said(wscat: Path, node: Any, token: str, message: str) -> tuple[str, int]:
    """What wscat shows of the node's answer, and its exit status. It leaves when its standard input ends, so that stays
    open."""
    words = [wscat, "-H", f"Authorization: Bearer {token}", "-c", door_of(node), "-x", message, "-w", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        told = running.stdout.read()
    return told, running.returncode


def test_a_message_is_answered(nodes: Any, wscat: Path) -> None:
    node = nodes.start()
    token = (node.data_dir / "admin.token").read_text().strip()
    told, _ = said(wscat, node, token, '{"jsonrpc":"2.0","id":1,"method":"rpc.ping"}')
    assert {"jsonrpc": "2.0", "id": 1, "result": "pong"} == json.loads(told[told.index("{") :])


def test_one_without_a_good_token_is_told_so(nodes: Any, wscat: Path) -> None:
    told, status = said(wscat, nodes.start(), "dms_00000000_wrong", "{}")
    assert ("Unexpected server response: 401", True) == (told.strip().removeprefix("error: "), status != 0)
