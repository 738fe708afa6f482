"""Stored frames: pictures, folders of pictures, videos."""

from __future__ import annotations

import logging
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from edge.camera.decoding import check_is_file, check_size, decode, said
from edge.errors import FrameError
from edge.records import NOMINAL_UM_PER_PX, Frame, UInt8Array

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".m4v", ".webm", ".mjpeg", ".mjpg"})
_log = logging.getLogger(__name__)


def list_frames(path: Path) -> list[Path]:
    """The picture files that ``path`` stands for: a file as given, a folder as its pictures sorted by name.

    Folders are not searched in depth; hidden files are passed over. Raises ``FrameError`` for a path that does not
    exist and for a folder that holds no picture or cannot be listed.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as why:  # ValueError: a zero byte in the name
        raise FrameError(
            f"{path}: expected a picture or a folder of pictures, found nothing ({said(why)}); check the path"
        ) from why
    if stat.S_ISDIR(mode):
        return _pictures_in(path)
    check_is_file(path, mode)
    return [path]


def is_of_file(source: str) -> bool:
    """Whether a frame of this ``source`` was stored, and no camera's: when it was taken is not known then."""
    return Path(source).suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES


def _pictures_in(folder: Path) -> list[Path]:
    try:
        inside = sorted(folder.iterdir())
        named = [path for path in inside if path.suffix.lower() in PICTURE_SUFFIXES and path.name[0] != "."]
        pictures = [path for path in named if not path.is_dir()]  # a link that leads nowhere was meant to be a frame
    except OSError as why:
        raise FrameError(f"{folder}: cannot be listed ({why.strerror}); check its permissions") from why
    if not pictures:
        raise FrameError(
            f"{folder}: expected pictures (PNG, JPEG, TIFF, WebP, BMP), found none among {len(inside)} entries; "
            "name the folder that holds the frames themselves"
        )
    return pictures


def read_frame(path: Path, index: int = 0, um_per_px: float = NOMINAL_UM_PER_PX) -> Frame:
    """The picture at ``path`` as a grey frame; ``source`` is its file name.

    8-bit grey levels come through unchanged; colour becomes luma, or where one channel alone carries signal that
    channel; transparency is laid on white (the bright field); deeper pictures are scaled to 8 bit
    (``pixels.to_8_bit``); of several pages the largest is read, where one is. Orientation tags are not applied: boxes
    are in the pixels as they are stored. An all-black frame is a frame. Raises ``FrameError``, one line, for everything
    that is not a readable picture of a usable size.
    """
    return Frame(decode(path), index, time.monotonic(), path.name, um_per_px)


class FolderCamera:
    """Replays stored frames as if a camera gave them: a folder of pictures, one picture, or a video file.

    They come as fast as they are taken. A picture that cannot be read is logged as a warning and passed over, because a
    replay should not stop at one bad file; ``FrameError`` is raised at once for a path that holds no frames at all, and
    at the end where none could be read.
    """

    def __init__(self, path: Path, *, um_per_px: float = NOMINAL_UM_PER_PX) -> None:
        self.name = path.name or str(path)
        self._is_video = path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()
        self._paths = list_frames(path)
        self._um_per_px = um_per_px
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        index = 0
        for pixels, source in self._video() if self._is_video else self._pictures():
            if self._closed.is_set():
                return
            yield Frame(pixels, index, time.monotonic(), source, self._um_per_px)
            index += 1
        if not index and not self._closed.is_set():
            raise FrameError(
                f"{self.name}: none of its {len(self._paths)} files could be read as a frame; the warnings say why"
            )

    def close(self) -> None:
        self._closed.set()

    def _pictures(self) -> Iterator[tuple[UInt8Array, str]]:
        for path in self._paths:
            try:
                pixels = decode(path)
            except FrameError as why:
                _log.warning("skipped: %s", why)
                continue
            yield pixels, path.name

    def _video(self) -> Iterator[tuple[UInt8Array, str]]:
        from edge.camera.opencv import grey_of, open_video  # kept out of the import of this module: half a second

        (path,) = self._paths
        capture = open_video(path)
        try:
            while not self._closed.is_set():
                ok, image = capture.read()
                if not ok:
                    return
                pixels = grey_of(image)
                check_size(path, pixels.shape[1], pixels.shape[0])
                yield pixels, path.name
        finally:
            capture.release()
