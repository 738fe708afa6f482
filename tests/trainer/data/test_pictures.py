"""A broken copy is told from a whole picture without decoding thousands of them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.data.pictures import Skipped, SkippedWarning, decoding_fault, fault_of, warn_skipped

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
