"""What the verifier is shown, and that it is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.cell.verify import CLAIM_LEVEL, LOOK_PX, OBJECT_PX, Verifier, looks, shown
from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.records import Frame, Region
from edge.runtime.bundle import load_bundle
from tests.builders import make_region

TINY = Path(__file__).parents[1] / "tiny"
HALF = LOOK_PX // 2


def frame_of(shade: int = 200, um_per_px: float = LOCATOR_UM_PER_PX) -> Frame:
    return Frame(np.full((160, 200), shade, np.uint8), 0, 0.0, "drawn", um_per_px)


def crossing() -> list[Region]:
    """A standing and a lying bar across each other's middle, and one far away."""
    return [make_region(0, (90, 38, 100, 82)), make_region(1, (73, 55, 117, 65)), make_region(2, (10, 130, 30, 150))]


def test_own_pixels_are_white_at_the_middle_and_nowhere_else() -> None:
    (look,) = looks(frame_of(), [make_region(0, (90, 38, 100, 82))], np.ones(1), np.arange(1))
    own = look[..., 1]
    assert own[HALF, HALF] == 255
    assert own.any(1).sum() == pytest.approx(OBJECT_PX, abs=2)
    assert own.any(0).sum() == pytest.approx(10, abs=2)  # 44 px of the frame take 44 px of the look
    assert (look[..., 0] == 200).all()
    assert look[..., 2].max() <= 1  # what rounding leaves of its own


def test_others_claim_by_their_chance_and_what_is_shared_stays_claimed() -> None:
    look = looks(frame_of(), crossing(), np.array([1.0, 0.5, 1.0]), np.arange(3))
    standing, lying = look[0, ..., 2], look[1, ..., 2]
    assert standing[HALF, HALF] == pytest.approx(0.5 * CLAIM_LEVEL, abs=2)
    assert standing[HALF, 10] == pytest.approx(0.5 * CLAIM_LEVEL, abs=2)  # on the other's arm
    assert standing[5, HALF] == 0  # on its own
    assert lying[HALF, HALF] == pytest.approx(CLAIM_LEVEL, abs=2)
    assert look[2, ..., 2].max() <= 1  # what rounding leaves of its own


def test_only_those_asked_for_are_looked_at_but_all_claim() -> None:
    chances = np.array([1.0, 0.5, 1.0])
    some, every = (looks(frame_of(), crossing(), chances, rows) for rows in (np.array([2, 0]), np.arange(3)))
    np.testing.assert_array_equal(some, every[[2, 0]])
    assert looks(frame_of(), crossing(), chances, np.zeros(0, int)).shape == (0, LOOK_PX, LOOK_PX, 3)


def test_a_frame_of_another_scale_looks_the_same() -> None:
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(90, 220, (20, 25)), np.ones((8, 8))).astype(np.uint8)
    fine = np.repeat(np.repeat(pixels, 2, 0), 2, 1)
    twice = [make_region(r.id, tuple(2 * v for v in r.box_px)) for r in crossing()]
    one = looks(Frame(pixels, 0, 0.0, "drawn", LOCATOR_UM_PER_PX), crossing(), np.ones(3), np.arange(3)).astype(int)
    two = looks(Frame(fine, 0, 0.0, "drawn", LOCATOR_UM_PER_PX / 2), twice, np.ones(3), np.arange(3)).astype(int)
    assert np.abs(one - two).mean() < 2


def test_regions_at_the_rim_of_the_frame_are_looked_at_whole() -> None:
    look = looks(
        frame_of(), [make_region(0, (0, 0, 10, 44)), make_region(1, (199, 159, 200, 160))], np.ones(2), np.arange(2)
    )
    assert (look[..., 0] == 200).all()
    assert look[0, HALF, HALF, 1] == 255


@pytest.mark.parametrize("um_per_px", [LOCATOR_UM_PER_PX, LOCATOR_UM_PER_PX / 3, LOCATOR_UM_PER_PX * 2])
def test_only_what_lies_in_the_box_shown_changes_a_look(um_per_px: float) -> None:
    """Walls of claims: just beyond each side of it nothing changes, well within it something does."""
    frame, own = frame_of(um_per_px=um_per_px), make_region(0, (90, 60, 104, 90))
    (x0, y0, x1, y1), (width, height) = np.rint(shown([own.box_px], frame)[0]).astype(int).tolist(), (200, 160)
    alone = looks(frame, [own], np.ones(1), np.arange(1))

    def beside(box: tuple[int, int, int, int]) -> bool:
        return bool((looks(frame, [own, make_region(1, box)], np.ones(2), np.arange(1)) != alone).any())

    beyond = [(x0 - 9, 0, x0, height), (x1, 0, x1 + 9, height), (0, y0 - 9, width, y0), (0, y1, width, y1 + 9)]
    assert not any(map(beside, beyond))
    far = 2 + 4 * max(1, round(LOCATOR_UM_PER_PX / um_per_px))
    within = [(x0, 0, x0 + far, height), (x1 - far, 0, x1, height), (0, y0, width, y0 + far), (0, y1 - far, width, y1)]
    assert all(map(beside, within))


def test_the_network_answers_for_each_region() -> None:
    bundle = load_bundle(TINY / "verifier", "verifier")
    verifier = Verifier(bundle, 1)
    odds = verifier.verify(frame_of(), crossing(), np.full(3, 0.8), np.arange(3))
    assert odds.shape == (3,)
    assert np.isfinite(odds).all()
    assert np.ptp(odds) > 0
    assert verifier.verify(frame_of(), [], np.zeros(0), np.zeros(0, int)).shape == (0,)
    assert verifier.models == {"verifier": bundle.model_id}
