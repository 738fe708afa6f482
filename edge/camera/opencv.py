"""What the sources that go through OpenCV share: quiet opening, and grey from whatever a capture gives."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

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
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        capture.release()
        raise FrameError(f"{path}: expected a video, got a file that cannot be decoded; export it again as MP4 or AVI")
    return capture


def grey_of(image: np.ndarray) -> UInt8Array:
    """uint8 (H, W) of a captured image: BGR (H, W, 3), BGRA, or already grey."""
    if image.ndim == 3 and image.shape[2] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    elif image.ndim == 3 and image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY)
    elif image.ndim == 3:
        image = image[:, :, 0]
    return np.ascontiguousarray(image, np.uint8)
