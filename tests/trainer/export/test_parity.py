"""Parity of trained and exported answers: what counts as agreement, and bounds that name the figure that broke them."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.errors import ExportError
from trainer.export.flat import read_flat
from trainer.export.parity import BOUNDS, Bounds, measure, require

FORMS = {"int8", "float32", "float16", "dynamic", "int16x8", "onnx float32", "onnx int8"}


def scores(*rows: tuple[float, float]) -> dict[str, np.ndarray]:
    return {"label": np.log(np.array(rows, np.float32))[:, None, None]}


def test_agreement_forgives_what_the_network_itself_does_not_know() -> None:
    trained = scores((0.9, 0.1), (0.51, 0.49), (0.8, 0.2), (0.3, 0.7))
    exported = scores((0.88, 0.12), (0.48, 0.52), (0.2, 0.8), (0.3, 0.7))
    parity = measure("classifier", "int8", trained, exported)
    assert (parity.agreement, parity.agreement_decided) == (0.5, 0.75)
    assert parity.largest_difference == pytest.approx(0.6, abs=1e-6)
    assert parity.mean_difference == pytest.approx((0.02 + 0.03 + 0.6 + 0) / 4, abs=1e-6)


def test_a_locator_agrees_where_either_sees_a_centre() -> None:
    trained = {"heat": np.array([[4.0, -4.0, -4.0, 4.0]], np.float32), "box": np.zeros((1, 4), np.float32)}
    exported = {"heat": np.array([[4.0, -4.0, 4.0, 4.0]], np.float32), "box": np.zeros((1, 4), np.float32)}
    parity = measure("locator", "int8", trained, exported)
    assert parity.agreement == pytest.approx(2 / 3)
    silent = {"heat": np.full((1, 4), -4.0, np.float32)}
    assert measure("locator", "int8", silent, silent).agreement == 1


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (Bounds(1.01, 1, 1), r"agrees on \d+\.\d\d% \(least 101\.00%\)"),
        (Bounds(0, 1e-9, 1), r"scores differ by 0\.\d{4} on average \(most 1e-09\)"),
        (Bounds(0, 1, 1e-9), r"a score differs by 0\.\d{3} \(most 1e-09\)"),
    ],
)
def test_a_broken_bound_is_named(bounds: Bounds, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BOUNDS, "int8", bounds)
    with pytest.raises(ExportError, match=message):
        require(measure("classifier", "int8", scores((0.9, 0.1)), scores((0.85, 0.15))))


def test_every_form_has_bounds_and_equal_answers_keep_them() -> None:
    assert set(BOUNDS) == FORMS
    for form in BOUNDS:
        require(measure("classifier", form, scores((0.9, 0.1)), scores((0.9, 0.1))))


def test_foreign_bytes_are_no_model() -> None:
    with pytest.raises(ExportError, match="expected a TFLite model"):
        read_flat(b"not a model at all")
