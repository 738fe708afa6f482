"""The addresses that the server answers, and nothing else: no path of a request ever reaches the disk."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from importlib import resources
from typing import IO, Any, TypeVar, get_args

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from edge.bands import Resolution, centromere, load_bands
from edge.cases.codec import Json
from edge.errors import CapturedBefore, CaseNotFound, ChromoError, EditConflict, EditRefused, StoreError
from edge.live.web.desk import FORMS, Desk
from edge.live.web.hub import Hub
from edge.live.web.messages import cell_message
from edge.runtime.guarded import acceleration
from edge.text import one_line

_log = logging.getLogger(__name__)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}
_HEAD_EVERY_S = 1.0
_PIECE_BYTES = 1 << 20
_RESOLUTIONS = get_args(Resolution)
_SAID = {str: "text", int: "a whole number", dict: "an object"}
"""The kinds of JSON values, in words."""
T = TypeVar("T")


class _Number(IntegerConvertor):
    regex = "[0-9]{1,18}"  # as large as SQLite's rows may be numbered; Python reads no number of 5,000 digits


register_url_convertor("number", _Number())


def make_app(hub: Hub, desk: Desk) -> Starlette:
    """The application over the live ``hub`` and the ``desk``; who may use it is ``edge.live.web.guard``'s concern."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(hub.run()), asyncio.create_task(_follow_store(hub, desk))]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    pages = _Pages(hub, desk)
    routes = [
        Route("/", pages.index),
        *(Route(f"/app/{name}", pages.static(name)) for name in static_files()),
        WebSocketRoute("/live", pages.live),
        Route("/api/case", pages.case),
        Route("/api/case/open", pages.open, methods=["POST"]),
        Route("/api/case/export", pages.export, methods=["POST"]),
        Route("/api/capture", pages.capture, methods=["POST"]),
        Route("/api/cells/{id:number}", pages.cell),
        Route("/api/cells/{id:number}/edit", pages.edit, methods=["POST"]),
        Route("/api/cells/{id:number}/undo", pages.undo, methods=["POST"]),
        Route("/api/cells/{id:number}/redo", pages.redo, methods=["POST"]),
        Route("/api/cells/{id:number}/picture.png", pages.picture),
        Route("/api/cells/{id:number}/cutouts/{chromosome:number}.png", pages.cutout),
        Route("/api/bands/{resolution:number}", pages.bands),
        Route("/healthz", pages.health),
        Route("/metrics", pages.metrics),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={ChromoError: _error_response})


@cache
def static_files() -> dict[str, bytes]:
    """Everything that the page is made of, by name."""
    folder = resources.files("edge.live.web").joinpath("static")
    return {item.name: item.read_bytes() for item in folder.iterdir() if _type_of(item.name)}


class _Pages:
    def __init__(self, hub: Hub, desk: Desk) -> None:
        self._hub = hub
        self._desk = desk

    async def index(self, _: Request) -> Response:
        return Response(static_files()["index.html"], media_type="text/html")

    def static(self, name: str) -> Callable[[Request], Any]:
        async def send(_: Request) -> Response:
            return Response(static_files()[name], media_type=_type_of(name))

        return send

    async def live(self, socket: WebSocket) -> None:
        await self._hub.serve(socket)

    async def case(self, _: Request) -> Response:
        return await self._json(self._desk.case)

    async def open(self, request: Request) -> Response:
        asked = await _body(request)
        name, actor = _field(asked, "name", str, "the case to open"), _actor(asked)
        return await self._changed(lambda: self._desk.open(name, actor))

    async def export(self, request: Request) -> Response:
        asked = await _body(request)
        actor, form, shown = _actor(asked), asked.get("form"), _shown(asked)
        file = await run_in_threadpool(lambda: self._desk.export(form, actor, shown))
        return StreamingResponse(_pieces(file), media_type=FORMS[str(form)])

    async def capture(self, request: Request) -> Response:
        asked = await _body(request)
        return await self._changed(lambda: self._desk.capture(_actor(asked), _shown(asked), _scene(asked)), 201)

    async def cell(self, request: Request) -> Response:
        actor = request.query_params.get("actor", "")
        return await self._json(lambda: self._desk.cell(request.path_params["id"], actor))

    async def edit(self, request: Request) -> Response:
        asked = await _body(request)
        change = _field(asked, "change", dict, "the edit to make")
        id, based_on, actor = request.path_params["id"], _revision(asked), _actor(asked)
        return await self._changed(lambda: self._desk.edit(id, change, based_on=based_on, actor=actor))

    async def undo(self, request: Request) -> Response:
        return await self._turned(request, self._desk.undo)

    async def redo(self, request: Request) -> Response:
        return await self._turned(request, self._desk.redo)

    async def picture(self, request: Request) -> Response:
        png = await run_in_threadpool(self._desk.picture, request.path_params["id"])
        return Response(png, media_type="image/png", headers=_KEPT)

    async def cutout(self, request: Request) -> Response:
        ids = request.path_params
        png = await run_in_threadpool(self._desk.cutout, ids["id"], ids["chromosome"])
        return Response(png, media_type="image/png", headers=_KEPT)

    async def bands(self, request: Request) -> Response:
        resolution = request.path_params["resolution"]
        if resolution not in _RESOLUTIONS:
            raise CaseNotFound(f"bands are known at {', '.join(map(str, _RESOLUTIONS))}; got {resolution}")
        return JSONResponse(_bands(resolution), headers=_KEPT)

    async def health(self, _: Request) -> Response:
        fault, unkept = self._hub.fault, self._hub.unkept
        ok = not fault and not unkept
        return JSONResponse({"ok": ok, "fault": fault, "unkept": unkept}, 200 if ok else 503)

    async def metrics(self, _: Request) -> Response:
        fault, unkept = bool(self._hub.fault), bool(self._hub.unkept)
        clients = self._hub.clients
        text = self._hub.metrics.text(clients=clients, fault=fault, unkept=unkept, computed=acceleration())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def _turned(self, request: Request, turn: Callable[..., Json]) -> Response:
        asked = await _body(request)
        id, based_on, actor = request.path_params["id"], _revision(asked), _actor(asked)
        return await self._changed(lambda: turn(id, based_on=based_on, actor=actor))

    async def _json(self, ask: Callable[[], Json]) -> Response:
        return JSONResponse(await run_in_threadpool(ask))

    async def _changed(self, ask: Callable[[], Json], status: int = 200) -> Response:
        answer = await run_in_threadpool(ask)
        with suppress(StoreError):  # it is done; the pages hear of it a moment later
            self._hub.tell({"type": "case", **await run_in_threadpool(lambda: self._desk.now)})
        return JSONResponse(answer, status)


async def _follow_store(hub: Hub, desk: Desk) -> None:
    """Tells the pages when somebody else changed the store, another page's server or the command line, when the day
    changed the case, and while nothing can be kept."""
    known: Json = {}
    while True:
        unkept = one_line(await run_in_threadpool(lambda: desk.unkept))
        if unkept and not hub.unkept:
            _log.warning("nothing can be captured: %s; labelling goes on", unkept)
        elif hub.unkept and not unkept:
            _log.warning("cells can be captured again")
        hub.unkept = unkept
        with suppress(StoreError):  # whoever asks the store is told; the next moment may be better
            now = await run_in_threadpool(lambda: desk.now)
            if now != known:
                known = now
                hub.tell({"type": "case", **now})
        await asyncio.sleep(_HEAD_EVERY_S)


async def _error_response(request: Request, error: Exception) -> Response:
    """A failure as JSON; a conflict and a second capture come with the cell as it is now."""
    answer: Json = {"error": one_line(error)}
    if isinstance(error, EditConflict):
        answer["cell"] = cell_message(error.newer, "")
    elif isinstance(error, CapturedBefore):
        answer["error"] += "; move on, or open it with K"
        answer["cell"] = cell_message(error.cell, "")
    statuses = ((EditConflict, 409), (CapturedBefore, 409), (EditRefused, 422), (CaseNotFound, 404))
    status = next((status for kind, status in statuses if isinstance(error, kind)), 500)
    return JSONResponse(answer, status)


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise EditRefused("expected a body of application/json")
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError) as why:
        raise EditRefused("the body is not JSON") from why
    except ClientDisconnect as why:
        raise EditRefused("the connection ended before the body did") from why
    if not isinstance(asked, dict):
        raise EditRefused("expected a JSON object")
    return asked


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _field(asked: Json, name: str, kind: type[T], what: str) -> T:
    """``what`` a page gives as ``name``. Raises ``EditRefused`` where that is not of its ``kind``."""
    given = asked.get(name)
    if not isinstance(given, kind) or isinstance(given, bool):
        raise EditRefused(f"expected {what} as '{name}', {_SAID[kind]}")
    return given


def _actor(asked: Json) -> str:
    return _field(asked, "actor", str, "the name of who does this")


def _revision(asked: Json) -> int:
    return _field(asked, "based_on", int, "the number of the last edit that you saw")


def _shown(asked: Json) -> str | None:
    """The case that the page shows, where it says so."""
    return None if asked.get("case") is None else _field(asked, "case", str, "the case that the page shows")


def _scene(asked: Json) -> int | None:
    """The scene whose labels the page shows, where it says so."""
    return None if asked.get("scene") is None else _field(asked, "scene", int, "the scene that the page shows")


@cache
def _bands(resolution: Any) -> Json:
    """For each label where its arms meet, and ``[name, start, stop, stain, density]`` of its bands from the p end."""
    return {
        label: {
            "centromere": centromere(bands),
            "bands": [[b.name, b.start, b.stop, b.stain, b.density] for b in bands],
        }
        for label, bands in load_bands(resolution).items()
    }


def _type_of(name: str) -> str | None:
    return next((kind for end, kind in _TYPES.items() if name.endswith(end)), None)
