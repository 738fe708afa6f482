"""The typed values that pass between the stages; each is checked where it is made.

Conventions: arrays are row-major (H, W); points are (x, y) in the frame's own pixels; boxes are half-open
(x0, y0, x1, y1); 0 is dark. Times are seconds of the monotonic clock unless the name says otherwise.
A record that does not hold what it promises raises ``ValueError`` at once: that is a bug, never a user's error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

LABELS: tuple[str, ...] = (*(str(n) for n in range(1, 23)), "X", "Y")
"""The 24 classes, in the order of every score vector."""

USUAL_COUNT = 46
"""Chromosomes of a human cell. Where another number is found it is seldom true: of 60 val frames with 45 found 54 have
46, of seven with 47 found six."""

NOMINAL_UM_PER_PX = 0.065
"""Scale that the models were trained at: a 100x objective on a 6.5 um camera pixel."""

Status = Literal["accepted", "review"]
Box = tuple[int, int, int, int]
UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]

_KNOWN_LABELS, _STATUSES = frozenset(LABELS), frozenset(get_args(Status))


def _require(holds: bool, what: str, got: object) -> None:
    if not holds:  # only now: a dtype's name is slow to make, and a frame has a hundred records
        raise ValueError(f"{what}; got {got}")


def _check_grey(pixels: UInt8Array, name: str) -> None:
    _require(
        pixels.dtype == np.uint8 and pixels.ndim == 2 and pixels.size > 0,
        f"{name} must be uint8 (H, W), not empty",
        (pixels.dtype, pixels.shape),
    )


def _check_scale(um_per_px: float, name: str) -> None:
    _require(0.001 < um_per_px < 10, f"{name} must be between 0.001 and 10", um_per_px)


def _check_box(box: Box) -> None:
    _require(len(box) == 4 and box[0] < box[2] and box[1] < box[3], "box_px must be (x0, y0, x1, y1), half-open", box)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from a camera. ``pixels`` uint8 (H, W), 0 = dark; ``index`` counts from 0 within ``source``, a file's
    or camera's name; ``captured_s`` is of the monotonic clock; ``um_per_px`` micrometres a pixel."""

    pixels: UInt8Array
    index: int
    captured_s: float
    source: str
    um_per_px: float = NOMINAL_UM_PER_PX

    def __post_init__(self) -> None:
        _check_grey(self.pixels, "Frame.pixels")
        _require(self.index >= 0, "Frame.index must be >= 0", self.index)
        _check_scale(self.um_per_px, "Frame.um_per_px")

    @property
    def scale_stated(self) -> bool:
        """Whether somebody stated the scale: the nominal one is only supposed."""
        return self.um_per_px != NOMINAL_UM_PER_PX


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One located chromosome. ``id`` is 0 or more, and its own within a cell; ``mask`` bool (y1 - y0, x1 - x0), within
    its box; ``axis_px`` its centre line end to end, (x, y) in the frame, float32 (n, 2), n >= 2, finite; ``overlaps``
    ids of the located objects whose masks share 12 pixels or more with its own, in a ``Cell`` of those that are
    chromosomes of it; ``score`` 0..1, how sure the locator is of it."""

    id: int
    box_px: Box
    mask: BoolArray
    axis_px: Float32Array
    overlaps: tuple[int, ...]
    score: float

    def __post_init__(self) -> None:
        _require(self.id >= 0, "Region.id must be >= 0", self.id)
        _check_box(self.box_px)
        x0, y0, x1, y1 = self.box_px
        _require(
            self.mask.dtype == np.bool_ and self.mask.shape == (y1 - y0, x1 - x0),
            "Region.mask must be bool, the size of its box",
            (self.mask.dtype, self.mask.shape, self.box_px),
        )
        axis = self.axis_px
        _require(
            axis.dtype == np.float32 and axis.ndim == 2 and axis.shape[0] >= 2 and axis.shape[1] == 2,
            "Region.axis_px must be float32 (n >= 2, 2)",
            (axis.dtype, axis.shape),
        )
        # One product tells of all points, in a third of the time of isfinite and all.
        _require(math.isfinite(np.vdot(axis, axis)), "Region.axis_px must be finite", axis)
        _require(0.0 <= self.score <= 1.0, "Region.score must be in 0..1", self.score)


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One chromosome for the classifier: uint8 (H, W), straight, its long axis vertical (which end is up is for the
    classifier to say), neighbours removed, background 0, stain 255, at the cell's scale."""

    region_id: int
    pixels: UInt8Array

    def __post_init__(self) -> None:
        _check_grey(self.pixels, "Crop.pixels")

    @property
    def mirrored(self) -> Crop:
        """Left and right swapped, as its chromosome shows in a mirror."""
        return replace(self, pixels=np.ascontiguousarray(self.pixels[:, ::-1]))

    @property
    def shown(self) -> Crop:
        """The crop to show to people: this one, unless the classifier's shows less or more than the chromosome."""
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the classifier says of one crop alone: ``scores`` float32 (24,) in the order of ``LABELS``, calibrated,
    summing to 1; ``p_arm_up`` is the probability that the crop's top end is the p arm's; ``single`` the
    probability that it is one whole chromosome."""

    region_id: int
    scores: Float32Array
    p_arm_up: float
    single: float

    def __post_init__(self) -> None:
        _require(
            self.scores.dtype == np.float32 and self.scores.shape == (len(LABELS),),
            "Prediction.scores must be float32 (24,)",
            (self.scores.dtype, self.scores.shape),
        )
        scores = self.scores.tolist()  # of so few Python's own sum and least are faster
        _require(abs(sum(scores) - 1.0) < 1e-3, "Prediction.scores must sum to 1", sum(scores))
        _require(min(scores) >= 0.0, "Prediction.scores must be >= 0", min(scores))
        _require(0.0 <= self.p_arm_up <= 1.0, "Prediction.p_arm_up must be in 0..1", self.p_arm_up)
        _require(0.0 <= self.single <= 1.0, "Prediction.single must be in 0..1", self.single)


@dataclass(frozen=True, slots=True, eq=False)
class Chromosome:
    """One chromosome of a labelled cell. ``label`` was decided over the whole cell, ``confidence`` is its probability,
    0..1; ``status`` ``review`` where a person should look; ``candidates``: (label, probability) from the crop and what
    lies beside it, before labels are assigned, best first; ``p_arm_up``: the crop's first row is the end of the p arm.
    """

    region: Region
    crop: Crop
    label: str
    confidence: float
    status: Status
    candidates: tuple[tuple[str, float], ...]
    p_arm_up: bool

    def __post_init__(self) -> None:
        _require(self.label in LABELS, "Chromosome.label must be 1..22, X or Y", self.label)
        _require(0.0 <= self.confidence <= 1.0, "Chromosome.confidence must be in 0..1", self.confidence)
        _require(self.status in _STATUSES, "Chromosome.status must be accepted or review", self.status)
        _require(
            len(self.candidates) > 0
            and all(label in _KNOWN_LABELS and 0.0 <= share <= 1.0 for label, share in self.candidates),
            "Chromosome.candidates must be one or more of 1..22, X or Y, each with 0..1",
            self.candidates,
        )
        _require(self.crop.region_id == self.region.id, "Chromosome.crop must be its region's", self.crop.region_id)


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A labelled metaphase, all within its frame. ``um_per_px``: the scale that its frame was read at, as
    ``scale_stated`` or else supposed, or corrected by the chromosomes' size; ``stage_ms``: stage name to milliseconds;
    ``models``: role to ``sha256:<hex>``."""

    frame: str
    index: int
    width_px: int
    height_px: int
    um_per_px: float
    scale_stated: bool
    chromosomes: tuple[Chromosome, ...]
    karyotype: str
    findings: tuple[str, ...]
    stage_ms: Mapping[str, float]
    models: Mapping[str, str]

    def __post_init__(self) -> None:
        size = (self.width_px, self.height_px)
        _require(min(size) > 0, "Cell needs its frame's size", size)
        _require(self.index >= 0, "Cell.index must be >= 0", self.index)
        _check_scale(self.um_per_px, "Cell.um_per_px")
        ids = [c.region.id for c in self.chromosomes]
        _require(len(set(ids)) == len(ids), "Cell.chromosomes must have an id each", ids)
        boxes = [c.region.box_px for c in self.chromosomes]
        beyond = [b for b in boxes if b[0] < 0 or b[1] < 0 or b[2] > size[0] or b[3] > size[1]]
        _require(not beyond, "Cell.chromosomes must lie within the frame", (beyond, size))
        object.__setattr__(self, "stage_ms", MappingProxyType(dict(self.stage_ms)))
        object.__setattr__(self, "models", MappingProxyType(dict(self.models)))

    @property
    def count(self) -> int:
        return len(self.chromosomes)

    @property
    def counts(self) -> dict[str, int]:
        """Copies of each of the 24 labels, zero included."""
        found = [c.label for c in self.chromosomes]
        return {label: found.count(label) for label in LABELS}


def among_themselves(chromosomes: Sequence[Chromosome]) -> tuple[Chromosome, ...]:
    """``chromosomes`` as a ``Cell`` has them: ``Region.overlaps`` names only regions that are among them."""
    ids = {c.region.id for c in chromosomes}
    return tuple(c if ids.issuperset(c.region.overlaps) else _within(ids, c) for c in chromosomes)


def _within(ids: set[int], chromosome: Chromosome) -> Chromosome:
    region = chromosome.region
    named = tuple(id for id in region.overlaps if id in ids)
    return replace(chromosome, region=replace(region, overlaps=named))
