import numpy as np

from plismbench.search.unsure import MOST_UNSURE, Unsure, unsure_band


def test_the_band_is_rounded_outwards():
    least = np.array([0.1, -0.3, 1.0, np.inf])
    low, high = unsure_band(least, 1e-7)
    assert low.dtype == high.dtype == np.float32
    assert (low[:3] <= least[:3] - 1e-7).all()
    assert (high[:3] >= least[:3] + 1e-7).all()
    assert low[3] == high[3] == np.inf


def test_a_row_is_crowded_by_all_of_its_pairs_however_they_came():
    unsure = Unsure(3)
    for others in np.split(np.arange(2 * MOST_UNSURE), 4):
        unsure.add(np.zeros(len(others), np.int64), others)
    unsure.add(np.array([2, 2]), np.array([5, 7]))
    reached = unsure.reached(np.array([9, 8, 7]))
    assert reached.sure.tolist() == [9, 8, 7]
    assert reached.crowded.tolist() == [True, False, False]
    assert reached.unsure.tolist() == [[2, 5], [2, 7]]
