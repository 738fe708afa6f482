"""What goes through OpenCV: quiet opening, deep pictures, and grey from whatever a capture gives."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from edge.camera.pixels import only_channel
from edge.errors import FrameError
from edge.records import UInt8Array


def silence_opencv() -> None:
    """Keeps OpenCV and FFmpeg from writing their own lines to stderr; ours say what went wrong."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read by the library when it opens its first file
    if hasattr(cv2, "setLogLevel"):  # OpenCV 4
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def open_video(path: Path) -> cv2.VideoCapture:
    """A video file, opened for reading. Raises ``FrameError`` when it is no video that can be decoded."""
    silence_opencv()
    try:
        str(path).encode()
    except UnicodeEncodeError:  # of such a name OpenCV is given no text, and crashes
        raise FrameError(
            f"{path}: expected a video whose name and folders are UTF-8, got other bytes; rename it"
        ) from None
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        capture.release()
        raise FrameError(f"{path}: expected a video, got a file that cannot be decoded; export it again as MP4 or AVI")
    return capture


def decode_deep(content: UInt8Array) -> np.ndarray | None:
    """The first picture of the file ``content``, of all its bits: BGR, BGRA (H, W, 3 or 4) or grey (H, W); None for
    what cannot be decoded."""
    silence_opencv()
    decoded: np.ndarray | None = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    return decoded


def luma_of(image: np.ndarray) -> np.ndarray:
    """Grey (H, W), as deep as ``image``, which is BGR (H, W, 3), BGRA or already grey. Where one channel alone carries
    signal it is that channel."""
    if image.ndim == 2:
        return image
    if image.shape[2] < 3:
        return image[:, :, 0]
    channel = only_channel(image)
    if channel is not None:
        return image[:, :, channel]
    luma: np.ndarray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if image.shape[2] == 3 else cv2.COLOR_BGRA2GRAY)
    return luma


def grey_of(image: np.ndarray) -> UInt8Array:
    """uint8 (H, W) of a captured image: ``luma_of`` in 8 bits."""
    return np.ascontiguousarray(luma_of(image), np.uint8)
