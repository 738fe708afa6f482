"""Stored frames: pictures, folders of pictures, videos."""

from __future__ import annotations

import logging
import stat
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from edge.errors import FrameError
from edge.records import NOMINAL_UM_PER_PX, Frame, UInt8Array

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".m4v", ".webm", ".mjpeg", ".mjpg"})
MIN_SIDE_PX = 64
"""A small acrocentric is about 25 px long; a frame smaller than this holds no cell."""
MAX_PIXELS = 50_000_000
"""Twice the largest camera in use; more would only exhaust a small board's memory."""

_SAMPLE_FORMAT = 339
"""TIFF's tag: 1 is unsigned, 2 signed, 3 float."""
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_EXPECTED = "expected a picture (PNG, JPEG, TIFF, WebP or BMP)"
_log = logging.getLogger(__name__)


def list_frames(paths: Sequence[Path]) -> list[Path]:
    """Picture files that ``paths`` stand for, in order: files as given, folders as their pictures sorted by name.

    Folders are not searched in depth; hidden files are passed over. Raises ``FrameError`` for a path that does not
    exist and for a folder that holds no picture or cannot be listed.
    """
    found: list[Path] = []
    for path in paths:
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError) as why:  # ValueError: a zero byte in the name
            raise FrameError(
                f"{path}: expected a picture or a folder of pictures, found nothing ({_why(why)}); check the path"
            ) from why
        if stat.S_ISDIR(mode):
            found += _pictures_in(path)
        else:
            _check_is_file(path, mode)
            found.append(path)
    return found


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

    8-bit grey levels come through unchanged; colour becomes luma, transparency is laid on white (the bright field),
    deeper pictures are scaled to 8 bit (``to_8_bit``); of several pages the first is read. Orientation tags are not
    applied: microscope cameras write none. An all-black frame is a frame. Raises ``FrameError``, one line, for
    everything that is not a readable picture of a usable size.
    """
    return Frame(_decode(path), index, time.monotonic(), path.name, um_per_px)


def to_8_bit(levels: np.ndarray) -> UInt8Array:
    """Deep grey levels (H, W) as uint8: 0 stays 0 and the 99.9th percentile becomes 255.

    Keeping zero in place keeps ratios, so absorbance (Beer-Lambert) survives; taking the range from the picture
    itself serves 10-, 12- and 16-bit cameras alike. Levels that already fit into 8 bits are left as they are, so that
    a black frame is not blown up into noise.
    """
    finite = np.nan_to_num(np.asarray(levels, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    white = float(np.percentile(finite, 99.9))
    if white > 255 or (0 < white <= 1.0 and np.issubdtype(levels.dtype, np.floating)):
        finite = finite * np.float32(255 / white)
    return np.clip(np.rint(finite), 0, 255).astype(np.uint8)


def check_size(name: object, width_px: int, height_px: int) -> None:
    """Raises ``FrameError`` for a frame too small to hold a cell or too large to decode."""
    if min(width_px, height_px) < MIN_SIDE_PX:
        raise FrameError(
            f"{name}: expected at least {MIN_SIDE_PX} px a side, got {width_px} x {height_px} px; "
            "give the whole metaphase frame, not a cut-out"
        )
    if width_px * height_px > MAX_PIXELS:
        raise FrameError(
            f"{name}: expected at most {MAX_PIXELS // 1_000_000} megapixels, got {width_px} x {height_px} px; "
            "crop the frame to one metaphase"
        )


def _check_is_file(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):  # a pipe would be waited for until somebody writes
        raise FrameError(f"{path}: {_EXPECTED}, got a folder, a device or a pipe; save the frame as a file")


def _decode(path: Path) -> UInt8Array:
    try:
        _check_is_file(path, path.stat().st_mode)
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd tags and of large pictures; what matters is checked
            head = file.read(8)
            if not head:
                raise FrameError(f"{path}: {_EXPECTED}, got an empty file; copy it again from its source")
            file.seek(0)
            with Image.open(file, formats=_FORMATS) as picture:
                check_size(path, picture.width, picture.height)
                return _grey(picture)
    except FrameError:
        raise
    except UnidentifiedImageError as why:
        raise FrameError(
            f"{path}: {_EXPECTED}, got a file that begins with {head!r}; export the frame as 8- or 16-bit grey"
        ) from why
    except Image.DecompressionBombError as why:
        raise FrameError(
            f"{path}: expected at most {MAX_PIXELS // 1_000_000} megapixels, got far more; crop it to one metaphase"
        ) from why
    except OSError as why:
        if why.strerror:
            raise FrameError(f"{path}: {_EXPECTED}, cannot open it ({why.strerror}); check the file") from why
        raise FrameError(f"{path}: {_EXPECTED}, got a damaged one ({_one_line(why)}); copy it again") from why
    except Exception as why:  # decoders meet broken files with SyntaxError, ValueError, struct.error, MemoryError ...
        raise FrameError(
            f"{path}: {_EXPECTED}, got a damaged or strange one ({_one_line(why)}); copy it again or export it as grey"
        ) from why


def _why(why: Exception) -> str:
    return getattr(why, "strerror", None) or _one_line(why)


def _one_line(why: Exception) -> str:
    return " ".join(str(why).split()) or type(why).__name__


def _grey(picture: Image.Image) -> UInt8Array:
    if picture.mode == "F" or picture.mode.startswith("I"):  # 32-bit float; 16- or 32-bit integer
        levels = np.asarray(picture)
        # Pillow reads all 32-bit integers as signed; TIFF says which they are, and means unsigned where it does not.
        unsigned = levels.dtype == np.int32 and getattr(picture, "tag_v2", {}).get(_SAMPLE_FORMAT, (1,))[0] == 1
        return to_8_bit(levels.view(np.uint32) if unsigned else levels)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return np.array(picture.convert("L"), np.uint8)


class FolderCamera:
    """Replays stored frames as if a camera gave them: a folder of pictures, one picture, or a video file.

    ``fps`` paces the replay (0: as fast as they are taken); ``loop`` starts over at the end. A picture that cannot be
    read is logged as a warning and passed over, because a replay should not stop at one bad file; ``FrameError`` is
    raised at once for a path that holds no frames at all, and at the end of a pass in which none could be read.
    """

    def __init__(
        self, path: Path, *, fps: float = 0.0, loop: bool = False, um_per_px: float = NOMINAL_UM_PER_PX
    ) -> None:
        self.name = path.name or str(path)
        self._is_video = path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()
        self._paths = list_frames([path])
        self._pause_s = 1.0 / fps if fps > 0 else 0.0
        self._loop = loop
        self._um_per_px = um_per_px
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        index = 0
        due_s = time.monotonic()
        while not self._closed.is_set():
            first = index
            for pixels, source in self._video() if self._is_video else self._pictures():
                if self._closed.wait(max(0.0, due_s - time.monotonic())):
                    return
                now_s = time.monotonic()
                due_s = max(due_s + self._pause_s, now_s)  # a slow reader does not earn a burst afterwards
                yield Frame(pixels, index, now_s, source, self._um_per_px)
                index += 1
            if index == first and not self._closed.is_set():
                raise FrameError(f"{self.name}: none of its {len(self._paths)} files could be read as a frame")
            if not self._loop:
                return

    def close(self) -> None:
        self._closed.set()

    def _pictures(self) -> Iterator[tuple[UInt8Array, str]]:
        for path in self._paths:
            try:
                pixels = _decode(path)
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
