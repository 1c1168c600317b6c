import numpy as np
from vectors import placed

from plismbench.search.exact import ExactEngine


def test_by_hand_with_ties_by_row_number():
    search = ExactEngine()
    slide = placed(search, [[1, 0], [0, 1], [1, 0], [3, 4]])
    found = search.nearest(slide, 3)
    assert found.rows[0].tolist() == [0, 2, 3]
    np.testing.assert_allclose(found.scores[0], [1, 1, 0.6], rtol=1e-6)
