"""The chromosomes of a captured cell as corrected so far, in the order of the karyogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.errors import EditRefused
from edge.records import Chromosome

Kind = Literal["whole", "marker", "derivative"]
KINDS: tuple[Kind, ...] = ("whole", "marker", "derivative")
"""A whole chromosome of its class; a marker, of no known class; a derivative, a structurally changed one whose
centromere is that of its label."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One chromosome as corrected so far. ``chromosome`` carries the final label, status and ``p_arm_up``; a label that
    a person gave has confidence 1. An ``excluded`` one (debris, a neighbour cell's) is shown, but not counted.
    ``edited``: a person changed something about it; accepting it as it is changes nothing."""

    chromosome: Chromosome
    kind: Kind
    excluded: bool
    edited: bool

    @property
    def id(self) -> int:
        return self.chromosome.region.id

    @property
    def label(self) -> str:
        return self.chromosome.label

    @property
    def name(self) -> str:
        """As ISCN writes it: ``9``, ``der(9)``, ``mar``."""
        return {"whole": self.label, "marker": "mar", "derivative": f"der({self.label})"}[self.kind]

    @property
    def unsure(self) -> bool:
        """Counted, and still waiting for a person's eye."""
        return not self.excluded and self.chromosome.status == "review"


Places = tuple[Placed, ...]
"""A cell's chromosomes in the order of the karyogram: homologues stand side by side as they follow here."""


def index_of(places: Places, id: int) -> int:
    """Where the chromosome ``id`` stands among ``places``. Raises ``EditRefused`` where it is not there."""
    for k, place in enumerate(places):
        if place.id == id:
            return k
    raise EditRefused(f"chromosome {id} is not in this cell (any more); load the cell again")


def as_captured(chromosomes: Sequence[Chromosome]) -> Places:
    return tuple(Placed(c, "whole", excluded=False, edited=False) for c in chromosomes)
