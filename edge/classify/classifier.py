"""Names each crop alone: calibrated probabilities of the 24 classes, which end is the p arm, whether it is whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.records import Crop, Float32Array, Prediction
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network


class Classifier:
    """The classifier of a verified bundle. All crops of a cell go through in one call, both ends up.

    A located chromosome may lie either way round. Reading it both ways and weighing each reading by its own belief
    that the p arm is up costs a second pass, and gains accuracy over trusting either reading alone.
    """

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        self.models = {"classifier": bundle.model_id}
        self._network = Network.of_bundle(bundle, threads)
        self._temperature = bundle.calibrated("temperature")

    def classify(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
        if not crops:
            return ()
        upright = np.stack([c.pixels for c in crops])
        n = len(crops)
        answers = self._network.run_uint8(np.concatenate([upright, upright[:, ::-1]]))
        outputs = {name: answer.reshape(2 * n, -1) for name, answer in answers.items()}
        logit = outputs["p_arm_up"][:, 0]
        p_arm_up = _sigmoid(logit[:n] - logit[n:])
        log_scores = _log_softmax(outputs["label"])
        mixed = np.logaddexp(
            log_scores[:n] + np.log(np.maximum(p_arm_up, 1e-4))[:, None],
            log_scores[n:] + np.log(np.maximum(1 - p_arm_up, 1e-4))[:, None],
        )
        scores = np.exp(_log_softmax(mixed / self._temperature)).astype(np.float32)
        single = _sigmoid((outputs["single"][:n, 0] + outputs["single"][n:, 0]) / 2)
        return tuple(
            Prediction(crop.region_id, row, up, one)
            for crop, row, up, one in zip(crops, scores, p_arm_up.tolist(), single.tolist(), strict=True)
        )


def _sigmoid(x: npt.NDArray[np.floating]) -> Float32Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)


def _log_softmax(x: npt.NDArray[np.floating]) -> Float32Array:
    shifted = x - x.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)), np.float32)
