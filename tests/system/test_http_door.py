"""The TCP door of the real daemon, from outside: where it listens, whom it lets in, how it closes."""

import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

MUTE_SOCKET = (
    "GET /ws HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nupgrade: websocket\r\n"
    "connection: upgrade\r\nsec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nsec-websocket-version: 13\r\n\r\n"
)
"""The upgrade of a peer that neither reads nor answers after it."""


def url_of(node: Any) -> str:
    """Where it says that it listens."""
    doors: list[str] = node.ask("node.status")["doors"]
    return next(door for door in doors if door.startswith("http"))


def port_of(node: Any) -> int:
    return int(url_of(node).rpartition(":")[2])


def live(url: str, **more: Any) -> int:
    """The status of an answer to whether the node lives."""
    with httpx.Client(trust_env=False, timeout=5, **more) as client:
        return client.get(f"{url}/health/live").status_code


def token_of(node: Any) -> str:
    return (node.data_dir / "admin.token").read_text().strip()


def socket_to(node: Any, **options: Any) -> ClientConnection:
    """A WebSocket that may do everything."""
    headers = {"Authorization": f"Bearer {token_of(node)}", **options.pop("headers", {})}
    url = f"{url_of(node).replace('http', 'ws', 1)}/ws"
    return connect(url, additional_headers=headers, proxy=None, compression=None, **options)


def knock(node: Any, host: str, origin: str | None) -> ClientConnection:
    """A WebSocket of a page at this origin that takes this host for the node."""
    wire = socket.create_connection(("127.0.0.1", port_of(node)))
    return connect(f"ws://{host}/ws", sock=wire, origin=origin, proxy=None)


def end_of(peer: ClientConnection) -> int:
    """The code with which it is hung up on, whatever it is told before."""
    with suppress(ConnectionClosed):
        for _ in peer:
            pass
    return peer.close_code or 0


@contextmanager
def listener() -> Iterator[int]:
    """Somebody else who listens; its port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def free_port() -> int:
    with listener() as port:
        return port


class Authority:
    """Makes the certificates of a node, in its folder, and trusts them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, trustme.CA()
        self.trust = ssl.create_default_context()
        self._made.configure_trust(self.trust)

    def issue(self) -> dict[str, str]:
        """A new certificate in the old one's place, renamed over it as tools do; the keys that name it."""
        issued = self._made.issue_cert("127.0.0.1", "localhost")
        keys = {}
        for key, name, pem in (
            ("tls_key", "node.key", issued.private_key_pem),
            ("tls_certificate", "node.crt", issued.cert_chain_pems[0]),
        ):
            written, file = self._folder / f"{name}.new", self._folder / name
            pem.write_to_path(written)
            written.rename(file)
            keys[key] = str(file)
        return keys

    def serial_at(self, port: int) -> str:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            self.trust.wrap_socket(plain, server_hostname="localhost") as shown,
        ):
            return str((shown.getpeercert() or {})["serialNumber"])


@pytest.fixture
def keep() -> Iterator[ExitStack]:
    """Closes what a test leaves open."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


# ── where it listens ──


def test_it_listens_to_this_machine_and_says_where(nodes: Any) -> None:
    node = nodes.start()
    url = url_of(node)
    assert url.startswith("http://127.0.0.1:")
    assert 200 == live(url)
    assert f"doors     {url} · socket " in node.dms("status").stdout
    assert f"listening at {url}" == node.wait_for(lambda line: line["event"].startswith("listening"))["event"]


def test_a_port_that_is_taken_ends_the_start_with_1_and_says_what_to_do(nodes: Any) -> None:
    with listener() as port:
        node = nodes.begin("--set", f"rest.port={port}", stderr=None)
        assert 1 == node.end()
    with listener() as port:
        told = nodes.last.dms("run", "--set", f"rest.port={port}")
    assert 1 == told.returncode
    message = (
        f"dms: rest.port: 127.0.0.1 port {port} is taken, perhaps by another node; stop it, or give this one another"
    )
    assert message in told.stderr.replace("\n", " ")
    assert "Traceback" not in told.stderr


def test_a_second_node_of_a_user_is_told_how_to_live_beside_the_first(nodes: Any, tmp_path: Path) -> None:
    first = nodes.start("--set", f"rest.port={free_port()}")
    second = first.dms("run", "--data-dir", str(tmp_path / "other"), "--set", f"rest.port={port_of(first)}")
    assert 1 == second.returncode
    assert "another port (0: any free one)" in second.stderr
    assert 200 == live(url_of(first))


def test_no_task_begins_where_the_port_is_taken(nodes: Any) -> None:
    """eltmon/overdeck#2931: a bind that fails leaves a service that runs and can't be reached."""
    nodes.configure(tasks={"first": {"call": "functions:work", "every": "1h", "at_start": True}})
    with listener() as port:
        node = nodes.begin("--set", f"rest.port={port}")
        assert 1 == node.end()
    assert [] == node.journal


def test_a_port_that_is_taken_is_a_veto_while_it_runs_and_the_old_one_stays(nodes: Any) -> None:
    """tempesta-tech/tempesta#2043, OpenIdentityPlatform/OpenDJ#795."""
    node = nodes.start()
    url = url_of(node)
    with listener() as port:
        told = node.dms("config", "set", "rest.port", str(port))
    assert 1 == told.returncode
    assert f"rest.port: 127.0.0.1 port {port} is taken" in told.stderr
    assert (url, 200) == (url_of(node), live(url))
    assert 0 == node.ask("config.get", key="rest.port")["value"]


def test_a_new_port_is_live_and_the_old_one_is_gone(nodes: Any, keep: ExitStack) -> None:
    node, port = nodes.start(), free_port()
    before = url_of(node)
    peer = keep.enter_context(socket_to(node))
    assert "live now" in node.dms("config", "set", "rest.port", str(port)).stdout
    assert f"http://127.0.0.1:{port}" == url_of(node)
    assert 200 == live(url_of(node))
    with pytest.raises(httpx.ConnectError):
        live(before)
    assert 1001 == end_of(peer)


def test_a_saved_file_moves_the_door_and_a_bad_one_does_not(nodes: Any) -> None:
    first, second = free_port(), free_port()
    nodes.configure(rest={"port": first})
    node = nodes.start(DMS_REST__PORT=None)
    nodes.configure(rest={"port": second})
    node.wait_for(lambda line: line["event"].startswith("configuration changed: rest.port"))
    assert 200 == live(f"http://127.0.0.1:{second}")
    nodes.configure(rest={"port": second, "addr": "0.0.0.0"})
    node.wait_for(lambda line: "is open to others, and without TLS" in line["event"])
    assert ["127.0.0.1", 200] == [node.ask("config.get", key="rest.addr")["value"], live(url_of(node))]


def test_it_can_be_closed_and_opened_again(nodes: Any) -> None:
    node = nodes.start("--set", "general.debug=true")
    node.dms("config", "set", "rest.enabled", "false")
    assert [f"socket {node.data_dir}/dms.sock"] == node.ask("node.status")["doors"]
    node.dms("config", "unset", "rest.enabled")
    assert 200 == live(url_of(node))


# ── wider than this machine ──


def test_wider_without_tls_is_this_machine_alone_and_the_node_says_so(nodes: Any) -> None:
    nodes.configure(rest={"addr": "0.0.0.0"})
    node = nodes.start()
    assert url_of(node).startswith("http://127.0.0.1:")
    (finding,) = node.ask("node.status")["findings"]
    assert ("config_rest_closed", "rest.addr") == (finding["code"], finding["subject"])
    assert "mine.yaml:3:11  rest.addr: 0.0.0.0 is open to others, and without TLS" in finding["message"]


def test_wider_without_tls_is_refused_where_all_must_be_right(nodes: Any) -> None:
    nodes.configure(rest={"addr": "0.0.0.0"})
    node = nodes.begin("--strict")
    assert 78 == node.end()
    told = node.dms("config", "validate", str(nodes.file))
    assert 78 == told.returncode
    assert "rest.addr: 0.0.0.0 is open to others" in told.stdout


def test_a_bad_value_of_a_higher_layer_does_not_let_a_wider_one_count(nodes: Any) -> None:
    nodes.configure(rest={"addr": "0.0.0.0", "allow_plain": True})
    node = nodes.start(DMS_REST__ADDR="1.2.3")
    assert url_of(node).startswith("http://127.0.0.1:")
    assert "degraded" == node.ask("node.status")["state"]


def test_widening_while_it_runs_needs_tls_or_saying_so(nodes: Any) -> None:
    node = nodes.start("--set", f"rest.port={free_port()}")
    refused = node.dms("config", "set", "rest.addr", "0.0.0.0")
    assert (78, True) == (refused.returncode, "is open to others" in refused.stderr)
    port = port_of(node)
    node.dms("config", "set", "rest.addr", "0.0.0.0", "rest.allow_plain", "true")
    assert (f"http://0.0.0.0:{port}", 200) == (url_of(node), live(f"http://127.0.0.1:{port}"))


# ── TLS ──


def test_tls_is_served_and_a_renewed_certificate_is_taken_at_once(nodes: Any, authority: Authority) -> None:
    """eclipse-mosquitto/mosquitto#1877, caddyserver/caddy#5139."""
    nodes.configure(rest=authority.issue())
    node = nodes.start()
    port = port_of(node)
    assert 200 == live(f"https://localhost:{port}", verify=authority.trust)
    before = authority.serial_at(port)
    authority.issue()
    deadline = monotonic() + 10
    while authority.serial_at(port) == before and monotonic() < deadline:
        pass
    assert before != authority.serial_at(port)
    assert [] == node.ask("node.status")["findings"]


def test_the_websocket_goes_through_tls_as_well(nodes: Any, authority: Authority) -> None:
    nodes.configure(rest=authority.issue())
    node = nodes.start()
    with socket_to(node, ssl=authority.trust) as peer:
        peer.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "rpc.ping"}))
        assert 1 == json.loads(peer.recv(timeout=5))["id"]


def test_a_certificate_that_is_no_good_is_told_and_taken_once_it_is_good(nodes: Any, authority: Authority) -> None:
    keys = authority.issue()
    certificate = Path(keys["tls_certificate"])
    good = certificate.read_bytes()
    certificate.write_bytes(b"")
    nodes.configure(rest={"addr": "0.0.0.0", **keys})
    node = nodes.start()
    assert url_of(node).startswith("http://127.0.0.1:")
    assert "node.crt with " in node.ask("node.status")["findings"][0]["message"]
    certificate.write_bytes(good)
    deadline = monotonic() + 10
    while node.ask("node.status")["findings"] and monotonic() < deadline:
        pass
    assert ["https://0.0.0.0", "well"] == [url_of(node).rpartition(":")[0], node.ask("node.status")["state"]]


# ── whom it lets in ──


@pytest.mark.parametrize(
    ("header", "value", "entry"),
    [
        ("Host", "evil.example", 'add "evil.example" to rest.allowed_hosts'),
        ("Origin", "https://evil.example", 'add "https://evil.example" to rest.allowed_origins'),
        ("Origin", "null", "no other page may talk to this node"),
    ],
)
def test_foreign_names_and_pages_get_a_403_and_the_log_says_which_entry_is_missing(
    nodes: Any, header: str, value: str, entry: str
) -> None:
    """hypothesi/mcp-server-tauri#36, inspircd/inspircd#1281."""
    node = nodes.start()
    with httpx.Client(trust_env=False) as client:
        answer = client.get(f"{url_of(node)}/health/live", headers={header: value})
    assert (403, True) == (answer.status_code, entry in answer.json()["detail"])
    with pytest.raises(InvalidStatus) as refused:
        knock(node, value if header == "Host" else "localhost", value if header == "Origin" else None)
    assert 403 == refused.value.response.status_code
    node.wait_for(lambda line: entry in line["event"], times=2)


def test_a_listed_name_and_page_come_in_at_once(nodes: Any) -> None:
    node = nodes.start()
    node.dms("config", "set", "rest.allowed_hosts", '["node.example"]', "rest.allowed_origins", '["https://a.example"]')
    headers = {"Host": "node.example", "Origin": "https://a.example"}
    with httpx.Client(trust_env=False, headers=headers, base_url=url_of(node)) as client:
        asked = client.options("/api/v1/node", headers={"Access-Control-Request-Method": "GET"})
        answer = client.get("/api/v1/node", headers={"Authorization": f"Bearer {token_of(node)}"})
    assert [(204, "https://a.example"), (200, "https://a.example")] == [
        (each.status_code, each.headers["access-control-allow-origin"]) for each in (asked, answer)
    ]


def test_a_token_opens_the_websocket_and_nothing_else_does(nodes: Any) -> None:
    node = nodes.start()
    with socket_to(node) as peer:
        peer.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "node.status"}))
        assert "well" == json.loads(peer.recv(timeout=5))["result"]["state"]
    with pytest.raises(InvalidStatus) as refused:
        socket_to(node, headers={"Authorization": "Bearer nonsense"})
    assert 401 == refused.value.response.status_code


def test_a_revoked_token_closes_its_socket_at_once(nodes: Any) -> None:
    node = nodes.start()
    with socket_to(node) as peer:
        (token,) = node.ask("token.list")["tokens"]
        node.ask("token.revoke", id=token["id"])
        assert 4401 == end_of(peer)


# ── how it closes ──


def test_a_stop_with_idle_and_mute_peers_keeps_within_its_share(nodes: Any, keep: ExitStack) -> None:
    """NousResearch/hermes-agent#58005: one silent client was enough to hold a stop for ever."""
    node = nodes.start()
    idle = keep.enter_context(socket_to(node))
    parts = [
        b"",
        b"GET / HT",
        b"POST /health/live HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nab",
        MUTE_SOCKET.format(token=token_of(node)).encode(),
    ]
    for part in parts:
        keep.enter_context(socket.create_connection(("127.0.0.1", port_of(node)))).sendall(part)
    began = monotonic()
    assert 0 == node.stop()
    assert monotonic() - began < 2
    assert 1001 == end_of(idle)


def test_an_idle_door_closes_at_once(nodes: Any) -> None:
    node = nodes.start()
    began = monotonic()
    assert 0 == node.stop()
    assert monotonic() - began < 1


def test_what_a_task_forks_does_not_keep_the_port(nodes: Any) -> None:
    """swift-nav/piksi_buildroot#1167, tenzir/tenzir#3998: a child process keeps the port of a service that is gone."""
    nodes.configure(tasks={"fork": {"call": "functions:leave_a_process"}})
    port = free_port()
    node = nodes.start("--set", f"rest.port={port}")
    child = node.run("fork")["results"]
    try:
        node.process.kill()
        node.process.wait()
        assert f"http://127.0.0.1:{port}" == url_of(nodes.start("--set", f"rest.port={port}"))
    finally:
        os.kill(child, signal.SIGKILL)


def test_rest_and_websocket_share_what_one_token_may_ask_a_second(nodes: Any) -> None:
    node = nodes.start("--set", "rest.max_rate=1")
    headers = {"Authorization": f"Bearer {token_of(node)}"}
    with httpx.Client(trust_env=False, headers=headers) as client, socket_to(node) as peer:
        assert [200, 200, 429] == [client.get(f"{url_of(node)}/api/v1/node").status_code for _ in range(3)]
        peer.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "rpc.ping"}))
        assert "rate_limited" == json.loads(peer.recv(timeout=5))["error"]["data"]["reason"]
