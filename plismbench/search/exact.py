"""Dense search in NumPy: the oracle of every other engine."""

import numpy as np
import numpy.typing as npt

from plismbench.search.engine import Neighbors, check_query


def search_exactly(queries: npt.NDArray[np.float32], database: npt.NDArray[np.float32], k: int) -> Neighbors:
    """All inner products in float64, sorted; equal scores by row number. Takes n_queries × n_rows × 8 bytes."""
    check_query(queries, database, k)
    scores = queries.astype(np.float64) @ database.astype(np.float64).T
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Neighbors(np.take_along_axis(scores, rows, axis=1).astype(np.float32), rows.astype(np.int64))
