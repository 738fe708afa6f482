"""The geometry that the locator network and its decoder share.

The network sees the frame at ``LOCATOR_UM_PER_PX`` and answers on a stride-4 grid whose channels may hold sub-cells.
Within a cell, channels run sub-row, sub-column, value.
"""

from __future__ import annotations

STRIDE_PX = 4
"""Network input pixels per output cell."""
HEADS: dict[str, tuple[int, int]] = {"heat": (1, 1), "box": (1, 4), "dense": (2, 2), "votes": (2, 2)}
"""Output name: sub-cells per side (1 is a stride of 4 px, 2 one of 2 px) and values per sub-cell."""
BOX_UNIT_PX = 16.0
VOTE_UNIT_PX = 16.0
LOCATOR_UM_PER_PX = 0.0975
"""The frame is brought to two thirds of the nominal 0.065 um/px: chromosomes are then about 13 px wide."""
