"""The separator's bundle: converted, and measured on chromosomes of frames that it never saw."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.locate.separate import BOX_PX, ROI_PX, unfold_mask
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network
from trainer.data.framecache import load_cache
from trainer.data.metaphase import read_frames
from trainer.data.rois import draw_rois
from trainer.export.bundle import write_bundle
from trainer.export.shipment import Shipment
from trainer.export.tflite import to_int8, to_tflite
from trainer.fit_separator import VAL_FRAMES, VAL_ROIS, VAL_SEED, iou_of, mask_iou

SAMPLES = 400


def ship_separator(network: Any, shipment: Shipment) -> tuple[Bundle, dict[str, Any]]:
    """Write the bundle; the figures: mean IoU of the masks of pasted chromosomes on val frames, Keras and exported."""
    store = shipment.run.parent
    if shipment.form == "int8":
        train = load_cache(read_frames(shipment.data, "train"), store / "frames-train.cache")
        rois, _ = draw_rois(train, np.random.default_rng(0), SAMPLES)
        tflite = to_int8(network, rois, ROI_PX, ROI_PX)
    else:
        tflite = to_tflite(network, ROI_PX, ROI_PX)
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
    val = load_cache(read_frames(shipment.data, "val")[:VAL_FRAMES], store / "frames-val.cache")
    rois, masks = draw_rois(val, np.random.default_rng(VAL_SEED), min(shipment.limit or VAL_ROIS, VAL_ROIS))
    ran = Network.of_bundle(bundle)
    found = np.concatenate([unfold_mask(ran.run_uint8(rois[i : i + 64])["mask"]) for i in range(0, len(rois), 64)]) > 0
    return bundle, {
        "val_chromosomes": len(rois),
        "val_mask_iou_keras": mask_iou(network, rois, masks),
        "val_mask_iou": iou_of(found, masks),
    }
