"""Every form of an export: it answers as Keras does, within bounds that name the figure that broke them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

from edge.runtime.interpreter import Network
from tests.trainer.small import small_classifier
from tests.trainer.tiny import drawn_crops
from trainer.errors import ExportError
from trainer.export.flat import read_flat
from trainer.export.parity import BOUNDS, Bounds, measure, require
from trainer.export.prove import compare, prove
from trainer.export.specimen import Specimen
from trainer.export.tflite import FORMS, Form, convert

WEIGHTS = {"float32": "FLOAT32", "float16": "FLOAT16", "dynamic": "INT8", "int8": "INT8", "int16x8": "INT8"}
INPUTS = {"int8": np.int8, "int16x8": np.int16}


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    crops = drawn_crops(36)
    return Specimen("classifier", small_classifier(), list(crops[:12]), crops[12:])


@pytest.fixture(scope="module")
def models(specimen: Specimen) -> dict[Form, bytes]:
    return {form: convert(form, specimen.network, specimen.samples, *specimen.size_px) for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_what_keras_says(form: Form, specimen: Specimen, models: dict[Form, bytes]) -> None:
    figures = prove(specimen, form, models[form])
    assert figures["form"] == form
    assert figures["bytes"] == len(models[form])
    assert 0 < float(figures["gzip_bytes"]) < len(models[form])
    network = Network(models[form], threads=1)
    assert network.input_dtype == INPUTS.get(form, np.float32)
    weights = {t.dtype for t in read_flat(models[form]).weights if t.values > 1000}
    assert WEIGHTS[form] in weights


def test_forms_stand_in_the_order_of_their_exactness(specimen: Specimen, models: dict[Form, bytes]) -> None:
    gap = {form: compare(specimen, form, models[form]).mean_difference for form in FORMS}
    assert gap["float32"] < gap["float16"] < gap["int8"]
    assert gap["int16x8"] < gap["int8"]
    assert len(models["int8"]) < 0.5 * len(models["float32"])
    assert len(models["float16"]) < 0.7 * len(models["float32"])


def test_a_batch_of_crops_goes_through_every_form(models: dict[Form, bytes]) -> None:
    crops = drawn_crops(5)
    for form, model in models.items():
        network = Network(model, threads=1)
        together = network.run_uint8(crops)["label"]
        alone = np.concatenate([network.run_uint8(crop[None])["label"] for crop in crops])
        np.testing.assert_allclose(together, alone, atol=1e-5, err_msg=form)


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
def test_a_broken_bound_is_named(
    bounds: Bounds, message: str, specimen: Specimen, models: dict[Form, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BOUNDS, "int8", bounds)
    with pytest.raises(ExportError, match=message):
        prove(specimen, "int8", models["int8"])


def test_another_network_does_not_pass(specimen: Specimen, models: dict[Form, bytes]) -> None:
    network = small_classifier()
    network.set_weights([w[..., ::-1] for w in network.get_weights()])
    with pytest.raises(ExportError, match="does not say what the trained network says"):
        prove(replace(specimen, network=network), "float32", models["float32"])


def test_every_form_has_bounds_and_equal_answers_keep_them() -> None:
    assert set(FORMS) | {"onnx float32", "onnx int8"} == set(BOUNDS)
    for form in BOUNDS:
        require(measure("classifier", form, scores((0.9, 0.1)), scores((0.9, 0.1))))


def test_foreign_bytes_are_no_model() -> None:
    with pytest.raises(ExportError, match="expected a TFLite model"):
        read_flat(b"not a model at all")
