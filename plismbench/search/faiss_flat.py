"""FAISS for the neighbours within a slide, pruned matrix products between slides."""

from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from plismbench.errors import NeedsAction, first_line_of
from plismbench.search import pruned
from plismbench.search.engine import Neighbors, Reached, check_k
from plismbench.search.on_host import HostArithmetic, OnHost
from plismbench.search.vectors import Float32, Float64, Int64, PrincipalAxes, SlideVectors

_MOST_ON_GPU = 2_048  # neighbours that FAISS sorts out on a GPU


class FaissEngine(HostArithmetic):
    """Brute force by inner product, with no index to build or keep: ``faiss.knn`` on all cores, or ``knn_gpu``.

    A GPU takes the searches within slides alone. Its products are of float32 in full (FAISS asks cuBLAS for no
    reduced precision), so what holds of rounding on the CPU holds there.
    """

    concurrent = True
    room = None

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._turn = Lock()  # FAISS lets one thread at a time use what it keeps on a GPU

    @classmethod
    def on(cls, device: str) -> "FaissEngine":
        """The engine on a device; on the CPU if it may choose.

        Raises:
            NeedsAction: if CUDA is asked for, and FAISS is built without or sees no GPU.
        """
        if device != "cuda":
            return cls()
        import faiss

        if not (hasattr(faiss, "knn_gpu") and faiss.get_num_gpus()):
            raise NeedsAction("No CUDA device is available to FAISS.", hint="Use --device cpu.")
        return cls("cuda")

    @property
    def versions(self) -> dict[str, str]:
        """FAISS's."""
        import faiss

        return {"faiss": faiss.__version__}

    def place(self, vectors: SlideVectors, axes: Callable[[], PrincipalAxes]) -> OnHost[pruned.Split]:
        """Rotates a slide, and sets its leading columns apart."""
        along = axes()
        return OnHost(vectors, pruned.split(along.rotated(vectors), along.lead))

    def nearest(self, slide: OnHost[pruned.Split], k: int) -> Neighbors:
        """One search of a slide in itself.

        Raises:
            InvalidInput: if k is not between 1 and the number of rows.
            NeedsAction: if the GPU fails.
        """
        import faiss

        check_k(k, len(slide.form.lead))
        vectors = slide.form.whole()
        if self.device == "cuda" and k <= _MOST_ON_GPU:
            scores, rows = self._on_gpu(vectors, k)
        else:
            scores, rows = faiss.knn(vectors, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
        return Neighbors(scores, np.asarray(rows, np.int64))

    def reaching(
        self, a: OnHost[pruned.Split], b: OnHost[pruned.Split], least_a: Float64, least_b: Float64
    ) -> tuple[Reached, Reached]:
        """See ``pruned.reaching``: FAISS has no search that answers for both sides of a product at once."""
        return pruned.reaching(a.form, b.form, least_a, least_b, self.rounding(a.vectors.dim))

    def _on_gpu(self, vectors: Float32, k: int) -> tuple[Float32, Int64]:
        import faiss

        try:
            with self._turn:
                found: tuple[Float32, Int64] = faiss.knn_gpu(
                    self._resources, vectors, vectors, k, metric=faiss.METRIC_INNER_PRODUCT, device=0
                )
                return found
        except RuntimeError as error:
            raise NeedsAction(
                f"FAISS failed on the GPU: {first_line_of(error)}.",
                hint="Use --engine torch or --device cpu; what is done is kept.",
            ) from error

    @cached_property
    def _resources(self) -> Any:
        """Streams and scratch memory of FAISS on the GPU: up to 1.5 GB, as it chooses."""
        import faiss

        return faiss.StandardGpuResources()
