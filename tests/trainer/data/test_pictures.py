"""A broken copy is told from a whole picture; a picture's size off its head."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from edge.camera.files import read_frame
from edge.errors import FrameError
from trainer.data.pictures import Skipped, SkippedWarning, fault_of, size_of, warn_skipped

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")


def picture(kind: str) -> bytes:
    data = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (80, 100)).astype(np.uint8)
    Image.fromarray(noise).save(data, kind)
    return data.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_whole_and_broken_copies(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(picture(kind))
    assert fault_of(path) == ""
    path.write_bytes(picture(kind)[:-400])
    assert "damaged" in fault_of(path)


def test_a_png_that_was_cut_short_before_its_checksums_were_made(tmp_path: Path) -> None:
    whole = picture("PNG")
    start = whole.index(b"IDAT") - 4
    length = int.from_bytes(whole[start : start + 4], "big")
    data = b"IDAT" + whole[start + 8 : start + 8 + length // 2]
    chunk = (length // 2).to_bytes(4, "big") + data + zlib.crc32(data).to_bytes(4, "big")
    path = tmp_path / "a.png"
    path.write_bytes(whole[:start] + chunk + whole[start + 12 + length :])
    assert "damaged" in fault_of(path)
    with pytest.raises(FrameError):
        read_frame(path)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_size_is_that_of_the_pixels_that_are_read(tmp_path: Path, kind: str, orientation: int) -> None:
    path, exif = tmp_path / "a", Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.new("L", (100, 80)).save(path, kind, **({} if kind == "BMP" else {"exif": exif}))
    assert size_of(path) == read_frame(path).pixels.shape[::-1] == (100, 80)
    path.write_bytes(path.read_bytes()[:9])
    assert size_of(path) is None


def test_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    assert "empty file" in fault_of(tmp_path / "empty.png")
    assert "begins with" in fault_of(tmp_path / "text.png")
    assert "No such file" in fault_of(tmp_path / "absent.png")


def test_a_padded_jpeg_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture("JPEG") + b"\0" * 9)
    assert fault_of(tmp_path / "a.jpg") == ""


def test_the_warning_counts_and_names() -> None:
    with pytest.warns(SkippedWarning, match=r"d: 7 file\(s\) left out: f0 \(bad\).* and 2 more"):
        warn_skipped(Path("d"), [Skipped(f"f{k}", "bad") for k in range(7)])
    warn_skipped(Path("d"), [])
