"""FAISS for the neighbours within a slide, pruned matrix products between slides."""

import numpy as np

from plismbench.search import pruned
from plismbench.search.engine import Float32, Float64, Neighbors, Reached, check_k


class FaissEngine:
    """Brute force on all cores: ``faiss.knn`` by inner product, with no index to build or keep."""

    concurrent = True
    device = "cpu"

    @property
    def versions(self) -> dict[str, str]:
        """FAISS's."""
        import faiss

        return {"faiss": faiss.__version__}

    def place(self, vectors: Float32, lead: int) -> pruned.Split:
        """Sets the leading columns of a slide apart."""
        return pruned.split(vectors, lead)

    def nearest(self, slide: pruned.Split, k: int) -> Neighbors:
        """One search of a slide in itself."""
        import faiss

        check_k(k, len(slide.lead))
        vectors = slide.whole()
        scores, rows = faiss.knn(vectors, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
        return Neighbors(scores, np.asarray(rows, np.int64))

    def reaching(
        self, a: pruned.Split, b: pruned.Split, least_a: Float64, least_b: Float64, margin: float
    ) -> Reached:  # fmt: skip
        """See ``pruned.reaching``: FAISS has no search that answers for both sides of a product at once."""
        return pruned.reaching(a, b, least_a, least_b, margin)
