"""Trains every row of the comparison on the same crops, one after the other: ``trainer compare``.

Same augmentation, same number of crop-samples, same seed, same machine. Each row has a run folder, so a comparison that
was stopped goes on at the step where it was, and what is finished is not done again::

    OUT/
      crops/             train.npz, val.npz (some train donors held back), test.npz; data.json names their data
      NAME/              a run folder as of ``trainer fit classifier``; figures.json when it is done
      NAME/float32/      bundles; calibrated on val
      NAME/int8/
      NAME/pruned/       a run folder between the enhanced row's and this one
      table.json, table.md
"""

from __future__ import annotations

import gzip
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from edge.errors import ConfigError
from edge.locate.straighten import MEDIAN_ROWS
from edge.records import LABELS, UInt8Array
from edge.runtime.interpreter import runtime_name
from trainer.compare.contenders import TRADITIONAL, Compression, Contender
from trainer.compare.measure import CELL_CROPS, bundle_answer, measure, temperature_of
from trainer.compare.table import write_table
from trainer.compare.traditional import Traditional
from trainer.compress.prune import prune
from trainer.compress.quantize import quantize
from trainer.compress.tune import Tuning
from trainer.data.cropset import CropSet, crops_of_cutouts
from trainer.data.sources import stamp_of
from trainer.data_note import SAME
from trainer.errors import DatasetError
from trainer.export.bundle import write_bundle
from trainer.export.tflite import to_int8, to_tflite
from trainer.files import share, shipped_models, write_atomic
from trainer.fit.align import undecided
from trainer.fit.classifier import ClassifierConfig, fit_classifier
from trainer.fit.crops import load_crops
from trainer.networks.registry import ENHANCED, UNSCALED, count_macs
from trainer.networks.stored import load_float, load_for_int8
from trainer.run.folder import CROP_FILES

SAMPLES = 256
"""Train crops that set the ranges of int8, every other one upside down."""
FLOAT64_BYTES = 8
TUNED_SHARE = 0.1
"""Pruning, and training for int8, each see this share of a row's crop-samples in addition."""
SPARSITY = 0.5


@dataclass(frozen=True, slots=True)
class Comparison:
    """``data``: a zip of cut-outs with train and test donors; ``crops``: what each network sees, in crop-samples."""

    data: str
    crops: int
    batch: int
    seed: int
    width: float = 1.0

    @property
    def steps(self) -> int:
        return max(1, self.crops // self.batch)

    def facts(self) -> dict[str, Any]:
        """The settings that two comparisons must share for their rows to stand in one table. ``DatasetError``: no data
        there."""
        source = Path(self.data)
        if not source.is_file():
            raise DatasetError(f"expected a zip of upright cut-outs with crops.csv at {source}, found none")
        return {
            "data": source.name,
            "contents": stamp_of(source),
            "crops": self.crops,
            "batch": self.batch,
            "seed": self.seed,
            "width": self.width,
        }


@dataclass(frozen=True, slots=True)
class Crops:
    train: CropSet
    val: CropSet
    test: CropSet


def run_comparison(
    comparison: Comparison, rows: Mapping[str, Contender], names: Sequence[str], out: Path, command: str
) -> list[dict[str, Any]]:
    """Train, export and measure what is not done yet; the table is written anew after every row, with those of the
    others that were done before under the same settings.

    ``names``: which of ``rows``, and whether ``TRADITIONAL``. ``ConfigError``: ``out`` holds another comparison's rows.
    """
    shared = comparison.facts()
    crops = _load(comparison, out / "crops")
    facts = {
        "command": command,
        **shared,
        **{name: len(getattr(crops, name)) for name in ("train", "val", "test")},
        "cell": CELL_CROPS,
        "runtime": runtime_name(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    asked = {
        name: {"comparison": shared} | ({"contender": asdict(rows[name])} if name in rows else {})
        for name in (TRADITIONAL, *rows)
    }
    beside = {name: _stored(out / name / "figures.json") for name in asked if name not in names}
    done = {name: found for name, found in beside.items() if found and not _differing(found, asked[name])}
    for name in names:
        folder, row = out / name, asked[name]
        figures = _kept_figures(folder / "figures.json", row)
        if not figures:
            folder.mkdir(parents=True, exist_ok=True)
            if name == TRADITIONAL:
                found = _fit_traditional(comparison, crops, folder)
            else:
                found = _fit_network(comparison, rows[name], crops, folder, command)
            figures = {"name": name, **found, **row}
            write_atomic(folder / "figures.json", (json.dumps(figures, indent=2) + "\n").encode())
        done[name] = figures
        write_table(out, [done[name] for name in asked if name in done], facts)
    return [done[name] for name in names]


def _load(comparison: Comparison, folder: Path) -> Crops:
    """The crops of a comparison, made once and kept in ``folder``; ``ConfigError`` if those there are of other data."""
    train, val = load_crops(_config(comparison, Contender()), folder, undecided, SAME)
    path = folder / "test.npz"
    if not path.exists():
        crops_of_cutouts(Path(comparison.data), "test", shipped_models()).save(path)
    return Crops(train, val, CropSet.load(path))


def _config(comparison: Comparison, row: Contender) -> ClassifierConfig:
    return ClassifierConfig(
        (comparison.data,),
        comparison.steps,
        comparison.batch,
        seed=comparison.seed,
        width=1.0 if row.network.name == UNSCALED else comparison.width,
        network=row.network,
        mix=row.mix,
        teachers=row.teachers,
    )


def _kept_figures(path: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a row that is done; empty if it is not. ``ConfigError`` where it was done under other settings
    than ``row`` has."""
    figures = _stored(path)
    differing = _differing(figures, row) if figures else []
    if differing:
        raise ConfigError(
            f"{path.parent} was compared under other settings: {', '.join(differing)}; give the same or another --out"
        )
    return figures


def _stored(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_bytes())) if path.exists() else {}


def _differing(figures: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """The settings of ``row`` that differ from those in ``figures``, a row's stored ones."""
    return [
        f"{k} ({v} there, {wanted.get(k)} now)"
        for name, wanted in json.loads(json.dumps(row)).items()
        for k, v in figures[name].items()
        if wanted.get(k) != v
    ]


def _fit_traditional(comparison: Comparison, crops: Crops, folder: Path) -> dict[str, Any]:
    samples = min(comparison.crops, len(crops.train))
    method = Traditional.fit(crops.train, samples, comparison.seed)
    method.save(folder / "traditional.joblib")
    numbers, macs = method.size
    temperature = temperature_of(method.scores, crops.val)
    answers = measure(lambda pixels: method.scores(pixels) / temperature, crops.val, crops.test)
    return {
        "crops": samples,
        "parameters": numbers,
        "macs": macs,
        "float32": {"bytes": FLOAT64_BYTES * numbers, "temperature": temperature, **answers},
    }


def _fit_network(comparison: Comparison, row: Contender, crops: Crops, folder: Path, command: str) -> dict[str, Any]:
    keras.backend.clear_session()
    config = _config(comparison, row)
    steps = config.steps
    if row.compression == "none":
        _fit(config, folder)
    else:
        steps += _compress(comparison, row.compression, folder)
    network = load_float(folder)
    forms = {
        "float32": to_tflite(network),
        "int8": to_int8(load_for_int8(folder), _samples(crops.train)),
    }
    found: dict[str, Any] = {
        "crops": steps * config.batch,
        "parameters": int(network.count_params()),
        "macs": count_macs(network),
    }
    for form, tflite in forms.items():
        _bundle(folder / form, tflite, 1.0, comparison, command)
        temperature = temperature_of(bundle_answer(folder / form), crops.val)
        _bundle(folder / form, tflite, temperature, comparison, command)
        figures = measure(bundle_answer(folder / form), crops.val, crops.test)
        size = {"bytes": len(tflite), "gzip_bytes": len(gzip.compress(tflite))}
        found[form] = {**size, "temperature": temperature, **figures}
    return found


def _fit(config: ClassifierConfig, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in CROP_FILES:
        share(folder.parent / "crops" / name, folder / name)
    fit_classifier(config, folder, resume=True)


def _compress(comparison: Comparison, compression: Compression, folder: Path) -> int:
    """Leave the compressed network of the row ``ENHANCED`` in ``folder``; returns the optimizer steps that it took."""
    plain = folder.parent / ENHANCED
    _fit(_config(comparison, Contender()), plain)
    steps = max(1, round(TUNED_SHARE * comparison.steps))
    tuning = Tuning(str(plain), comparison.data, steps, comparison.batch, seed=comparison.seed)
    if compression == "quantized":
        quantize(tuning, False, folder, resume=True)
        return steps
    pruned = folder / "pruned"
    prune(tuning, SPARSITY, pruned, resume=True)
    quantize(replace(tuning, run=str(pruned)), True, folder, resume=True)
    return 2 * steps


def _bundle(folder: Path, tflite: bytes, temperature: float, comparison: Comparison, command: str) -> None:
    write_bundle(
        folder,
        "classifier",
        tflite,
        labels=LABELS,
        preprocessing={"median_rows": MEDIAN_ROWS, "input": "absorption, straightened"},
        calibration={"temperature": temperature},
        data={"name": Path(comparison.data).name, "train": "train", "calibrated_on": "some train donors"},
        command=command,
    )


def _samples(train: CropSet) -> list[UInt8Array]:
    picked = train.pixels[np.random.default_rng(0).permutation(len(train))[:SAMPLES]]
    return [crop if k % 2 else np.ascontiguousarray(crop[::-1]) for k, crop in enumerate(picked)]
