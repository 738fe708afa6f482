"""The committed classifier on real cut-outs of donors that it never learned from: a floor, as for real frames."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.contract.test_real_frames import DATA
from trainer.cli import main
from trainer.fit.crops import held_of

CUTOUTS = DATA.parent / "gband_crops.zip"
TABLE = "crops.csv"
FLOOR_ALONE = 0.955
FLOOR_ASSIGNED = 0.98
MOST_ECE = 0.025


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """A set of those donors of train that runs hold back as val."""
    if not CUTOUTS.is_file():
        pytest.skip(f"no real cut-outs at {CUTOUTS}; set CHROMO_DATA to the folder that holds gband_crops.zip")
    with zipfile.ZipFile(CUTOUTS) as archive, zipfile.ZipFile(tmp_path / "held.zip", "w") as out:
        rows = [r for r in csv.DictReader(io.StringIO(archive.read(TABLE).decode())) if r["split"] == "train"]
        donors = held_of(row["donor"] for row in rows)
        text = io.StringIO()
        table = csv.DictWriter(text, list(rows[0]))
        table.writeheader()
        for row in rows:
            if row["donor"] in donors:
                table.writerow({**row, "split": "val"})
                out.writestr(row["file"], archive.read(row["file"]))
        out.writestr(TABLE, text.getvalue())
    return tmp_path / "held.zip"


def test_real_cut_outs_are_named(held: Path, models_dir: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    words = ["evaluate", "crops", str(held), "--split", "val", "--model", str(models_dir / "classifier")]
    assert main([*words, "--json", str(figures)]) == 0
    measured = json.loads(figures.read_bytes())
    assert measured["n"] > 1000
    assert measured["accuracy"] >= FLOOR_ALONE
    assert measured["accuracy_assigned"] >= FLOOR_ASSIGNED
    assert measured["ece"] <= MOST_ECE
