"""Dense search in NumPy: the oracle of every other engine."""

from collections.abc import Callable

import numpy as np

from plismbench.search.directions import HostArithmetic, OnHost
from plismbench.search.engine import Neighbors, Reached, Unsure, check_k, check_width
from plismbench.search.vectors import Float64, Int64, PrincipalAxes, SlideVectors


class ExactEngine(HostArithmetic):
    """All inner products in float64; takes n_rows² × 8 bytes."""

    concurrent = False  # each call takes several times n_rows² numbers
    device = "cpu"
    room = None

    @property
    def versions(self) -> dict[str, str]:
        """NumPy's."""
        return {"numpy": np.__version__}

    def place(self, vectors: SlideVectors, _axes: Callable[[], PrincipalAxes]) -> OnHost[Float64]:
        """Normalises a slide; no column is left out of a product, so none leads."""
        return OnHost(vectors, vectors.exact(slice(None)))

    def nearest(self, slide: OnHost[Float64], k: int) -> Neighbors:
        """Sorts every score; equal ones by row number."""
        check_k(k, len(slide.form))
        scores = slide.form @ slide.form.T
        rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return Neighbors(np.take_along_axis(scores, rows, axis=1).astype(np.float32), rows.astype(np.int64))

    def reaching(
        self, a: OnHost[Float64], b: OnHost[Float64], least_a: Float64, least_b: Float64, margin: float
    ) -> Reached:  # fmt: skip
        """Compares every score with the least of its row and of its column."""
        check_width(a.form.shape[1], b.form.shape[1])
        scores = a.form @ b.form.T
        unsure_a, unsure_b = Unsure(len(a.form), 0), Unsure(len(b.form), 1)
        of_a = _counted(scores, least_a[:, None], margin, unsure_a)
        of_b = _counted(scores, least_b[None, :], margin, unsure_b)
        (pairs_a, crowded_a), (pairs_b, crowded_b) = unsure_a.result(), unsure_b.result()
        return Reached(of_a.sum(axis=1), of_b.sum(axis=0), pairs_a, pairs_b, crowded_a, crowded_b)


def _counted(scores: Float64, least: Float64, margin: float, unsure: Unsure) -> Int64:
    sure = scores > least + margin
    unsure.add(np.argwhere((scores >= least - margin) & ~sure).astype(np.int64))
    return sure.astype(np.int64)
