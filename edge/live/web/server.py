"""The server in a thread of its own, beside the live loop."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import socket
import struct
import threading

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from edge.errors import ConfigError
from edge.live.web.guard import Guard, is_loopback, new_token
from edge.logs import OneLine

DEFAULT_PORT = 8765
_START_S = 30.0
_UNFINISHED_S = 3.0
"""A connection is cut when its request is not there whole after this long, or at the latest after twice this."""
_MOST_SOCKET_BYTES = 4096
"""The largest message from a page, which only ever tells the time and which frame it has shown."""
_SIOCGIFADDR = 0x8915
"""linux/sockios.h: an interface's address."""
_LIBRARIES = ("uvicorn.error", "asyncio")
"""Loggers that tell what a client sent wrong."""
_ONE_LINE = OneLine("live page", logging.getLogger(__name__))


class WebServer:
    """Serves ``app`` at ``host`` and ``port`` from when it is made until ``close``.

    ``port`` None is the usual one, or any free one if that is taken; 0 is any free one. ``token`` is asked for on
    any address but loopback; None makes a new one. Raises ``ConfigError`` for an address that cannot be served.
    """

    def __init__(
        self, app: ASGIApp, host: str = "127.0.0.1", port: int | None = None, token: str | None = None
    ) -> None:
        self.token = None if is_loopback(host) else token or new_token()
        self._socket = _listen(host, port)
        self._host = host
        self._port = int(self._socket.getsockname()[1])
        for library in _LIBRARIES:
            logging.getLogger(library).addFilter(_ONE_LINE)
        config = uvicorn.Config(
            Guard(app, host, self.token),
            log_level=logging.WARNING,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=_Impatient,
            ws="websockets-sansio",
            ws_max_size=_MOST_SOCKET_BYTES,
            ws_per_message_deflate=False,  # pictures are compressed already
            limit_concurrency=64,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="web", daemon=True)
        self._thread.start()
        self._wait_until_started()

    @property
    def address(self) -> str:
        """What to open in a browser, with the token where one is asked for."""
        return self.addresses[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        """All that lead here; if every network is served: this machine's name, its mDNS name, its IP addresses."""
        names = (f"[{self._host}]" if ":" in self._host else self._host,)
        if self._host in ("0.0.0.0", "::"):
            name = socket.gethostname()
            names = (name, *(() if "." in name else (f"{name}.local",)), *_own_addresses())
        query = "" if self.token is None else f"?token={self.token}"
        return tuple(f"http://{name}:{self._port}/{query}" for name in names)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(5.0)
        self._socket.close()

    def _wait_until_started(self) -> None:
        pause = threading.Event()
        waited_s = 0.0
        while not self._server.started:
            if not self._thread.is_alive() or waited_s > _START_S:
                self.close()
                raise ConfigError(f"the live page could not start at {self._host}; use --headless to run without it")
            pause.wait(0.02)
            waited_s += 0.02


class _Impatient(H11Protocol):
    """Cuts off who connects and does not finish a request: such connections take the places of those that work."""

    _seen: tuple[RequestResponseCycle | None, object] | None = None
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        if self._seen is not None and self not in self.connections:
            return  # it has become a socket
        before, self._seen = self._seen, (self.cycle, self.conn.their_state)
        if self._seen == before and self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self.transport.abort()
        else:
            self._look = self.loop.call_later(_UNFINISHED_S, self._look_again)


def _own_addresses() -> list[str]:
    """The IPv4 address of each of this machine's interfaces but loopback; the names need somebody who resolves them."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:  # one without an address
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in found if not is_loopback(address)]


def check_host(host: str) -> None:
    """``ConfigError`` for an empty word, which the system takes for every network, and for what can be no name."""
    if not host:
        raise ConfigError(
            "expected an address for --host, got none; 127.0.0.1 is this board alone, 0.0.0.0 every network"
        )
    try:
        sound = "\0" not in host and host.encode("idna")
    except UnicodeError:
        sound = False
    if not sound:
        raise ConfigError(f"expected an address or a name for --host, as 192.168.1.5, got {host!r}")


def _listen(host: str, port: int | None) -> socket.socket:
    check_host(host)
    tries = [DEFAULT_PORT, 0] if port is None else [port]
    for wanted in tries:
        try:
            return socket.create_server(
                (host, wanted),
                family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),  # every network, IPv4's addresses, too
            )
        except OSError as error:
            why = error
    at = host if port is None else f"{host} port {port}"
    raise ConfigError(f"cannot serve the live page at {at}: {why}; choose another --host or --port")
