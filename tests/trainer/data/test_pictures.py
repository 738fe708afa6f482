"""A broken copy is told from a whole picture, a PNG without decoding it; a picture's size off its head."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from edge.camera.files import read_frame
from trainer.data import pictures
from trainer.data.pictures import Skipped, SkippedWarning, decoding_fault, fault_of, size_of, warn_skipped

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
    assert fault_of(path) == decoding_fault(path) == ""
    path.write_bytes(picture(kind)[:-400])
    assert "damaged" in fault_of(path)
    assert fault_of(path) == decoding_fault(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_whatever_would_not_be_read_later_is_told(tmp_path: Path, kind: str) -> None:
    path, rng, told = tmp_path / "a", np.random.default_rng(1), 0
    y, x = np.mgrid[:200, :240]
    Image.fromarray((127 + 100 * np.sin(x / 7) * np.cos(y / 9)).astype(np.uint8)).save(path, kind)
    whole = path.read_bytes()
    for _ in range(20):
        broken = bytearray(whole)
        at = int(rng.integers(len(whole) // 4, len(whole) // 2))
        broken[at : at + 200] = rng.bytes(200)
        path.write_bytes(broken)
        assert fault_of(path) == decoding_fault(path)
        told += fault_of(path) != ""
    assert told > 0


def test_a_whole_png_is_not_decoded_unless_it_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "decoding_fault", lambda _: "decoded")
    (tmp_path / "a.png").write_bytes(picture("PNG"))
    Image.new("L", (100, 63)).save(tmp_path / "low.png")
    (tmp_path / "short.png").write_bytes(picture("PNG")[:20])
    assert [fault_of(tmp_path / name) for name in ("a.png", "low.png", "short.png")] == ["", "decoded", "decoded"]


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
