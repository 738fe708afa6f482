from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge.runtime import interpreter
from edge.runtime.blocks import CHANNELS, _over_blocks, blocks_of, in_blocks
from edge.runtime.interpreter import Network, interpreter_class

HERE = Path(__file__).parent
Integers = npt.NDArray[np.int64]


def convolved(pictures: npt.NDArray[np.int8], kernel: npt.NDArray[np.int8], stride: int) -> Integers:
    """The sums of a convolution with the padding SAME, (n, H / stride, W / stride, out)."""
    n, *sides, _ = pictures.shape
    out, *taps, _ = kernel.shape
    ends = [(side // stride - 1) * stride + k - side for side, k in zip(sides, taps, strict=True)]
    before = [max(total, 0) // 2 for total in ends]
    padded = np.pad(pictures.astype(np.int64), ((0, 0), *((b, max(taps)) for b in before), (0, 0)))
    sums = np.zeros((n, *(side // stride for side in sides), out), np.int64)
    for y, x in np.ndindex(*taps):
        seen = padded[:, y : y + sides[0] : stride, x : x + sides[1] : stride]
        sums += seen @ kernel[:, y, x].T.astype(np.int64)
    return sums


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("rows", range(1, 19))
@pytest.mark.parametrize("cols", [1, 2, 3, 4, 5])
def test_a_kernel_over_blocks_sums_the_same(rows: int, cols: int, channels: int) -> None:
    rng = np.random.default_rng(rows)
    pictures = rng.integers(-128, 128, (2, 20, 12, channels), np.int8)
    kernel = rng.integers(-128, 128, (3, rows, cols, channels), np.int8)
    by_blocks = convolved(blocks_of(pictures), _over_blocks(kernel), 1)
    np.testing.assert_array_equal(by_blocks, convolved(pictures, kernel, 2))


@pytest.mark.parametrize("model", ["tiny", "fixed"])
def test_a_network_in_blocks_says_the_same(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Network(HERE / f"{model}.tflite", threads=1)
    monkeypatch.setattr(interpreter, "in_blocks", lambda model, runtime: None)
    plain = Network(HERE / f"{model}.tflite", threads=1)
    assert (quick._in_blocks, plain._in_blocks) == (True, False)
    assert quick.input_shape == plain.input_shape == (1, 16, 12, 1)
    pixels = np.random.default_rng(1).integers(0, 256, (70, 16, 12), np.uint8)
    found, right = quick.run_uint8(pixels), plain.run_uint8(pixels)
    for name, values in right.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("model", ["float", "float16", "int16x8"])
def test_where_sums_might_round_the_network_stays_as_it_is(model: str) -> None:
    assert in_blocks((HERE / f"{model}.tflite").read_bytes(), interpreter_class().__module__) is None


def test_a_runtime_without_the_files_schema_runs_it_as_it_is() -> None:
    assert in_blocks((HERE / "tiny.tflite").read_bytes(), "nowhere.interpreter") is None
