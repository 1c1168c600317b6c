"""Dense search in NumPy: the oracle of every other engine."""

from collections.abc import Callable

import numpy as np

from plismbench.search.engine import Neighbors, Reached, check_k
from plismbench.search.on_host import HostArithmetic, OnHost
from plismbench.search.unsure import Unsure
from plismbench.search.vectors import Float64, PrincipalAxes, SlideVectors


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
        self, a: OnHost[Float64], b: OnHost[Float64], least_a: Float64, least_b: Float64
    ) -> tuple[Reached, Reached]:
        """Compares every score with the least of its row and of its column."""
        scores, margin = a.form @ b.form.T, self.rounding(a.vectors.dim)
        return _reached(scores, least_a, margin), _reached(scores.T, least_b, margin)


def _reached(scores: Float64, least: Float64, margin: float) -> Reached:
    sure = scores > least[:, None] + margin
    unsure = Unsure(len(scores))
    unsure.add(*np.nonzero((scores >= least[:, None] - margin) & ~sure))
    return unsure.reached(sure.sum(axis=1))
