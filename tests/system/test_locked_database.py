"""A database that another program holds stops no node: what needs the disk waits, the rest goes on."""

from typing import Any

import apsw

TASKS = {
    "kept": {"call": "functions:work", "overlap": "queue", "queue_limit": 10},
    "free": {"call": "functions:work", "durability": "none"},
}


def test_a_locked_database_holds_what_must_be_kept_and_nothing_else(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    other = apsw.Connection(str(node.data_dir / "dms.db"))
    other.execute("BEGIN IMMEDIATE")
    with node.asked_for("kept") as caller:
        node.wait_for(lambda line: "another program holds it" in line["event"] or "not taken" in line["event"])
        assert "degraded" == node.ask("node.status")["state"]
        assert "success" == node.run("free")["status"]
        other.execute("ROLLBACK")
        out, _ = caller.communicate(timeout=20)
    other.close()
    assert (0, True) == (caller.returncode, '"success"' in out)
    assert "well" == node.ask("node.status")["state"]
    assert 0 == node.stop()
