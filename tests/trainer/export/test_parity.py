"""Parity of trained and exported answers: what counts as agreement, and bounds that name the figure that broke them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edge.runtime.bundle import Task
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
    trained = {"heat": np.array([[4.0, -4.0, -4.0, 4.0]], np.float32), "box": np.zeros((1, 4, 4), np.float32)}
    exported = {"heat": np.array([[4.0, -4.0, 4.0, 4.0]], np.float32), "box": np.zeros((1, 4, 4), np.float32)}
    parity = measure("locator", "int8", trained, exported)
    assert parity.agreement == pytest.approx(2 / 3)
    silent = {"heat": np.full((1, 4), -4.0, np.float32)}
    assert measure("locator", "int8", silent, silent).agreement == 1


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (Bounds(1.01, 1, 1, 1, 1), r"agrees on \d+\.\d\d% \(least 101\.00%\)"),
        (Bounds(0, 1e-9, 1, 1, 1), r"scores differ by 0\.\d{4} on average \(most 1e-09\)"),
        (Bounds(0, 1, 1e-9, 1, 1), r"a score differs by 0\.\d{3} \(most 1e-09\)"),
    ],
)
def test_a_broken_bound_is_named(bounds: Bounds, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BOUNDS, "int8", bounds)
    with pytest.raises(ExportError, match=message):
        require(measure("classifier", "int8", scores((0.9, 0.1)), scores((0.85, 0.15))))


def outputs(task: Task) -> dict[str, np.ndarray]:
    """What a network might say of 20 pictures."""
    rng = np.random.default_rng(0)
    shapes = {
        "classifier": {"label": (1, 1, 24), "p_arm_up": (1, 1, 1), "single": (1, 1, 1)},
        "locator": {"heat": (8, 8, 2), "box": (8, 8, 8)},
        "separator": {"mask": (32, 32, 4), "rows": (32, 1, 2), "cols": (1, 32, 2)},
        "arbiter": {"label": (96, 24), "keep": (96, 1)},
    }
    return {name: rng.normal(0, 4, (20, *shape)).astype(np.float32) for name, shape in shapes[task].items()}


@pytest.mark.parametrize(
    ("task", "output", "message"),
    [
        ("classifier", "p_arm_up", r"p_arm_up differ by 0\.\d{4} score on average \(most 0\.01\)"),
        ("classifier", "single", r"single differ by 0\.\d{4} score on average"),
        ("locator", "box", r"sides differ by \d+\.\d{4} px on average \(most 1\)"),
        ("separator", "rows", r"sides differ by \d+\.\d{4} px on average"),
        ("separator", "cols", r"sides differ by \d+\.\d{4} px on average"),
        ("arbiter", "keep", r"keep differ by 0\.\d{4} score on average"),
    ],
)
def test_an_output_beside_the_judged_one_is_proved_too(task: Task, output: str, message: str) -> None:
    trained = outputs(task)
    require(measure(task, "int8", trained, trained))
    with pytest.raises(ExportError, match=message):  # as if its scale had been lost
        require(measure(task, "int8", trained, trained | {output: np.zeros_like(trained[output])}))


@pytest.mark.parametrize(("task", "output"), [("classifier", "label"), ("classifier", "single"), ("locator", "box")])
def test_what_is_no_number_is_no_proof(task: Task, output: str) -> None:
    trained = outputs(task)
    with pytest.raises(ExportError, match="nan"):
        require(measure(task, "float16", trained, trained | {output: np.full_like(trained[output], np.nan)}))


def test_a_lone_output_that_is_far_off_is_named() -> None:
    trained = outputs("classifier")
    off = trained["single"].copy()
    off[np.abs(off).argmax()] *= -1
    parity = measure("classifier", "float32", trained, trained | {"single": off})
    assert json.loads(json.dumps(parity.figures()))["parity_beside"]["single"]["largest"] > 0.9
    with pytest.raises(ExportError, match=r"single differ by 0\.9\d\d score \(most 0\.002\)"):
        require(parity)


def test_every_form_has_bounds_and_equal_answers_keep_them() -> None:
    assert set(BOUNDS) == FORMS
    for form in BOUNDS:
        require(measure("classifier", form, scores((0.9, 0.1)), scores((0.9, 0.1))))


def test_foreign_bytes_are_no_model() -> None:
    with pytest.raises(ExportError, match="expected a TFLite model"):
        read_flat(b"not a model at all")
