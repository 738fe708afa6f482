"""The band tables are whole and in order."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.bands import Resolution, centromere, load_bands
from edge.records import LABELS


@pytest.mark.parametrize(("resolution", "count"), [(400, 393), (550, 553), (850, 862)])
def test_every_chromosome_is_covered_without_gaps(resolution: Resolution, count: int) -> None:
    table = load_bands(resolution)
    assert tuple(table) == LABELS
    assert sum(len(bands) for bands in table.values()) == count
    for bands in table.values():
        assert bands[0].start == 0
        assert all(a.stop <= b.start for a, b in pairwise(bands))
        assert "".join(band.arm for band in bands).strip("p").strip("q") == ""
        assert all((band.density > 0) == (band.stain == "gpos") for band in bands)


def test_known_band() -> None:
    (band,) = [b for b in load_bands(850)["1"] if b.name == "p36.32"]
    assert (band.arm, band.start, band.stop, band.stain, band.density) == ("p", 100, 244, "gpos", 25)


def test_centromere_tells_metacentric_from_acrocentric() -> None:
    table = load_bands(550)

    def index(label: str) -> float:
        return centromere(table[label]) / table[label][-1].stop

    assert index("1") > 0.45
    assert index("13") < 0.25


def test_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        load_bands(400)["1"] = ()  # type: ignore[index]
