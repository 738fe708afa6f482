"""A simulated scope: an endless, seeded stream of drawn metaphases that knows its own truth."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np

from edge.camera import slide
from edge.camera.metaphase import SimulatedMetaphase, TrueChromosome, chromosomes_of, draw_metaphase
from edge.errors import ConfigError
from edge.records import NOMINAL_UM_PER_PX, Float32Array, Frame

KARYOTYPES = ("46,XX", "46,XY", "46,XX", "46,XY", "47,XX,+21", "46,XY", "45,X", "47,XY,+18", "47,XXY", "46,XX")
"""What the scope shows in turn when nothing is asked for: mostly normal cells, and the commonest findings."""

_KEPT_CELLS = 3  # the one shown, the next, and one that is looked back at
_BUFFERS = 3  # frames that a camera holds for a computer that is late: a short delay costs none
_FIELD_UM = 700 * NOMINAL_UM_PER_PX
_PACELESS_FPS = 10.0  # frames to a second of the scope's own time when the stream is not paced


class SimulatedCamera:
    """Shows one cell after another, as a scope does: still for ``hold_s``, then the stage moves for ``move_s``.

    Frames of a still cell differ by noise, lamp and focus, which settles after each move; frames of a moving stage are
    smeared and belong to no cell. Everything follows from ``seed``: frame n is the same in every run and whatever was
    read before. ``fps`` paces the stream, 0 gives frames as fast as they are taken. ``karyotypes`` are shown in turn.
    Frames are ``size_px`` (height, width), or else a field of 45 um at ``um_per_px``. Raises ``ConfigError`` for what
    cannot be shown.
    """

    name = "sim"

    def __init__(
        self,
        *,
        seed: int = 0,
        karyotypes: Sequence[str] = KARYOTYPES,
        fps: float = 10.0,
        hold_s: float = 4.0,
        move_s: float = 0.6,
        size_px: tuple[int, int] | None = None,
        um_per_px: float = NOMINAL_UM_PER_PX,
    ) -> None:
        if not 0.02 <= um_per_px <= 0.15:
            raise ConfigError(f"expected um_per_px from 0.02 to 0.15 for the simulated scope, got {um_per_px}")
        if not karyotypes or fps < 0 or hold_s <= 0 or move_s < 0:
            raise ConfigError(
                "expected at least one karyotype, fps >= 0, hold_s > 0 and move_s >= 0; "
                f"got {len(karyotypes)} karyotypes, fps {fps}, hold_s {hold_s}, move_s {move_s}"
            )
        for karyotype in karyotypes:
            chromosomes_of(karyotype)
        self._seed = seed
        self._karyotypes = tuple(karyotypes)
        self._pause_s = 1.0 / fps if fps > 0 else 0.0
        self._hold = max(1, round(hold_s * (fps or _PACELESS_FPS)))
        self._move = round(move_s * (fps or _PACELESS_FPS))
        side_px = round(_FIELD_UM / um_per_px)
        self._size_px = size_px or (side_px, side_px)
        self._um_per_px = um_per_px
        self._closed = threading.Event()
        self._drawn: OrderedDict[int, Future[SimulatedMetaphase]] = OrderedDict()
        self._ordering = threading.Lock()
        self._pen = ThreadPoolExecutor(1, "pen")

    def frames(self) -> Iterator[Frame]:
        index = 0
        due_s = time.monotonic()
        while not self._closed.wait(max(0.0, due_s - time.monotonic())):
            frame = self.frame(index)
            due_s = max(due_s + self._pause_s, frame.captured_s - _BUFFERS * self._pause_s)
            yield frame
            index += 1
            cell, step = divmod(index, self._hold + self._move)
            if 2 * step > self._hold:
                self._ordered(cell + 1)  # drawing it takes as long as several frames: it must be there in time

    def close(self) -> None:
        with self._ordering:
            self._closed.set()
            self._pen.shutdown(wait=False)  # its thread would stay until the scope is collected

    def frame(self, index: int) -> Frame:
        """Frame ``index`` of the stream."""
        cell, step = divmod(index, self._hold + self._move)
        here = self._cell(cell)
        rng = np.random.default_rng((self._seed, 1, index))
        if step < self._hold:
            grey = self._still(here, step, rng)
        else:
            grey = _between(here.grey, self._cell(cell + 1).grey, (step - self._hold + 1) / (self._move + 1), cell)
        return Frame(slide.expose(grey, here.noise, rng), index, time.monotonic(), self.name, self._um_per_px)

    def cell_of(self, frame_index: int) -> SimulatedMetaphase | None:
        """The cell that a frame shows; None while the stage moves."""
        cell, step = divmod(frame_index, self._hold + self._move)
        return self._cell(cell) if step < self._hold else None

    def truth_of(self, frame_index: int) -> tuple[TrueChromosome, ...]:
        """Every chromosome that a frame shows; empty while the stage moves."""
        cell = self.cell_of(frame_index)
        return cell.truth if cell else ()

    def _cell(self, cell: int) -> SimulatedMetaphase:
        return self._ordered(cell).result()

    def _ordered(self, cell: int) -> Future[SimulatedMetaphase]:
        # Not lru_cache: one that holds its owner's method keeps a closed scope with all its cells for a long time.
        with self._ordering:
            if cell not in self._drawn:
                self._drawn[cell] = self._begun(cell)
            self._drawn.move_to_end(cell)
            while len(self._drawn) > _KEPT_CELLS:
                self._drawn.popitem(last=False)
            return self._drawn[cell]

    def _begun(self, cell: int) -> Future[SimulatedMetaphase]:
        draw = partial(
            draw_metaphase,
            np.random.default_rng((self._seed, 0, cell)),
            self._karyotypes[cell % len(self._karyotypes)],
            size_px=self._size_px,
            um_per_px=self._um_per_px,
        )
        if not self._closed.is_set():
            return self._pen.submit(draw)
        drawn: Future[SimulatedMetaphase] = Future()
        drawn.set_result(draw())
        return drawn

    def _still(self, cell: SimulatedMetaphase, step: int, rng: np.random.Generator) -> Float32Array:
        settling = 2.0 * 0.4**step if self._move and self._hold > 4 else 0.0  # autofocus finds its place again
        defocus_px = settling + abs(rng.normal(0, 0.25))
        grey = cell.grey * np.float32(rng.normal(1, 0.004))
        return cv2.GaussianBlur(grey, (0, 0), defocus_px) if defocus_px > 0.3 else grey


def _between(here: Float32Array, there: Float32Array, done: float, cell: int) -> Float32Array:
    """The field while the stage carries ``there`` to where ``here`` was, smeared along the way."""
    height, width = here.shape
    sideways = cell % 2 == 0
    shift = round(done * (width if sideways else height))
    strip = np.concatenate([here, there], axis=1 if sideways else 0)
    field = strip[:, shift : shift + width] if sideways else strip[shift : shift + height]
    smear = 41 if 0.1 < done < 0.9 else 21
    return np.asarray(cv2.blur(field, (smear, 3) if sideways else (3, smear)), np.float32)
