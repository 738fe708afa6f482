"""How much boxes share: intersection over union, 0..1; boxes are half-open (x0, y0, x1, y1) in any pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Shares = npt.NDArray[np.float64]


def box_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> Shares:
    """Of every box of ``a`` (n, 4) with every one of ``b`` (m, 4): (n, m)."""
    return _iou(_boxes(a)[:, None], _boxes(b)[None])


def paired_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> Shares:
    """Row by row, of ``a`` (n, 4) with ``b`` (n, 4): (n,)."""
    return _iou(_boxes(a), _boxes(b))


def _boxes(boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def _iou(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> Shares:
    inner = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    both = inner[..., 0] * inner[..., 1]
    return np.asarray(both / np.maximum(_areas(a) + _areas(b) - both, 1e-9))


def _areas(boxes: npt.NDArray[np.float64]) -> Shares:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))
