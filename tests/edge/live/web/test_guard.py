"""Who is let in: by Host, by Origin, by token, on requests and sockets alike."""

from __future__ import annotations

import ipaddress
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from edge.errors import ConfigError
from edge.live.web.guard import MOST_BODY_BYTES, is_loopback, kept_token
from edge.live.web.server import WebServer
from tests.edge.live.web.serving import Served, serving

PATIENCE_S = 60.0
get = partial(httpx.get, timeout=PATIENCE_S)
post = partial(httpx.post, timeout=PATIENCE_S)
open_socket = partial(connect, open_timeout=PATIENCE_S)


@pytest.fixture
def open_server(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    """Bound to every address, as for a laptop beside the scope."""
    with serving(tmp_path, "0.0.0.0") as served:
        yield served


def port_of(served: Served) -> int:
    return httpx.URL(served.web.address).port or 80


def local(served: Served) -> str:
    return f"http://127.0.0.1:{port_of(served)}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "scope.local", "localhost.evil.example", ""])
def test_other_names(host: str) -> None:
    assert not is_loopback(host)


def test_loopback_needs_no_token(open_server: Served) -> None:
    assert "token" not in open_server.web.address
    assert get(open_server.base + "/").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "192.168.1.5:80", "localhost.evil.example", ""])
def test_a_rebound_name_is_refused(open_server: Served, host: str) -> None:
    assert get(open_server.base + "/api/case", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("name", ["[", "[x", "127.0.0.1]:80", "[127.0.0.1]x"])
def test_a_name_that_is_no_name_is_refused(open_server: Served, name: str) -> None:
    assert get(open_server.base + "/api/case", headers={"Host": name}).status_code in (400, 421)
    assert get(open_server.base + "/api/case", headers={"Origin": f"http://{name}"}).status_code == 403


def test_another_sites_page_is_refused(open_server: Served) -> None:
    evil = {"Origin": "http://evil.example"}
    assert get(open_server.base + "/api/case", headers=evil).status_code == 403
    assert post(open_server.base + "/api/capture", json={"actor": "x"}, headers=evil).status_code == 403
    assert get(open_server.base + "/api/case", headers={"Origin": "null"}).status_code == 403
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert get(open_server.base + "/api/case", headers=cross).status_code == 403
    assert get(open_server.base + "/api/case", headers={"Origin": open_server.base}).status_code == 200


def test_another_sites_socket_is_refused(open_server: Served) -> None:
    address = f"ws://127.0.0.1:{port_of(open_server)}/live"
    with pytest.raises(InvalidStatus), open_socket(address, origin="http://evil.example"):  # type: ignore[arg-type]
        pass
    with open_socket(address, origin=open_server.base) as socket:  # type: ignore[arg-type]
        assert socket.recv(timeout=60)


def test_without_the_token_nothing_is_answered(guarded: Served) -> None:
    for path in ("/", "/app/main.js", "/api/case", "/api/cells/1", "/healthz", "/metrics", "/nothing"):
        assert get(local(guarded) + path).status_code == 401, path
    refused = post(local(guarded) + "/api/capture", json={"actor": "x"})
    assert refused.status_code == 401
    assert "open the address that chromo-edge printed" in refused.json()["error"]  # as the page reads answers
    with pytest.raises(InvalidStatus), open_socket(f"ws://127.0.0.1:{port_of(guarded)}/live"):
        pass


def test_the_token_moves_into_a_cookie_and_out_of_the_address(guarded: Served) -> None:
    assert guarded.web.token is not None
    first = get(f"{local(guarded)}/?token={guarded.web.token}")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    said = first.headers["set-cookie"]
    assert "HttpOnly" in said
    assert "samesite=strict" in said.lower()
    assert "Max-Age=34560000" in said  # no shorter than the token: an open page goes on
    with httpx.Client(cookies=first.cookies, base_url=local(guarded), timeout=PATIENCE_S) as client:
        assert client.get("/").status_code == 200
        assert client.get("/api/case").status_code == 200
    cookie = {"Cookie": said.partition(";")[0]}
    with open_socket(f"ws://127.0.0.1:{port_of(guarded)}/live", additional_headers=cookie) as socket:
        assert socket.recv(timeout=60)


def test_the_token_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "token"
    token = kept_token(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept_token(path) == token
    path.chmod(0o644)  # others may have read it
    fresh = kept_token(path)
    assert fresh != token
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("short\n")
    assert kept_token(path) not in ("short", fresh)


def test_a_token_that_cannot_be_kept_serves_this_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    assert len(kept_token(tmp_path / "file" / "token")) >= 32
    assert "the next start has another one" in caplog.text


def test_every_printed_address_is_answered(guarded: Served) -> None:
    """The machine's name, its .local name and its IP addresses: whatever of them the laptop can resolve."""
    name = socket.gethostname()
    hosts = [httpx.URL(address).host for address in guarded.web.addresses]
    assert hosts[:1] == [name.lower()]
    assert "." in name or f"{name.lower()}.local" in hosts
    assert all(ipaddress.ip_address(host) for host in hosts[2:])
    for address in guarded.web.addresses:
        host = httpx.URL(address).netloc.decode()
        given = f"{local(guarded)}/?token={guarded.web.token}"
        assert get(given, headers={"Host": host}).status_code == 303, address


def test_a_program_sends_the_token_as_bearer(guarded: Served) -> None:
    bearer = {"Authorization": f"Bearer {guarded.web.token}"}
    assert get(local(guarded) + "/metrics", headers=bearer).status_code == 200


@pytest.mark.parametrize("other", ['view={"grid": 1}', "a b=c", "once", "=x", "ort=Köln"])
def test_cookies_of_other_programs_on_the_machine_hide_no_token(guarded: Served, other: str) -> None:
    """A browser sends all of a host's to each of its ports."""
    cookies = f"{other}; chromo_token={guarded.web.token}".encode()
    assert get(local(guarded) + "/api/case", headers=[(b"Cookie", cookies)]).status_code == 200


def test_an_old_cookie_hides_no_bearer(guarded: Served) -> None:
    headers = {"Authorization": f"Bearer {guarded.web.token}", "Cookie": "chromo_token=old"}
    assert get(local(guarded) + "/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "ä", "x" * 5000])
def test_a_wrong_token_is_refused(guarded: Served, token: str) -> None:
    answer = get(local(guarded) + "/", params={"token": token})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_name_that_is_not_this_machines_is_refused_even_with_the_token(guarded: Served) -> None:
    headers = {"Authorization": f"Bearer {guarded.web.token}", "Host": "evil.example"}
    assert get(local(guarded) + "/api/case", headers=headers).status_code == 421


def test_tokens_differ_and_are_long(tmp_path: Path) -> None:
    tokens = set()
    for k in range(2):
        with serving(tmp_path / str(k), "0.0.0.0") as served:
            tokens.add(served.web.token)
    assert len(tokens) == 2
    assert all(len(t or "") >= 32 for t in tokens)


def test_a_body_too_large_is_refused(open_server: Served) -> None:
    body = b"{" + b" " * MOST_BODY_BYTES + b"}"
    answer = post(open_server.base + "/api/capture", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_body_of_unknown_length_is_refused(open_server: Served) -> None:
    answer = post(
        open_server.base + "/api/capture", content=iter([b"{}"]), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


def test_what_every_answer_says(open_server: Served) -> None:
    headers = get(open_server.base + "/").headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    ["/app/../server.py", "/app/..%2fserver.py", "/app//etc/passwd", "/../../etc/passwd", "/api/bands/..%2f", "/app/"],
)
def test_no_path_reaches_the_disk(open_server: Served, path: str) -> None:
    host, port = "127.0.0.1", port_of(open_server)
    answer = get(httpx.URL(scheme="http", host=host, port=port, raw_path=path.encode()))
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_a_taken_port_is_one_line_that_says_what_to_do(open_server: Served) -> None:
    with pytest.raises(ConfigError, match="choose another"):
        WebServer(lambda *_: None, "127.0.0.1", port_of(open_server))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("host", ["microscope\0", "ü..lab"])
def test_what_is_no_name_is_one_line(host: str) -> None:
    with pytest.raises(ConfigError, match="expected an address or a name for --host"):
        WebServer(lambda *_: None, host)  # type: ignore[arg-type,return-value]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_every_network_is_ipv4s_too(tmp_path: Path) -> None:
    """Whose addresses are printed."""
    with serving(tmp_path, "::") as served:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port_of(served))).close()


def test_no_address_is_not_every_network() -> None:
    with pytest.raises(ConfigError, match="expected an address for --host, got none"):
        WebServer(lambda *_: None, "")  # type: ignore[arg-type,return-value]


def test_connections_that_say_nothing_do_not_keep_the_desk_shut(open_server: Served) -> None:
    """They are cut off, and the places they took are free again; one that says a little at a time likewise."""
    where = ("127.0.0.1", port_of(open_server))
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(where, PATIENCE_S)) for _ in range(70)]
        silent[0].sendall(b"GET / HT")
        silent[1].sendall(b"POST /api/capture HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        for one in silent:
            with suppress(ConnectionResetError):
                while one.recv(4096):
                    pass
        assert get(open_server.base + "/").status_code == 200


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", "LocalProtocolError"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "Invalid HTTP request"),
    ],
)
def test_what_cannot_be_read_is_one_line_in_the_log(
    open_server: Served, caplog: pytest.LogCaptureFixture, sent: str, said: str
) -> None:
    caplog.set_level(logging.WARNING)
    with socket.create_connection(("127.0.0.1", port_of(open_server)), PATIENCE_S) as raw:
        raw.sendall(sent.encode())
        deadline_s = time.monotonic() + PATIENCE_S
        while said not in caplog.text and time.monotonic() < deadline_s:
            time.sleep(0.02)
    assert said in caplog.text
    assert "Traceback" not in caplog.text
    for record in caplog.records:
        assert record.levelno == logging.WARNING
        assert record.getMessage().startswith("live page: ")
        assert "\n" not in record.getMessage()


def test_a_client_that_leaves_amid_its_body_is_nobodys_fault(
    open_server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    head = (
        "POST /api/capture HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port_of(open_server)), PATIENCE_S) as raw:
        raw.sendall(f"{head}{{".encode())
    time.sleep(0.3)
    assert get(open_server.base + "/").status_code == 200
    assert caplog.records == []
