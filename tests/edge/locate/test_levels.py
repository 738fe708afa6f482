import numpy as np
import pytest

from edge.locate.levels import grey_levels, level

SHARES = (0.0, 0.005, 0.1, 0.5, 0.8, 0.995, 1.0)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (7, 9), (175, 175)])
def test_grey_levels_are_numpys_quantiles(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    np.testing.assert_allclose(grey_levels(picture, SHARES), np.quantile(picture, SHARES), rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_the_median_of_some_levels(count: int) -> None:
    levels = np.random.default_rng(count).integers(0, 256, (9, 9)).astype(np.uint8)
    where = np.zeros((9, 9), np.uint8)
    where.flat[:count] = 1
    assert grey_levels(levels, (0.5,), where) == [np.median(levels[where > 0])]


@pytest.mark.parametrize("count", [1, 2, 10, 999])
@pytest.mark.parametrize("share", SHARES)
def test_a_level_is_numpys_quantile(count: int, share: float) -> None:
    values = np.random.default_rng(3).random(count, np.float32)
    assert level(values, share) == pytest.approx(float(np.quantile(values, share)), rel=1e-6)
