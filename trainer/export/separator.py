"""The separator's bundle, measured on chromosomes of frames that it never saw."""

from __future__ import annotations

from typing import Any

from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.locate.separate import BOX_PX, Answers
from edge.records import UInt8Array
from edge.runtime.bundle import Bundle
from edge.runtime.network import cpu_network
from trainer.export.bundle import suffix_of, write_bundle
from trainer.export.shipment import Shipment
from trainer.fit.separator import VAL_ROIS, figures, held_rois, judge


def ship_separator(network: Any, model: bytes, shipment: Shipment) -> tuple[Bundle, dict[str, Any]]:
    """Write the bundle; the figures are those of ``trainer.fit.separator.judge`` for the exported and the Keras
    network."""
    held = held_rois(shipment.data, shipment.run.parent, min(shipment.limit or VAL_ROIS, VAL_ROIS))
    ran = cpu_network(model, suffix_of(model), threads=2)

    def answer(rois: UInt8Array) -> Answers:
        return Answers.of(ran.run_uint8(rois))

    keras = {f"{name}_keras": value for name, value in figures(network, held).items() if name != "val_given"}
    measured = {"val_chromosomes": len(held.pasted)} | judge(answer, held) | keras
    bundle = write_bundle(
        shipment.out,
        "separator",
        model,
        labels=[],
        preprocessing={"um_per_px": LOCATOR_UM_PER_PX, "box_px": BOX_PX, "input": "grey / 255 around a box, the box"},
        calibration={},
        **shipment.facts(calibrated=False),
    )
    return bundle, measured
