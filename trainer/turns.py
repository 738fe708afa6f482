"""What a locator says of a picture on the mean of its eight turns: more than any one reading of it knows.

A chromosome lies under a microscope anyhow, so where the readings of a picture and of its turns differ, some of them
err. Eight readings are too dear at the scope; a network that learns from their mean (``trainer fit locator --teacher``)
needs but one: knowledge distillation (Hinton 2015), with the network's own turns as the ensemble.
"""

from __future__ import annotations

import numpy as np

from edge.locate.boxes import BoxFinder
from edge.locate.decode import Maps
from edge.records import Float32Array, UInt8Array


def said_of_turns(finder: BoxFinder, picture: UInt8Array) -> Maps:
    """The mean of the eight readings of ``picture`` uint8 (H, W), of which ``finder`` takes two at a time."""
    readings = [
        _turned_back(finder.maps(np.ascontiguousarray(_turned(picture, flip, swap))), flip, swap)
        for flip in (False, True)
        for swap in (False, True)
    ]
    return Maps(np.mean([r.heat for r in readings], axis=0), np.mean([r.box for r in readings], axis=0))


def _turned(picture: UInt8Array, flip: bool, swap: bool) -> UInt8Array:
    """The picture with its axes swapped, then its columns in the other order."""
    picture = picture.T if swap else picture
    return picture[:, ::-1] if flip else picture


def _turned_back(maps: Maps, flip: bool, swap: bool) -> Maps:
    """The maps of ``_turned`` as they lie in the picture: sides change places, and wide is tall where axes do."""
    heat: Float32Array = maps.heat
    box: Float32Array = maps.box
    if flip:
        heat, box = heat[:, ::-1], box[:, ::-1][..., [2, 1, 0, 3]]
    if swap:
        heat, box = heat.swapaxes(0, 1)[..., ::-1], box.swapaxes(0, 1)[:, :, ::-1][..., [1, 0, 3, 2]]
    return Maps(heat, box)
