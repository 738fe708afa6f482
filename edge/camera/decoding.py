"""From a picture file to grey pixels: Pillow reads it, OpenCV colour of over 8 bits, of which Pillow keeps only 8."""

from __future__ import annotations

import ctypes
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError, _imaging

from edge.camera.pixels import WHITE_PERCENT, only_channel, to_8_bit
from edge.errors import FrameError
from edge.records import UInt8Array
from edge.text import one_line

MIN_SIDE_PX = 64
"""A small acrocentric is about 25 px long; a frame smaller than this holds no cell."""
MAX_PIXELS = 50_000_000
"""Twice the largest camera in use; more would only exhaust a small board's memory."""

MOST_BELOW_ZERO = 0.01
"""Subtracting a dark frame leaves fewer negative levels than this share; where more are negative, zero is not black."""

_BITS, _PHOTOMETRIC, _ORIENTATION, _PLANAR, _SAMPLE_FORMAT = 258, 262, 274, 284, 339
"""Numbers of TIFF tags."""
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PIXEL_BY_PIXEL, _UNSIGNED, _SIGNED = 0, 1, 2, 1, 1, 2
_STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda levels: np.rot90(levels, 2),
    4: np.flipud,
    5: np.transpose,
    6: np.rot90,
    7: lambda levels: np.rot90(levels, 2).T,
    8: lambda levels: np.rot90(levels, 3),
}
"""By the number in the orientation tag, what turns a picture that was turned by that tag back to how it is stored."""
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_EXPECTED = "expected a picture (PNG, JPEG, TIFF, WebP or BMP)"


def check_size(name: object, width_px: int, height_px: int) -> None:
    """Raises ``FrameError`` for a frame too small to hold a cell or too large to decode."""
    if min(width_px, height_px) < MIN_SIDE_PX:
        raise FrameError(
            f"{name}: expected at least {MIN_SIDE_PX} px a side, got {width_px} x {height_px} px; "
            "give the whole metaphase frame, not a cut-out"
        )
    check_not_huge(name, width_px, height_px)


def check_not_huge(name: object, width_px: int, height_px: int) -> None:
    """Raises ``FrameError`` for a picture too large to decode."""
    if width_px * height_px > MAX_PIXELS:
        raise FrameError(
            f"{name}: expected at most {MAX_PIXELS // 1_000_000} megapixels, got {width_px} x {height_px} px; "
            "crop the frame to one metaphase"
        )


def check_is_file(path: Path, mode: int) -> None:
    """Raises ``FrameError`` unless ``mode``, the ``st_mode`` of ``path``, is that of a file."""
    if not stat.S_ISREG(mode):  # a pipe would be waited for until somebody writes
        raise FrameError(f"{path}: {_EXPECTED}, got a folder, a device or a pipe; save the frame as a file")


def decode(path: Path) -> UInt8Array:
    """The picture at ``path`` as grey (H, W), as ``files.read_frame`` says. Raises ``FrameError``, one line."""
    with _frame_errors(path):
        return _in_8_bit(path, levels_in(path))


def levels_in(path: Path) -> np.ndarray:
    """The same as deep as stored: uint8, else levels for ``pixels.to_8_bit``."""
    with _frame_errors(path):
        check_is_file(path, path.stat().st_mode)
        with path.open("rb") as file:
            return _levels(path, file, check_size)


def decode_levels(name: object, content: bytes) -> np.ndarray:
    """The picture in ``content``, of a single chromosome and so of any small size, as grey (H, W) that is as deep as
    stored: uint8, else levels for ``pixels.to_8_bit``. Raises ``FrameError``, one line that begins with ``name``."""
    with _frame_errors(name):
        return _levels(name, BytesIO(content), check_not_huge)


@contextmanager
def _frame_errors(name: object) -> Iterator[None]:
    """Raises what decoding raises as ``FrameError``."""
    try:
        yield
    except FrameError:
        raise
    except Image.DecompressionBombError as why:
        raise FrameError(
            f"{name}: expected at most {MAX_PIXELS // 1_000_000} megapixels, got far more; crop it to one metaphase"
        ) from why
    except OSError as why:
        if why.strerror:
            raise FrameError(f"{name}: {_EXPECTED}, cannot open it ({why.strerror}); check the file") from why
        raise FrameError(f"{name}: {_EXPECTED}, got a damaged one ({said(why)}); copy it again") from why
    except Exception as why:  # decoders meet broken files with SyntaxError, ValueError, struct.error, MemoryError ...
        raise FrameError(
            f"{name}: {_EXPECTED}, got a damaged or strange one ({said(why)}); copy it again or export it as grey"
        ) from why


def _levels(name: object, file: IO[bytes], check: Callable[[object, int, int], None]) -> np.ndarray:
    """Grey levels (H, W), as deep as stored; ``check`` is asked about width and height before anything is decoded."""
    _silence_libtiff()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd tags and of large pictures; what matters is checked
        head = file.read(26)
        if not head:
            raise FrameError(f"{name}: {_EXPECTED}, got an empty file; copy it again from its source")
        file.seek(0)
        try:
            picture = Image.open(file, formats=_FORMATS)
        except UnidentifiedImageError as why:
            raise FrameError(
                f"{name}: {_EXPECTED}, got a file that begins with {head[:8]!r}; export it as 8- or 16-bit grey"
            ) from why
        with picture:
            _turn_to_largest(name, picture)
            check(name, picture.width, picture.height)
            if _tag(picture, _SAMPLE_FORMAT, _UNSIGNED) == _SIGNED and _tag(picture, _BITS, 1) == 8:
                raise FrameError(
                    f"{name}: expected unsigned grey levels, got signed ones of 8 bits; save it as unsigned"
                )
            return _as_stored(name, picture, file, head)


@cache
def _silence_libtiff() -> None:
    """Keeps the libtiff that Pillow reads with from writing its own lines to stderr; Pillow's error says what is wrong.
    A library's symbols are found through the module that it is linked to; where they are not, its lines stay."""
    with suppress(OSError, AttributeError):
        libtiff = ctypes.CDLL(_imaging.__file__)
        libtiff.TIFFSetErrorHandler(None)
        libtiff.TIFFSetWarningHandler(None)


def _in_8_bit(name: object, levels: np.ndarray) -> UInt8Array:
    below = float(np.mean(levels < 0))
    if below > MOST_BELOW_ZERO:
        raise FrameError(
            f"{name}: expected grey levels from 0 up, got {below:.0%} of them below it; save the frame as unsigned grey"
        )
    return levels if levels.dtype == np.uint8 else to_8_bit(levels)


def said(why: Exception) -> str:
    """The system's or the decoder's own words, in one line."""
    return getattr(why, "strerror", None) or one_line(why) or type(why).__name__


def _turn_to_largest(name: object, picture: Image.Image) -> None:
    """Go to the largest of a TIFF's pages: others are smaller, a thumbnail, a pyramid. ``FrameError`` for a stack, of
    which all but one picture would be lost."""
    pages = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    if pages == 1:
        return
    sizes = []
    for page in range(pages):
        picture.seek(page)
        sizes.append(picture.width * picture.height)
    if sizes.count(max(sizes)) > 1:
        picture.seek(sizes.index(max(sizes)))
        raise FrameError(
            f"{name}: {_EXPECTED}, got {sizes.count(max(sizes))} of {picture.width} x {picture.height} px in one file; "
            "save each as a file of its own"
        )
    picture.seek(sizes.index(max(sizes)))


def _as_stored(name: object, picture: Image.Image, file: IO[bytes], head: bytes) -> np.ndarray:
    """Grey, turned back: both decoders turn a TIFF as its orientation tag says, and no other picture."""
    turned = picture.getexif().get(_ORIENTATION) if picture.format == "TIFF" else None  # loading drops the tag
    deep = _is_deep_colour(picture, head)
    if deep:
        _check_layout(name, picture)
    picture.load()  # tells a damaged file, of which OpenCV would write lines of its own
    grey = _grey_of_deep_colour(name, picture, file) if deep else _grey(picture)
    return np.ascontiguousarray(_STORED[turned](grey)) if turned in _STORED else grey


def _grey(picture: Image.Image) -> np.ndarray:
    if picture.mode == "F" or picture.mode.startswith("I"):  # 32-bit float; 16- or 32-bit integer
        levels = np.array(picture)
        # Pillow reads all 32-bit integers as signed; TIFF says which they are, and means unsigned where it does not.
        if levels.dtype == np.int32 and _tag(picture, _SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED:
            levels = levels.view(np.uint32)
        return _black_at_zero(levels, picture)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    if picture.mode not in ("1", "L"):
        colour = np.asarray(picture.convert("RGB"))
        red, green, blue = (colour[:, :, channel] for channel in range(3))
        if np.array_equal(red, green) and np.array_equal(green, blue):  # grey stored as colour, as WebP always is
            return np.ascontiguousarray(red)
        channel = only_channel(colour)
        if channel is not None:
            return np.ascontiguousarray(colour[:, :, channel])
    return np.array(picture.convert("L"), np.uint8)


def _black_at_zero(levels: np.ndarray, picture: Image.Image) -> np.ndarray:
    """Deep levels of a TIFF in which 0 is white, which Pillow turns only where they have 8 bits."""
    if _tag(picture, _PHOTOMETRIC, _BLACK_IS_ZERO) != _WHITE_IS_ZERO:
        return levels
    most = levels.max() if picture.mode == "F" else levels.dtype.type(2 ** _tag(picture, _BITS, 16) - 1)
    return np.asarray(most - levels)


def _tag(picture: Image.Image, tag: int, otherwise: int) -> int:
    """The largest of the values of a TIFF's ``tag``; ``otherwise`` where there is none or the picture is no TIFF."""
    value = getattr(picture, "tag_v2", {}).get(tag, otherwise)
    return int(max(value)) if isinstance(value, tuple) else int(value)


def _is_deep_colour(picture: Image.Image, head: bytes) -> bool:
    """Whether several channels have more than 8 bits each: Pillow would keep the high byte, of 12 bits the upper 4."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        return False
    bits = head[24] if picture.format == "PNG" else _tag(picture, _BITS, 1)
    return bits > 8


def _check_layout(name: object, picture: Image.Image) -> None:
    """Raises ``FrameError`` for a deep TIFF that is not read right: neither decoder says so."""
    planar = _tag(picture, _PLANAR, _PIXEL_BY_PIXEL) != _PIXEL_BY_PIXEL
    if planar or _tag(picture, _PHOTOMETRIC, _RGB) != _RGB:
        got = "a TIFF with a plane a channel (PlanarConfiguration 2)" if planar else f"a TIFF in {picture.mode}"
        raise FrameError(
            f"{name}: expected colour of 16 bits as RGB, pixel by pixel, got {got}; save the frame as 8- or 16-bit grey"
        )


def _grey_of_deep_colour(name: object, picture: Image.Image, file: IO[bytes]) -> np.ndarray:
    from edge.camera.opencv import decode_deep, luma_of  # kept out of the import of this module: half a second

    if picture.tell():
        raise FrameError(f"{name}: expected colour of 16 bits alone in its file, got a page of several; save it alone")
    file.seek(0)
    colour = decode_deep(np.frombuffer(file.read(), np.uint8))
    if colour is None or colour.ndim != 3:
        raise FrameError(
            f"{name}: expected colour of 16 bits that can be decoded, got another compression; "
            "save the frame as 8- or 16-bit grey"
        )
    levels = luma_of(colour)
    if colour.shape[2] == 4 and picture.has_transparency_data:  # else a fourth channel that has no meaning
        white = np.float32(max(np.percentile(levels, WHITE_PERCENT), 255))  # to_8_bit does not stretch what is less
        opaque = colour[:, :, 3] / np.float32(np.iinfo(colour.dtype).max)
        levels = np.rint(white - (white - np.minimum(levels, white)) * opaque).astype(colour.dtype)
    return levels
