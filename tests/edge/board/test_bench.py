"""The bench measures real networks; its counts are held against sums done by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from edge.board import bench
from edge.board.bench import DATA, Spread, drawn_frames, peak_macs_per_s, start_from_nothing
from edge.board.host import this_board
from edge.board.table import read_bench
from edge.cli import main
from edge.errors import BundleInvalid, ConfigError, ModelError
from edge.runtime.interpreter import runtime_name
from edge.runtime.macs import count_macs
from tests.edge.stages import draw_bars

MODELS = Path(__file__).parents[1] / "runtime"


def test_macs_of_a_network_known_by_hand() -> None:
    # 3x3 stem to 8x6x4, 1x1 map to 8x6x3, dense 4 to 5
    by_hand = 8 * 6 * 4 * 9 + 8 * 6 * 3 * 4 + 4 * 5
    for name in ("tiny", "float"):
        assert count_macs((MODELS / f"{name}.tflite").read_bytes()) == by_hand


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_macs_of_the_peak_models(dtype: str) -> None:
    assert count_macs((DATA / f"peak_{dtype}.tflite").read_bytes()) == 4 * 48 * 48 * 128 * 128
    assert peak_macs_per_s(dtype, threads=1, times=2) > 1e8


def test_macs_of_no_model() -> None:
    with pytest.raises(BundleInvalid, match="refuses the model"):
        count_macs(b"nothing like a model")


def test_the_spread_of_times() -> None:
    spread = Spread.of([float(n) for n in range(1, 101)])
    assert spread.median == pytest.approx(50.5)
    assert spread.p95 == pytest.approx(95.05)


def test_bench_writes_the_object_that_others_build_on(
    tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    Image.fromarray(draw_bars([3, 4])).save(tmp_path / "bars.png")
    words = ["bench", str(tmp_path / "bars.png"), "--models", str(tiny_models), "--repeats", "1", "--json", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "frame, median ms" in said
    found = json.loads(out.read_text())
    assert list(found) == ["board", "frame_ms", "thorough_ms", "stage_ms", "cold_start_s", "rss_mb", "models"]
    assert {"name", "cpu", "governor", "temperature_c", "python", "runtime"} <= found["board"].keys()
    assert found["frame_ms"]["p95"] >= found["frame_ms"]["median"] > 0
    assert set(found["stage_ms"]) >= {"locate", "classify"}
    assert sum(found["stage_ms"].values()) < 2 * found["frame_ms"]["p95"]
    assert found["cold_start_s"] > 0
    assert 20 < found["rss_mb"] < 2000
    assert found["models"]["locator"]["macs"] > 0
    assert found["models"]["classifier"]["batch_ms"].keys() == {"1", "16", "46", "92"}
    assert read_bench(out) == found


@pytest.mark.parametrize(
    ("words", "code"),
    [(["nowhere.png"], 3), (["--models", "nowhere"], 5), (["--json", "/proc/bench.json"], 7)],
)
def test_what_is_wrong_is_told_before_the_work(
    tiny_models: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setenv("CHROMO_MODELS", str(tiny_models))
    monkeypatch.setattr(bench, "drawn_frames", work)
    monkeypatch.setattr(bench, "run_bench", work)
    assert main(["bench", *words]) == code


def test_an_old_figure_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "pi.json").write_text('{"board": {}}')
    with pytest.raises(ConfigError, match=r"pi\.json: expected what 'chromo-edge bench --json' writes"):
        read_bench(tmp_path / "pi.json")


def test_a_fresh_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a fresh chromo-edge label failed: error: .*expected a model folder"):
        start_from_nothing(drawn_frames(1), tmp_path / "none", 1)


def test_this_board_names_itself() -> None:
    board = this_board(runtime_name())
    assert board.name
    assert board.cores >= 1
    assert board.memory_mb > 100
    json.dumps(board.to_json(), allow_nan=False)
