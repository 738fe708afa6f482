"""Which ``/dev/videoN`` may be cameras."""

from __future__ import annotations

import re
from pathlib import Path

RECEIVERS = ("rp1-cfe", "unicam")
"""How Linux names a Raspberry Pi's receivers of CSI cameras (``/sys/class/video4linux/videoN/name``), which are there
where such a camera is: picamera2 makes pictures of their raw data, OpenCV cannot."""
NO_CAMERAS = ("bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc-dec", "rpivid")
"""And its decoders and picture processors, there without any camera. Some say that they capture, and never give a
frame."""


def video_nodes(root: Path = Path("/")) -> list[Path]:
    """The V4L2 devices under ``root`` that OpenCV may read as cameras, by number. To look opens none."""
    return [path for path in _nodes(root) if not _name_of(root, path).startswith(RECEIVERS + NO_CAMERAS)]


def receivers(root: Path = Path("/")) -> list[Path]:
    """Those that receive what a CSI camera sends, for picamera2."""
    return [path for path in _nodes(root) if _name_of(root, path).startswith(RECEIVERS)]


def _nodes(root: Path) -> list[Path]:
    found = (path for path in (root / "dev").glob("video*") if re.fullmatch(r"video\d+", path.name))
    return sorted(found, key=lambda path: int(path.name.removeprefix("video")))


def _name_of(root: Path, node: Path) -> str:
    """What its driver calls it; "" where nobody says."""
    try:
        return (root / "sys/class/video4linux" / node.name / "name").read_text(errors="replace")
    except OSError:
        return ""
