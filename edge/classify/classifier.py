"""Names each crop alone: calibrated probabilities of the 24 classes, which end is the p arm, whether it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.records import Crop, Float32Array, Prediction, UInt8Array
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network

SURE, SURE_POLARITY = 0.99, 2.0
"""A reading whose likeliest label has this probability, and whose p arm this log odds (either way), needs no second.
Of 9,000 val crops 83 % are so sure; reading those once names as many rightly (97.06 %), at 0.0006 nats more."""


class Classifier:
    """The classifier of a verified bundle. All crops of a cell go through in one call, the unsure ones once more.

    A located chromosome may lie either way round. Reading it both ways and weighing each reading by its own belief
    that the p arm is up gains accuracy over trusting either reading alone, but only where the first leaves a doubt.
    """

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        self.models = {"classifier": bundle.model_id}
        self._network = Network.of_bundle(bundle, threads)
        self._temperature = bundle.calibrated("temperature")

    def classify(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
        if not crops:
            return ()
        pixels = np.stack([c.pixels for c in crops])
        reading = self._read(pixels)
        sure = np.exp(_log_softmax(reading.log_scores / self._temperature)).max(1) >= SURE
        unsure = np.flatnonzero(~sure | (np.abs(reading.polarity) < SURE_POLARITY))
        log_scores, single = reading.log_scores, reading.single
        odds = 2 * reading.polarity  # the other end up it would say the opposite
        if len(unsure):
            again = self._read(pixels[unsure, ::-1])
            odds[unsure] = reading.polarity[unsure] - again.polarity
            single[unsure] = (single[unsure] + again.single) / 2
            up = _sigmoid(odds[unsure])[:, None]
            log_scores[unsure] = np.logaddexp(
                log_scores[unsure] + np.log(np.maximum(up, 1e-4)), again.log_scores + np.log(np.maximum(1 - up, 1e-4))
            )
        scores = np.exp(_log_softmax(log_scores / self._temperature)).astype(np.float32)
        said = zip(crops, scores, _sigmoid(odds).tolist(), _sigmoid(single).tolist(), strict=True)
        return tuple(Prediction(crop.region_id, row, up, one) for crop, row, up, one in said)

    def _read(self, pixels: UInt8Array) -> _Reading:
        outputs = {name: out.reshape(len(pixels), -1) for name, out in self._network.run_uint8(pixels).items()}
        polarity, single = (outputs[name][:, 0].copy() for name in ("p_arm_up", "single"))
        return _Reading(_log_softmax(outputs["label"]), polarity, single)


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """Of n crops as they lie: ``log_scores`` float32 (n, 24); log odds ``polarity`` (n,), that the p arm is up, and
    ``single`` (n,)."""

    log_scores: Float32Array
    polarity: Float32Array
    single: Float32Array


def _sigmoid(x: npt.NDArray[np.floating]) -> Float32Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)


def _log_softmax(x: npt.NDArray[np.floating]) -> Float32Array:
    shifted = x - x.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)), np.float32)
