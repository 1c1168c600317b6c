"""Brute-force search with FAISS."""

import numpy as np
import numpy.typing as npt

from plismbench.search.engine import Neighbors, check_query


def search_faiss(queries: npt.NDArray[np.float32], database: npt.NDArray[np.float32], k: int) -> Neighbors:
    """``faiss.knn`` by inner product: float32 products, no index to build or keep."""
    import faiss

    check_query(queries, database, k)
    scores, rows = faiss.knn(queries, database, k, metric=faiss.METRIC_INNER_PRODUCT)
    return Neighbors(scores, rows)
