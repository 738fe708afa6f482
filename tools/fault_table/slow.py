"""A slow network between a page client and the server: a relay that hands on so many bytes a second."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

_PIECE_S = 0.05


class SlowLink:
    """Relays connections to the server at ``base``. What the server says passes at ``bytes_per_s`` after the first 8
    kB, which pass at once. At 0 nothing more passes."""

    def __init__(self, base: str, bytes_per_s: float) -> None:
        self._server = (urlsplit(base).hostname, urlsplit(base).port)
        self._bytes_per_s = bytes_per_s
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/live"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> SlowLink:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()
                threading.Thread(target=self._forth, args=(client, server), daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while said := client.recv(4096):
                server.sendall(said)
        for one in (server, client):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        quick = 8192
        with suppress(OSError), server, client:
            while not self._ended.is_set():
                if quick <= 0 and not self._bytes_per_s:
                    time.sleep(_PIECE_S)
                    continue
                piece = server.recv(4096 if quick > 0 else max(1, int(self._bytes_per_s * _PIECE_S)))
                if not piece:
                    return
                client.sendall(piece)
                if quick <= 0:
                    time.sleep(len(piece) / self._bytes_per_s)
                quick -= len(piece)
