"""The arbiter's bundle, which has no calibration of its own: it adds to what others have calibrated."""

from __future__ import annotations

from typing import Any

from edge.runtime.bundle import Bundle
from trainer.data.cells import CellSet
from trainer.export.bundle import write_bundle
from trainer.export.shipment import Shipment
from trainer.fit.arbiter import check


def ship_arbiter(network: Any, tflite: bytes, shipment: Shipment) -> tuple[Bundle, dict[str, Any]]:
    """Write the bundle; the figures are those of the network on the val cells."""
    figures = check(network, CellSet.load(shipment.run / "val.npz"))
    facts = shipment.facts(calibrated=False)
    preprocessing = {"input": "what is known of a cell's objects, a row an object, as edge/cell/arbiter.py writes it"}
    bundle = write_bundle(
        shipment.out, "arbiter", tflite, labels=[], preprocessing=preprocessing, calibration={}, **facts
    )
    return bundle, figures
