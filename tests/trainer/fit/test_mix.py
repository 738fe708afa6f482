"""Mixed batches: what is mixed, what is not, and labels in proportion to what shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

from edge.errors import ConfigError
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from trainer.data.cropset import NOTHING, UNKNOWN
from trainer.fit.loop import Batch
from trainer.fit.mix import MIXES, Mix, mix_batch, pick_mix

SIZE = 60


def batch() -> Batch:
    """Bars of value 0.2 + 0.02 * label, every tenth not one whole chromosome."""
    label = np.arange(SIZE) % 24
    image = np.zeros((SIZE, CROP_ROWS, CROP_COLS, 1), np.float32)
    image[:, 24:104] = (0.2 + 0.02 * label)[:, None, None, None]
    single = (np.arange(SIZE) % 10 > 0).astype(np.float32)
    label = np.where(single > 0, label, NOTHING)
    polarity = np.where(single > 0, np.arange(SIZE) % 2, UNKNOWN)
    return image, label.astype(np.float32), polarity.astype(np.float32), single


def mixed(mix: Mix, wanted: bool = True) -> Batch:
    """The first seed's batch that is mixed, or is not."""
    plain = batch()[0]
    results = (mix_batch(batch(), np.random.default_rng(seed), mix) for seed in range(50))
    return next(r for r in results if wanted != np.array_equal(r[0], plain))


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_labels_are_in_proportion_to_what_shows(mix: Mix) -> None:
    image, shares, _, single = mixed(mix)
    assert image.dtype == shares.dtype == np.float32
    whole = single > 0
    np.testing.assert_allclose(shares[whole].sum(1), 1, atol=1e-5)
    # A bar's mean value is linear in its label's number, so that of a mixture tells the shares.
    shown = (image[whole, 24:104].mean((1, 2, 3)) - 0.2) / 0.02
    np.testing.assert_allclose(shown, shares[whole] @ np.arange(24), atol=1e-2)
    assert ((shares[whole] > 0).sum(1) == 2).sum() > 10


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_what_is_not_one_whole_chromosome_stays(mix: Mix) -> None:
    plain = batch()
    image, shares, polarity, single = mixed(mix)
    other = plain[3] == 0
    np.testing.assert_array_equal(image[other], plain[0][other])
    assert (shares[other] == 0).all()
    assert (polarity[other] == UNKNOWN).all()
    np.testing.assert_array_equal(single, plain[3])


def test_polarity_stays_where_both_agree_and_is_unknown_elsewhere() -> None:
    _, _, polarity, single = mixed("mixup")
    before = batch()[2]
    known = polarity != UNKNOWN
    np.testing.assert_array_equal(polarity[known], before[known])
    assert 0 < known.sum() < (single > 0).sum()


def test_cutmix_takes_a_segment() -> None:
    image, shares, *_ = mixed("cutmix")
    values = [len(np.unique(crop[24:104])) for crop in image[(shares > 0).sum(1) == 2]]
    assert set(values) == {2}


def test_half_of_the_batches_stay_whole_and_all_are_seeded() -> None:
    plain = batch()[0]
    same = [np.array_equal(mix_batch(batch(), np.random.default_rng(s), "mixup")[0], plain) for s in range(100)]
    assert 30 < sum(same) < 70
    _, shares, *_ = mixed("mixup", wanted=False)
    assert set(np.unique(shares)) == {0, 1}
    one, two = (mix_batch(batch(), np.random.default_rng(7), "cutmix")[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_mix_has_a_name() -> None:
    assert [pick_mix(name) for name in MIXES] == ["none", "mixup", "cutmix"]
    failing: Callable[[str], Mix] = pick_mix
    with pytest.raises(ConfigError, match="got 'blend'"):
        failing("blend")
