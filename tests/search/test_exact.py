import numpy as np

from plismbench.search.exact import search_exactly


def test_by_hand_with_ties_by_row_number():
    database = np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8]], np.float32)
    found = search_exactly(np.array([[1, 0]], np.float32), database, 3)
    assert found.rows.tolist() == [[0, 2, 3]]
    np.testing.assert_allclose(found.scores, [[1, 1, 0.6]], rtol=1e-6)
