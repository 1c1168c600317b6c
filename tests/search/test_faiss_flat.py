import numpy as np

from plismbench.search.exact import search_exactly
from plismbench.search.faiss_flat import search_faiss


def test_large_and_small_searches_agree_with_the_dense_one():
    # FAISS takes other paths below 20 queries and above some thousand rows.
    random = np.random.default_rng(1)
    database = random.standard_normal((5_000, 32)).astype(np.float32)
    for n_queries in (1, 19, 20, 300):
        queries = database[:n_queries] + 0.1
        np.testing.assert_array_equal(
            search_faiss(queries, database, 5).rows, search_exactly(queries, database, 5).rows
        )
