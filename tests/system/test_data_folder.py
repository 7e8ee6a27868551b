"""One node a data folder; what can't be used is refused with what, where and what to do, and left as it was."""

import json
import os
import signal
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest


def refusal(node: Any) -> tuple[int, str]:
    """How a node that can't start ends, and the one thing that it says."""
    status = node.end()
    said = [line for line in node.lines if not line.startswith("{")]
    assert 1 == len(said), "\n".join(node.lines)
    assert "Traceback" not in said[0]
    return status, said[0]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("dms.db*")}


def test_a_second_node_is_refused_by_name_and_process(nodes: Any) -> None:
    first = nodes.start()
    name = first.ask("node.info")["name"]
    assert (
        4,
        f"dms: data folder {nodes.data_dir}: node {name} (process {first.process.pid}) holds it; stop that node, or "
        "give this one another folder with --data-dir",
    ) == refusal(nodes.begin())
    assert name == first.ask("node.info")["name"]


def test_of_two_that_start_at_once_in_a_new_folder_one_is_refused(nodes: Any) -> None:
    one, other = nodes.begin(), nodes.begin()
    while not (one.ends(within=0.01) or other.ends(within=0.01)):
        pass
    winner, loser = (one, other) if other.ends(within=0.01) else (other, one)
    name = winner.answers().ask("node.info")["name"]
    assert (4, True) == (loser.end(), "holds it; stop that node" in loser.lines[-1])
    assert name == json.loads((nodes.data_dir / "identity.json").read_text())["name"]


def test_after_a_kill_the_next_one_starts_over_what_was_left(nodes: Any) -> None:
    first = nodes.start()
    name = first.ask("node.info")["name"]
    first.kill()
    assert (nodes.data_dir / "dms.sock").is_socket()
    assert name == nodes.start().ask("node.info")["name"]


@pytest.mark.parametrize("text", [json.dumps({"name": "old", "pid": pid}) for pid in (1, 0, -1)] + ["", "stray", "{}"])
def test_whatever_a_crash_left_in_the_lock_refuses_nobody(nodes: Any, text: str) -> None:
    """A process number that was left behind belonged to a stranger by then (getpaseo/paseo#1304)."""
    nodes.start().kill()
    (nodes.data_dir / "dms.lock").write_text(text)
    assert 0 == nodes.start().stop()


def test_a_process_that_a_task_forked_holds_neither_the_folder_nor_the_socket(nodes: Any) -> None:
    """A child that outlived the service kept its listening socket (tsl0922/ttyd#162)."""
    nodes.configure(tasks={"fork": {"call": "functions:leave_a_process"}})
    first = nodes.start()
    child = first.run("fork")["results"]
    try:
        first.process.kill()
        first.process.wait()
        assert 0 == nodes.start().stop()
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_clean_stop_leaves_no_socket(nodes: Any) -> None:
    nodes.start().stop()
    assert [] == list(nodes.data_dir.glob("*.sock*"))


def test_something_in_the_place_of_the_folder_is_said(nodes: Any) -> None:
    nodes.data_dir.write_text("in the way")
    assert (
        1,
        f"dms: data folder {nodes.data_dir} can't be used: File exists; give one that this user may write with "
        "--data-dir or DMS_GENERAL__DATA_DIR, or change its owner",
    ) == refusal(nodes.begin())


def test_a_folder_on_a_read_only_mount_is_said(nodes: Any) -> None:
    nodes.data_dir.mkdir()
    alone = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a mount of their own")
    mount = f"mount -t tmpfs -o ro none {nodes.data_dir} && exec"
    status, said = refusal(nodes.begin(shell=f"""{" ".join(alone)} sh -c '{mount} "$@"' sh "$@" """))
    assert (1, True) == (status, "can't be used: Read-only file system; give one that this user may write" in said)


def test_a_file_in_the_place_of_the_socket_is_said(nodes: Any) -> None:
    nodes.configure(tasks={"work": {"call": "functions:work", "after": "0s"}})
    nodes.data_dir.mkdir()
    (nodes.data_dir / "dms.sock").write_text("in the way")
    status, said = refusal(nodes.begin())
    assert (1, True) == (status, said.endswith("is in the way of the node's socket and is none; move it elsewhere"))
    assert "in the way" == (nodes.data_dir / "dms.sock").read_text()


@pytest.mark.parametrize("damage", ["text", "cut", "torn", "strange"])
def test_a_broken_database_is_refused_and_left_as_it_was(nodes: Any, damage: str) -> None:
    nodes.configure(tasks={"work": {"call": "functions:work"}})
    first = nodes.start()
    first.run("work")
    first.stop()
    database = nodes.data_dir / "dms.db"
    whole = database.read_bytes()
    broken = {
        "text": b"not a database at all" * 400,
        "cut": whole[: len(whole) // 2],
        "torn": whole[:4096] + os.urandom(len(whole) - 4096),
        "strange": None,
    }[damage]
    database.unlink()
    if broken is None:
        with sqlite3.connect(database) as theirs:
            theirs.execute("CREATE TABLE other (a)")
        theirs.close()
    else:
        database.write_bytes(broken)
    before = snapshot(nodes.data_dir)
    status, said = refusal(nodes.begin())
    assert (1, f"dms: {database} is ") == (status, said[: len(f"dms: {database} is ")])
    assert "move it away" in said
    assert before == snapshot(nodes.data_dir)


def test_the_database_of_a_newer_dms_is_refused_and_left_as_it_was(nodes: Any) -> None:
    """An older program wrote into a newer one's database (librefang/librefang#3656)."""
    nodes.start().stop()
    database = nodes.data_dir / "dms.db"
    with sqlite3.connect(database) as newer:
        newer.execute("PRAGMA user_version = 1000")
    newer.close()
    before = snapshot(nodes.data_dir)
    status, said = refusal(nodes.begin())
    assert (1, True) == (status, "has schema version 1000, this DMS knows up to " in said)
    assert before == snapshot(nodes.data_dir)


@pytest.mark.parametrize("text", ["", "{", '{"id": 1, "name": "x"}', "[]", "\x00"])
def test_a_broken_identity_is_refused_and_left_as_it_was(nodes: Any, text: str) -> None:
    nodes.start().stop()
    identity = nodes.data_dir / "identity.json"
    identity.write_text(text)
    status, said = refusal(nodes.begin())
    assert (78, f"dms: {identity} says who this node is and can't be read") == (status, said.split(" (")[0])
    assert "put back a good copy, or move it away to make a new node" in said
    assert text == identity.read_text()


def test_the_folder_and_all_in_it_are_its_owners_alone(nodes: Any) -> None:
    nodes.start("--set", "observability.log_level=debug")
    assert 0o700 == nodes.data_dir.stat().st_mode & 0o777
    found = {path.name: path.stat().st_mode & 0o077 for path in nodes.data_dir.iterdir()}
    assert dict.fromkeys(found, 0) == found


def test_a_path_too_long_for_a_socket_works_all_the_same(nodes: Any) -> None:
    nodes.data_dir = nodes.folder / ("long" * 25) / "data"
    nodes.data_dir.parent.mkdir()
    node = nodes.start()
    pointed = Path((nodes.data_dir / "dms.sock.path").read_text().strip())
    assert pointed.is_socket()
    assert 0 == node.dms("status").returncode
    assert 0 == node.stop()
    assert (False, []) == (pointed.exists(), list(nodes.data_dir.glob("*.sock*")))
    killed = nodes.start()
    killed.kill()
    assert 0 == nodes.start().stop()


def test_a_stop_of_the_first_lets_a_second_one_in_at_once(nodes: Any) -> None:
    first = nodes.start()
    first.signal(signal.SIGINT)
    assert 0 == first.end()
    assert 0 == nodes.start().stop()
