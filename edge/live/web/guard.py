"""Who may talk to the server: everything that comes in passes here first.

On a loopback address the check of ``Host`` and ``Origin`` keeps out pages of other sites that this machine's browser
happens to show (DNS rebinding, cross-site requests and sockets). On any other address a token is asked for as well: it
stands in the address printed at the start, moves into a cookie at the first visit, and programs may send it as
``Authorization: Bearer``.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
import re
import secrets
import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

MOST_BODY_BYTES = 64 * 1024
_COOKIE = "chromo_token"
_COOKIE_S = 400 * 86400
"""As long as browsers keep a cookie: the token lasts, and so should the page that was opened with it."""
_TOKEN = re.compile(r"[\w-]{32,}")
_log = logging.getLogger(__name__)
_REFUSED_SOCKET = 1008
"""WebSocket close code: policy violation."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(address: str) -> SplitResult:
    """The parts of ``address``, all empty if it is no address."""
    try:
        return urlsplit(address)
    except ValueError:  # a bracket that does not close
        return urlsplit("")


def kept_token(path: Path) -> str:
    """The token in ``path``, so that an open page goes on after a restart. If there is none that only this user may
    read, a new one is written there; one that cannot be written serves this run alone."""
    try:
        if path.stat().st_mode & 0o077 == 0 and _TOKEN.fullmatch(kept := path.read_text(encoding="ascii").strip()):
            return kept
    except (OSError, ValueError):
        pass
    token = new_token()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with open(path, "x", encoding="ascii", opener=partial(os.open, mode=0o600)) as file:
            file.write(f"{token}\n")
    except OSError as error:
        _log.warning("cannot keep the page's token in %s (%s); the next start has another one", path, error.strerror)
    return token


def new_token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    why: str


class Guard:
    """ASGI middleware over ``app``, bound to ``host``; without ``token`` (loopback) none is asked for."""

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self._app = app
        self._token = token
        self._names = {"localhost", host.lower(), socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if scope["type"] == "websocket":
            if refusal is not None:
                await WebSocketClose(_REFUSED_SOCKET, refusal.why)(scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if self._token is not None and given and (refusal is None or refusal.status == 401):
            await self._first_visit(given, self._token)(scope, receive, send)
        elif refusal is not None:
            asked_by_page = scope["path"].startswith("/api/")
            answer = JSONResponse({"error": refusal.why}) if asked_by_page else PlainTextResponse(refusal.why + "\n")
            answer.status_code = refusal.status
            await answer(scope, receive, send)
        else:
            await self._limited(scope, headers, receive, send)

    def _refusal(self, headers: Headers) -> _Refusal | None:
        host = headers.get("host", "")
        if not self._known(host):
            return _Refusal(421, f"this server does not answer as {host!r}; use the address that it printed")
        origin = headers.get("origin")
        if origin is not None and _split(origin).netloc.lower() != host.lower():
            return _Refusal(403, "a page of another site may not talk to this server")
        if headers.get("sec-fetch-site", "same-origin") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return _Refusal(403, "a page of another site may not talk to this server")
        if self._token is not None and not self._holds_token(headers, self._token):
            return _Refusal(401, "a token is needed: open the address that chromo-edge printed when it started")
        return None

    def _known(self, host: str) -> bool:
        name = (_split(f"//{host}").hostname or "").lower()
        if self._token is None:
            return is_loopback(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True

    @staticmethod
    def _holds_token(headers: Headers, token: str) -> bool:
        # Not by SimpleCookie, which gives up at what another program on this machine has set; cookies know no port.
        cookie = cookie_parser(headers.get("cookie", "")).get(_COOKIE, "")
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        return any(hmac.compare_digest(given.encode(), token.encode()) for given in (cookie, bearer))

    @staticmethod
    def _first_visit(given: str, token: str) -> Response:
        if not hmac.compare_digest(given.encode(), token.encode()):
            return PlainTextResponse("that token is not this server's; use the address that it printed last\n", 401)
        response = RedirectResponse("/", 303)  # the token leaves the address bar and the history
        response.set_cookie(_COOKIE, token, httponly=True, samesite="strict", max_age=_COOKIE_S)
        return response

    async def _limited(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        length = headers.get("content-length", "0")
        chunked = "transfer-encoding" in headers
        if chunked or not length.isdecimal() or int(length) > MOST_BODY_BYTES:
            why = f"expected a body of known length, at most {MOST_BODY_BYTES} bytes\n"
            await PlainTextResponse(why, 413)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
