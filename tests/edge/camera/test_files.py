"""Stored frames: what is read, what is refused, and in which words."""

from __future__ import annotations

import io
import logging
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.camera.files import FolderCamera, list_frames, read_frame
from edge.camera.opencv import silence_opencv
from edge.camera.pixels import to_8_bit
from edge.errors import FrameError


def ramp(width: int = 96, height: int = 80) -> np.ndarray:
    return (np.add.outer(np.arange(height), np.arange(width)) % 256).astype(np.uint8)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(FrameError) as caught:
        read_frame(path, 0)
    text = str(caught.value)
    assert "\n" not in text
    assert path.name in text
    return text


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "TIFF"])
def test_grey_levels_come_through_unchanged(tmp_path: Path, suffix: str) -> None:
    frame = read_frame(save(tmp_path / f"cell.{suffix}", ramp()), 7, 0.1)
    np.testing.assert_array_equal(frame.pixels, ramp())
    assert (frame.index, frame.source, frame.um_per_px) == (7, f"cell.{suffix}", 0.1)


def test_levels_beyond_half_of_32_bits(tmp_path: Path) -> None:
    path = tmp_path / "cell.tif"
    levels = ramp().astype(np.uint32) << 24
    save(path, levels.view(np.int32))
    assert "expected grey levels from 0 up" in refusal(path)
    content = path.read_bytes()
    sample_format = struct.pack("<HHI", 339, 3, 1)
    assert sample_format + b"\2" in content  # signed, as Pillow writes it
    path.write_bytes(content.replace(sample_format + b"\2", sample_format + b"\1"))
    np.testing.assert_array_equal(read_frame(path).pixels, to_8_bit(levels))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert "got a folder, a device or a pipe" in refusal(tmp_path / "a.png")
    with pytest.raises(FrameError, match="a device or a pipe"):
        list_frames(tmp_path / "a.png")


def test_a_link_that_leads_nowhere_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("gone")
    assert list_frames(tmp_path) == [tmp_path / "a.png"]
    assert "No such file or directory" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["n" * 300, "n/" * 3000, "a\0b"])
def test_a_name_that_no_file_can_have(name: str) -> None:
    with pytest.raises(FrameError, match="found nothing"):
        list_frames(Path(name))


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_formats_are_close(tmp_path: Path, suffix: str) -> None:
    smooth = np.tile(np.linspace(20, 230, 96).astype(np.uint8), (80, 1))
    pixels = read_frame(save(tmp_path / f"cell.{suffix}", smooth, quality=95)).pixels
    assert np.abs(pixels.astype(int) - smooth).max() <= 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "CMYK"])
def test_colour_of_equal_channels_is_its_grey(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "cell.tif"
    Image.fromarray(ramp()).convert("RGB" if mode == "CMYK" else mode).convert(mode).save(path)
    assert np.abs(read_frame(path).pixels.astype(int) - ramp()).max() <= 1


def test_palette_is_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "cell.png"
    picture = Image.fromarray(np.where(ramp() < 100, 0, 1).astype(np.uint8), "P")
    picture.putpalette([200, 200, 200, 40, 40, 40])
    picture.save(path)
    np.testing.assert_array_equal(read_frame(path).pixels, np.where(ramp() < 100, 200, 40))


def test_what_is_transparent_is_bright_field(tmp_path: Path) -> None:
    rgba = np.dstack([ramp()] * 3 + [np.full_like(ramp(), 255)])
    rgba[:40, :, 3] = 0
    pixels = read_frame(save(tmp_path / "cell.png", rgba)).pixels
    assert (pixels[:40] == 255).all()
    np.testing.assert_array_equal(pixels[40:], ramp()[40:])


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("full_scale", [1023, 4095, 65535])
def test_deep_greys_fill_eight_bits_and_keep_ratios(tmp_path: Path, suffix: str, full_scale: int) -> None:
    levels = np.linspace(0, full_scale, 96 * 80).astype(np.uint16).reshape(80, 96)
    pixels = read_frame(save(tmp_path / f"cell.{suffix}", levels)).pixels
    assert pixels[0, 0] == 0
    assert pixels.max() == 255
    assert pixels[40, 0] / 255 == pytest.approx(levels[40, 0] / full_scale, abs=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_all_black_is_a_frame(tmp_path: Path, dtype: type) -> None:
    dark = np.zeros((80, 96), dtype)
    assert not read_frame(save(tmp_path / "dark.png", dark)).pixels.any()


def test_the_largest_page_of_several(tmp_path: Path) -> None:
    """A thumbnail comes before or after the picture, or a pyramid of it."""
    picture = Image.fromarray(np.full((200, 200), 7, np.uint8))
    small = [Image.fromarray(np.full((side, side), 9, np.uint8)) for side in (100, 50)]
    for first, *others in ([small[0], picture], [picture, *small], [small[1], picture, small[0]]):
        first.save(tmp_path / "pages.tif", save_all=True, append_images=others)
        assert read_frame(tmp_path / "pages.tif").pixels.tolist() == [[7] * 200] * 200


def test_a_stack_of_pictures_is_refused(tmp_path: Path) -> None:
    """All but one cell of it would be lost."""
    cells = [Image.fromarray(np.full((100, 120), level, np.uint8)) for level in (7, 8, 9)]
    cells[0].save(tmp_path / "cells.tif", save_all=True, append_images=cells[1:])
    with pytest.raises(FrameError, match=r"got 3 of 120 x 100 px in one file; save each as a file of its own"):
        read_frame(tmp_path / "cells.tif")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert "empty file" in refusal(tmp_path / "empty.png")


@pytest.mark.parametrize("name", ["cell.jpg", "cell.png", "cell.tif", "cell.webp", "cell.bmp", "lzw.tif"])
@pytest.mark.parametrize("kept", [0.3, 0.8])
def test_truncated(tmp_path: Path, name: str, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200)).astype(np.uint8)
    options = {"compression": "tiff_lzw"} if name == "lzw.tif" else {}
    whole = save(tmp_path / name, noise, **options).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * kept)])
    refusal(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_too_small(tmp_path: Path) -> None:
    text = refusal(save(tmp_path / "dot.png", np.zeros((1, 1), np.uint8)))
    assert "1 x 1 px" in text
    assert "64" in text


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT"
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (chunk, data)
    )


@pytest.mark.parametrize(("side", "said"), [(20_000, "far more"), (12_000, "12000 x 12000"), (8_000, "8000 x 8000")])
def test_too_large_is_refused_from_its_header(tmp_path: Path, side: int, said: str) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(side, side))  # a decoder that went on would meet no data and say "damaged"
    text = refusal(path)
    assert "50 megapixels" in text
    assert said in text


def test_pdf_named_png(tmp_path: Path) -> None:
    path = tmp_path / "report.png"
    path.write_bytes(b"%PDF-1.7\n" + b"x" * 500)
    assert "%PDF-1.7" in refusal(path)


def test_postscript_is_never_run(tmp_path: Path) -> None:
    path = tmp_path / "cell.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n")
    assert "begins with b'%!PS-Ado'" in refusal(path)


def test_missing(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "gone.png")


def test_folder_as_a_picture(tmp_path: Path) -> None:
    assert "got a folder" in refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = save(tmp_path / "cell.png", ramp())
    path.chmod(0)
    assert "Permission denied" in refusal(path)


def test_no_permission_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "cell.png", ramp())

    def denied(*_: object, **__: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(path)


def test_folder_is_its_pictures_sorted(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpeg", "c.TIF", "notes.txt", ".hidden.png", "d.webp"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    extra = tmp_path / "notes.txt"
    assert list_frames(extra) == [extra]
    assert [p.name for p in list_frames(tmp_path)] == ["a.jpeg", "b.PNG", "c.TIF", "d.webp"]


def test_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FrameError, match="found none among 1 entries"):
        list_frames(tmp_path)


def test_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="gone: expected a picture or a folder"):
        list_frames(tmp_path / "gone")


def test_replay_passes_over_a_bad_file_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "1.png", ramp())
    (tmp_path / "2.png").write_bytes(b"no picture")
    save(tmp_path / "3.png", 255 - ramp())
    with caplog.at_level(logging.WARNING):
        frames = list(FolderCamera(tmp_path).frames())
    assert [(f.index, f.source) for f in frames] == [(0, "1.png"), (1, "3.png")]
    assert [r.getMessage().count("2.png") for r in caplog.records] == [1]


def test_replay_of_bad_files_only_ends_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(FrameError, match="none of its 1 files"):
        list(FolderCamera(tmp_path).frames())


def test_replay_ends_when_it_is_closed(tmp_path: Path) -> None:
    for name in "123":
        save(tmp_path / f"{name}.png", ramp())
    camera = FolderCamera(tmp_path)
    seen = []
    for frame in camera.frames():
        seen.append((frame.index, frame.source))
        if len(seen) == 2:
            camera.close()
    assert seen == [(0, "1.png"), (1, "2.png")]


def write_video(path: Path, levels: list[int]) -> Path:
    silence_opencv()  # FFmpeg asks for its log level once, here
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 80))
    for level in levels:
        writer.write(np.full((80, 96, 3), level, np.uint8))
    writer.release()
    return path


def test_video_is_replayed(tmp_path: Path) -> None:
    frames = list(FolderCamera(write_video(tmp_path / "scope.avi", [20, 120, 220])).frames())
    assert [f.index for f in frames] == [0, 1, 2]
    assert [f.pixels.mean() for f in frames] == pytest.approx([20, 120, 220], abs=4)
    assert frames[0].source == "scope.avi"


def test_a_video_of_other_bytes_than_utf_8_in_its_name_does_not_end_the_program(tmp_path: Path) -> None:
    video = write_video(tmp_path / "scope.avi", [20]).rename(tmp_path / os.fsdecode(b"scope\xff.avi"))
    with pytest.raises(FrameError, match="whose name and folders are UTF-8"):
        list(FolderCamera(video).frames())


def test_broken_video_is_refused_quietly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scope.mp4").write_bytes(b"garbage" * 100)
    with pytest.raises(FrameError, match="expected a video"):
        list(FolderCamera(tmp_path / "scope.mp4").frames())
    assert capfd.readouterr() == ("", "")
