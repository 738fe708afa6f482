"""Pictures for the small models of make_models.py."""

from __future__ import annotations

import numpy as np

from edge.records import UInt8Array


def pixels(n: int = 3) -> UInt8Array:
    """uint8 (n, 16, 12), the same each time."""
    return np.random.default_rng(n).integers(0, 256, (n, 16, 12), dtype=np.uint8)
