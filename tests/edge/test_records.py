"""Records refuse what they do not promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import make_cell, make_frame


@pytest.mark.parametrize("um_per_px", [0.0, -0.065, 10.0, float("nan")])
def test_a_scale_that_no_microscope_has_is_refused(um_per_px: float) -> None:
    for record in (make_frame(), make_cell()):
        with pytest.raises(ValueError, match="um_per_px must be between"):
            replace(record, um_per_px=um_per_px)
