"""The human G-band tables: where each band lies on each chromosome and how darkly it stains.

NCBI ideogram data for GRCh38 at three levels of resolution, in the CC0 copy of eweitz/ideogram (``edge/data``).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal, cast

from edge.records import LABELS

Resolution = Literal[400, 550, 850]
"""Bands that are told apart over the haploid set; a longer, earlier metaphase shows more."""

Arm = Literal["p", "q"]
Stain = Literal["gneg", "gpos", "gvar", "acen", "stalk"]


@dataclass(frozen=True, slots=True)
class Band:
    """One band. ``start`` and ``stop`` are ISCN units from the end of the p arm (lengths as drawn and as seen, unlike
    base pairs); ``density`` is how dark a ``gpos`` band is in percent (25, 50, 75, 100), 0 for every other stain."""

    chromosome: str
    arm: Arm
    name: str
    start: int
    stop: int
    stain: Stain
    density: int


@cache
def load_bands(resolution: Resolution) -> Mapping[str, tuple[Band, ...]]:
    """Bands of each of the 24 chromosomes, label -> bands from the end of the p arm to the end of the q arm.

    The source's positions leave a few small gaps at 550 bands (7q, 8q, 11p, 12q, 18p, Xp, Yq).
    """
    table = resources.files("edge").joinpath("data", f"ideogram_9606_GCF_000001305.14_{resolution}_V1.tsv")
    found: dict[str, list[Band]] = {label: [] for label in LABELS}
    for row in csv.DictReader(table.read_text(encoding="ascii").splitlines(), delimiter="\t"):
        label = row["#chromosome"]
        found[label].append(
            Band(
                chromosome=label,
                arm=cast(Arm, row["arm"]),
                name=row["arm"] + row["band"],
                start=int(row["iscn_start"]),
                stop=int(row["iscn_stop"]),
                stain=cast(Stain, row["stain"]),
                density=int(row["density"] or 0),
            )
        )
    return MappingProxyType({label: tuple(bands) for label, bands in found.items()})


def centromere(bands: tuple[Band, ...]) -> int:
    """ISCN position where the p arm ends and the q arm begins."""
    return max(band.stop for band in bands if band.arm == "p")
