"""FAISS for the neighbours within a slide, pruned matrix products between slides."""

from collections.abc import Callable

import numpy as np

from plismbench.search import pruned
from plismbench.search.directions import Axes, Directions, Float64, HostArithmetic, OnHost
from plismbench.search.engine import Neighbors, Reached, check_k


class FaissEngine(HostArithmetic):
    """Brute force on all cores: ``faiss.knn`` by inner product, with no index to build or keep."""

    concurrent = True
    device = "cpu"
    room = None

    @property
    def versions(self) -> dict[str, str]:
        """FAISS's."""
        import faiss

        return {"faiss": faiss.__version__}

    def place(self, vectors: Directions, axes: Callable[[], Axes]) -> OnHost[pruned.Split]:
        """Turns a slide, and sets its leading columns apart."""
        along = axes()
        return OnHost(vectors, pruned.split(along.turned(vectors), along.lead))

    def nearest(self, slide: OnHost[pruned.Split], k: int) -> Neighbors:
        """One search of a slide in itself."""
        import faiss

        check_k(k, len(slide.form.lead))
        vectors = slide.form.whole()
        scores, rows = faiss.knn(vectors, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
        return Neighbors(scores, np.asarray(rows, np.int64))

    def reaching(
        self, a: OnHost[pruned.Split], b: OnHost[pruned.Split], least_a: Float64, least_b: Float64, margin: float
    ) -> Reached:  # fmt: skip
        """See ``pruned.reaching``: FAISS has no search that answers for both sides of a product at once."""
        return pruned.reaching(a.form, b.form, least_a, least_b, margin)
