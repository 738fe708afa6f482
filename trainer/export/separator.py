"""The separator's bundle, measured on chromosomes of frames that it never saw."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.locate.separate import BOX_PX, unfold_mask
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network
from trainer.data.rois import draw_rois
from trainer.export.bundle import write_bundle
from trainer.export.shipment import Shipment
from trainer.fit_separator import VAL_ROIS, VAL_SEED, iou_of, mask_iou, val_frames


def ship_separator(network: Any, tflite: bytes, shipment: Shipment) -> tuple[Bundle, dict[str, Any]]:
    """Write the bundle; the figures: mean IoU of the masks of pasted chromosomes on val frames, Keras and exported."""
    bundle = write_bundle(
        shipment.out,
        "separator",
        tflite,
        labels=[],
        preprocessing={"um_per_px": LOCATOR_UM_PER_PX, "box_px": BOX_PX, "input": "grey / 255 around a box, the box"},
        calibration={},
        data={"name": shipment.data.name, "train": "train"},
        command=shipment.command,
    )
    val = val_frames(shipment.data, shipment.run.parent)
    rois, masks = draw_rois(val, np.random.default_rng(VAL_SEED), min(shipment.limit or VAL_ROIS, VAL_ROIS))
    ran = Network.of_bundle(bundle)
    found = np.concatenate([unfold_mask(ran.run_uint8(rois[i : i + 64])["mask"]) for i in range(0, len(rois), 64)]) > 0
    return bundle, {
        "val_chromosomes": len(rois),
        "val_mask_iou_keras": mask_iou(network, rois, masks),
        "val_mask_iou": iou_of(found, masks),
    }
