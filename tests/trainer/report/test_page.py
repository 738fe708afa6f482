"""The page about a model, made with tiny real bundles, and the figures it shares with ``evaluate``."""

from __future__ import annotations

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from edge.errors import BundleInvalid
from edge.records import LABELS
from edge.runtime.bundle import TASKS, Task, load_bundle
from edge.runtime.macs import count_macs
from tests.trainer.drawn import cutouts_zip, frames_folder
from trainer.cli import main
from trainer.export.edgetpu import check
from trainer.export.flat import read_flat
from trainer.report.page import card_html, confused_pairs, facts_of, worst_cells
from trainer.score.crops import score_crops
from trainer.score.judged import JudgedCrops

TINY = Path(__file__).parents[2] / "edge" / "tiny"


class Pictures(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(TINY / "classifier", folder)
    (folder / "card.md").write_text("# Title\n\n| a | b |\n|---|---|\n| <script>x</script> | 98.1 % |\n")
    with (folder / "log.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["step", "loss", "val_accuracy"], [1, 2.0, ""], [2, 1.5, 0.4]])
    return folder


def test_the_page_holds_everything_itself(model: Path, tmp_path: Path) -> None:
    data = cutouts_zip(tmp_path / "cells.zip")
    assert main(["report", str(model), str(data), "--split", "train", "--out", str(tmp_path / "p" / "r.html")]) == 0
    html = (tmp_path / "p" / "r.html").read_text(encoding="utf-8")
    found = Pictures()
    found.feed(html)
    assert len(found.sources) == 4  # confusion, calibration, worst crops, curves
    assert all(source.startswith("data:image/png;base64,iVBOR") for source in found.sources)
    assert "For research use only. Not for use in diagnostic procedures." in html
    assert "<td>98.1 %</td>" in html
    assert "<script>" not in html
    assert re.search(r"sha256</td><td>[0-9a-f]{64}", html)
    assert "72 chromosomes" in html


def test_a_page_without_a_log_has_no_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model = cutouts_zip(tmp_path / "cells.zip", donors=1), str(TINY / "classifier")
    arguments = ["report", model, str(data), "--split", "train", "--out", str(tmp_path / "r.html")]
    assert main(arguments) == 0
    assert "Learning curves" not in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert main([*arguments, "--run", str(tmp_path)]) == 8
    assert "expected a run folder with log.csv, found none" in capsys.readouterr().err


def test_crops_can_be_left_out(model: Path, tmp_path: Path) -> None:
    data = cutouts_zip(tmp_path / "cells.zip", donors=1)
    arguments = ["report", str(model), str(data), "--split", "train", "--no-crops", "--out", str(tmp_path / "r.html")]
    assert main(arguments) == 0
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    found = Pictures()
    found.feed(html)
    assert len(found.sources) == 3  # confusion, calibration, curves
    assert "Left out: they are pictures of the data" in html


@pytest.mark.parametrize("task", TASKS)
def test_every_model_has_a_page_without_data(task: Task, tmp_path: Path) -> None:
    folder = tmp_path / task
    shutil.copytree(TINY / task, folder)
    (folder / "report.json").write_text(json.dumps({"form": "int8", "parity_agreement": 0.9876}))
    assert main(["report", str(folder), "--out", str(tmp_path / "r.html")]) == 0
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    bundle = load_bundle(folder, task)
    assert f"{count_macs(bundle.model_bytes):,}</td>" in html
    assert html.count("<td>CONV_2D</td>") == sum(op.name == "CONV_2D" for op in read_flat(bundle.model_bytes).operators)
    assert "<td>0.9876</td>" in html
    assert bundle.sha256 in html
    assert "On the Edge TPU: " in html
    assert "<img" not in html


def test_only_a_classifier_is_judged_on_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(TINY / "locator"), "cells.zip", "--out", str(tmp_path / "r.html")]) == 2
    assert "expected a classifier to judge on cells.zip, " in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS)
def test_the_shipped_pages_are_of_the_shipped_models(task: Task, models_dir: Path) -> None:
    """They hold no picture but diagrams: the data's are not to be passed on."""
    page = (models_dir / task / "report.html").read_bytes()
    assert load_bundle(models_dir / task, task).sha256.encode() in page, f"trainer report models/{task} makes it anew"
    assert len(page) < 400_000
    assert b"Learning curves" in page
    assert b"Contact sheet of the worst crops" not in page


@pytest.mark.parametrize("task", TASKS)
def test_the_shipped_cards_say_what_the_bundle_says(task: Task, models_dir: Path) -> None:
    card = (models_dir / task / "card.md").read_text(encoding="utf-8")
    bundle = load_bundle(models_dir / task, task)
    assert f"\n{bundle.command}\n" in card
    reach = check(bundle.model_bytes).reach
    mapped = f"first {reach.mapped} of {reach.operators} operators, {reach.macs_share:.0%}".replace("%", " %")
    assert (mapped if reach.left else f"all {reach.operators} operators") in card
    for said in ("## Intended use", "## Out of scope", "Apache-2.0", "| terms of the data |", "](report.html)"):
        assert said in card


@pytest.mark.parametrize("short", [True, False])
def test_evaluate_writes_the_stated_figures(tmp_path: Path, short: bool) -> None:
    data = cutouts_zip(tmp_path / "cells.zip")
    words = ["evaluate", *([] if short else ["crops"]), str(data), "--model", str(TINY / "classifier")]
    assert main([*words, "--split", "train", "--json", str(tmp_path / "f.json")]) == 0
    figures = json.loads((tmp_path / "f.json").read_text())
    stated = ["n", "accuracy", "accuracy_assigned", "macro_f1", "per_class", "confusion", "ece", "ece_assigned"]
    assert list(figures) == [*stated, "polarity"]
    assert 0 <= figures["polarity"] <= 1
    assert figures["n"] == sum(map(sum, figures["confusion"])) == 72
    assert figures["accuracy"] == round(float(np.trace(figures["confusion"])) / 72, 4)
    assert 0 <= figures["accuracy_assigned"] <= 1
    assert 0 <= figures["ece_assigned"] <= 1


def test_evaluate_cuts_the_true_boxes_of_frames(tmp_path: Path) -> None:
    data = frames_folder(tmp_path / "frames", ("test",))
    words = ["evaluate", str(data), "--model", str(TINY / "classifier"), "--models", str(TINY)]
    assert main([*words, "--json", str(tmp_path / "f.json")]) == 0
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["n"] == 46
    assert figures["polarity"] is None


@pytest.mark.filterwarnings("default::trainer.data.crops.UnsplitWarning")
@pytest.mark.filterwarnings("default::trainer.score.evaluate.UpsideDownWarning")  # of three, by an untrained network
def test_cut_outs_without_cells_are_not_assigned(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(cutouts_zip(tmp_path / "c.zip", donors=1)) as archive:
        for label in ("1", "7", "X"):
            (tmp_path / "set" / label).mkdir(parents=True)
            (tmp_path / "set" / label / "a.png").write_bytes(archive.read(f"c0/{label}.png"))
    words = ["evaluate", str(tmp_path / "set"), "--model", str(TINY / "classifier")]
    assert main([*words, "--json", str(tmp_path / "f.json")]) == 0
    figures = json.loads((tmp_path / "f.json").read_text())
    assert (figures["n"], figures["accuracy_assigned"], figures["ece_assigned"]) == (3, None, None)
    page = tmp_path / "r.html"
    assert main(["report", str(TINY / "classifier"), str(tmp_path / "set"), "--out", str(page)]) == 0
    assert "set, all of it, for no donor or split is stated: 3 chromosomes" in page.read_text(encoding="utf-8")


def test_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    truth = [str(label) for label in rng.choice(LABELS[:20], 400)]
    scores = rng.dirichlet(np.ones(24), 400).astype(np.float32)
    scores[np.arange(400), [LABELS.index(label) for label in truth]] += rng.uniform(0, 0.5, 400).astype(np.float32)
    scores /= scores.sum(1, keepdims=True)
    said = [LABELS[k] for k in scores.argmax(1)]
    got = score_crops(truth, scores, None)
    assert got["confusion"] == confusion_matrix(truth, said, labels=LABELS).tolist()
    occurring = sorted(set(truth))
    assert got["macro_f1"] == round(f1_score(truth, said, labels=occurring, average="macro", zero_division=0), 4)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, said, labels=occurring, zero_division=0)
    for k, label in enumerate(occurring):
        of = got["per_class"][label]
        assert [of["precision"], of["recall"], of["f1"]] == pytest.approx([precision[k], recall[k], f1[k]], abs=6e-5)


def judged(cells: list[str], truth: list[str], said: list[str], sure: float) -> JudgedCrops:
    n = len(cells)
    scores = np.full((n, 24), (1 - sure) / 23, np.float32)
    scores[np.arange(n), [LABELS.index(label) for label in said]] = sure
    pixels = np.zeros((n, 128, 32), np.uint8)
    up = np.resize(np.array([0.9, 0.9, 0.1, 0.2], np.float32), n)
    names = tuple(f"{k}.png" for k in range(n))
    return JudgedCrops(names, tuple(cells), tuple(truth), pixels, scores, up, np.arange(n) < 4, ())


def test_a_cell_with_shifted_labels_stands_out() -> None:
    truth, said = ["14", "15", "16", "1", "2", "3", "4"], ["13", "14", "15", "9", "9", "9", "9"]
    found = judged(["a"] * 3 + ["b"] * 3 + [""], truth, said, 0.95)
    assert [(c.name, c.crops, c.wrong, c.shifted) for c in worst_cells(found)] == [("a", 3, 3, 3), ("b", 3, 3, 0)]
    unsure = judged(["a"] * 3, truth[:3], said[:3], 0.5)
    assert [c.shifted for c in worst_cells(unsure)] == [0]
    assert found.polarity_accuracy == 0.5


def test_confused_pairs_are_the_commonest_first() -> None:
    confusion = np.zeros((24, 24), int)
    confusion[0, 0], confusion[0, 1], confusion[23, 21], confusion[23, 23] = 6, 2, 3, 3
    assert confused_pairs(confusion.tolist()) == [("Y", "22", 3, 0.5), ("1", "2", 2, 0.25)]


def test_a_pictures_address_in_a_card_is_not_looked_up(tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("# Title\n\n![counts](https://there.example/p.png)\n")
    assert "<img" not in (html := card_html(tmp_path))
    assert ">counts</a>" in html


def test_a_card_that_is_not_utf_8_is_shown(tmp_path: Path) -> None:
    (tmp_path / "card.md").write_bytes("# Title\n\nAus Köln\n".encode("latin-1"))
    assert "Aus K\ufffdln" in card_html(tmp_path)


def test_damaged_figures_are_one_line(tmp_path: Path) -> None:
    for damaged in (b'{"val_crops": 1', b"[1]", b""):
        (tmp_path / "report.json").write_bytes(damaged)
        with pytest.raises(BundleInvalid, match=r"report\.json: expected a JSON object, cannot read it: "):
            facts_of(tmp_path / "report.json")


def test_no_card_is_no_card(tmp_path: Path) -> None:
    assert card_html(tmp_path) == ""
