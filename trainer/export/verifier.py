"""The verifier's bundle, and how the keeper weighs its answers: calibrated on what is found in the val frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.progress import track
from sklearn.linear_model import LogisticRegression

from edge.camera.files import read_frame
from edge.cell.keep import TERMS, look, terms
from edge.cell.verify import OBJECT_PX, Verifier
from edge.classify.classifier import load_classifier
from edge.locate.locator import load_locator
from edge.locate.straighten import straighten
from edge.records import BoolArray, Float32Array
from edge.runtime.bundle import Bundle
from trainer.data.cropset import boxes_of
from trainer.data.excluded import teaches_nothing
from trainer.data.looks import marks
from trainer.data.metaphase import read_frames
from trainer.export.bundle import provisional_bundle, write_bundle
from trainer.export.shipment import Shipment

EVEN_WEIGHTS = dict.fromkeys(TERMS, 0.0) | {"keep_score": 1.0, "keep_single": 1.0}
KEEPER_C = 0.1
"""``C`` of the keeper's logistic regression, over terms of unit spread; chosen by five-fold cross-validation by case,
on val."""


def ship_verifier(_: Any, model: bytes, shipment: Shipment) -> tuple[Bundle, dict[str, Any]]:
    """Write the bundle; the figures say how the keeper does on the objects that it was weighed on."""
    preprocessing = {"object_px": OBJECT_PX, "input": "grey / 255 around an object, its pixels, others' claims"}
    facts = {"labels": [], "preprocessing": preprocessing, **shipment.facts()}
    weights, figures = _weigh(provisional_bundle("verifier", model, EVEN_WEIGHTS, **facts), shipment)
    return write_bundle(shipment.out, "verifier", model, calibration=weights, **facts), figures


def _weigh(bundle: Bundle, shipment: Shipment) -> tuple[dict[str, float], dict[str, float]]:
    locator = load_locator(shipment.models)
    classifier = load_classifier(shipment.models)
    verifier = Verifier(bundle)
    weighed, true = [], []
    for index, truth in enumerate(track(read_frames(shipment.data, "val")[: shipment.limit], "weighing on val")):
        frame = locator.prepared(read_frame(truth.path, index))
        regions = locator.locate(frame)
        crops = straighten(frame, regions)
        seen = look(verifier, frame, regions, crops, classifier.classify(crops))
        single = [regions[k] for k in seen.rows]
        whole = marks(single, truth.boxes_px.astype(np.float32))[0]
        learned = whole | ~teaches_nothing(boxes_of(single), truth.ignored_px)
        weighed.append(terms(seen.weighed)[learned])
        true.append(whole[learned])
    return fit_weights(np.concatenate(weighed), np.concatenate(true))


def fit_weights(weighed: Float32Array, y: BoolArray) -> tuple[dict[str, float], dict[str, float]]:
    """The keeper's weights by name, fitted to ``weighed`` (n, 66), the ``terms`` of objects, and ``y`` (n,), whether
    each is the mark of a chromosome; and how right they are."""
    x = weighed[:, 1:]
    if len(np.unique(y)) < 2:  # all true or all false: nothing to learn from
        return EVEN_WEIGHTS, {"val_proposals": len(y)}
    middle, spread = x.mean(0), np.maximum(x.std(0), 1e-6)
    fit = LogisticRegression(C=KEEPER_C, max_iter=2000).fit((x - middle) / spread, y)
    slopes = fit.coef_[0] / spread
    weights = dict(zip(TERMS, map(float, (fit.intercept_[0] - slopes @ middle, *slopes)), strict=True))
    right = fit.score((x - middle) / spread, y)
    return weights, {"val_proposals": len(y), "val_proposals_true": float(y.mean()), "val_kept_right": right}
