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
    return {form: convert(form, specimen.network, specimen.samples) for form in FORMS}


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


def test_another_network_does_not_pass(specimen: Specimen, models: dict[Form, bytes]) -> None:
    network = small_classifier()
    network.set_weights([w[..., ::-1] for w in network.get_weights()])
    with pytest.raises(ExportError, match="does not say what the trained network says"):
        prove(replace(specimen, network=network), "float32", models["float32"])
