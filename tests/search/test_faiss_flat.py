import numpy as np
from vectors import placed

from plismbench.search.exact import ExactEngine
from plismbench.search.faiss_flat import FaissEngine


def test_small_and_large_slides_agree_with_the_dense_search():
    # FAISS takes other paths below 20 queries and above some thousand rows.
    random = np.random.default_rng(1)
    for n in (5, 19, 20, 3_000):
        vectors = random.standard_normal((n, 32)).astype(np.float32)
        found, expected = (search.nearest(placed(search, vectors, 8), 5) for search in (FaissEngine(), ExactEngine()))
        np.testing.assert_array_equal(found.rows, expected.rows)
