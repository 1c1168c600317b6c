"""Dense search in NumPy: the oracle of every other engine."""

import numpy as np

from plismbench.search.engine import Float32, Float64, Int64, Neighbors, Reached, check_k, check_width


class ExactEngine:
    """All inner products in float64; takes n_rows² × 8 bytes."""

    concurrent = True

    def place(self, vectors: Float32, lead: int) -> Float64:  # noqa: ARG002 - nothing is left out here
        """Widens a slide."""
        return vectors.astype(np.float64)

    def nearest(self, slide: Float64, k: int) -> Neighbors:
        """Sorts every score; equal ones by row number."""
        check_k(k, len(slide))
        scores = slide @ slide.T
        rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return Neighbors(np.take_along_axis(scores, rows, axis=1).astype(np.float32), rows.astype(np.int64))

    def reaching(self, a: Float64, b: Float64, least_a: Float64, least_b: Float64, margin: float) -> Reached:
        """Compares every score with the least of its row and of its column."""
        check_width(a.shape[1], b.shape[1])
        scores = a @ b.T
        of_a, unsure_a = _counted(scores, least_a[:, None], margin)
        of_b, unsure_b = _counted(scores, least_b[None, :], margin)
        return Reached(of_a.sum(axis=1), of_b.sum(axis=0), unsure_a, unsure_b)


def _counted(scores: Float64, least: Float64, margin: float) -> tuple[Int64, Int64]:
    sure = scores > least + margin
    unsure = (scores >= least - margin) & ~sure
    return sure.astype(np.int64), np.argwhere(unsure).astype(np.int64)
