"""The comparison on drawn cut-outs and small networks: its rows, its table, and going on after a stop."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

from edge.errors import ConfigError
from edge.runtime.bundle import load_bundle
from tests.trainer.drawn import cutouts_zip, rewritten
from trainer.compare import measure, run
from trainer.compare.contenders import TRADITIONAL, contenders, pick_rows
from trainer.compare.run import Comparison, run_comparison
from trainer.data.cropset import crops_of_cutouts
from trainer.errors import DatasetError

ROWS = (TRADITIONAL, "enhanced-without-filters")

TINY = Path(__file__).parents[2] / "edge" / "tiny"


@pytest.fixture(scope="module")
def _short() -> Iterator[None]:
    """Fewer crops for the ranges of int8, fewer timed runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "SAMPLES", 8)
        patch.setattr(measure, "TIMED_RUNS", 2)
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, _short: None) -> Path:
    """A finished comparison of two rows."""
    folder = tmp_path_factory.mktemp("compare")
    run_comparison(comparison(folder), contenders(), ROWS, folder / "out", "trainer compare drawn.zip")
    return folder


def comparison(folder: Path) -> Comparison:
    data = folder / "drawn.zip"
    if not data.exists():
        cutouts_zip(data, donors=4, test_donors=1)
    return Comparison(str(data), crops=9, batch=4, seed=1, width=0.5)


def test_a_row_is_measured_at_its_own_temperature(done: Path) -> None:
    _, row = json.loads((done / "out" / "table.json").read_text())["rows"]
    test = crops_of_cutouts(done / "drawn.zip", "test", TINY)
    for form in ("float32", "int8"):
        (bundle,) = (path.parent for path in (done / "out").glob(f"*/{form}/bundle.json"))
        temperature = load_bundle(bundle, "classifier").calibration["temperature"]
        assert temperature == pytest.approx(row[form]["temperature"])
        assert temperature != pytest.approx(1.0, abs=1e-3)
        logits = measure.bundle_answer(bundle)(test.pixels)
        assert row[form]["test"]["ece"] == pytest.approx(measure.score(logits, test)["ece"], abs=1e-4)
        assert row[form]["test"]["ece"] != pytest.approx(measure.score(logits * temperature, test)["ece"], abs=1e-4)


def test_every_row_is_measured_on_donors_that_it_has_not_seen(done: Path) -> None:
    table = json.loads((done / "out" / "table.json").read_text())
    assert (table["train"], table["val"], table["test"], table["crops"]) == (48, 24, 24, 9)
    assert [row["name"] for row in table["rows"]] == list(ROWS)
    for row in table["rows"]:
        for form in {"float32", "int8"} & row.keys():
            for split in ("val", "test"):
                assert row[form][split]["n"] == 24
                for name in ("accuracy", "accuracy_assigned", "macro_f1"):
                    assert 0 <= row[form][split][name] <= 1
            assert row[form]["ms_a_cell"] > 0
    traditional, enhanced = table["rows"]
    assert "int8" not in traditional
    assert (traditional["crops"], enhanced["crops"]) == (9, 8)
    assert enhanced["int8"]["bytes"] < enhanced["float32"]["bytes"]


def test_compressed_rows_go_on_from_the_enhanced_one(done: Path, tmp_path: Path) -> None:
    out = shutil.copytree(done / "out", tmp_path / "out")
    rows = run_comparison(comparison(done), contenders(), ("enhanced", "enhanced-pruned-quantized"), out, "")
    plain, small = rows
    assert (plain["crops"], small["crops"]) == (8, 16)
    assert plain["parameters"] == small["parameters"]
    assert small["int8"]["gzip_bytes"] < 0.9 * plain["int8"]["gzip_bytes"]
    assert small["int8"]["test"]["n"] == 24
    layers = json.loads((out / "enhanced-pruned-quantized" / "layers.json").read_text())
    assert any(layer["zeros"] > 0.4 and layer["quantized"] for layer in layers)


def test_the_table_has_a_line_a_row(done: Path) -> None:
    lines = (done / "out" / "table.md").read_text().splitlines()
    assert "trainer compare drawn.zip" in lines[0]
    body = [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:]
    assert body == list(ROWS)
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_rows_leave_bundles_that_the_edge_reads(done: Path) -> None:
    for form in ("float32", "int8"):
        bundle = load_bundle(done / "out" / ROWS[1] / form, "classifier")
        assert bundle.calibrated("temperature") > 0


def test_what_is_done_stays_and_what_is_not_is_made_up_for(done: Path, tmp_path: Path) -> None:
    out = shutil.copytree(done / "out", tmp_path / "out")
    (out / TRADITIONAL / "figures.json").unlink()  # as if the power had gone while it was measured
    marked = json.loads((out / ROWS[1] / "figures.json").read_text()) | {"crops": -1}
    (out / ROWS[1] / "figures.json").write_text(json.dumps(marked))
    before = json.loads((done / "out" / "table.json").read_text())["rows"]
    rows = run_comparison(comparison(done), contenders(), ROWS, out, "again")
    assert rows[0]["float32"]["test"] == before[0]["float32"]["test"]
    assert rows[1]["crops"] == -1
    assert json.loads((out / "table.json").read_text())["command"] == "again"


def test_a_table_keeps_the_rows_that_are_not_asked_for(done: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(done / "out", tmp_path / "out"))
    before = (out / "table.md").read_text().splitlines()[2:]
    (name, *others) = ROWS
    assert [row["name"] for row in run_comparison(comparison(done), contenders(), (name,), out, "")] == [name]
    assert (out / "table.md").read_text().splitlines()[2:] == before
    figures = out / others[0] / "figures.json"
    figures.write_text(json.dumps(json.loads(figures.read_text()) | {"comparison": {"crops": 7}}))
    run_comparison(comparison(done), contenders(), (name,), out, "")  # under other settings
    assert [row["name"] for row in json.loads((out / "table.json").read_text())["rows"]] == [name, *others[1:]]


def test_another_comparison_does_not_mix_with_what_is_there(done: Path) -> None:
    other = Comparison(str(done / "drawn.zip"), crops=12, batch=4, seed=1, width=0.5)
    with pytest.raises(ConfigError, match=r"under other settings: crops \(9 there, 12 now\); give .* another --out"):
        run_comparison(other, contenders(), ROWS, done / "out", "other")


def test_crops_of_other_data_are_not_compared_on(done: Path, tmp_path: Path) -> None:
    """The first comparison was stopped before a row was done."""
    shutil.copytree(done / "out" / "crops", tmp_path / "out" / "crops")
    other = Comparison(str(shutil.copy(done / "drawn.zip", tmp_path / "other.zip")), 9, 4, 1, 0.5)
    with pytest.raises(
        ConfigError,
        match=r"cut from, drawn\.zip \(\w{8}\); got other\.zip \(\w{8}\), .*; give the same data or another --out$",
    ):
        run_comparison(other, contenders(), ROWS, tmp_path / "out", "other")


def test_crops_are_of_what_the_data_hold_not_of_their_name(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "out" / "crops", tmp_path / "out" / "crops")
    moved = Path(shutil.copy(done / "drawn.zip", tmp_path / "drawn.zip"))
    other = Comparison(str(moved), 9, 4, 1, 0.5)
    assert run_comparison(other, contenders(), (), tmp_path / "out", "") == []
    cutouts_zip(moved, donors=5, test_donors=1)
    with pytest.raises(ConfigError, match=r"expected what the crops in .*; got drawn\.zip \(\w{8}\), "):
        run_comparison(other, contenders(), (), tmp_path / "out", "")


def test_a_row_of_another_teacher_is_not_shown_for_this_one(done: Path, tmp_path: Path) -> None:
    out = shutil.copytree(done / "out", tmp_path / "out")
    name = "enhanced-with-teacher"
    shutil.copytree(out / ROWS[1], out / name)
    first, second = contenders(["t1.keras"]), contenders(["t2.keras"])
    kept = json.loads((out / name / "figures.json").read_text())
    kept |= {"name": name, "contender": asdict(first[name])}
    (out / name / "figures.json").write_text(json.dumps(kept))
    (row,) = run_comparison(comparison(done), first, (name,), out, "")
    assert row["name"] == name
    with pytest.raises(ConfigError, match=r"teachers \(\['t1\.keras'\] there, \['t2\.keras'\] now\)"):
        run_comparison(comparison(done), second, (name,), out, "")


def test_figures_name_the_network_that_they_are_of(done: Path) -> None:
    kept = json.loads((done / "out" / ROWS[1] / "figures.json").read_text())
    assert kept["contender"] == json.loads(json.dumps(asdict(contenders()[ROWS[1]])))


def test_data_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a zip"):
        run_comparison(Comparison("absent.zip", 8, 4, 1), contenders(), ROWS, tmp_path, "")


def test_rows_are_picked_by_name_in_the_tables_order() -> None:
    rows = contenders()
    assert pick_rows(rows, ["enhanced", "vgg", TRADITIONAL]) == (TRADITIONAL, "vgg", "enhanced")
    assert pick_rows(rows, []) == (TRADITIONAL, *rows)
    assert "enhanced-with-teacher" in contenders(["a.keras"])
    with pytest.raises(ConfigError, match="got 'lenet'"):
        pick_rows(rows, ["lenet"])


def test_compare_takes_fluorescent_cut_outs(tmp_path: Path) -> None:
    q = cutouts_zip(tmp_path / "q.zip", donors=4, test_donors=1, bright=True)
    run_comparison(Comparison(str(q), 999, 8, 1), {}, (TRADITIONAL,), tmp_path / "out", "trainer compare")


def test_nothing_is_assigned_where_no_cell_is_known(tmp_path: Path) -> None:
    bare = rewritten(cutouts_zip(tmp_path / "cutouts.zip"), tmp_path / "bare.zip", lambda row: row | {"cell": ""})
    crops = crops_of_cutouts(bare, "train", TINY)
    logits = np.eye(24)[crops.label] * 9.0
    assert measure.score(logits, crops)["accuracy_assigned"] is None
