"""Bad clients in a process of their own: ``python -m fault_table.storm KIND ADDRESS AMOUNT SEED``.

``clients``: so many page clients at once, ``silent``: so many connections that say nothing, ``fuzz``: so many random
inputs. Prints an empty line when it begins and a JSON object of what it met when it is done.
"""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

HELD_S = 8.0
BROKEN_S = 0.15
"""How long a broken input is given to be answered: after half of one the server rightly waits for the rest."""
SHAKE = (
    b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSED = b"\x88"
"""The first byte of the frame by which a server closes; the page reads the reason in it."""
LEAVING = b"\x88\x80abcd"
"""A client's closing frame, so that the server need not wait for more; ``LAST`` is the same over HTTP."""
LAST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
PATHS = (b"/", b"/api/case", b"/api/capture", b"/api/cells/1/edit", b"/api/cells/1", b"/api/cells/1/undo", b"/healthz")
EDITS = ("relabel", "flip", "exclude", "mark", "split", "join", "draw", "accept", "restore", "undo", "")


def clients(where: tuple[str, int], base: str, amount: int) -> dict[str, object]:
    """Page clients: each asks for the page, then for the socket, and stays for a while."""
    answers: Counter[str] = Counter()

    def one() -> None:
        try:
            with socket.create_connection(where, 20) as line:
                line.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                answers[f"page {line.recv(12)[9:].decode()}"] += 1
            with socket.create_connection(where, 20) as line:
                line.sendall(SHAKE)
                said = line.recv(4096)
                while not (first := said.partition(b"\r\n\r\n")[2]) and (piece := line.recv(4096)):
                    said += piece
                answers["socket refused" if first[:1] == CLOSED else "socket let in"] += 1
                if first[:1] != CLOSED:
                    time.sleep(2.0)
        except OSError as error:
            answers[type(error).__name__] += 1

    threads = [threading.Thread(target=one, daemon=True) for _ in range(amount)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return {"failed": answers["page 500"], "at most 8 pages are let in": _met(answers, "socket refused")}


def _met(answers: Counter[str], what: str) -> str:
    return "the others are refused" if answers[what] else "NONE WAS REFUSED"


def silent(where: tuple[str, int], base: str, amount: int) -> dict[str, object]:
    """Connections that are opened and then say nothing; reports whether the desk works meanwhile."""
    held = []
    for _ in range(amount):
        with suppress(OSError):
            held.append(socket.create_connection(where, 5))
    time.sleep(HELD_S)
    codes = set()
    with suppress(httpx.HTTPError):
        codes.add(httpx.get(base + "/healthz", timeout=20).status_code)
    for one in held:
        one.close()
    return {f"the desk after {HELD_S:g} s of it": "is open" if codes & {200} else f"ANSWERS {sorted(codes)}"}


def fuzz(where: tuple[str, int], base: str, amount: int, rng: random.Random) -> dict[str, object]:
    """Random inputs: on each connection some that the server answers and goes on after, then one that may break it off.
    What follows a broken one is never looked at, and would not count."""
    tried = failed = answered = asked = 0
    while tried < amount:
        number = rng.randrange(1, 10)
        over_socket = rng.random() < 0.5
        tried += number + 1
        said = b""
        try:
            with socket.create_connection(where, 10) as line:
                line.settimeout(20.0)
                if over_socket:
                    line.sendall(SHAKE)
                    line.recv(4096)
                    line.sendall(b"".join(_harmless(rng) for _ in range(number)) + _message(rng) + LEAVING)
                else:
                    asked += number
                    line.sendall(b"".join(_edit(rng) for _ in range(number)))
                    while said.count(b"HTTP/1.1 ") < number and (piece := line.recv(65536)):
                        said += piece
                    answered += min(number, said.count(b"HTTP/1.1 "))
                    line.sendall(_broken(rng) + LAST)
                line.settimeout(BROKEN_S)
                until_s = time.monotonic() + BROKEN_S
                while time.monotonic() < until_s and (piece := line.recv(65536)):
                    said += piece
        except OSError:
            pass  # to cut off, or to leave open, is an answer too
        failed += said.count(b"HTTP/1.1 500")
    told = "all" if answered >= asked else f"{answered} OF {asked}"
    return {"failed": failed, "well-formed requests answered": told}


def _edit(rng: random.Random) -> bytes:
    """A request for an edit with a strange body: answered, and the connection goes on."""
    body, path = _body(rng), rng.choice(PATHS[2:6])
    head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (path, len(body)) + body


def _harmless(rng: random.Random) -> bytes:
    """A sound frame with an object of random values: the server goes on after it."""
    said = {key: _value(rng) for key in _some(rng, ("shown", "drawn", "now", "x"))}
    text = json.dumps(said).encode()
    return _framed(0x81, text if len(text) <= 120 else b"{}")


def _broken(rng: random.Random) -> bytes:
    """A malformed request."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 300))
    if kind == 1:
        return b"GET " + rng.randbytes(rng.randrange(1, 60)) + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    if kind == 2:
        length = rng.choice((b"-1", b"99999999999", b"1e3", b"0x10", b"", b"+5"))
        return b"POST /api/capture HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + length + b"\r\n\r\nx"
    if kind == 3:
        return b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * rng.randrange(100_000) + b"\r\n\r\n"
    whole = bytearray(
        b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: a=b\r\nOrigin: http://x\r\n\r\n" % rng.choice(PATHS)
    )
    for _ in range(rng.randrange(1, 6)):
        whole[rng.randrange(len(whole))] = rng.randrange(256)
    return bytes(whole) if kind == 4 else bytes(whole[: rng.randrange(len(whole))])


def _body(rng: random.Random) -> bytes:
    change = {"edit": rng.choice(EDITS), **{key: _value(rng) for key in _some(rng, ("chromosome", "label", "line"))}}
    change |= {key: _value(rng) for key in _some(rng, ("chromosomes", "kind", "revision", "parts", "whole", "mask"))}
    asked = {"actor": rng.choice(("fuzz", _value(rng))), "based_on": rng.choice((0, 0, _value(rng)))}
    asked["change"] = rng.choice((change, change, change, _value(rng)))
    said = json.dumps(asked).encode()
    if rng.random() < 0.2:
        cut = rng.randrange(len(said))
        said = said[:cut] + rng.randbytes(3) + said[cut:]
    return said


def _some(rng: random.Random, keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if rng.random() < 0.5]


def _value(rng: random.Random, depth: int = 0) -> object:
    if depth < 3 and rng.random() < 0.3:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return rng.choice(
        (
            *(None, True, -1, 0, 1, 2, 3, 10**30, -(2**63), 1e308, float("nan"), float("inf")),
            *("", "1", "X", "23", "\u0000", "\ud800", "marker", "x" * 2000, {}, {"a": []}, [[1, 2], [30, 40]]),
        )
    )


def _message(rng: random.Random) -> bytes:
    """A WebSocket frame, masked as a client's has to be, or bytes that are no frame."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(1, 200))
    body = rng.choice(
        (
            rng.randbytes(rng.randrange(0, 200)),
            json.dumps({rng.choice(("shown", "drawn", "now", "x")): _value(rng)}).encode(),
            json.dumps(_value(rng)).encode(),
            b"[" * rng.randrange(4000),
        )
    )
    first = rng.choice((0x81, 0x81, 0x81, 0x82, 0x01, 0x80, 0x88, 0x89, 0x8A, 0xF1, rng.randrange(256)))
    return _framed(first, body)


def _framed(first: int, body: bytes) -> bytes:
    mask = os.urandom(4)
    length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + struct.pack(">H", len(body))
    return bytes([first]) + length + mask + bytes(byte ^ mask[k % 4] for k, byte in enumerate(body))


def main() -> None:
    kind, base, amount, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    address = urlsplit(base)
    where = (str(address.hostname), int(address.port or 80))
    print(flush=True)
    if kind == "fuzz":
        told = fuzz(where, base, amount, random.Random(seed))
    else:
        told = (clients if kind == "clients" else silent)(where, base, amount)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
