"""The locator's losses: least at the truth, finite at extremes, and they pull the right way."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras  # noqa: E402

from edge.locate.grid import HEADS  # noqa: E402
from trainer.fit.losses import box_loss, dense_loss, heat_loss, unfold, vote_loss  # noqa: E402
from trainer.networks.locator import AUXILIARY  # noqa: E402

CERTAIN = 30.0


def f32(values: object) -> np.ndarray:
    return np.asarray(values, np.float32)


def heat_target() -> np.ndarray:
    heat = np.zeros((2, 6, 6, 1), np.float32)
    heat[0, 2, 3] = heat[1, 4, 1] = 1
    heat[0, 2, 2] = heat[1, 3, 1] = 0.6
    return heat


def box_target() -> np.ndarray:
    target = np.zeros((1, 4, 4, 5), np.float32)
    target[0, 1, 1] = (1.0, 2.0, 0.5, 1.5, 1.0)
    target[0, 1, 2] = (1.25, 2.0, 0.25, 1.5, 0.5)
    return target


def dense_target() -> np.ndarray:
    dense = np.zeros((1, 4, 4, 4), np.float32)
    dense[0, :2, :, 0] = 1  # chromosome
    dense[0, 0, 0, 1] = 1  # crossing
    dense[0, :, :3, 2] = 1  # crossing known
    dense[..., 3] = 1  # chromosome known
    return dense


@pytest.mark.parametrize("name", AUXILIARY)
def test_unfolding_opens_channels_in_the_order_row_column_value(name: str) -> None:
    side, values = AUXILIARY[name]
    cells = np.random.default_rng(0).random((2, 3, 5, side * side * values), np.float32)
    opened = unfold(tf.constant(cells), name).numpy()
    assert opened.shape == (2, 3 * side, 5 * side, values)
    for row in range(side):
        for col in range(side):
            first = (row * side + col) * values
            np.testing.assert_array_equal(opened[:, row::side, col::side], cells[..., first : first + values])


@pytest.mark.parametrize("name", HEADS)
def test_outputs_without_sub_cells_stay_as_they_are(name: str) -> None:
    cells = tf.zeros((1, 3, 5, HEADS[name]))
    assert unfold(cells, name) is cells


def test_heat_is_nothing_at_certainty_and_by_hand_at_doubt() -> None:
    target = heat_target()
    sure = np.where(target >= 1, CERTAIN, -CERTAIN).astype(np.float32)
    assert float(heat_loss(sure, target)) == pytest.approx(0, abs=1e-6)
    # At even odds everywhere: p = 1/2, so (1 - p)^2 = p^2 = 1/4 and each log is log 2; two objects.
    others = (1 - target[target < 1]) ** 4
    by_hand = 0.25 * np.log(2) * (2 + others.sum()) / 2
    assert float(heat_loss(np.zeros_like(target), target)) == pytest.approx(by_hand, rel=1e-5)


def test_heat_forgives_near_a_centre_more_than_far_from_it() -> None:
    target = heat_target()
    sure = np.where(target >= 1, CERTAIN, -CERTAIN).astype(np.float32)
    near, far = sure.copy(), sure.copy()
    near[0, 2, 2] = far[0, 5, 5] = 2
    assert 0 < float(heat_loss(near, target)) < 0.1 * float(heat_loss(far, target))


def test_heat_of_a_window_without_a_chromosome() -> None:
    nothing = np.zeros((1, 4, 4, 1), np.float32)
    assert float(heat_loss(nothing - CERTAIN, nothing)) == pytest.approx(0, abs=1e-6)
    assert float(heat_loss(nothing, nothing)) == pytest.approx(16 * 0.25 * np.log(2), rel=1e-5)


def test_box_is_nothing_at_the_truth_whatever_is_said_elsewhere() -> None:
    target = box_target()
    sides = np.full((1, 4, 4, 4), 9, np.float32)
    sides[0, 1, 1:3] = target[0, 1, 1:3, :4]
    assert float(box_loss(sides, target)) == pytest.approx(0, abs=1e-6)


def test_box_takes_the_networks_channels_as_wide_then_tall() -> None:
    target = np.zeros((1, 1, 1, 2, 5), np.float32)
    target[0, 0, 0] = (1, 2, 3, 4, 1), (5, 6, 7, 8, 1)
    assert float(box_loss(f32([[[list(range(1, 9))]]]), target)) == pytest.approx(0, abs=1e-6)
    assert float(box_loss(f32([[[[5, 6, 7, 8, 1, 2, 3, 4]]]]), target)) > 0.5


def test_box_by_hand() -> None:
    target = np.zeros((1, 1, 1, 5), np.float32)
    target[0, 0, 0] = (1, 1, 1, 1, 1)  # 2 x 2
    sides = f32([[[[1, 1, 3, 1]]]])  # 4 x 2: IoU 1/2, mean distance 2/4
    assert float(box_loss(sides, target)) == pytest.approx(0.5 + 0.3 * 0.5, rel=1e-5)


def test_box_pulls_even_when_the_boxes_do_not_meet() -> None:
    sides = tf.Variable(f32([[[[-2, -2, -2, -2]]]]))
    target = f32([[[[1, 1, 1, 1, 1]]]])
    with tf.GradientTape() as tape:
        loss = box_loss(sides, target)
    assert (tape.gradient(loss, sides).numpy() < 0).all()  # down the gradient the sides grow


def test_dense_is_nothing_at_certainty_and_ignores_unknown_crossings() -> None:
    dense = dense_target()
    logits = np.where(dense[..., :2] > 0, CERTAIN, -CERTAIN).astype(np.float32)
    solid, cross = (float(v) for v in dense_loss(logits, dense))
    assert solid == pytest.approx(0, abs=1e-6)
    assert cross == pytest.approx(0, abs=1e-6)
    logits[0, :, 3, 1] = CERTAIN  # where crossing is not known
    assert float(dense_loss(logits, dense)[1]) == pytest.approx(0, abs=1e-6)
    logits[0, 1, 0, 1] = CERTAIN
    assert float(dense_loss(logits, dense)[1]) > 1


def test_dense_at_even_odds() -> None:
    dense = dense_target()
    solid, cross = (float(v) for v in dense_loss(np.zeros((1, 4, 4, 2), np.float32), dense))
    assert solid == pytest.approx(np.log(2), rel=1e-5)
    assert cross == pytest.approx(np.log(2), rel=1e-5)


def test_where_nothing_is_known_nothing_is_asked() -> None:
    dense = dense_target()
    dense[0, 1, :, 3] = 0
    logits = np.where(dense[..., :2] > 0, CERTAIN, -CERTAIN).astype(np.float32)
    logits[0, 1, :, 0] = (CERTAIN, -CERTAIN, CERTAIN, -CERTAIN)
    assert float(dense_loss(logits, dense)[0]) == pytest.approx(0, abs=1e-6)
    votes = np.zeros((1, 4, 4, 2), np.float32)
    votes[0, 1] = 99
    assert float(vote_loss(votes, np.zeros((1, 4, 4, 6), np.float32), dense)) == 0


def test_votes_take_the_best_candidate_and_chromosomes_only() -> None:
    dense = dense_target()
    target = np.zeros((1, 4, 4, 6), np.float32)
    target[..., :2], target[..., 2:4], target[..., 4:] = (1, 0), (0, 2), (-3, 1)
    for candidate in ((1, 0), (0, 2), (-3, 1)):
        votes = np.zeros((1, 4, 4, 2), np.float32)
        votes[0, :2] = candidate
        votes[0, 2:] = 99  # ground: not asked
        assert float(vote_loss(votes, target, dense)) == 0
    votes[0, :2] = (1.5, 0.25)
    assert float(vote_loss(votes, target, dense)) == pytest.approx(0.75)
    assert float(vote_loss(votes, target, np.zeros_like(dense))) == 0


@pytest.mark.parametrize("level", [-1e4, -50.0, 0.0, 50.0, 1e4])
def test_losses_and_gradients_are_finite_at_extremes(level: float) -> None:
    target, dense = box_target(), dense_target()
    votes = np.random.default_rng(0).normal(size=(1, 4, 4, 6)).astype(np.float32)
    parts = {
        "heat": (lambda x: heat_loss(x, heat_target()), (2, 6, 6, 1)),
        "box": (lambda x: box_loss(x, target), (1, 4, 4, 4)),
        "solid": (lambda x: dense_loss(x, dense)[0], (1, 4, 4, 2)),
        "crossing": (lambda x: dense_loss(x, dense)[1], (1, 4, 4, 2)),
        "votes": (lambda x: vote_loss(x, votes, dense), (1, 4, 4, 2)),
    }
    for name, (loss_of, shape) in parts.items():
        x = tf.Variable(np.full(shape, level, np.float32))
        with tf.GradientTape() as tape:
            loss = loss_of(x)
        assert np.isfinite(float(loss)), name
        assert float(loss) >= 0, name
        assert np.isfinite(tape.gradient(loss, x).numpy()).all(), name


def test_going_down_the_gradient_ends_at_the_truth() -> None:
    target, heat = box_target(), heat_target()[:1, :4, :4]
    heat[0, 2, 3] = 1
    sides, logit = tf.Variable(np.ones((1, 4, 4, 4), np.float32)), tf.Variable(np.zeros((1, 4, 4, 1), np.float32))
    optimiser = keras.optimizers.Adam(0.05)
    first = None
    for _ in range(150):
        with tf.GradientTape() as tape:
            loss = box_loss(sides, target) + heat_loss(logit, heat)
        first = float(loss) if first is None else first
        optimiser.apply_gradients(zip(tape.gradient(loss, [sides, logit]), [sides, logit], strict=True))
    assert float(loss) < 0.1 * first
    np.testing.assert_allclose(sides.numpy()[0, 1, 1:3], target[0, 1, 1:3, :4], atol=0.1)
    assert np.unravel_index(logit.numpy().argmax(), logit.shape)[1:3] == (2, 3)
