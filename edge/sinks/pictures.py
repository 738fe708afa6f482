"""Folders of pictures, one PNG a frame: the overlay and the karyogram."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image, PngImagePlugin

from edge.cell.karyogram import draw_karyogram
from edge.cell.overlay import draw_overlay
from edge.errors import SinkError
from edge.records import Cell, Frame, UInt8Array
from edge.sinks.files import writable_folder, write_bytes
from edge.text import software

Draw = Callable[[Frame, Cell], UInt8Array]


class PictureSink:
    """Writes ``draw(frame, cell)``, RGB, as ``<stem>.png`` into ``folder``.

    Within a run no picture replaces another: where a stem is taken (the same file name in two folders, the frames of
    one camera) the name is ``<stem>-<index>.png``, with the ``index`` of the frame's JSON line. Pictures of an earlier
    run, which name this program inside, are replaced; for any other picture in the way ``put`` raises ``SinkError``.
    Making the sink raises it when the folder cannot be written.
    """

    def __init__(self, folder: Path, draw: Draw) -> None:
        self._folder = writable_folder(folder)
        self._draw = draw
        self._taken: set[str] = set()

    def put(self, frame: Frame, cell: Cell) -> None:
        path = self._folder / f"{self._name_for(frame)}.png"
        if path.is_file() and not _is_own(path):
            raise SinkError(
                f"cannot write {path}: a picture that chromo-edge did not make is there; name another folder"
            )
        made_by = PngImagePlugin.PngInfo()
        made_by.add_text("Software", software())
        buffer = io.BytesIO()
        Image.fromarray(self._draw(frame, cell)).save(buffer, format="PNG", pnginfo=made_by)
        write_bytes(path, buffer.getvalue())

    def close(self) -> None:
        pass

    def _name_for(self, frame: Frame) -> str:
        name = Path(frame.source).stem or "frame"
        while name.casefold() in self._taken:  # folded: some file systems do not tell a.png from A.png
            name = f"{name}-{frame.index}"
        self._taken.add(name.casefold())
        return name


def _is_own(path: Path) -> bool:
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            return str(picture.info.get("Software", "")).startswith("chromo-edge")
    except Exception:  # whatever it is, it is not one of ours
        return False


def overlay_sink(folder: Path) -> PictureSink:
    return PictureSink(folder, draw_overlay)


def karyogram_sink(folder: Path) -> PictureSink:
    return PictureSink(folder, lambda _, cell: draw_karyogram(cell))
