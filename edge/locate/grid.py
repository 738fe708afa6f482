"""The geometry that the locator network and its decoder share.

The network sees the frame at ``LOCATOR_UM_PER_PX`` and answers on a stride-4 grid.
"""

from __future__ import annotations

STRIDE_PX = 4
"""Network input pixels per output cell."""
SHAPES = 2
"""A box is wide (0) or tall (1), and each cell may hold the centre of one of either: of two chromosomes that cross at
their middles, one mostly lies and one stands. With one centre a cell, half of what was missed on val frames had another
chromosome's centre within three cells."""
HEADS: dict[str, int] = {"heat": SHAPES, "box": 4 * SHAPES}
"""Output name: values per cell."""
BOX_UNIT_PX = 16.0
SURE_SCORE = 0.3
"""An object of at least this score counts as sure: it takes its pixels, and helps to tell the cell's length and
stain."""
LOCATOR_UM_PER_PX = 0.0975
"""The frame is brought to two thirds of the nominal 0.065 um/px: chromosomes are then about 13 px wide."""
