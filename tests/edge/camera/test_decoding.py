"""Pictures as microscopes and their programs save them: deep colour, pseudo-colour, turned and planar TIFFs."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from edge.camera import decoding
from edge.camera.decoding import decode
from edge.camera.files import read_frame
from edge.camera.pixels import to_8_bit
from edge.errors import FrameError

HEIGHT, WIDTH = 80, 96


def channels(full_scale: int) -> np.ndarray:
    """RGB (H, W, 3), uint16: each channel runs another way, so that none can be taken for another."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    parts = [across / (WIDTH - 1), down / (HEIGHT - 1), 1 - across / (WIDTH - 1)]
    return np.rint(np.dstack(parts) * full_scale).astype(np.uint16)


def luma(rgb: np.ndarray) -> np.ndarray:
    return np.rint(rgb[:, :, :3] @ np.array([0.299, 0.587, 0.114])).astype(np.uint16)


def opaque(rgb: np.ndarray) -> np.ndarray:
    return np.dstack([rgb, np.full(rgb.shape[:2], 65535, np.uint16)])


def write_png(path: Path, rgb: np.ndarray) -> Path:
    path.write_bytes(cv2.imencode(".png", rgb[:, :, [2, 1, 0, 3][: rgb.shape[2]]])[1].tobytes())
    return path


def write_tiff(path: Path, pixels: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, pixels, **{"photometric": "rgb", **options})
    return path


def assert_close(got: np.ndarray, expected: np.ndarray) -> None:
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).max() <= 1


def refusal(path: Path) -> str:
    with pytest.raises(FrameError) as caught:
        read_frame(path)
    (line,) = str(caught.value).splitlines()
    assert "save the frame as 8- or 16-bit grey" in line
    return line


@pytest.mark.parametrize("full_scale", [1023, 4095, 16383, 65535])
@pytest.mark.parametrize("alpha", [False, True])
def test_deep_colour_keeps_all_its_bits(tmp_path: Path, full_scale: int, alpha: bool) -> None:
    rgb = channels(full_scale)
    expected = to_8_bit(luma(rgb))
    stored = opaque(rgb) if alpha else rgb
    assert_close(read_frame(write_png(tmp_path / "a.png", stored)).pixels, expected)
    assert_close(read_frame(write_tiff(tmp_path / "a.tif", stored)).pixels, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"byteorder": ">"},
        {"bigtiff": True},
        {"tile": (32, 32)},
        {"rowsperstrip": 16},
        {"compression": "zlib", "predictor": True},
    ],
    ids=str,
)
def test_deep_colour_in_every_kind_of_tiff(tmp_path: Path, options: dict[str, object]) -> None:
    rgb = channels(4095)
    path = write_tiff(tmp_path / "a.tif", rgb, **options)
    assert_close(read_frame(path).pixels, to_8_bit(luma(rgb)))


def test_deep_grey_with_alpha(tmp_path: Path) -> None:
    """As Pillow and OpenCV cannot write it: 16 bits, colour type 4, lines without a filter."""
    grey = luma(channels(4095))
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in np.dstack([grey, np.full_like(grey, 65535)]))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 4, 0, 0, 0),
        b"IDAT": zlib.compress(lines),
        b"IEND": b"",
    }
    packed = [struct.pack(">I", len(v)) + k + v + struct.pack(">I", zlib.crc32(k + v)) for k, v in chunks.items()]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    assert_close(read_frame(tmp_path / "a.png").pixels, to_8_bit(grey))


def test_what_is_transparent_in_deep_colour_is_bright_field(tmp_path: Path) -> None:
    stored = opaque(channels(4095))
    stored[:40, :, 3] = 0
    expected = to_8_bit(luma(stored))
    expected[:40] = 255
    assert_close(read_frame(write_png(tmp_path / "a.png", stored)).pixels, expected)
    path = write_tiff(tmp_path / "a.tif", stored, extrasamples=["unassalpha"])
    assert_close(read_frame(path).pixels, expected)


def test_a_fourth_channel_that_is_no_alpha_changes_nothing(tmp_path: Path) -> None:
    stored = np.dstack([channels(4095), np.zeros((HEIGHT, WIDTH), np.uint16)])
    path = write_tiff(tmp_path / "a.tif", stored, extrasamples=["unspecified"])
    assert_close(read_frame(path).pixels, to_8_bit(luma(stored)))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate"])
def test_a_damaged_strip_is_told_in_one_line(
    tmp_path: Path, compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    path = tmp_path / "a.tif"
    Image.fromarray(noise).save(path, compression=compression)
    whole = bytearray(path.read_bytes())
    whole[2000:2100] = b"\xff" * 100
    path.write_bytes(whole)
    with pytest.raises(FrameError, match="damaged"):
        read_frame(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_deep_colour(tmp_path: Path, name: str, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3)).astype(np.uint16)
    path = (write_png if name == "a.png" else write_tiff)(tmp_path / name, noise)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(FrameError, match="damaged"):
        read_frame(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"tile": (32, 32)}], ids=str)
def test_deep_colour_with_a_plane_a_channel_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    """Neither decoder reads it right, and neither says so."""
    planes = np.moveaxis(channels(65535), 2, 0)
    path = write_tiff(tmp_path / "a.tif", planes, planarconfig="separate", **options)
    assert "a plane a channel (PlanarConfiguration 2)" in refusal(path)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=str)
def test_colour_of_8_bits_with_a_plane_a_channel_is_read(tmp_path: Path, options: dict[str, object]) -> None:
    rgb = channels(255).astype(np.uint8)
    path = write_tiff(tmp_path / "a.tif", np.moveaxis(rgb, 2, 0), planarconfig="separate", **options)
    assert_close(read_frame(path).pixels, luma(rgb))


def test_deep_colour_that_is_no_rgb_is_refused(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", opaque(channels(65535)), photometric="separated")
    assert "got a TIFF in CMYK" in refusal(path)


def test_deep_colour_in_a_compression_that_opencv_does_not_know_is_refused(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", channels(65535), compression="lzma")
    with pytest.raises(FrameError, match=r"save the frame|export it as grey"):
        read_frame(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_no_tiff_is_turned(tmp_path: Path, orientation: int, compression: str | None) -> None:
    tag = {"extratags": [(274, "H", 1, orientation, True)], "compression": compression}
    grey = luma(channels(255)).astype(np.uint8)
    deep, rgb = luma(channels(4095)), channels(4095)
    for pixels, expected in ((grey, grey), (deep, to_8_bit(deep)), (rgb, to_8_bit(luma(rgb)))):
        photometric = "rgb" if pixels.ndim == 3 else "minisblack"
        got = read_frame(write_tiff(tmp_path / "a.tif", pixels, photometric=photometric, **tag)).pixels
        assert_close(got, expected)
        assert got.flags.c_contiguous


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_no_other_picture_is_turned(tmp_path: Path, suffix: str) -> None:
    smooth = np.tile(np.linspace(20, 230, WIDTH).astype(np.uint8), (HEIGHT, 1))
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(smooth).save(tmp_path / f"a.{suffix}", exif=exif, quality=95)
    assert np.abs(read_frame(tmp_path / f"a.{suffix}").pixels.astype(int) - smooth).max() <= 6


def bands() -> np.ndarray:
    """A dark ground with a brighter block, (H, W), uint8."""
    levels = np.full((HEIGHT, WIDTH), 3, np.uint8)
    levels[20:60, 20:76] = np.linspace(30, 250, 56).astype(np.uint8)
    return levels


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
@pytest.mark.parametrize("channel", range(3))
def test_pseudo_colour_keeps_its_levels(tmp_path: Path, name: str, channel: int) -> None:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, :, channel] = bands()
    Image.fromarray(rgb).save(tmp_path / name)
    np.testing.assert_array_equal(read_frame(tmp_path / name).pixels, bands())


def test_pseudo_colour_of_a_palette_keeps_its_levels(tmp_path: Path) -> None:
    picture = Image.fromarray(bands(), "P")
    picture.putpalette([level if channel == 2 else 0 for level in range(256) for channel in range(3)])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_frame(tmp_path / "a.png").pixels, bands())


def test_deep_pseudo_colour_keeps_its_levels(tmp_path: Path) -> None:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint16)
    rgb[:, :, 2] = bands().astype(np.uint16) * 16
    expected = to_8_bit(rgb[:, :, 2])
    np.testing.assert_array_equal(read_frame(write_png(tmp_path / "a.png", rgb)).pixels, expected)
    np.testing.assert_array_equal(read_frame(write_tiff(tmp_path / "a.tif", rgb)).pixels, expected)


def test_pseudo_colour_of_a_usual_jpeg_keeps_its_range(tmp_path: Path) -> None:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, :, 2] = bands()
    Image.fromarray(rgb).save(tmp_path / "a.jpg", quality=75)
    assert np.percentile(read_frame(tmp_path / "a.jpg").pixels, 99) > 200


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_colour_of_several_channels_is_luma(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(channels(255).astype(np.uint8)).convert(mode)
    picture.save(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as stored:
        np.testing.assert_array_equal(read_frame(tmp_path / "a.tif").pixels, np.asarray(stored.convert("L")))


def test_signed_levels_of_8_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "signed.tif"
    tifffile.imwrite(path, np.random.default_rng(1).integers(-128, 127, (100, 100)).astype(np.int8))
    with pytest.raises(FrameError, match="expected unsigned grey levels, got signed ones of 8 bits; save it as unsig"):
        decode(path)


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.int32])
def test_levels_below_zero_are_refused_where_they_are_many(tmp_path: Path, kind: type) -> None:
    levels = np.full((100, 100), 300, kind)
    levels[0, :90] = -5  # what subtracting a dark frame leaves
    tifffile.imwrite(tmp_path / "few.tif", levels)
    assert decode(tmp_path / "few.tif")[0, 0] == 0
    levels[:50] = -5
    tifffile.imwrite(tmp_path / "many.tif", levels)
    with pytest.raises(FrameError, match="expected grey levels from 0 up, got 50% of them below it; save the frame as"):
        decode(tmp_path / "many.tif")


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP"])
def test_grey_stored_as_colour_is_that_grey(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No channel is looked for in it: that would take as long again as reading a cut-out does."""
    monkeypatch.setattr(decoding, "only_channel", None)
    grey = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH)).astype(np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(grey).convert("RGB").save(tmp_path / "a", kind, **options)
    np.testing.assert_array_equal(decode(tmp_path / "a"), grey)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_white_at_zero_is_turned_at_every_depth(tmp_path: Path, kind: type) -> None:
    full = np.iinfo(kind).max if np.issubdtype(kind, np.integer) else 1000
    levels = np.linspace(0, full, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(kind)
    black = write_tiff(tmp_path / "black.tif", levels, photometric="minisblack")
    white = write_tiff(tmp_path / "white.tif", levels.max() - levels, photometric="miniswhite")
    assert_close(decode(white), decode(black))


def test_deep_colour_among_several_pages_is_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(channels(65535)[::2, ::2], photometric="rgb")
        tiff.write(channels(65535), photometric="rgb")
    with pytest.raises(FrameError, match="save it alone"):
        read_frame(tmp_path / "a.tif")
